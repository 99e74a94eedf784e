import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Events, subscribe } from "../../src/events.ts";
import { SparkSession } from "../../src/session.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";
import { addFile } from "./query-session.ts";

const server = given(await sharedSpark());

describe.skipIf(server === undefined)("queries whose sink is Spark's own", { timeout: 90_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), "millrace-streaming-test-"));
  const sessions: SparkSession[] = [];
  let folder: string;
  let input: string;
  let number = 0;

  const session = (): SparkSession => {
    const made = new SparkSession({ remote: server!.url });
    sessions.push(made);
    return made;
  };
  const files = (spark: SparkSession, ddl = "id BIGINT") =>
    spark.readStream.format("json").schema(ddl).option("maxFilesPerTrigger", "1").load(input);
  /** What a file sink has committed: its manifest's files. */
  const written = (path: string): string[] =>
    readdirSync(path)
      .filter((name) => name.endsWith(".json"))
      .flatMap((name) => readFileSync(join(path, name), "utf8").split("\n"))
      .filter((line) => line !== "")
      .sort();

  beforeEach(() => {
    folder = join(root, String(number++));
    input = join(folder, "input");
    addFile(input, 0, [{ id: 0 }, { id: 1 }]);
    addFile(input, 1, [{ id: 2 }]);
  });
  afterEach(async () => {
    for (const open of sessions.splice(0)) await open.stop();
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("start, progress, stop, and on from the checkpoint", async () => {
    const told: string[] = [];
    const spark = session();
    const off = [
      subscribe("query.started", (e) => void told.push(`started ${e.name}`)),
      subscribe("query.progress", (e) => void told.push(`progress ${(e.progress as { batchId: number }).batchId}`)),
      subscribe("query.terminated", (e) => void told.push(`terminated ${e.error}`)),
    ];
    const start = (from: SparkSession) =>
      files(from)
        .writeStream.queryName("native")
        .format("json")
        .option("checkpointLocation", join(folder, "checkpoint"))
        .start(join(folder, "out"));
    const query = await start(spark);
    expect(spark.streams.active).toEqual([query]);
    expect(query.isActive).toBe(true);
    await query.processAllAvailable();
    expect(query.lastProgress).toMatchObject({
      id: query.id,
      runId: query.runId,
      name: "native",
      batchId: 1,
      numInputRows: 1,
      sink: { guarantee: "exactly-once", description: expect.stringContaining("FileSink") },
      sources: [{ description: expect.stringContaining("FileStreamSource"), numInputRows: 1 }],
      stateOperators: [],
    });
    expect(Object.keys(query.lastProgress!)).toEqual(
      [
        "id",
        "runId",
        "name",
        "timestamp",
        "batchId",
        "batchDuration",
        "numInputRows",
        "inputRowsPerSecond",
        "processedRowsPerSecond",
        "durationMs",
        "stateOperators",
        "sources",
        "sink",
      ].filter((key) => key in query.lastProgress!),
    );
    expect(await query.awaitTermination(10)).toBe(false);
    await query.stop();
    expect(query.status).toEqual({ message: "Stopped", isDataAvailable: false, isTriggerActive: false });
    expect(await query.awaitTermination()).toBe(true);
    expect(told).toEqual(["started native", "progress 0", "progress 1", "terminated null"]);
    for (const end of off) end();
    expect(spark.streams.active).toEqual([]);

    addFile(input, 2, [{ id: 3 }]);
    const again = await start(session());
    await again.processAllAvailable();
    expect(again.id).toBe(query.id);
    expect(again.recentProgress.map((p) => p.batchId)).toEqual([2]);
    expect(written(join(folder, "out"))).toEqual(['{"id":0}', '{"id":1}', '{"id":2}', '{"id":3}']);
  });

  test("a failure on the server is STREAM_FAILED with Spark's class as the cause", async () => {
    const spark = session();
    const ended: Events["query.terminated"][] = [];
    const off = subscribe("query.terminated", (event) => void ended.push(event));
    const query = await files(spark)
      .selectExpr("1 / id as x")
      .writeStream.format("noop")
      .option("checkpointLocation", join(folder, "checkpoint"))
      .start();
    await expect(query.awaitTermination()).rejects.toMatchObject({
      code: "STREAM_FAILED",
      parameters: { id: query.id },
    });
    off();
    expect(query.exception!.cause).toMatchObject({ code: "DIVIDE_BY_ZERO" });
    expect(query.isActive).toBe(false);
    await expect(query.processAllAvailable()).rejects.toMatchObject({ code: "STREAM_FAILED" });
    expect(ended.map(({ id }) => id)).toEqual([query.id]);
  });

  test("triggers: once and availableNow end by themselves; processingTime waits", async () => {
    const spark = session();
    for (const [name, trigger, batches] of [
      ["once", { once: true }, 1],
      ["now", { availableNow: true }, 2],
    ] as const) {
      const query = await files(spark)
        .writeStream.format("noop")
        .trigger(trigger)
        .option("checkpointLocation", join(folder, name))
        .start();
      expect(await query.awaitTermination(60_000)).toBe(true);
      expect(query.recentProgress).toHaveLength(batches);
    }
    const slow = await files(spark)
      .writeStream.format("noop")
      .trigger({ processingTime: "1 hour" })
      .option("checkpointLocation", join(folder, "slow"))
      .start();
    await slow.stop();
    expect(slow.exception).toBeNull();
  });

  test("toTable writes into the server's catalog", async () => {
    const spark = session();
    const table = `millrace_stream_${process.pid}_${Date.now()}`;
    try {
      const query = await files(spark)
        .writeStream.format("parquet")
        .trigger({ availableNow: true })
        .option("checkpointLocation", join(folder, "checkpoint"))
        .toTable(table);
      await query.awaitTermination();
      const rows = await spark.table(table).orderBy("id").collect();
      expect(rows).toEqual([{ id: 0n }, { id: 1n }, { id: 2n }]);
    } finally {
      await spark.sql(`DROP TABLE IF EXISTS ${table}`);
    }
  });

  test("what Spark refuses is thrown by start", async () => {
    const spark = session();
    const writer = files(spark).groupBy("id").count().writeStream.format("json");
    await expect(
      writer.option("checkpointLocation", join(folder, "checkpoint")).start(join(folder, "out")),
    ).rejects.toMatchObject({ message: expect.stringMatching(/watermark/i) });
    await expect(files(spark).writeStream.format("no-such-format").start()).rejects.toMatchObject({
      code: "DATA_SOURCE_NOT_FOUND",
    });
    expect(spark.streams.active).toEqual([]);
  });

  test("a query outlives its client and is found again by its id, watched and stopped by another", async () => {
    const first = session();
    const query = await files(first)
      .writeStream.queryName("left-alone")
      .format("json")
      .option("checkpointLocation", join(folder, "checkpoint"))
      .start(join(folder, "out"));
    await query.processAllAvailable();
    const other = session();
    expect(other.streams.get(query.id)).toBeNull();
    const found = (await other.streams.find(query.id))!;
    expect(found).toMatchObject({ id: query.id, runId: query.runId, name: "left-alone", isActive: true });
    expect(found.lastProgress!.batchId).toBe(1);
    expect((await other.streams.findAll()).map(({ id }) => id)).toContain(query.id);
    expect(await other.streams.find("00000000-0000-4000-8000-000000000000")).toBeNull();
    addFile(input, 2, [{ id: 3 }]);
    await found.processAllAvailable();
    expect(found.lastProgress!.batchId).toBe(2);
    await found.stop();
    expect(await query.awaitTermination()).toBe(true);
    expect(query.exception).toBeNull();
    expect(await other.streams.find(query.id)).toBeNull();
    expect(existsSync(join(folder, "checkpoint/commits/2"))).toBe(true);
  });
});
