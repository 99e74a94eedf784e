import { join } from "node:path";
import type { StreamingQueryHandle } from "../../src/backend.ts";
import type { DataFrame } from "../../src/dataframe/dataframe.ts";
import { avg, col, count, window } from "../../src/dataframe/functions.ts";
import { udf } from "../../src/dataframe/udf.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import { t } from "../../src/types/schema.ts";
import { EVENT, type Event } from "../pipelines/event.ts";
import type { TestSession } from "../pipelines/session.ts";

/** The same rows in every process, fifty a batch: what a replayable source gives. */
function events(session: TestSession): DataFrame<Event> {
  const stream = new MemoryStream<Event>(EVENT);
  for (let batch = 0; batch < 12; batch++) {
    stream.addData(
      ...Array.from({ length: 50 }, (_, i) => {
        const n = batch * 50 + i;
        return { ts: new Date(Date.UTC(2026, 0, 1) + n * 240_000), key: `k${(n * 7919) % 5}`, value: n };
      }),
    );
  }
  return stream.toDF(session, { maxBlocksPerTrigger: 1 });
}

export interface Place {
  /** Folder of this run. */
  readonly directory: string;
  /** Prefix of this run's tables and keys. */
  readonly name: string;
  readonly postgres: string;
  readonly redis: string;
}

/** Queries into the real sinks. `sinks` are their names in the events of a batch. */
export const pipelines: Record<
  string,
  { readonly sinks: readonly string[]; start(session: TestSession, place: Place): Promise<StreamingQueryHandle> }
> = {
  lake: {
    sinks: ["delta"],
    start: (session, { directory }) =>
      events(session)
        .filter(col("value").gt(20))
        .withColumn("day", col("ts").cast("date"))
        .writeStream.format("delta")
        .partitionBy("day")
        .option("autoCompactMinFiles", "4")
        .option("checkpointLocation", join(directory, "checkpoint"))
        .trigger({ availableNow: true })
        .start(join(directory, "lake")),
  },
  database: {
    sinks: ["postgres"],
    start: (session, { directory, name, postgres }) =>
      events(session)
        .filter(col("value").gt(20))
        .writeStream.format("postgres")
        .options({ url: postgres, dbtable: `${name}_events` })
        .option("checkpointLocation", join(directory, "checkpoint"))
        .trigger({ availableNow: true })
        .start(),
  },
  "database and cache": {
    sinks: ["db", "cache"],
    start: (session, { directory, name, postgres, redis }) =>
      events(session)
        .withWatermark("ts", "2 hours")
        .groupBy(window("ts", "1 hour"), "key")
        .agg(count("*").as("n"), avg("value").as("mean"))
        .select(col("window.start").as("hour"), "key", "n", "mean")
        .writeStream.outputMode("update")
        .sink("db", "postgres", { url: postgres, dbtable: `${name}_hours`, key: "hour,key" })
        .sink("cache", "redis", { url: redis, key: `${name}:{key}`, version: "hour" })
        .option("checkpointLocation", join(directory, "checkpoint"))
        .trigger({ availableNow: true })
        .start(),
  },
  /** A function that never gives the same twice: both sinks must hold the same rows. */
  "lake and database": {
    sinks: ["lake", "db"],
    start: (session, { directory, name, postgres }) =>
      events(session)
        .select("key", "value", random("value").as("r"))
        .writeStream.sink("lake", "delta", { path: join(directory, "lake") })
        .sink("db", "postgres", { url: postgres, dbtable: `${name}_random` })
        .option("checkpointLocation", join(directory, "checkpoint"))
        .trigger({ availableNow: true })
        .start(),
  },
};

const random = udf((value: number) => value + Math.random(), t.double);
