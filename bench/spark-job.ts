/**
 * node bench/spark-job.ts JOB FOLDER [RUNS]: one program on whatever engine the environment names (`SPARK_REMOTE`, or embedded), against
 * the topic `flights` of `MILLRACE_KAFKA`. Prints one line of JSON a run: the first is cold, the others warm.
 */
import { join } from "node:path";
import { avg, col, count, from_json, max, SparkSession, schema, t, window } from "millrace";
import { FLIGHTS_TOTAL } from "../examples/flights/dataset.ts";
import type { StreamingQueryHandle } from "../src/backend.ts";
import { measureLatency, startLatencyQuery } from "./latency-run.ts";

const Flight = schema({ ts: t.timestamp, origin: t.string, destination: t.string, delay: t.int, distance: t.int });

const [job = "", folder = "", runs = "3"] = process.argv.slice(2);
const spark = SparkSession.builder().appName(`bench-${job}`).config("spark.sql.shuffle.partitions", 2).getOrCreate();

const values = () =>
  spark.readStream.format("kafka").option("subscribe", "flights").option("startingOffsets", "earliest").load();
const flights = () =>
  values()
    .select(from_json(col("value").cast("string"), Flight).as("flight"))
    .select("flight.*");

/** Each starts a query over the whole topic that ends by itself. */
const JOBS: Readonly<Record<string, (run: string) => Promise<StreamingQueryHandle>>> = {
  window: (run) =>
    flights()
      .withWatermark("ts", "1 day")
      .groupBy(window("ts", "1 hour"), "origin")
      .agg(count("*").as("flights"), avg("delay").as("delay"), max("delay").as("worst"))
      .writeStream.format("noop")
      .outputMode("update")
      .option("checkpointLocation", join(folder, `checkpoint-${run}`))
      .trigger({ availableNow: true })
      .start(),
  lake: (run) =>
    flights()
      .writeStream.format("delta")
      .option("checkpointLocation", join(folder, `checkpoint-${run}`))
      .trigger({ availableNow: true })
      .start(join(folder, `lake-${run}`)),
  map: (run) =>
    flights()
      .map(
        (flight) => ({ origin: flight.origin, hours: (flight.delay ?? 0) / 60, far: (flight.distance ?? 0) > 1_000 }),
        schema({ origin: t.string, hours: t.double, far: t.boolean }),
      )
      .writeStream.format("noop")
      .option("checkpointLocation", join(folder, `checkpoint-${run}`))
      .trigger({ availableNow: true })
      .start(),
  /** Two sinks: nothing that Spark has of its own, so on Spark all rows come back here. */
  sinks: (run) =>
    flights()
      .writeStream.sink("a", "noop")
      .sink("b", "delta", { path: join(folder, `sink-${run}`) })
      .option("checkpointLocation", join(folder, `checkpoint-${run}`))
      .trigger({ availableNow: true })
      .start(),
};

if (job === "latency") {
  const query = await startLatencyQuery(spark, join(folder, "checkpoint-latency"));
  for await (const latency of measureLatency([1_000, 10_000])) console.log(JSON.stringify(latency));
  await query.stop();
} else {
  const start = JOBS[job];
  if (start === undefined)
    throw new Error(`There is no job '${job}'. There are: ${Object.keys(JOBS).join(", ")}, latency.`);
  for (let i = 0; i < Number(runs); i++) {
    const startedAt = performance.now();
    const query = await start(`${job}-${i}`);
    await query.awaitTermination();
    const seconds = (performance.now() - startedAt) / 1000;
    const rows = query.recentProgress.reduce((sum, p) => sum + p.numInputRows, 0);
    if (rows !== FLIGHTS_TOTAL) throw new Error(`read ${rows} of ${FLIGHTS_TOTAL}`);
    console.log(JSON.stringify({ run: i, seconds, rows, durationMs: query.lastProgress?.durationMs }));
  }
}
await spark.stop();
