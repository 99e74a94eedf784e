/** Kafka JSON -> hourly window by origin with durable state; the broker runs in this process. Cold: the first query of the process. */
import { join } from "node:path";
import { avg, col, count, from_json, max, SparkSession, schema, t, window } from "millrace";
import { report, withFolder } from "./measurement.ts";
import { stackWithFlights } from "./topic.ts";

const EVENTS = 3_000_000;
const Flight = schema({ ts: t.timestamp, origin: t.string, destination: t.string, delay: t.int, distance: t.int });

await withFolder(async (folder) => {
  const stack = await stackWithFlights(join(folder, "stack"), EVENTS);
  report({
    benchmark: "replay",
    what: "producing the flights, idempotent, acks=all",
    value: stack.fillPerSecond,
    unit: "events/s",
  });
  const spark = SparkSession.builder().getOrCreate();
  for (const [i, what] of ["cold", "warm", "warm", "batches of 200,000"].entries()) {
    const source = spark.readStream
      .format("kafka")
      .option("subscribe", "flights")
      .option("startingOffsets", "earliest")
      .options(what.startsWith("batches") ? { maxOffsetsPerTrigger: "200000" } : {})
      .load();
    const startedAt = performance.now();
    const query = await source
      .select(from_json(col("value").cast("string"), Flight).as("f"))
      .select("f.*")
      .withWatermark("ts", "1 day")
      .groupBy(window("ts", "1 hour"), "origin")
      .agg(count("*").as("flights"), avg("delay").as("delay"), max("delay").as("worst"))
      .writeStream.format("noop")
      .outputMode("update")
      .option("checkpointLocation", join(folder, `checkpoint-${i}`))
      .trigger({ availableNow: true })
      .start();
    await query.awaitTermination();
    const seconds = (performance.now() - startedAt) / 1000;
    const progress = query.recentProgress;
    const rows = progress.reduce((sum, p) => sum + p.numInputRows, 0);
    if (rows !== EVENTS) throw new Error(`read ${rows} of ${EVENTS}`);
    report({
      benchmark: "window",
      what: `Kafka JSON -> hourly window, ${what}`,
      value: rows / seconds,
      unit: "events/s",
      goal: ">= 800,000",
      detail: { seconds, batches: progress.length, durationMs: progress[0]?.durationMs },
    });
  }
  await spark.stop();
  await stack.stop();
});
