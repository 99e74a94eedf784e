import { Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { publish } from "../events.ts";
import { lagOf } from "./lag.ts";
import { type StatusLine, startStatusLine } from "./status-line.ts";

let written: string;
let now: number;
let status: StatusLine;

function stream(isTTY: boolean): NodeJS.WriteStream {
  const s = new Writable({
    write(chunk, _, done) {
      written += chunk;
      done();
    },
  });
  return Object.assign(s, { isTTY, columns: 100 }) as unknown as NodeJS.WriteStream;
}

const ids = { id: "0b7c7f3e-id", runId: "r" };

function progress(batchId: number, rows: number, extra: object = {}): void {
  publish("query.progress", {
    ...ids,
    name: "delays",
    progress: { batchId, batchDuration: 100, numInputRows: rows, sources: [], ...extra },
  });
}

beforeEach(() => {
  written = "";
  now = 0;
});
afterEach(() => status.stop());

describe("where there is no terminal", () => {
  beforeEach(() => {
    status = startStatusLine({ stream: stream(false), plainEveryMs: 1000, now: () => now });
  });

  test("a line now and then, with rate, batch, lag and watermark", () => {
    now = 100;
    progress(7, 12_345, {
      sources: [{ latestOffset: { flights: { 0: 500, 1: 30 } }, endOffset: { flights: { 0: 400, 1: 30 } } }],
      eventTime: { watermark: "2001-01-03T05:00:00.000Z" },
    });
    progress(8, 1);
    now = 1200;
    progress(9, 0, { eventTime: { watermark: "1970-01-01T00:00:00.000Z" } });
    expect(written.split("\n")).toEqual([
      "delays     123,450 events/s · batch 7 in 100 ms · lag 100 · watermark 2001-01-03 05:00",
      "delays     10,288 events/s · batch 9 in 100 ms",
      "",
    ]);
  });

  test("how far a query is that catches up, and how long it will take", () => {
    const at = (offset: number) => ({
      sources: [{ latestOffset: { f: { 0: 10_000 } }, endOffset: { f: { 0: offset } } }],
    });
    now = 100;
    progress(1, 100, at(2_100));
    now = 2_100;
    progress(2, 2_000, at(6_000));
    expect(written.split("\n").slice(0, 2)).toEqual([
      "delays     1,000 events/s · batch 1 in 100 ms · lag 7,900 ░░░░░░░░░░░░░░░░ 1 %, 8 s left",
      "delays     1,000 events/s · batch 2 in 100 ms · lag 4,000 ████████░░░░░░░░ 50 %, 4 s left",
    ]);
  });

  test("restarts and failures at once, with their first line", () => {
    progress(1, 1);
    written = "";
    publish("query.restarting", { ...ids, attempt: 2, delayMs: 4000, error: new Error("no broker\nmore") });
    publish("query.terminated", { ...ids, name: "delays", error: new Error("[STREAM_FAILED] it broke") });
    expect(written).toBe(
      "delays     restarting attempt 2 in 4000 ms: no broker\ndelays     failed [STREAM_FAILED] it broke\n",
    );
  });

  test("nothing after stop", () => {
    status.stop();
    progress(1, 1);
    expect(written).toBe("");
  });
});

test("on a terminal lines stand above the status, which is redrawn and never clears the screen", () => {
  status = startStatusLine({ stream: stream(true), now: () => now });
  publish("query.started", { ...ids, name: "delays", timestamp: "" });
  status.log("hello");
  status.log("again");
  const plain = written.replace(/\x1b\[\d*m/g, "");
  expect(plain).toBe("hello\ndelays     no batch yet\n\x1b[1A\x1b[0Jagain\ndelays     no batch yet\n");
  expect(written).not.toContain("\x1b[2J");
});

test.each([
  [{ latestOffset: { t: { 0: 5 } }, endOffset: { t: { 0: 3 } } }, 2],
  [{ latestOffset: '{"t":{"0":5,"1":7}}', endOffset: '{"t":{"0":5,"1":0}}' }, 7],
  [{ latestOffset: { t: { 0: 5 } }, endOffset: null }, undefined],
  [{ latestOffset: 12, endOffset: 3 }, undefined],
  [{ latestOffset: "{", endOffset: "{" }, undefined],
])("the lag of %j is %s", (source, lag) => {
  status = startStatusLine({ stream: stream(false) });
  expect(lagOf(source as never)).toBe(lag);
});
