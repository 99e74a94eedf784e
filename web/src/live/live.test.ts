import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BatchSummary, ProcessInfo, QuerySummary } from "../../../src/observe/api.ts";
import { backoffMs, heard, lost, NEW, opened, statusOf } from "./connection.ts";
import { aged, KEEP_BATCHES, KEEP_SAMPLES, NOTHING, onHistory, onOpen, onQuery, tick } from "./reducer.ts";

const NOW = 1_800_000_000_000;

describe("the line to the process", () => {
  test("live, broken, stale, live again", () => {
    expect(statusOf(NEW, NOW).kind).toBe("connecting");
    let line = opened(NEW, NOW);
    expect(statusOf(line, NOW + 9000)).toEqual({ kind: "live", text: "Live" });
    line = lost(line, null);
    expect(statusOf(line, NOW + 500).kind).toBe("reconnecting");
    expect(statusOf(line, NOW + 12_000)).toEqual({ kind: "stale", text: "Stale since 12 s", seconds: 12 });
    expect(statusOf(line, NOW + 200_000).text).toBe("Stale since 3 min");
    expect(statusOf(opened(line, NOW + 201_000), NOW + 201_100).kind).toBe("live");
  });

  test("open and silent is stale as well", () => {
    expect(statusOf(heard(NEW, NOW), NOW + 30_000).kind).toBe("stale");
  });

  test("a process that was never reached is not stale: nothing was ever shown", () => {
    expect(statusOf(lost(lost(NEW, null), null), NOW).kind).toBe("reconnecting");
  });

  test("attempts come later and later, up to five seconds, never at once", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
        const ms = backoffMs(attempt, () => random);
        expect(ms).toBeGreaterThanOrEqual(125);
        expect(ms).toBeLessThanOrEqual(5000);
      }),
    );
    expect(backoffMs(0, () => 0)).toBeLessThan(backoffMs(3, () => 0));
  });
});

const process = (pid: number): ProcessInfo => ({
  version: "1",
  node: "24",
  pid,
  startedAt: NOW - 1000,
  now: NOW + 5000,
  memoryBytes: 1_000_000,
  servers: [],
});
const query = (inputRows: number, id = "q"): QuerySummary =>
  ({ id, name: "delays", inputRows, outputRows: 0, inputRowsPerSecond: 1, lagRows: 3 }) as QuerySummary;
const batch = (batchId: number, part: Partial<BatchSummary> = {}): BatchSummary => ({
  batchId,
  timestamp: new Date(NOW + batchId * 100).toISOString(),
  ms: 10,
  inputRows: 5,
  outputRows: 1,
  lateRows: 0,
  stateRows: 2,
  watermark: null,
  phases: {},
  ...part,
});

describe("what is shown", () => {
  const open = onOpen(NOTHING, { process: process(1), queries: [query(0)] }, NOW);

  test("the first message is everything; the process's clock counts", () => {
    expect(open.queries).toHaveLength(1);
    expect(open.skew).toBe(5000);
    expect(open.samples.q).toMatchObject([{ at: NOW + 5000, lagRows: 3 }]);
  });

  test("a query changes in place, a new one comes last, batches are kept in order and told once", () => {
    let live = onQuery(open, { query: query(9), batch: batch(1) });
    live = onQuery(live, { query: query(10), batch: batch(2) });
    live = onQuery(live, { query: query(10), batch: batch(2, { ms: 12 }) });
    live = onQuery(live, { query: query(1, "other"), batch: null });
    expect(live.queries.map((q) => [q.id, q.inputRows])).toEqual([
      ["q", 10],
      ["other", 1],
    ]);
    expect(live.batches.q!.map((b) => [b.batchId, b.ms])).toEqual([
      [1, 10],
      [2, 12],
    ]);
  });

  test("rates between two points are of the totals", () => {
    const later = tick(onQuery(open, { query: query(400), batch: null }), NOW + 2000);
    expect(later.samples.q!.at(-1)).toMatchObject({ input: 200 });
    expect(tick(later, NOW + 2100)).toBe(later);
  });

  test("the history that the process keeps fills the past, and what came meanwhile stays", () => {
    const live = onQuery(open, { query: query(9), batch: batch(31) });
    const learned = onHistory(
      live,
      "q",
      Array.from({ length: 30 }, (_, i) => batch(i + 1)),
    );
    expect(learned.batches.q!.map((b) => b.batchId)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
    // ten batches of five rows a second
    expect(learned.samples.q!.slice(1, -2).every((s) => s.input === 50)).toBe(true);
    expect(onHistory(learned, "q", learned.batches.q!).samples).toEqual(learned.samples);
  });

  test("another process begins with an empty past, the same one keeps it", () => {
    const live = onQuery(open, { query: query(9), batch: batch(1) });
    expect(onOpen(live, { process: process(1), queries: [query(9)] }, NOW).batches.q).toHaveLength(1);
    expect(onOpen(live, { process: process(2), queries: [query(9)] }, NOW).batches).toEqual({});
  });

  test("a query that is silent reads nothing, and its watermark falls behind", () => {
    const told = {
      ...query(9),
      lastBatchAt: NOW,
      inputRowsPerSecond: 800,
      outputRowsPerSecond: 8,
      flows: { "a-b": 800, "b-c": null },
      watermark: new Date(NOW - 5000).toISOString(),
    };
    expect(aged(told, NOW + 9000)).toMatchObject({ inputRowsPerSecond: 800, watermarkDelaySeconds: 14 });
    expect(aged(told, NOW + 11_000)).toMatchObject({
      inputRowsPerSecond: 0,
      outputRowsPerSecond: 0,
      flows: { "a-b": 0, "b-c": null },
      watermarkDelaySeconds: 16,
    });
    expect(aged({ ...told, watermark: null, inputRowsPerSecond: null }, NOW + 99_000).inputRowsPerSecond).toBeNull();
  });

  test("memory is bounded", () => {
    let live = open;
    for (let i = 1; i < 1000; i++) {
      live = tick(onQuery(live, { query: query(i), batch: batch(i) }), NOW + i * 1000);
    }
    expect(live.batches.q).toHaveLength(KEEP_BATCHES);
    expect(live.samples.q).toHaveLength(KEEP_SAMPLES);
  });
});
