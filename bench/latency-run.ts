/** The latency of one program, whatever engine and servers it runs on; bench/latency.ts and bench/spark-job.ts share it. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { col, count, from_json, max, type SparkSession, schema, t, window } from "millrace";
import type { StreamingQueryHandle } from "../src/backend.ts";
import { KafkaClient } from "../src/kafka/client/index.ts";

const Event = schema({ ts: t.timestamp, origin: t.string, seq: t.int });

/** Milliseconds from produce to visible at one rate. */
export interface Latency {
  readonly rate: number;
  readonly events: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Starts the query on the topic `events` of `MILLRACE_KAFKA`, which is made, into the table `progress` of `MILLRACE_POSTGRES`. */
export async function startLatencyQuery(spark: SparkSession, checkpoint: string): Promise<StreamingQueryHandle> {
  const admin = KafkaClient.connect({ "bootstrap.servers": process.env.MILLRACE_KAFKA! });
  await admin.createTopics([{ name: "events", partitions: 4 }]);
  admin.close();
  return spark.readStream
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
    .option("checkpointLocation", checkpoint)
    .start();
}

/** Another process produces at a steady rate and asks the database how far each partition's records have come. */
export async function* measureLatency(rates: readonly number[]): AsyncGenerator<Latency> {
  const { MILLRACE_KAFKA: kafka = "", MILLRACE_POSTGRES: postgres = "" } = process.env;
  for (const rate of rates) {
    const client = join(import.meta.dirname, "latency-client.ts");
    const child = spawn(process.execPath, [client, kafka, postgres, String(rate)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: child.stdout })) yield { rate, ...JSON.parse(line) };
  }
}
