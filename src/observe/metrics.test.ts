import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publish } from "../events.ts";
import { SparkSession } from "../session.ts";
import { METRICS, metricsText, processMetrics } from "./metrics.ts";
import { QueryLog } from "./query-log.ts";

let folder: string;
let spark: SparkSession;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-metrics-"));
  spark = new SparkSession();
});
afterAll(async () => {
  await spark.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a query that ran is in the metrics: batches, rows in and out, late rows, phases, histogram", async () => {
  const log = new QueryLog();
  const rows = spark.createDataFrame(
    [
      { ts: new Date("2024-01-01T10:00:00Z"), n: 1 },
      { ts: new Date("2024-01-01T12:00:00Z"), n: 2 },
    ],
    "ts TIMESTAMP, n INT",
  );
  for (const name of ["a", "b"]) await rows.write.mode("append").json(join(folder, "in", name));
  const query = await spark.readStream
    .schema("ts TIMESTAMP, n INT")
    .option("maxFilesPerTrigger", 1)
    .json(join(folder, "in", "*"))
    .withWatermark("ts", "1 minute")
    .dropDuplicates("ts")
    .writeStream.queryName("seen")
    .format("noop")
    .option("checkpointLocation", join(folder, "checkpoint"))
    .trigger({ availableNow: true })
    .start();
  await query.awaitTermination();
  const record = log.query("seen")!;
  expect(record).toMatchObject({ state: "ended", id: query.id, lastError: null });
  expect(record.batches.map((p) => p.batchId)).toEqual(query.recentProgress.map((p) => p.batchId));
  const text = metricsText([...METRICS, ...processMetrics("1.2.3")], log);
  log.close();
  const value = (line: string): number =>
    Number(
      text
        .split("\n")
        .find((l) => l.startsWith(line))
        ?.split(" ")
        .at(-1),
    );
  expect(value('millrace_query_state{query="seen",state="ended"}')).toBe(1);
  expect(value('millrace_query_state{query="seen",state="running"}')).toBe(0);
  expect(value('millrace_batches_total{query="seen"}')).toBe(query.recentProgress.length);
  expect(value('millrace_input_rows_total{query="seen"')).toBe(4);
  expect(value('millrace_late_rows_total{query="seen",operator="0 dedupe"}')).toBe(
    query.recentProgress.reduce((n, p) => n + p.stateOperators[0]!.numRowsDroppedByWatermark, 0),
  );
  expect(value('millrace_batch_duration_seconds_bucket{query="seen",le="+Inf"}')).toBe(query.recentProgress.length);
  expect(value('millrace_watermark_timestamp_seconds{query="seen"}')).toBe(Date.parse("2024-01-01T11:59:00Z") / 1000);
  expect(text).toContain('millrace_build_info{version="1.2.3"');
  // Each name has one block: its help, its type, its samples.
  const helps = text.match(/^# HELP \S+/gm)!;
  expect(new Set(helps).size).toBe(helps.length);
});

test("failures, restarts and bad records are counted, with the cause of a failed query", () => {
  const log = new QueryLog({ keepBadRecords: 2 });
  const about = { id: "q-1", runId: "r-1", name: 'with "quotes"' };
  publish("query.started", { ...about, timestamp: "2024-01-01T00:00:00.000Z" });
  publish("query.restarting", { ...about, attempt: 1, delayMs: 10, error: new TypeError("broken") });
  publish("query.terminated", { ...about, error: new TypeError("broken again") });
  for (let i = 0; i < 3; i++) publish("record.bad", { source: "topic", partition: "0", offset: `${i}`, reason: "no" });
  expect(log.query("q-1")).toMatchObject({
    state: "failed",
    lastError: { code: "TypeError", message: "broken again" },
  });
  expect(log.badRecords().map((r) => r.offset)).toEqual(["1", "2"]);
  const text = metricsText(METRICS, log);
  log.close();
  expect(text).toContain('millrace_batch_failures_total{query="with \\"quotes\\"",code="TypeError"} 2\n');
  expect(text).toContain('millrace_query_restarts_total{query="with \\"quotes\\""} 1\n');
  expect(text).toContain('millrace_bad_records_total{source="topic"} 3\n');
});

test("a batch that a sink did not take counts for that sink alone", () => {
  const log = new QueryLog();
  const about = { id: "q-1", runId: "r-1", name: "two" };
  const step = (step: "sink-before" | "sink-after", sink: string): void =>
    publish("batch.step", { queryId: about.id, batchId: 1, step, sink });
  publish("query.started", { ...about, timestamp: "2024-01-01T00:00:00.000Z", triggerMs: 0 });
  for (let attempt = 1; attempt <= 2; attempt++) {
    for (const sink of ["db", "cache"]) step("sink-before", sink);
    step("sink-after", "cache");
    publish("query.restarting", { ...about, attempt, delayMs: 1, error: new Error("away") });
  }
  const text = metricsText(METRICS, log);
  log.close();
  expect(text).toContain('millrace_sink_retries_total{query="two",sink="db"} 2\n');
  expect(text).not.toContain('sink="cache"');
  expect(text).toContain('millrace_trigger_interval_seconds{query="two"} 0\n');
});

test("of several queries with one name only one is told: the one that runs, else the last", () => {
  const log = new QueryLog();
  const start = (id: string): void =>
    publish("query.started", { id, runId: id, name: "same", timestamp: "2024-01-01T00:00:00.000Z" });
  const states = (): string[] =>
    metricsText(METRICS, log)
      .split("\n")
      .filter((line) => line.startsWith("millrace_query_state") && line.endsWith(" 1"));
  start("a");
  publish("query.terminated", { id: "a", runId: "a", name: "same", error: new Error("no") });
  expect(states()).toEqual(['millrace_query_state{query="same",state="failed"} 1']);
  start("b");
  expect(states()).toEqual(['millrace_query_state{query="same",state="running"} 1']);
  publish("query.terminated", { id: "b", runId: "b", name: "same", error: null });
  expect(states()).toEqual(['millrace_query_state{query="same",state="ended"} 1']);
  log.close();
});
