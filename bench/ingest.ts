/**
 * The way of records from Kafka's log into DuckDB, piece by piece: encoding and walking record batches in memory, then producing to
 * and reading from a broker. `node bench/ingest.ts [records] [host:port]`: by default 3,000,000 records and an embedded broker.
 */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Offset, StreamSource } from "../src/connectors/connector.ts";
import { kafka } from "../src/connectors/kafka.ts";
import { KafkaClient, KafkaProducer } from "../src/kafka/client/index.ts";
import { ColumnFile, type KafkaColumn } from "../src/kafka/client/ingest/columns.ts";
import { startKafkaServer } from "../src/kafka/server.ts";
import { Codec, type CodecName } from "../src/kafka/wire/compression.ts";
import { decodeBatch, encodeBatch, type RecordColumns, readBatchHeader } from "../src/kafka/wire/record-batch.ts";
import { percentile, report, withFolder } from "./measurement.ts";

const PARTITIONS = 4;
const count = Number(process.argv[2] ?? 3_000_000);
const address = process.argv[3];

/** A partition's share of records that look like the flights: 90 bytes of JSON, keyed by airport. */
function flights(n: number): RecordColumns & { bytes: number } {
  const airports = ["ATL", "ORD", "DFW", "LAX", "PHX", "DEN", "IAH", "LAS", "DTW", "MSP"];
  const keys: string[] = [];
  const values: string[] = [];
  const timestamps = new Float64Array(n);
  let bytes = 0;
  for (let i = 0; i < n; i++) {
    const origin = airports[(i * 7) % 10]!;
    timestamps[i] = Date.UTC(2001, 0, 1) + i * 1_000;
    const value = `{"ts":"${new Date(timestamps[i]!).toISOString().slice(0, 19)}","origin":"${origin}","destination":"${airports[i % 10]}","delay":${(i % 97) - 10},"distance":${i % 2_000}}`;
    keys.push(origin);
    values.push(value);
    bytes += value.length + origin.length;
  }
  return { keys, values, timestamps, bytes };
}

interface Mark {
  readonly wall: number;
  readonly cpu: NodeJS.CpuUsage;
}

function mark(): Mark {
  return { wall: performance.now(), cpu: process.threadCpuUsage() };
}

/** Reports the time since `start`; the processor time of this thread does not depend on what else the machine does. */
function rate(what: string, records: number, bytes: number, start: Mark, detail: Record<string, unknown> = {}): void {
  const ms = performance.now() - start.wall;
  const { user, system } = process.threadCpuUsage(start.cpu);
  report({
    benchmark: "ingest",
    what,
    value: (records / ms) * 1_000,
    unit: "records/s",
    detail: {
      megabytesPerSecond: Math.round(bytes / 1e3 / ms),
      cpuNanosecondsPerRecord: Math.round(((user + system) * 1_000) / records),
      ...detail,
    },
  });
}

function inMemory(folder: string): void {
  const columns = flights(1_000);
  const batches = 1_000;
  const records = batches * 1_000;
  const bytes = columns.bytes * batches;
  for (const codec of Object.keys(Codec) as CodecName[]) {
    const rounds = codec === "gzip" ? batches / 20 : codec === "none" ? batches : batches / 4;
    const part = rounds / batches;
    let batch = encodeBatch({ columns, codec: Codec[codec] });
    let started = mark();
    for (let i = 0; i < rounds; i++) batch = encodeBatch({ columns, codec: Codec[codec] });
    rate(`encode batches of 1,000, ${codec}`, records * part, bytes * part, started);
    for (const wanted of codec === "none" ? [["value"], ["key", "value", "timestamp"]] : [["value"]]) {
      const header = readBatchHeader(batch, 0)!;
      started = mark();
      const file = new ColumnFile(join(folder, `${codec}-${wanted.length}.parquet`), new Set(wanted as KafkaColumn[]));
      for (let i = 0; i < rounds; i++) file.addBatch(batch, header, "flights", 0, 0, 1_000, true);
      file.finish();
      rate(`walk into columns (${wanted.join(", ")}), ${codec}`, records * part, bytes * part, started);
    }
  }
  const batch = encodeBatch({ columns });
  const started = mark();
  for (let i = 0; i < batches / 4; i++) decodeBatch(batch);
  rate("decode to objects", records / 4, bytes / 4, started);
}

async function throughBroker(folder: string, bootstrap: string): Promise<void> {
  const client = KafkaClient.connect({ "bootstrap.servers": bootstrap });
  const duckdb = await (await DuckDBInstance.create(":memory:", { threads: "2" })).connect();
  const each = Math.floor(count / PARTITIONS);
  const share = flights(Math.min(each, 250_000));
  const rounds = Math.max(1, Math.round(each / share.values.length));
  const total = rounds * share.values.length * PARTITIONS;
  const bytes = rounds * share.bytes * PARTITIONS;
  for (const codec of ["none", "snappy", "lz4", "zstd"] as const) {
    const topic = `ingest-${codec}-${process.pid}`;
    await client.createTopics([{ name: topic, partitions: PARTITIONS }]);
    const producer = new KafkaProducer(client, { codec: Codec[codec] });
    let started = mark();
    for (let round = 0; round < rounds; round++) {
      await Promise.all(
        Array.from({ length: PARTITIONS }, (_, partition) => producer.sendColumns(topic, partition, share)),
      );
    }
    await producer.close();
    rate(`produce, ${codec}`, total, bytes, started);
    const source = await kafka.source!.openStream!({
      options: { "kafka.bootstrap.servers": bootstrap, subscribe: topic, startingOffsets: "earliest" },
      paths: [],
      schema: undefined,
      columns: ["value"],
      queryId: "ingest",
      metadataPath: join(folder, codec),
      temporaryPath: join(folder, "temporary"),
    });
    const start = await source.initialOffset();
    const { end } = await source.latestOffset(start, "options");
    started = mark();
    const input = await source.read(start, end);
    const fetched = performance.now();
    if (input.kind !== "sql") throw new Error("The Kafka source gives SQL.");
    const answer = await duckdb.runAndReadAll(`SELECT count(*), sum(octet_length("value")) FROM ${input.from}`);
    const ended = performance.now();
    if (Number(answer.getRows()[0]![0]) !== total) throw new Error("The count is wrong.");
    rate(`Kafka -> DuckDB count, ${codec}`, total, bytes, started, {
      fetchAndWalkMs: Math.round(fetched - started.wall),
      scanMs: Math.round(ended - fetched),
    });
    await input.release?.();
    if (codec === "none") await latency(client, source, topic, end);
    await source.close();
    await client.deleteTopics([topic]);
  }
  client.close();
}

/** From produce until the file of a batch of ten records is there, with a waiting source. */
async function latency(client: KafkaClient, source: StreamSource, topic: string, end: Offset): Promise<void> {
  const producer = new KafkaProducer(client);
  const values = Array.from({ length: 10 }, (_, i) => `{"delay":${i}}`);
  const visible: number[] = [];
  const reading: number[] = [];
  let at: Offset = end;
  for (let i = 0; i < 300; i++) {
    const waiting = source.waitForData!(at, 5_000, new AbortController().signal);
    const started = performance.now();
    const sent = producer.sendColumns(topic, i % PARTITIONS, { values });
    await waiting;
    const arrived = performance.now();
    const next: Offset = (await source.latestOffset(at, "options")).end;
    const input = await source.read(at, next);
    visible.push(performance.now() - started);
    reading.push(performance.now() - arrived);
    await input.release?.();
    at = next;
    await sent;
  }
  await producer.close();
  for (const [what, times] of [
    ["produce -> columns laid out, 10 records", visible],
    ["of that, plan and read", reading],
  ] as const) {
    const sorted = times.toSorted((a, b) => a - b);
    report({
      benchmark: "ingest",
      what: `${what}, p50`,
      value: percentile(sorted, 50),
      unit: "ms",
      detail: { p99: percentile(sorted, 99) },
    });
  }
}

await withFolder(async (folder) => {
  inMemory(folder);
  const server =
    address === undefined ? await startKafkaServer({ directory: join(folder, "kafka"), port: 0 }) : undefined;
  await throughBroker(folder, address ?? `${server!.host}:${server!.port}`);
  await server?.close();
});
