/**
 * From produce to visible in PostgreSQL, through a windowed aggregate with durable state. Another process produces at a steady rate and
 * asks the database every few milliseconds how far each partition's records have come (bench/latency-client.ts).
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { col, count, from_json, max, SparkSession, schema, t, window } from "millrace";
import { KafkaClient } from "../src/kafka/client/index.ts";
import { startStack } from "../src/stack.ts";
import { peakMemoryMb, report, withFolder } from "./measurement.ts";

const Event = schema({ ts: t.timestamp, origin: t.string, seq: t.int });

await withFolder(async (folder) => {
  const stack = await startStack({
    directory: join(folder, "stack"),
    want: ["kafka", "postgres"],
    ports: { kafka: 0, postgres: 0 },
  });
  const { MILLRACE_KAFKA: kafka = "", MILLRACE_POSTGRES: postgres = "" } = process.env;
  const admin = KafkaClient.connect({ "bootstrap.servers": kafka });
  await admin.createTopics([{ name: "events", partitions: 4 }]);
  admin.close();
  const spark = SparkSession.builder().getOrCreate();
  const query = await spark.readStream
    .format("kafka")
    .option("subscribe", "events")
    .option("startingOffsets", "earliest")
    .load()
    .select(from_json(col("value").cast("string"), Event).as("e"), col("partition"))
    .select("e.*", "partition")
    .withWatermark("ts", "1 minute")
    .groupBy(window("ts", "1 minute"), "origin", "partition")
    .agg(count("*").as("events"), max("seq").as("seq"))
    .select(col("window.start").as("minute"), "origin", "partition", "events", "seq")
    .writeStream.format("postgres")
    .option("dbtable", "progress")
    .option("key", "minute,origin,partition")
    .outputMode("update")
    .option("checkpointLocation", join(folder, "checkpoint"))
    .start();
  for (const rate of [1_000, 10_000]) {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "latency-client.ts"), kafka, postgres, String(rate)],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    for await (const line of createInterface({ input: child.stdout })) {
      const { p50, p99, max, events } = JSON.parse(line);
      const peak = { peakMemoryMb: peakMemoryMb(), detail: { events, max, batchMs: query.lastProgress?.durationMs } };
      const what = `produce -> visible in PostgreSQL, ${rate.toLocaleString("en-US")} events/s`;
      report({ benchmark: "latency", what: `${what}, p50`, value: p50, unit: "ms", goal: "< 50", ...peak });
      report({ benchmark: "latency", what: `${what}, p99`, value: p99, unit: "ms", goal: "< 150", ...peak });
    }
  }
  await query.stop();
  await spark.stop();
  await stack.stop();
});
