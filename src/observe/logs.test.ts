import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { SparkSession, schema, t } from "../index.ts";
import { MemoryStream } from "../testing/index.ts";
import { type LogLevel, type Logs, startLogs } from "./logs.ts";

let logs: Logs | undefined;
afterEach(() => logs?.close());

async function capture(level?: LogLevel): Promise<any[]> {
  const lines: any[] = [];
  logs = await startLogs({ ...(level && { level }), version: "1.2.3", write: (line) => lines.push(JSON.parse(line)) });
  return lines;
}

test("a query's life: each line an object with query, batch and level", async () => {
  const lines = await capture("debug");
  const folder = mkdtempSync(join(tmpdir(), "millrace-logs-"));
  const spark = new SparkSession();
  const stream = new MemoryStream(schema({ n: t.int }));
  const query = await stream
    .toDF(spark)
    .writeStream.queryName("logged")
    .format("noop")
    .option("checkpointLocation", folder)
    .trigger({ processingTime: "10 milliseconds" })
    .start();
  stream.addData({ n: 1 }, { n: 2 });
  await query.processAllAvailable();
  await query.stop();
  await spark.stop();
  rmSync(folder, { recursive: true, force: true });
  const of = (event: string): any => lines.find((l) => l.event === event);
  expect(of("query.started")).toMatchObject({ level: "info", query: "logged", queryId: query.id, triggerMs: 10 });
  expect(of("query.progress")).toMatchObject({
    level: "debug",
    query: "logged",
    batch: 0,
    inputRows: 2,
    phases: { addBatch: expect.any(Number) },
    version: "1.2.3",
    pid: process.pid,
  });
  expect(of("query.terminated")).toMatchObject({ level: "info", msg: "query logged ended" });
  for (const line of lines) expect(new Date(line.time).toISOString()).toBe(line.time);
});

test("failures carry code, hint and stack; levels cut off what is below", async () => {
  const lines = await capture("warn");
  const about = { id: "q-1", runId: "r-1", name: "delays" };
  publish("query.started", { ...about, timestamp: "2024-01-01T00:00:00.000Z" });
  const cause = new MillraceError("POSTGRES_UNREACHABLE", "PostgreSQL at postgres://u:geheim@h/db is away.", {
    hint: "Check that the server runs.",
    retryable: true,
  });
  const error = new MillraceError("STREAM_FAILED", "Query delays terminated.", { cause });
  publish("query.restarting", { ...about, attempt: 2, delayMs: 500, error });
  publish("query.terminated", { ...about, error });
  publish("record.bad", { source: "flights", partition: "0", offset: "7", reason: "not JSON" });
  publish("warning", {
    code: "SOMETHING",
    message: "line\nbreak",
    detail: { url: "redis://:geheim@h", level: "fatal" },
  });
  expect(lines.map((l) => [l.level, l.event, l.code])).toEqual([
    ["warn", "query.restarting", "POSTGRES_UNREACHABLE"],
    ["error", "query.terminated", "POSTGRES_UNREACHABLE"],
    ["warn", "record.bad", undefined],
    ["warn", "warning", "SOMETHING"],
  ]);
  expect(lines[0]).toMatchObject({
    attempt: 2,
    delayMs: 500,
    hint: "Check that the server runs.",
    retryable: true,
    err: { type: "MillraceError", stack: expect.stringContaining("logs.test.ts") },
  });
  expect(lines[2]).toMatchObject({ partition: "0", offset: "7" });
  expect(lines[3]).toMatchObject({ detail: { url: "redis://:***@h" } });
  expect(JSON.stringify(lines)).not.toContain("geheim");
});

test("silent is silent, and an end is an end", async () => {
  const lines = await capture("silent");
  publish("warning", { code: "X", message: "unheard" });
  logs!.close();
  const after = await capture("info");
  logs!.close();
  publish("warning", { code: "X", message: "unheard" });
  expect([...lines, ...after]).toEqual([]);
});
