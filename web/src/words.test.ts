import { describe, expect, test } from "vitest";
import type { BatchSummary, QuerySummary } from "../../src/observe/api.ts";
import type { Sample } from "./live/reducer.ts";
import { answersOf, growth, headline, inOrder, replaySpeed, timeSpent, toneOf, trendOf } from "./words.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");

function query(part: Partial<QuerySummary> = {}): QuerySummary {
  return {
    id: "0123456789abcdef",
    runId: "r",
    name: "delays",
    state: "running",
    startedAt: NOW - 65_000,
    lastBatchAt: NOW - 200,
    batchId: 7,
    inputRowsPerSecond: 1200,
    outputRowsPerSecond: 100,
    triggerMs: null,
    batchMs: 20,
    batchMsP50: 20,
    batchMsP95: 30,
    lagRows: 0,
    lagTrend: 0,
    lagSeconds: 0,
    bottleneck: null,
    watermark: new Date(NOW - 10_000).toISOString(),
    watermarkDelaySeconds: 10,
    stateRows: 40,
    stateBytes: 4000,
    inputRows: 100_000,
    outputRows: 900,
    lateRows: 0,
    batches: 8,
    restarts: 0,
    lastError: null,
    sources: [],
    flows: {},
    sinks: [],
    ...part,
  };
}
const error = { at: NOW, code: "SINK_FAILED", message: "The table is gone.", hint: null, cause: null };

describe("the answers of the first screen", () => {
  test("a query that is well", () => {
    const answers = answersOf(query(), [], NOW);
    expect(answers.running).toEqual({ tone: "good", text: "Running for 1 min", more: "last batch just now" });
    expect(answers.keepingUp).toEqual({ tone: "good", text: "Nothing waits", more: "reads 1,200 rows/s" });
    expect(answers.fresh.text).toBe("10 s behind the clock");
    expect(answers.correct.text).toBe("No failures");
    expect(answers.growing).toMatchObject({ text: "Keeps 40 rows", more: "4 kB" });
    expect(toneOf(answers)).toBe("good");
  });

  test("a little lag is the breath of micro-batches; a growing one is a warning; a shrinking one is not", () => {
    const up = (part: Partial<QuerySummary>) => answersOf(query(part), [], NOW).keepingUp;
    expect(up({ lagRows: 900, lagSeconds: 0.75, lagTrend: 1 })).toMatchObject({ tone: "good", text: "Keeping up" });
    expect(up({ lagRows: 90_000, lagSeconds: 75, lagTrend: 1 })).toEqual({
      tone: "warn",
      text: "Falling behind",
      more: "90k rows (1 min 15 s) wait and it grows",
    });
    expect(up({ lagRows: 90_000, lagSeconds: 75, lagTrend: -1 })).toMatchObject({ tone: "good", text: "Catching up" });
    expect(up({ lagRows: null, lagSeconds: null, lagTrend: null })).toMatchObject({
      tone: "calm",
      more: "its sources do not tell what waits",
    });
  });

  test("before the first batch there is a reason instead of numbers", () => {
    const answers = answersOf(
      query({ batches: 0, lastBatchAt: null, lagRows: null, watermark: null, stateRows: null, inputRows: 0 }),
      [],
      NOW,
    );
    expect(answers.running.more).toBe("no batch yet: the first one is on its way");
    for (const key of ["keepingUp", "fresh", "correct", "growing"] as const) {
      expect(answers[key]).toMatchObject({ tone: "calm", text: "No batch yet" });
    }
    expect(answersOf(query({ state: "idle", batches: 0, lastBatchAt: null }), [], NOW).running.more).toMatch(
      "no batch yet: the sources have no rows",
    );
  });

  test("failures, late rows, old data", () => {
    expect(answersOf(query({ state: "failed", lastError: error }), [], NOW)).toMatchObject({
      running: { tone: "bad", text: "Failed", more: "The table is gone." },
      correct: { tone: "bad", more: "SINK_FAILED" },
    });
    expect(answersOf(query({ restarts: 1, lastError: error }), [], NOW).correct).toMatchObject({
      tone: "warn",
      text: "1 failure, started again",
    });
    expect(answersOf(query({ lateRows: 3 }), [], NOW).correct).toMatchObject({
      tone: "good",
      text: "3 late rows dropped",
    });
    expect(answersOf(query({ lateRows: 3000 }), [], NOW).correct.tone).toBe("warn");
    const old = { watermark: "2001-01-02T03:04:05.000Z", watermarkDelaySeconds: 8e8 };
    expect(answersOf(query(old), [], NOW).fresh).toEqual({
      tone: "calm",
      text: "Old data are replayed",
      more: "results are final up to 2001-01-02 03:04 UTC",
    });
  });
});

test("the first sentence names what matters most", () => {
  const behind = query({ name: "slow", lagRows: 1e6, lagSeconds: 100, lagTrend: 1 });
  expect(headline([], NOW).text).toBe("No query has started yet.");
  expect(headline([query()], NOW).text).toBe("Everything is keeping up.");
  expect(headline([query({ state: "idle" })], NOW).text).toBe("All caught up; nothing new to read.");
  expect(headline([query(), behind], NOW)).toEqual({ tone: "warn", text: "The query slow is falling behind." });
  expect(headline([query({ state: "failed" }), behind], NOW).text).toBe("The query delays has failed.");
  expect(headline([query({ name: "a", state: "restarting" })], NOW).text).toBe(
    "The query a starts again after a failure.",
  );
  expect(headline([query({ state: "ended" })], NOW).text).toBe("The query has ended.");
});

const batch = (id: number, part: Partial<BatchSummary> = {}): BatchSummary => ({
  batchId: id,
  timestamp: new Date(NOW + id * 1000).toISOString(),
  ms: 100,
  inputRows: 10,
  outputRows: 1,
  lateRows: 0,
  stateRows: null,
  watermark: null,
  phases: { walCommit: 10, addBatch: 80, latestOffset: 10 },
  ...part,
});

test("where the time went", () => {
  expect(timeSpent({ state: "running" }, [batch(1), batch(2)])).toBe(
    "None, it keeps up. Of a batch, 80 % goes into: compute and deliver.",
  );
  expect(timeSpent({ state: "idle" }, [batch(1)])).toBe("None; there is nothing new to read.");
  expect(timeSpent({ state: "running" }, [])).toBeNull();
  expect(inOrder(["zebra", "commitOffsets", "addBatch", "latestOffset", "addBatch"])).toEqual([
    "latestOffset",
    "addBatch",
    "commitOffsets",
    "zebra",
  ]);
});

test("how fast old data are replayed", () => {
  const at = (id: number, minutes: number) =>
    batch(id, { watermark: new Date(Date.parse("2001-01-01T00:00:00Z") + minutes * 60_000).toISOString() });
  expect(replaySpeed([at(0, 0), at(1, 30), at(2, 60)])).toBe(1800);
  expect(replaySpeed([batch(1), batch(2)])).toBeNull();
});

test("whether a lag grows", () => {
  expect(trendOf([1, 2])).toBeNull();
  expect(trendOf([100, 90, 104])).toBe(0);
  expect(trendOf([100, 150, 200])).toBe(1);
  expect(trendOf([100, 0, 0])).toBe(-1);
  expect(trendOf([0, 0, 0])).toBe(0);
});

test("whether the state grows", () => {
  const at = (seconds: number, stateRows: number | null): Sample => ({
    at: NOW + seconds * 1000,
    input: null,
    output: null,
    lagRows: null,
    stateRows,
    stateBytes: null,
    totals: null,
  });
  expect(growth([at(0, 100), at(60, 101)])).toBe("steady");
  expect(growth([at(0, 100), at(60, 400)])).toBe("growing by 300 rows a minute");
  expect(growth([at(0, 400), at(120, 0)])).toBe("shrinking by 200 rows a minute");
  expect(growth([at(0, 100), at(5, 400)])).toBe("");
  expect(growth([at(0, null), at(60, null)])).toBe("");
});
