/**
 * What 200 open pages cost a pipeline of 10,000 events a second: Kafka -> hourly window by airport, durable -> PostgreSQL and cache, with live
 * views of both. With and without the pages by turns, in one run, so that whatever else the machine does meets both.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import { avg, col, count, from_json, max, SparkSession, schema, t, when, window } from "millrace";
import { createTopics } from "../examples/flights/replay.ts";
import { declareViews } from "../examples/flights/views.ts";
import type { StreamingQueryProgress } from "../src/backend.ts";
import { subscribe } from "../src/events.ts";
import { startObserver } from "../src/observe/server.ts";
import { startStack } from "../src/stack.ts";
import { percentile, report, withFolder } from "./measurement.ts";

const RATE = 10_000;
const READERS = 200;
const SECONDS = Number(process.env.MILLRACE_LIVE_SECONDS ?? 10);
const ROUNDS = Number(process.env.MILLRACE_LIVE_ROUNDS ?? 4);
const WARM_MS = 6_000;

const Flight = schema({ ts: t.timestamp, origin: t.string, delay: t.int, distance: t.int });

interface Turn {
  readonly readers: number;
  readonly eventsPerSecond: number;
  /** Milliseconds of processor time of the pipeline's process for a thousand events. */
  readonly cpuPerThousand: number;
  readonly loopShare: number;
  readonly batchMs: readonly number[];
  readonly framesPerReader: number;
  readonly megabytesPerSecond: number;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

await withFolder(async (folder) => {
  const stack = await startStack({
    directory: join(folder, "stack"),
    want: ["kafka", "postgres", "redis"],
    ports: { kafka: 0, postgres: 0, redis: 0 },
  });
  await createTopics(process.env.MILLRACE_KAFKA!);
  const spark = SparkSession.builder().getOrCreate();
  declareViews(spark);
  const observer = await startObserver({ port: 0 });
  const query = await spark.readStream
    .format("kafka")
    .option("subscribe", "flights")
    .option("startingOffsets", "earliest")
    .load()
    .select(from_json(col("value").cast("string"), Flight).as("f"))
    .select("f.*")
    .withWatermark("ts", "1 day")
    .groupBy(window("ts", "1 hour"), "origin")
    .agg(
      count("*").as("flights"),
      avg("delay").as("delay"),
      max("delay").as("worst"),
      avg(when(col("delay").gt(15), 1).otherwise(0)).as("late"),
    )
    .select(col("window.start").as("hour"), "origin", "flights", "delay", "worst", "late")
    .writeStream.outputMode("update")
    .sink("database", "postgres", { dbtable: "delays", key: "hour,origin" })
    .sink("cache", "redis", { key: "airport:{origin}", version: "hour", ttl: "7 days" })
    .option("checkpointLocation", join(folder, "checkpoint"))
    // The same batches with and without readers, so that their processor time can be compared.
    .trigger({ processingTime: "200 milliseconds" })
    .start();
  const producer = fork(join(import.meta.dirname, "live-producer.ts"), [process.env.MILLRACE_KAFKA!, `${RATE}`]);
  const readers = fork(join(import.meta.dirname, "live-readers.ts"), [
    new URL(observer.url).host,
    "/api/views/stream?view=airports&view=delays",
  ]);
  const ask = <T>(message: object): Promise<T> =>
    new Promise((resolve) => {
      readers.once("message", resolve as (message: unknown) => void);
      readers.send(message);
    });
  await new Promise((resolve) => readers.once("message", resolve));

  let events = 0;
  let batches: number[] = [];
  subscribe("query.progress", ({ progress }) => {
    const { numInputRows, batchDuration } = progress as StreamingQueryProgress;
    if (numInputRows === 0) return;
    events += numInputRows;
    batches.push(batchDuration);
  });
  await sleep(WARM_MS);

  const turn = async (count: number): Promise<Turn> => {
    if (count > 0) await ask({ open: count });
    await sleep(1_000);
    await ask({ stats: true });
    events = 0;
    batches = [];
    const cpu = process.cpuUsage();
    const loop = performance.eventLoopUtilization();
    const startedAt = performance.now();
    await sleep(SECONDS * 1000);
    const seconds = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const { utilization } = performance.eventLoopUtilization(loop);
    const { bytes, writes } = await ask<{ bytes: number; writes: number }>({ stats: true });
    const result: Turn = {
      readers: count,
      eventsPerSecond: events / seconds,
      cpuPerThousand: (user + system) / events,
      loopShare: utilization,
      batchMs: batches.sort((a, b) => a - b),
      framesPerReader: count === 0 ? 0 : writes / count / seconds,
      megabytesPerSecond: bytes / 2 ** 20 / seconds,
    };
    if (count > 0) await ask({ close: true });
    return result;
  };

  const turns: Turn[] = [];
  // By turns, and the order of each pair by turns too.
  for (let round = 0; round < ROUNDS; round++) {
    for (const count of round % 2 === 0 ? [0, READERS] : [READERS, 0]) turns.push(await turn(count));
  }
  producer.disconnect();
  readers.disconnect();

  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const of = (count: number): readonly Turn[] => turns.filter((one) => one.readers === count);
  const value = (count: number, f: (turn: Turn) => number): number => mean(of(count).map(f));
  const round = (n: number): number => Math.round(n * 100) / 100;
  const fall = (f: (turn: Turn) => number): number => round((1 - value(READERS, f) / value(0, f)) * 100);
  const batchMs = (count: number, p: number): number =>
    percentile(
      of(count)
        .flatMap((one) => one.batchMs)
        .sort((a, b) => a - b),
      p,
    );
  for (const count of [0, READERS]) {
    report({
      benchmark: "live",
      what: `${RATE.toLocaleString("en-US")} events/s, ${count} readers: throughput`,
      value: value(count, (one) => one.eventsPerSecond),
      unit: "events/s",
      detail: {
        cpuPerThousandMs: round(value(count, (one) => one.cpuPerThousand)),
        loopShare: round(value(count, (one) => one.loopShare)),
        batchP50: batchMs(count, 50),
        batchP95: batchMs(count, 95),
        framesPerReaderAndSecond: round(value(count, (one) => one.framesPerReader)),
        megabytesPerSecond: round(value(count, (one) => one.megabytesPerSecond)),
      },
    });
  }
  report({
    benchmark: "live",
    what: `${READERS} readers: throughput falls by`,
    value: fall((one) => one.eventsPerSecond),
    unit: "%",
    goal: "< 5",
  });
  const cpuMs = value(READERS, (one) => one.cpuPerThousand) - value(0, (one) => one.cpuPerThousand);
  report({
    benchmark: "live",
    what: "processor time of one reader",
    value: round((cpuMs * RATE) / 1000 / READERS),
    unit: "ms/s",
  });
  await query.stop();
  await observer.close();
  await spark.stop();
  await stack.stop();
});
