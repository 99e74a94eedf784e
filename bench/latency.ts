/**
 * From produce to visible in PostgreSQL, through a windowed aggregate with durable state. Another process produces at a steady rate and
 * asks the database every few milliseconds how far each partition's records have come (bench/latency-client.ts).
 */
import { join } from "node:path";
import { SparkSession } from "millrace";
import { startStack } from "../src/stack.ts";
import { measureLatency, startLatencyQuery } from "./latency-run.ts";
import { peakMemoryMb, report, withFolder } from "./measurement.ts";

await withFolder(async (folder) => {
  const stack = await startStack({
    directory: join(folder, "stack"),
    want: ["kafka", "postgres"],
    ports: { kafka: 0, postgres: 0 },
  });
  const spark = SparkSession.builder().getOrCreate();
  const query = await startLatencyQuery(spark, join(folder, "checkpoint"));
  for await (const { rate, p50, p99, max, events } of measureLatency([1_000, 10_000])) {
    const peak = { peakMemoryMb: peakMemoryMb(), detail: { events, max, batchMs: query.lastProgress?.durationMs } };
    const what = `produce -> visible in PostgreSQL, ${rate.toLocaleString("en-US")} events/s`;
    report({ benchmark: "latency", what: `${what}, p50`, value: p50, unit: "ms", goal: "< 50", ...peak });
    report({ benchmark: "latency", what: `${what}, p99`, value: p99, unit: "ms", goal: "< 150", ...peak });
  }
  await query.stop();
  await spark.stop();
  await stack.stop();
});
