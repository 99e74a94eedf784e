import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StreamingQueryHandle, StreamingQueryProgress } from "../../src/backend.ts";
import { connectorFor } from "../../src/connectors/index.ts";
import { memory, memoryTable } from "../../src/connectors/memory.ts";
import { memoryStream } from "../../src/connectors/memory-stream.ts";
import type { DataFrame } from "../../src/dataframe/dataframe.ts";
import { col, count, sum, window } from "../../src/dataframe/functions.ts";
import { MillraceError } from "../../src/errors.ts";
import { type Events, subscribe } from "../../src/events.ts";
import { Faults } from "../../src/testing/faults.ts";
import { atomicLedger, ledger, readLedger } from "../../src/testing/ledger.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import type { StructType } from "../../src/types/data-type.ts";
import { TestSession } from "./session.ts";

const WORD: StructType = {
  kind: "struct",
  fields: [
    { name: "word", type: { kind: "string" }, nullable: true },
    { name: "n", type: { kind: "integer" }, nullable: true },
  ],
};
interface Word {
  word: string;
  n: number;
}

let root: string;
const sessions: TestSession[] = [];
const subscriptions: (() => void)[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-query-"));
});
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  for (const unsubscribe of subscriptions.splice(0)) unsubscribe();
  rmSync(root, { recursive: true, force: true });
});

function session(...args: ConstructorParameters<typeof TestSession>): TestSession {
  const made = new TestSession(...args);
  sessions.push(made);
  return made;
}

function heard<K extends keyof Events>(name: K): Events[K][] {
  const events: Events[K][] = [];
  subscriptions.push(subscribe(name, (event) => events.push(event)));
  return events;
}

async function failureOf(promise: Promise<unknown>): Promise<MillraceError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    return error as MillraceError;
  }
  throw new Error("nothing was thrown");
}

function counting(stream: MemoryStream<Word>, on: TestSession) {
  return stream
    .toDF(on)
    .groupBy("word")
    .agg(sum("n").as("n"))
    .writeStream.format("ledger")
    .outputMode("update")
    .option("checkpointLocation", join(root, "checkpoint"));
}

const out = (): unknown[] => readLedger(join(root, "out")).map((batch) => batch.rows);

describe("the handle", () => {
  test("tells who it is, what it did and when it ends", async () => {
    const started = heard("query.started");
    const progressed = heard("query.progress");
    const terminated = heard("query.terminated");
    const on = session();
    const words = new MemoryStream<Word>(WORD);
    const query = await words.toDF(on).writeStream.format("memory").queryName("handle").start();
    expect(started).toMatchObject([{ id: query.id, runId: query.runId, name: "handle" }]);
    expect(query).toMatchObject({ name: "handle", isActive: true, exception: null, lastProgress: null });
    words.addData({ word: "a", n: 1 }, { word: "b", n: 2 });
    await query.processAllAvailable();
    expect(memoryTable("handle")?.rows).toEqual([
      { word: "a", n: 1 },
      { word: "b", n: 2 },
    ]);
    expect(query.lastProgress).toMatchObject({ batchId: 0, numInputRows: 2 });
    expect(progressed.at(-1)?.progress).toBe(query.lastProgress);
    expect(await query.awaitTermination(1)).toBe(false);
    await query.stop();
    await query.stop();
    expect(query).toMatchObject({ isActive: false, exception: null });
    expect(query.status).toEqual({ message: "Stopped", isDataAvailable: false, isTriggerActive: false });
    expect(await query.awaitTermination()).toBe(true);
    expect(terminated).toMatchObject([{ id: query.id, error: null }]);
    await query.processAllAvailable();
  });

  test("an idle query waits for data and says so", async () => {
    const words = new MemoryStream<Word>(WORD);
    const query = await words.toDF(session()).writeStream.format("memory").queryName("waits").start();
    await query.processAllAvailable();
    expect(query.status).toEqual({
      message: "Waiting for data to arrive",
      isDataAvailable: false,
      isTriggerActive: false,
    });
  });

  test("progress has Spark's keys in Spark's order, and leaves empty maps and rates that are no number out", async () => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    const words = new MemoryStream<Word>(WORD);
    const query = await words
      .toDF(session({}, { clock }))
      .groupBy("word")
      .count()
      .writeStream.format("memory")
      .queryName("keys")
      .outputMode("complete")
      .start();
    words.addData({ word: "a", n: 1 });
    await query.processAllAvailable();
    const first = query.lastProgress as StreamingQueryProgress;
    expect(Object.keys(first)).toEqual([
      "id",
      "runId",
      "name",
      "timestamp",
      "batchId",
      "batchDuration",
      "numInputRows",
      "processedRowsPerSecond",
      "durationMs",
      "stateOperators",
      "sources",
      "sink",
    ]);
    expect(first.timestamp).toBe("2026-01-01T00:00:00.000Z");
    expect(Object.keys(first.durationMs)).toEqual(Object.keys(first.durationMs).toSorted());
    expect(Object.keys(first.durationMs)).toEqual(
      expect.arrayContaining([
        "addBatch",
        "commitOffsets",
        "getBatch",
        "latestOffset",
        "triggerExecution",
        "walCommit",
      ]),
    );
    expect(Object.keys(first.sources[0]!)).toEqual([
      "description",
      "startOffset",
      "endOffset",
      "latestOffset",
      "numInputRows",
      "processedRowsPerSecond",
    ]);
    expect(first.sink).toEqual({ guarantee: "exactly-once", description: "MemorySink", numOutputRows: 1 });
    expect(first.stateOperators[0]).toMatchObject({
      operatorName: "stateStoreSave",
      numRowsTotal: 1,
      numRowsUpdated: 1,
    });
    clock.advance(2000);
    words.addData({ word: "a", n: 1 }, { word: "b", n: 1 }, { word: "c", n: 1 });
    await query.processAllAvailable();
    expect(query.lastProgress).toMatchObject({ inputRowsPerSecond: 1.5, timestamp: "2026-01-01T00:00:02.000Z" });
    expect(query.recentProgress).toHaveLength(2);
  });
});

describe("triggers", () => {
  test("availableNow takes what is there, in as many batches as the source's limit makes, and ends", async () => {
    const words = new MemoryStream<Word>(WORD);
    for (let i = 0; i < 5; i++) words.addData({ word: "a", n: i });
    const query = await words
      .toDF(session(), { maxBlocksPerTrigger: 2 })
      .writeStream.format("memory")
      .queryName("available")
      .trigger({ availableNow: true })
      .start();
    expect(await query.awaitTermination()).toBe(true);
    expect(query.recentProgress.map((p) => p.numInputRows)).toEqual([2, 2, 1]);
    expect(query.exception).toBeNull();
  });

  test("once takes everything in one batch, whatever the limit", async () => {
    const words = new MemoryStream<Word>(WORD);
    for (let i = 0; i < 5; i++) words.addData({ word: "a", n: i });
    const query = await words
      .toDF(session(), { maxBlocksPerTrigger: 2 })
      .writeStream.format("memory")
      .queryName("once")
      .trigger({ once: true })
      .start();
    await query.awaitTermination();
    expect(query.recentProgress.map((p) => p.numInputRows)).toEqual([5]);
  });

  test("processingTime runs on multiples of the interval", async () => {
    const clock = new ManualClock(10_300);
    const words = new MemoryStream<Word>(WORD);
    const batches: number[] = [];
    let arrived = Promise.withResolvers<void>();
    const query = await words
      .toDF(session({}, { clock }))
      .writeStream.foreachBatch(() => {
        batches.push(clock.now());
        arrived.resolve();
      })
      .trigger({ processingTime: "1 second" })
      .start();
    const ticks = async (): Promise<void> => {
      // the query sleeps until its next tick
      while (clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    await ticks();
    words.addData({ word: "a", n: 1 });
    expect(batches).toEqual([]);
    clock.set(11_000);
    await arrived.promise;
    arrived = Promise.withResolvers();
    await ticks();
    words.addData({ word: "b", n: 1 });
    clock.set(11_999);
    expect(batches).toEqual([11_000]);
    clock.set(12_000);
    await arrived.promise;
    expect(batches).toEqual([11_000, 12_000]);
    await query.stop();
  });
});

describe("failures", () => {
  function unreliable(faults: Faults, conf: Record<string, string> = {}): TestSession {
    const wrapped = [memory, memoryStream, ledger, atomicLedger].map((connector) => faults.wrap(connector));
    return session(
      { "millrace.restart.initialDelayMs": "1", "millrace.restart.maxDelayMs": "4", ...conf },
      { connectorFor: (format) => wrapped.find(({ name }) => name === format) ?? connectorFor(format) },
    );
  }

  test.each([
    "latestOffset",
    "read",
    "addBatch",
    "addBatch:after",
    "openSource",
    "openSink",
    "lastBatch",
    "initialOffset",
  ] as const)("a %s that fails for a while delays the query and changes nothing", async (call) => {
    const restarting = heard("query.restarting");
    const faults = new Faults();
    const words = new MemoryStream<Word>(WORD);
    faults.failNext(call, 4);
    const query = await counting(words, unreliable(faults)).start(join(root, "out"));
    words.addData({ word: "a", n: 1 });
    await query.processAllAvailable();
    words.addData({ word: "a", n: 2 });
    await query.processAllAvailable();
    expect(out()).toEqual([[{ word: "a", n: "1" }], [{ word: "a", n: "3" }]]);
    expect(query.exception).toBeNull();
    // doubling up to the longest pause
    expect(restarting.map((event) => [event.attempt, event.delayMs])).toEqual([
      [1, 1],
      [2, 2],
      [3, 4],
      [4, 4],
    ]);
  });

  test("a good batch starts the pauses anew", async () => {
    const restarting = heard("query.restarting");
    const faults = new Faults();
    const words = new MemoryStream<Word>(WORD);
    const query = await counting(words, unreliable(faults)).start(join(root, "out"));
    for (let i = 0; i < 2; i++) {
      faults.failNext("addBatch", 2);
      words.addData({ word: "a", n: 1 });
      await query.processAllAvailable();
    }
    expect(restarting.map((event) => event.attempt)).toEqual([1, 2, 1, 2]);
  });

  test("a failure that cannot pass ends the query with its error", async () => {
    const terminated = heard("query.terminated");
    const faults = new Faults();
    const words = new MemoryStream<Word>(WORD);
    const query = await counting(words, unreliable(faults)).start(join(root, "out"));
    faults.failNext("addBatch", 1, new MillraceError("SINK_FAILED", "The table is gone."));
    words.addData({ word: "a", n: 1 });
    const error = await failureOf(query.processAllAvailable());
    expect(error.code).toBe("STREAM_FAILED");
    expect(error.message).toContain(query.id);
    expect(error.message).toContain("The table is gone.");
    expect((error.cause as MillraceError).code).toBe("SINK_FAILED");
    expect(query.exception).toBe(error);
    expect(query.isActive).toBe(false);
    expect(query.status.message).toContain("Terminated with exception");
    expect(await failureOf(query.awaitTermination())).toBe(error);
    expect(await failureOf(query.processAllAvailable())).toBe(error);
    expect(terminated).toMatchObject([{ id: query.id, error }]);
    // and it can be started again, going on with the very batch
    const again = await counting(words, session()).start(join(root, "out"));
    await again.processAllAvailable();
    expect(out()).toEqual([[{ word: "a", n: "1" }]]);
  });

  test("restarts can be switched off", async () => {
    const faults = new Faults();
    const words = new MemoryStream<Word>(WORD);
    const query = await counting(words, unreliable(faults, { "millrace.restart.enabled": "false" })).start(
      join(root, "out"),
    );
    faults.failNext("addBatch");
    words.addData({ word: "a", n: 1 });
    expect((await failureOf(query.processAllAvailable())).code).toBe("STREAM_FAILED");
  });

  test("a query can be stopped while it waits to try again", async () => {
    const restarting = heard("query.restarting");
    const faults = new Faults();
    const words = new MemoryStream<Word>(WORD);
    faults.failNext("openSink", 1000);
    const query = await counting(
      words,
      unreliable(faults, { "millrace.restart.initialDelayMs": "60000", "millrace.restart.maxDelayMs": "60000" }),
    ).start(join(root, "out"));
    expect(restarting).toHaveLength(1);
    await query.stop();
    expect(query.exception).toBeNull();
  });

  test("a function given to foreachBatch that throws", async () => {
    const words = new MemoryStream<Word>(WORD);
    const query = await words
      .toDF(session())
      .writeStream.foreachBatch(async () => {
        throw new Error("no luck");
      })
      .start();
    words.addData({ word: "a", n: 1 });
    const error = await failureOf(query.processAllAvailable());
    expect((error.cause as MillraceError).code).toBe("USER_FUNCTION_FAILED");
    expect(error.message).toContain("no luck");
  });

  test("of two sinks the one that took the batch does not get it twice", async () => {
    const faults = new Faults();
    const words = new MemoryStream<Word>(WORD);
    const on = session(
      { "millrace.restart.initialDelayMs": "1" },
      {
        connectorFor: (format) =>
          format === "ledger" ? ledger : format === "atomic-ledger" ? faults.wrap(atomicLedger) : connectorFor(format),
      },
    );
    const query = await words
      .toDF(on)
      .writeStream.sink("good", "ledger", { path: join(root, "good") })
      .sink("bad", "atomic-ledger", { path: join(root, "bad") })
      .option("checkpointLocation", join(root, "checkpoint"))
      .start();
    faults.failNext("addBatch", 2);
    words.addData({ word: "a", n: 1 });
    await query.processAllAvailable();
    expect(readLedger(join(root, "good"))).toEqual(readLedger(join(root, "bad")));
    expect(readLedger(join(root, "good"))).toHaveLength(1);
    expect(query.lastProgress?.sinks?.map((sink) => sink.name)).toEqual(["good", "bad"]);
  });
});

describe("checkpoints", () => {
  async function once(words: MemoryStream<Word>): Promise<StreamingQueryHandle> {
    const on = session();
    const query = await counting(words, on).start(join(root, "out"));
    await query.processAllAvailable();
    await query.stop();
    return query;
  }

  test("a query keeps its id and goes on where it stopped", async () => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    const first = await once(words);
    words.addData({ word: "a", n: 2 }, { word: "b", n: 5 });
    const second = await once(words);
    expect(second.id).toBe(first.id);
    expect(second.runId).not.toBe(first.runId);
    expect(out()).toEqual([
      [{ word: "a", n: "1" }],
      expect.arrayContaining([
        { word: "a", n: "3" },
        { word: "b", n: "5" },
      ]),
    ]);
  });

  test("another query's checkpoint is refused, naming what differs", async () => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    await once(words);
    const other = words
      .toDF(session())
      .groupBy("n")
      .agg(count("*").as("c"))
      .writeStream.format("ledger")
      .outputMode("update")
      .option("checkpointLocation", join(root, "checkpoint"));
    const error = await failureOf(other.start(join(root, "out")));
    expect(error.code).toBe("STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA");
    expect(error.message).toContain("sum");
    expect(error.message).toContain("count");
  });

  test("the same types under another column are another query, a renamed result is not", async () => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    await once(words);
    const on = session();
    const write = (df: DataFrame<any>) =>
      df.writeStream
        .format("ledger")
        .outputMode("update")
        .option("checkpointLocation", join(root, "checkpoint"))
        .start(join(root, "out"));
    const swapped = words.toDF(on).withColumn("other", col("word")).filter(col("n").gt(0));
    const error = await failureOf(write(swapped.groupBy(col("word").cast("int")).agg(sum("n").as("n"))));
    expect(error.code).toBe("STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA");
    const query = await write(swapped.groupBy("other").agg(sum("n").as("total")));
    words.addData({ word: "a", n: 4 });
    await query.processAllAvailable();
    expect(out().at(-1)).toEqual([{ other: "a", total: "5" }]);
  });

  test("a query with another number of sources is refused", async () => {
    const words = new MemoryStream<Word>(WORD);
    const more = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    const on = session();
    const write = (df: ReturnType<typeof words.toDF>) =>
      df.writeStream
        .format("atomic-ledger")
        .option("checkpointLocation", join(root, "checkpoint"))
        .start(join(root, "out"));
    const query = await write(words.toDF(on));
    await query.processAllAvailable();
    await query.stop();
    const error = await failureOf(write(words.toDF(on).union(more.toDF(on))));
    expect(error.code).toBe("CHECKPOINT_INCOMPATIBLE");
    expect(error.message).toContain("1 source(s); this one has 2");
  });

  test("one restored from an older copy is refused", async () => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    await once(words);
    cpSync(join(root, "checkpoint"), join(root, "copy"), { recursive: true });
    words.addData({ word: "b", n: 1 });
    await once(words);
    rmSync(join(root, "checkpoint"), { recursive: true });
    cpSync(join(root, "copy"), join(root, "checkpoint"), { recursive: true });
    const error = await failureOf(counting(words, session()).start(join(root, "out")));
    expect(error.code).toBe("CHECKPOINT_DIVERGED");
    expect(error.message).toContain("the sink ledger holds batch 1");
  });

  test("one of which only the state is older is refused", async () => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    await once(words);
    const state = join("_millrace", "state.duckdb");
    cpSync(join(root, "checkpoint", state), join(root, "copy"));
    words.addData({ word: "b", n: 1 });
    await once(words);
    cpSync(join(root, "copy"), join(root, "checkpoint", state));
    const error = await failureOf(counting(words, session()).start(join(root, "out")));
    expect(error.code).toBe("CHECKPOINT_DIVERGED");
    expect(error.message).toContain("the state holds batch 0, behind commits/1");
  });

  test("one without its state is refused", async () => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    await once(words);
    rmSync(join(root, "checkpoint", "_millrace"), { recursive: true });
    expect((await failureOf(counting(words, session()).start(join(root, "out")))).code).toBe("CHECKPOINT_DIVERGED");
  });

  test.each(["state.duckdb"])("a truncated %s is named", async (file) => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    await once(words);
    const path = join(root, "checkpoint", "_millrace", file);
    truncateSync(path, 5000);
    const error = await failureOf(counting(words, session()).start(join(root, "out")));
    expect(error.code).toBe("CHECKPOINT_CORRUPT");
    expect(error.message).toContain(path);
  });

  test("a truncated offsets file is named", async () => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    await once(words);
    const path = join(root, "checkpoint", "offsets", "0");
    writeFileSync(path, "v1\n{");
    const error = await failureOf(counting(words, session()).start(join(root, "out")));
    expect(error.code).toBe("CHECKPOINT_CORRUPT");
    expect(error.message).toContain(path);
  });

  test("two queries on one checkpoint", async () => {
    const words = new MemoryStream<Word>(WORD);
    await counting(words, session()).start(join(root, "out"));
    const error = await failureOf(counting(words, session()).start(join(root, "out")));
    expect(error.code).toBe("CHECKPOINT_IN_USE");
  });

  test("a sink that keeps its rows needs a checkpointLocation", async () => {
    const words = new MemoryStream<Word>(WORD);
    const error = await failureOf(words.toDF(session()).writeStream.format("ledger").start(join(root, "out")));
    expect(error.code).toBe("MISSING_OPTION");
    expect(error.message).toContain("checkpointLocation");
  });

  test("a query without state is carried on from Spark's files alone, and gets an atomic sink's batch again", async () => {
    const words = new MemoryStream<Word>(WORD);
    words.addData({ word: "a", n: 1 });
    words.addData({ word: "b", n: 2 });
    const start = () =>
      words
        .toDF(session(), { maxBlocksPerTrigger: 1 })
        .writeStream.format("atomic-ledger")
        .option("checkpointLocation", join(root, "checkpoint"))
        .trigger({ availableNow: true })
        .start(join(root, "out"));
    await (await start()).awaitTermination();
    // as after a crash before commits/1; nothing of ours is left
    rmSync(join(root, "checkpoint", "commits", "1"));
    rmSync(join(root, "checkpoint", "_millrace"), { recursive: true });
    words.addData({ word: "c", n: 3 });
    await (await start()).awaitTermination();
    expect(out()).toEqual([[{ word: "a", n: 1 }], [{ word: "b", n: 2 }], [{ word: "c", n: 3 }]]);
  });

  test("adding a second sink to a query without state goes on", async () => {
    const words = new MemoryStream<Word>(WORD);
    const start = (...sinks: string[]) => {
      let writer = words.toDF(session()).writeStream.option("checkpointLocation", join(root, "checkpoint"));
      for (const sink of sinks) writer = writer.sink(sink, "atomic-ledger", { path: join(root, sink) });
      return writer.trigger({ availableNow: true }).start();
    };
    words.addData({ word: "a", n: 1 });
    await (await start("first")).awaitTermination();
    words.addData({ word: "b", n: 2 });
    await (await start("first", "second")).awaitTermination();
    words.addData({ word: "c", n: 3 });
    await (await start("first")).awaitTermination();
    expect(readLedger(join(root, "first")).map((batch) => batch.batchId)).toEqual([0, 1, 2]);
    expect(readLedger(join(root, "second")).map((batch) => batch.batchId)).toEqual([1]);
  });
});

test("rows behind the watermark are dropped and counted; groups close when it passes their end", async () => {
  const EVENT: StructType = {
    kind: "struct",
    fields: [
      { name: "ts", type: { kind: "timestamp" }, nullable: true },
      { name: "key", type: { kind: "string" }, nullable: true },
    ],
  };
  const at = (hour: number, minute: number): Date => new Date(Date.UTC(2026, 0, 1, hour, minute));
  const events = new MemoryStream<{ ts: Date; key: string }>(EVENT);
  const query = await events
    .toDF(session())
    .withWatermark("ts", "10 minutes")
    .groupBy(window("ts", "10 minutes", "5 minutes"), "key")
    .count()
    .select(col("window.start").as("start"), "key", "count")
    .writeStream.format("memory")
    .queryName("late")
    .outputMode("append")
    .start();
  const rows = (): unknown[] =>
    memoryTable("late")!.rows.map(
      (row) => `${(row.start as Date).toISOString().slice(11, 16)} ${row.key} ${row.count}`,
    );

  // Spark's guide, "Handling late data and watermarking"
  events.addData({ ts: at(12, 7), key: "dog" }, { ts: at(12, 8), key: "owl" });
  await query.processAllAvailable();
  events.addData({ ts: at(12, 14), key: "dog" }, { ts: at(12, 9), key: "cat" });
  await query.processAllAvailable();
  expect(rows()).toEqual([]);
  events.addData({ ts: at(12, 15), key: "cat" }, { ts: at(12, 8), key: "dog" }, { ts: at(12, 13), key: "owl" });
  await query.processAllAvailable();
  events.addData({ ts: at(12, 21), key: "owl" }, { ts: at(12, 17), key: "donkey" });
  await query.processAllAvailable();
  // the watermark is 12:11: the window 12:00-12:10 is closed
  expect(rows().toSorted()).toEqual(["12:00 cat 1", "12:00 dog 2", "12:00 owl 1"]);
  // 12:04 is too late now
  events.addData({ ts: at(12, 4), key: "donkey" });
  await query.processAllAvailable();
  expect(query.lastProgress?.eventTime?.watermark).toBe("2026-01-01T12:11:00.000Z");
  const dropped = query.recentProgress.flatMap((p) => p.stateOperators.map((op) => op.numRowsDroppedByWatermark));
  expect(dropped.reduce((a, b) => a + b, 0)).toBe(2);
  expect(rows().filter((row) => String(row).includes("donkey"))).toEqual([]);
});
