import { basename, join } from "node:path";
import { Redis } from "iovalkey";
import pg from "pg";
import type { StreamingQueryHandle } from "../../src/backend.ts";
import type { DataFrame } from "../../src/dataframe/dataframe.ts";
import { avg, col, count, max, window } from "../../src/dataframe/functions.ts";
import { DataStreamReader } from "../../src/dataframe/reader.ts";
import { udf } from "../../src/dataframe/udf.ts";
import { SparkSession } from "../../src/session.ts";
import { readLedger } from "../../src/testing/ledger.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import { t } from "../../src/types/schema.ts";
import type { StatefulProcessor, StatefulProcessorHandle, ValueState } from "../../src/types/stateful.ts";
import { EVENT, type Event } from "../pipelines/event.ts";
import type { TestSession } from "../pipelines/session.ts";

/** Batches of the input. */
const BATCHES = 12;

/** The same rows in every process: what a replayable source gives. */
function events(session: TestSession): DataFrame<Event> {
  const stream = new MemoryStream<Event>(EVENT);
  for (let batch = 0; batch < BATCHES; batch++) {
    const rows = Array.from({ length: 50 }, (_, i) => {
      const n = batch * 50 + i;
      return {
        ts: new Date(Date.UTC(2026, 0, 1) + n * 60_000 - (n % 7) * 120_000),
        key: `k${(n * 7919) % 5}`,
        value: (n * 31) % 100,
      };
    });
    stream.addData(...rows);
  }
  stream.addData({ ts: new Date(Date.UTC(2026, 0, 9)), key: "end", value: 0 });
  return stream.toDF(session, { maxBlocksPerTrigger: 1 });
}

function hourly(df: DataFrame<Event>): DataFrame<any> {
  return df
    .withWatermark("ts", "2 hours")
    .groupBy(window("ts", "1 hour"), "key")
    .agg(count("*").as("n"), avg("value").as("mean"), max("value").as("most"))
    .select(col("window.start").as("hour"), "key", "n", "mean", "most");
}

/** Flags hours that are far above the key's hours so far; what it says depends on all that came before. */
class Rising
  implements StatefulProcessor<string, { hour: Date; n: bigint }, { hour: Date; key: string; total: bigint }>
{
  #total!: ValueState<bigint>;

  init(handle: StatefulProcessorHandle): void {
    this.#total = handle.getValueState<bigint>("total", { kind: "long" });
  }

  *handleInputRows(key: string, rows: Iterable<{ hour: Date; n: bigint }>) {
    for (const { hour, n } of rows) {
      const total = (this.#total.get() ?? 0n) + n;
      this.#total.update(total);
      yield { hour, key, total };
    }
  }
}

const ALERT = {
  kind: "struct",
  fields: [
    { name: "hour", type: { kind: "timestamp" }, nullable: true },
    { name: "key", type: { kind: "string" }, nullable: true },
    { name: "total", type: { kind: "long" }, nullable: true },
  ],
} as any;

interface Pipeline {
  readonly sinks: readonly string[];
  /** Whether batches pass `state-committed`. */
  readonly staged: boolean;
  start(session: TestSession, directory: string, checkpoint: string): Promise<StreamingQueryHandle>;
  /** What the outside world holds, to be the same with and without crashes. */
  result(directory: string): Promise<unknown> | unknown;
}

const random = udf((value: number) => value + Math.random(), t.double);

function ledgerRows(directory: string, ...names: string[]): unknown {
  return names.map((name) =>
    readLedger(join(directory, name)).map((batch) => [
      batch.batchId,
      batch.rows.map((row) => JSON.stringify(row)).sort(),
    ]),
  );
}

export const pipelines: Record<string, Pipeline> = {
  /** No state, one atomic sink: nothing is staged. */
  "not staged": {
    sinks: ["atomic-ledger"],
    staged: false,
    start: (session, directory, checkpoint) =>
      events(session)
        .filter(col("value").gt(20))
        .writeStream.format("atomic-ledger")
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(join(directory, "a")),
    result: (directory) => ledgerRows(directory, "a"),
  },
  /** State, update mode. */
  aggregation: {
    sinks: ["ledger"],
    staged: true,
    start: (session, directory, checkpoint) =>
      hourly(events(session))
        .writeStream.format("ledger")
        .outputMode("update")
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(join(directory, "a")),
    result: (directory) => ledgerRows(directory, "a"),
  },
  /** Two stateful operators, the second in TypeScript. */
  chain: {
    sinks: ["ledger"],
    staged: true,
    start: (session, directory, checkpoint) =>
      hourly(events(session))
        .groupByKey("key")
        .transformWithState(Rising as any, { schema: ALERT, orderBy: "hour" as any })
        .writeStream.format("ledger")
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(join(directory, "a")),
    result: (directory) => ledgerRows(directory, "a"),
  },
  /** A function that never gives the same twice, two sinks: both must hold the same rows, each batch once. */
  "two sinks": {
    sinks: ["first", "second"],
    staged: true,
    start: (session, directory, checkpoint) =>
      events(session)
        .select("ts", "key", random("value").as("r"))
        .writeStream.sink("first", "ledger", { path: join(directory, "a") })
        .sink("second", "ledger", { path: join(directory, "b") })
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(),
    result(directory) {
      const [first, second] = ledgerRows(directory, "a", "b") as [unknown[], unknown[]];
      if (JSON.stringify(first) !== JSON.stringify(second)) return "the two sinks differ";
      return readLedger(join(directory, "a")).map((batch) => [batch.batchId, batch.rows.length]);
    },
  },
  delta: {
    sinks: ["delta"],
    staged: false,
    start: (session, directory, checkpoint) =>
      events(session)
        .withColumn("day", col("ts").cast("date"))
        .writeStream.format("delta")
        .partitionBy("day")
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(join(directory, "table")),
    result: (directory) => tableRows("delta", join(directory, "table")),
  },
  "parquet files": {
    sinks: ["parquet"],
    staged: false,
    start: (session, directory, checkpoint) =>
      events(session)
        .writeStream.format("parquet")
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(join(directory, "files")),
    result: (directory) => tableRows("parquet", join(directory, "files")),
  },
  /** One aggregation to a database and a cache, as they are when the process is gone. */
  "database and cache": {
    sinks: ["db", "cache"],
    staged: true,
    start: (session, directory, checkpoint) =>
      hourly(events(session))
        .writeStream.outputMode("update")
        .sink("db", "postgres", {
          url: process.env.TEST_POSTGRES!,
          dbtable: `hourly_${basename(directory)}`,
          key: "hour,key",
        })
        .sink("cache", "redis", { url: process.env.TEST_REDIS!, key: `${basename(directory)}:{key}`, version: "hour" })
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(),
    async result(directory) {
      const client = new pg.Client({ connectionString: process.env.TEST_POSTGRES });
      const keys = new Redis(process.env.TEST_REDIS!);
      try {
        await client.connect();
        const { rows } = await client.query(`SELECT * FROM hourly_${basename(directory)} ORDER BY hour, key`);
        const cached: Record<string, unknown> = {};
        for (const key of (await keys.keys(`${basename(directory)}:*`)).sort()) {
          cached[key.slice(basename(directory).length)] = await keys.hgetall(key);
        }
        return { rows, cached };
      } finally {
        keys.disconnect();
        await client.end();
      }
    },
  },
  /** At least once: nothing is lost, and what came again is the same. */
  topic: {
    sinks: ["kafka"],
    staged: true,
    start: (session, directory, checkpoint) =>
      events(session)
        .select(col("key"), col("ts").cast("string").as("value"))
        .writeStream.format("kafka")
        .option("kafka.bootstrap.servers", process.env.TEST_KAFKA!)
        .option("topic", `events-${basename(directory)}`)
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(),
    async result(directory) {
      const records = await topicRows(`events-${basename(directory)}`);
      return [...new Set(records)].sort();
    },
  },
  /** From a topic: offsets of four partitions. */
  "topic to delta": {
    sinks: ["delta"],
    staged: false,
    start: (session, directory, checkpoint) =>
      new DataStreamReader(session)
        .format("kafka")
        .option("kafka.bootstrap.servers", process.env.TEST_KAFKA!)
        .option("subscribe", "input")
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", 60)
        .load()
        .select(col("partition"), col("offset"), col("value").cast("string").as("value"))
        .writeStream.format("delta")
        .option("checkpointLocation", checkpoint)
        .trigger({ availableNow: true })
        .start(join(directory, "table")),
    result: (directory) => tableRows("delta", join(directory, "table")),
  },
};

async function tableRows(format: string, path: string): Promise<string[]> {
  const spark = SparkSession.builder().getOrCreate();
  const rows = await spark.read.format(format).load(path).collect();
  return rows
    .map((row) => JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)))
    .sort();
}

async function topicRows(topic: string): Promise<string[]> {
  const spark = SparkSession.builder().getOrCreate();
  const rows = await spark.read
    .format("kafka")
    .option("kafka.bootstrap.servers", process.env.TEST_KAFKA!)
    .option("subscribe", topic)
    .load()
    .select(col("key").cast("string").as("key"), col("value").cast("string").as("value"))
    .collect();
  return rows.map((row) => JSON.stringify(row));
}
