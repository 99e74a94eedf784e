import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBBlobValue, type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BatchInput, Offset, StreamSource } from "../../src/connectors/connector.ts";
import { kafka } from "../../src/connectors/kafka.ts";
import { subscribe } from "../../src/events.ts";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { Codec, type CodecId } from "../../src/kafka/wire/compression.ts";
import { createPartitions, deleteRecords } from "../../src/kafka/wire/messages/topics.ts";
import { given } from "../needs.ts";
import { BROKERS, type TestBroker } from "./brokers.ts";
import { cuttingProxy } from "./cutting-proxy.ts";

describe.each(BROKERS)("source on %s", (_name, start) => {
  let broker: TestBroker | undefined;
  let client: KafkaClient;
  let producer: KafkaProducer;
  let folder: string;
  let duckdb: DuckDBConnection;
  const open: StreamSource[] = [];

  beforeAll(async () => {
    broker = given(await start());
    if (broker === undefined) return;
    client = KafkaClient.connect({ "bootstrap.servers": broker.bootstrap });
    producer = new KafkaProducer(client);
    folder = await mkdtemp(join(tmpdir(), "millrace-source-"));
    duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  });
  afterAll(async () => {
    for (const source of open) await source.close();
    client?.close();
    duckdb?.closeSync();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    await broker?.stop();
  });

  const on = (name: string, run: () => Promise<void>): void => {
    test(name, async (context) => {
      if (broker === undefined) return context.skip("there is no such broker here");
      await run();
    });
  };
  const newTopic = async (partitions = 1): Promise<string> => {
    const name = `t-${randomUUID().slice(0, 8)}`;
    await client.createTopics([{ name, partitions }]);
    return name;
  };
  const put = (topic: string, values: (string | null)[], partition = 0): Promise<void> =>
    producer.sendColumns(topic, partition, { values });
  const newPath = (): string => join(folder, randomUUID());
  const openSource = async (
    options: Record<string, string>,
    extra: { metadataPath?: string; columns?: string[] } = {},
  ): Promise<StreamSource> => {
    const source = await kafka.source!.openStream!({
      options: { "kafka.bootstrap.servers": broker!.bootstrap, ...options },
      paths: [],
      schema: undefined,
      queryId: randomUUID(),
      metadataPath: extra.metadataPath ?? newPath(),
      temporaryPath: newPath(),
      ...(extra.columns === undefined ? {} : { columns: extra.columns }),
    });
    open.push(source);
    return source;
  };
  const rowsOf = async (input: BatchInput, select = "*"): Promise<unknown[][]> => {
    if (input.kind !== "sql") throw new Error("not sql");
    const reader = await duckdb.runAndReadAll(`SELECT ${select} FROM ${input.from}`);
    if (input.rowCount !== undefined) expect(reader.currentRowCount).toBe(input.rowCount);
    await input.release?.();
    return reader
      .getRows()
      .map((row) =>
        row.map((v) =>
          v instanceof DuckDBBlobValue ? Buffer.from(v.bytes).toString() : typeof v === "bigint" ? Number(v) : v,
        ),
      );
  };
  const valuesOf = async (source: StreamSource, from: Offset, to: Offset): Promise<unknown[]> =>
    (await rowsOf(await source.read(from, to), '"value"')).map((row) => row[0]);

  on("a new query starts at the end by default, and stores where", async () => {
    const topic = await newTopic(2);
    await put(topic, ["old", "older"]);
    const metadataPath = newPath();
    const source = await openSource({ subscribe: topic }, { metadataPath });
    expect(source.description).toBe(`KafkaV2[Subscribe[${topic}]]`);
    const initial = await source.initialOffset();
    expect(initial).toEqual({ [topic]: { 0: 2, 1: 0 } });
    expect(readFileSync(join(metadataPath, "0"), "latin1")).toBe(`\0v1\n{"${topic}":{"0":2,"1":0}}`);
    await put(topic, ["new"]);
    // Asked again, also by another process, the answer is what was stored.
    expect(await source.initialOffset()).toEqual(initial);
    const again = await openSource({ subscribe: topic }, { metadataPath });
    expect(await again.initialOffset()).toEqual(initial);
    const { end, latest } = await again.latestOffset(initial, "options");
    expect([end, latest]).toEqual([{ [topic]: { 0: 3, 1: 0 } }, { [topic]: { 0: 3, 1: 0 } }]);
    expect(await valuesOf(again, initial, end)).toEqual(["new"]);
    expect(await again.latestOffset(end, "options")).toEqual({ end, latest: end });
  });

  on("Spark's file of initial offsets is understood, a damaged one refused", async () => {
    const topic = await newTopic();
    const metadataPath = newPath();
    const source = await openSource({ subscribe: topic, startingOffsets: "earliest" }, { metadataPath });
    await source.initialOffset();
    const path = join(metadataPath, "0");
    writeFileSync(path, `\0v1\n{"${topic}":{"0":17}}\n`);
    expect(await source.initialOffset()).toEqual({ [topic]: { 0: 17 } });
    for (const [text, code] of [
      [`\0v1\n{"${topic}":{"0":`, "CHECKPOINT_CORRUPT"],
      ["", "CHECKPOINT_CORRUPT"],
      ["\0v2\n{}", "CHECKPOINT_INCOMPATIBLE"],
    ] as const) {
      writeFileSync(path, text);
      await expect(source.initialOffset()).rejects.toMatchObject({ code });
    }
  });

  on("all columns", async () => {
    const topic = await newTopic();
    await producer.send(topic, [
      { key: "k", value: "v", timestamp: 1_700_000_000_123, headers: [{ key: "h", value: Buffer.from("x") }] },
      { key: null, value: null, timestamp: 1_700_000_000_124 },
      { key: "", value: "", timestamp: 1_700_000_000_125 },
    ]);
    const source = await openSource({ subscribe: topic, startingOffsets: "earliest", includeHeaders: "true" });
    const first = await source.initialOffset();
    const { end } = await source.latestOffset(first, "options");
    const input = await source.read(first, end);
    const select = `"key", "value", topic, partition, "offset", epoch_ms("timestamp"), timestampType, headers::VARCHAR`;
    expect(await rowsOf(input, select)).toEqual([
      ["k", "v", topic, 0, 0, 1_700_000_000_123, 0, "[{'key': h, 'value': x}]"],
      [null, null, topic, 0, 1, 1_700_000_000_124, 0, null],
      ["", "", topic, 0, 2, 1_700_000_000_125, 0, null],
    ]);
    const few = await openSource({ subscribe: topic, startingOffsets: "earliest" }, { columns: ["offset"] });
    expect(await rowsOf(await few.read(first, end))).toEqual(
      [0, 1, 2].map((offset) => [null, null, null, null, offset, null, null]),
    );
  });

  on("any cut of the offsets gives every record once and in order", async () => {
    const topic = await newTopic(2);
    const values: string[][] = [[], []];
    for (let batch = 0; batch < 40; batch++) {
      const codec = (Object.values(Codec) as CodecId[])[batch % 5]!;
      const other = new KafkaProducer(client, { codec });
      const part = Array.from({ length: 1 + ((batch * 7) % 13) }, (_, i) => `${batch}/${i}`);
      values[batch % 2]!.push(...part);
      await other.sendColumns(topic, batch % 2, { values: part });
      await other.close();
    }
    const source = await openSource(
      { subscribe: topic, startingOffsets: "earliest", "kafka.max.partition.fetch.bytes": "300" },
      { columns: ["value", "partition"] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(12), fc.nat(12)), { maxLength: 40 }), async (steps) => {
        const got: string[][] = [[], []];
        let at = [0, 0];
        for (const step of [...steps, [1_000, 1_000]]) {
          const next = at.map((n, p) => Math.min(n + step[p]!, values[p]!.length));
          const input = await source.read(
            { [topic]: { 0: at[0]!, 1: at[1]! } },
            { [topic]: { 0: next[0]!, 1: next[1]! } },
          );
          for (const [partition, value] of await rowsOf(input, '"partition", "value"')) {
            got[partition as number]!.push(value as string);
          }
          at = next;
        }
        expect(got).toEqual(values);
      }),
      { numRuns: 25 },
    );
  });

  on("partitions that fail for a while neither lose nor double records", async () => {
    const proxy = await cuttingProxy(broker!.bootstrap);
    try {
      const topic = await newTopic(3);
      const values = Array.from({ length: 3_000 }, (_, i) => `record ${i}`);
      const small = new KafkaProducer(client, { batchBytes: 1_000 });
      await Promise.all([0, 1, 2].map((partition) => small.sendColumns(topic, partition, { values })));
      await small.close();
      const source = await openSource({
        "kafka.bootstrap.servers": proxy.bootstrap,
        subscribe: topic,
        startingOffsets: "earliest",
        "kafka.max.partition.fetch.bytes": "5000",
        "kafka.retry.backoff.ms": "1",
      });
      // NOT_LEADER_OR_FOLLOWER and UNKNOWN_TOPIC_OR_PARTITION, as while leaders move.
      proxy.onFetched = (n, partition) =>
        n % 3 === 0 && partition === n % 2 ? 6 : n % 7 === 0 && partition === 2 ? 3 : 0;
      const first = await source.initialOffset();
      const { end } = await source.latestOffset(first, "options");
      const rows = await rowsOf(await source.read(first, end), '"partition", "value"');
      for (const partition of [0, 1, 2]) {
        expect(rows.filter((row) => row[0] === partition).map((row) => row[1])).toEqual(values);
      }
    } finally {
      await proxy.close();
    }
  });

  on("maxOffsetsPerTrigger is split in proportion to the backlog", async () => {
    const topic = await newTopic(3);
    await put(
      topic,
      Array.from({ length: 600 }, () => "a"),
      0,
    );
    await put(
      topic,
      Array.from({ length: 300 }, () => "b"),
      1,
    );
    await put(topic, ["c"], 2);
    const source = await openSource({ subscribe: topic, startingOffsets: "earliest", maxOffsetsPerTrigger: "90" });
    const first = await source.initialOffset();
    const advance = await source.latestOffset(first, "options");
    expect(advance.end).toEqual({ [topic]: { 0: 59, 1: 29, 2: 1 } });
    expect(advance.latest).toEqual({ [topic]: { 0: 600, 1: 300, 2: 1 } });
    expect(source.metrics!(advance.end)).toEqual({
      minOffsetsBehindLatest: "0",
      maxOffsetsBehindLatest: "541",
      avgOffsetsBehindLatest: String((541 + 271) / 3),
    });
    expect((await source.latestOffset(first, "all")).end).toEqual(advance.latest);
  });

  on("minOffsetsPerTrigger holds a batch back, but not the first one", async () => {
    const topic = await newTopic();
    await put(topic, ["1"]);
    const source = await openSource({ subscribe: topic, startingOffsets: "earliest", minOffsetsPerTrigger: "3" });
    const first = await source.initialOffset();
    const { end } = await source.latestOffset(first, "options");
    expect(end).toEqual({ [topic]: { 0: 1 } });
    await put(topic, ["2", "3"]);
    expect((await source.latestOffset(end, "options")).end).toEqual(end);
    await put(topic, ["4"]);
    expect((await source.latestOffset(end, "options")).end).toEqual({ [topic]: { 0: 4 } });
  });

  on("waiting ends when data arrives, and what arrived is read", async () => {
    const topic = await newTopic(3);
    const source = await openSource({ subscribe: topic });
    let at = await source.initialOffset();
    for (let round = 0; round < 20; round++) {
      const waiting = source.waitForData!(at, 20_000, new AbortController().signal);
      await put(topic, [`round ${round}`], round % 3);
      await waiting;
      const { end } = await source.latestOffset(at, "options");
      expect(await valuesOf(source, at, end)).toEqual([`round ${round}`]);
      at = end;
    }
  });

  on("waiting ends after its time, and when it is aborted", async () => {
    const topic = await newTopic();
    const source = await openSource({ subscribe: topic });
    const at = await source.initialOffset();
    await source.waitForData!(at, 30, new AbortController().signal);
    const abort = new AbortController();
    const waiting = source.waitForData!(at, 60_000, abort.signal);
    abort.abort();
    await waiting;
    expect((await source.latestOffset(at, "options")).end).toEqual(at);
  });

  on("an unknown topic is named, with near ones", async () => {
    const topic = await newTopic();
    const source = await openSource({ subscribe: `${topic}s` });
    await expect(source.initialOffset()).rejects.toMatchObject({
      code: "KAFKA_UNKNOWN_TOPIC",
      message: expect.stringContaining(`Did you mean "${topic}"?`),
    });
    const assigned = await openSource({ assign: JSON.stringify({ [topic]: [0, 7] }) });
    await expect(assigned.initialOffset()).rejects.toMatchObject({ code: "KAFKA_UNKNOWN_TOPIC" });
  });

  on("startingOffsets per partition, by time, by strategy", async () => {
    const topic = await newTopic(2);
    for (const partition of [0, 1]) {
      const timestamps = [1_000, 2_000, 3_000].map((t) => t + partition * 500);
      await producer.sendColumns(topic, partition, { values: ["a", "b", "c"], timestamps });
    }
    const initial = async (options: Record<string, string>): Promise<Offset> =>
      (await openSource({ subscribe: topic, ...options })).initialOffset();
    const json = (a: number, b: number): string => JSON.stringify({ [topic]: { 0: a, 1: b } });
    expect(await initial({ startingOffsets: json(-2, -1) })).toEqual({ [topic]: { 0: 0, 1: 3 } });
    expect(await initial({ startingOffsets: json(1, 2) })).toEqual({ [topic]: { 0: 1, 1: 2 } });
    expect(await initial({ startingTimestamp: "2000", startingOffsets: json(0, 0) })).toEqual({
      [topic]: { 0: 1, 1: 1 },
    });
    expect(await initial({ startingOffsetsByTimestamp: json(3_000, 1_000) })).toEqual({ [topic]: { 0: 2, 1: 0 } });
    await expect(initial({ startingTimestamp: "3200" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect(await initial({ startingTimestamp: "3200", startingOffsetsByTimestampStrategy: "latest" })).toEqual({
      [topic]: { 0: 3, 1: 2 },
    });
    await expect(initial({ startingOffsets: JSON.stringify({ [topic]: { 0: 1 } }) })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(`${topic}-1 missing`),
    });
    await expect(initial({ startingOffsets: json(0, 99) })).rejects.toMatchObject({
      code: "KAFKA_DATA_LOSS.START_OFFSET_RESET",
    });
    expect(await initial({ startingOffsets: json(0, 99), failOnDataLoss: "false" })).toEqual({
      [topic]: { 0: 0, 1: 3 },
    });
  });

  on("topics by pattern, partitions by assignment", async () => {
    const [a, b] = [await newTopic(1), await newTopic(2)];
    await put(a, ["from a"]);
    await put(b, ["from b"], 1);
    const pattern = await openSource({ subscribePattern: `${a}|${b.slice(0, -1)}.`, startingOffsets: "earliest" });
    const first = await pattern.initialOffset();
    expect(first).toEqual({ [a]: { 0: 0 }, [b]: { 0: 0, 1: 0 } });
    const { end } = await pattern.latestOffset(first, "options");
    expect((await valuesOf(pattern, first, end)).sort()).toEqual(["from a", "from b"]);
    const assigned = await openSource({ assign: JSON.stringify({ [b]: [1] }), startingOffsets: "earliest" });
    expect(assigned.description).toBe(`KafkaV2[Assign[${b}-1]]`);
    expect(await assigned.initialOffset()).toEqual({ [b]: { 1: 0 } });
  });

  on("partitions found later are read from their beginning", async () => {
    const topic = await newTopic(1);
    const source = await openSource({ subscribe: topic });
    const first = await source.initialOffset();
    const { brokers } = await client.metadata([]);
    const connection = await client.connection(brokers[0]!.nodeId, "control");
    const answer = await connection.request(createPartitions, {
      topics: [{ name: topic, count: 2, assignments: null }],
      timeoutMs: 10_000,
      validateOnly: false,
    });
    expect(answer.results[0]!.errorCode).toBe(0);
    client.forgetLeaders(topic);
    await expect.poll(async () => (await client.metadata([topic])).topics.get(topic)!.partitions.length).toBe(2);
    await put(topic, ["in the new one"], 1);
    await expect
      .poll(async () => (await source.latestOffset(first, "options")).end, { timeout: 10_000 })
      .toEqual({ [topic]: { 0: 0, 1: 1 } });
    const { end } = await source.latestOffset(first, "options");
    expect(await valuesOf(source, first, end)).toEqual(["in the new one"]);
  });

  on("AvailableNow ends at what was there", async () => {
    const topic = await newTopic();
    await put(topic, ["1", "2", "3"]);
    const source = await openSource({ subscribe: topic, startingOffsets: "earliest", maxOffsetsPerTrigger: "2" });
    const first = await source.initialOffset();
    await source.prepareForAvailableNow!();
    await put(topic, ["4"]);
    const one = await source.latestOffset(first, "options");
    const two = await source.latestOffset(one.end, "options");
    const three = await source.latestOffset(two.end, "options");
    expect([one.end, two.end, three.end]).toEqual([2, 3, 3].map((n) => ({ [topic]: { 0: n } })));
  });

  on("deleted records fail the query, or are left out with a warning", async () => {
    const topic = await newTopic();
    await put(topic, ["0", "1", "2", "3", "4"]);
    const source = await openSource({ subscribe: topic, startingOffsets: "earliest" });
    const first = await source.initialOffset();
    const connection = await client.connection(await client.leader(topic, 0), "control");
    const answer = await connection.request(deleteRecords, {
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset: 3 }] }],
      timeoutMs: 10_000,
    });
    expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(0);
    const { end } = await source.latestOffset(first, "options");
    await expect(source.read(first, end)).rejects.toMatchObject({
      code: "KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE",
      message: expect.stringMatching(/failOnDataLoss/),
    });
    const warnings: string[] = [];
    const stop = subscribe("warning", (w) => warnings.push(w.code));
    const lenient = await openSource({ subscribe: topic, startingOffsets: "earliest", failOnDataLoss: "false" });
    expect(await valuesOf(lenient, first, end)).toEqual(["3", "4"]);
    stop();
    expect(warnings).toEqual(["KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE"]);
  });

  on("a topic made anew, and one deleted, are noticed", async () => {
    const topic = await newTopic();
    await put(topic, ["1", "2"]);
    const options = { subscribe: topic, startingOffsets: "earliest" };
    const source = await openSource(options);
    const lenient = await openSource({ ...options, failOnDataLoss: "false" });
    const at = (await source.latestOffset(await source.initialOffset(), "options")).end;
    await lenient.initialOffset();
    await client.deleteTopics([topic]);
    await expect.poll(async () => (await client.metadata([topic])).missing).toEqual([topic]);
    const gone = await source.latestOffset(at, "all");
    expect(gone.end).toEqual({});
    await expect(source.read(at, gone.end)).rejects.toMatchObject({ code: "KAFKA_DATA_LOSS.PARTITIONS_DELETED" });
    expect(await valuesOf(lenient, at, gone.end)).toEqual([]);
    await client.createTopics([{ name: topic, partitions: 1 }]);
    await expect.poll(async () => (await source.latestOffset(at, "all")).end).toEqual({ [topic]: { 0: 0 } });
    await expect(source.read(at, { [topic]: { 0: 0 } })).rejects.toMatchObject({
      code: "KAFKA_DATA_LOSS.PARTITION_OFFSET_CHANGED",
    });
  });

  on("a batch read has a beginning and an end", async () => {
    const topic = await newTopic(2);
    await put(topic, ["a", "b", "c"], 0);
    await put(topic, ["d"], 1);
    const read = async (options: Record<string, string>): Promise<unknown[]> => {
      const input = await kafka.source!.openBatch!({
        options: { "kafka.bootstrap.servers": broker!.bootstrap, subscribe: topic, ...options },
        paths: [],
        schema: undefined,
      });
      return (await rowsOf(input, '"value"')).map((row) => row[0]).sort();
    };
    expect(await read({})).toEqual(["a", "b", "c", "d"]);
    const json = (a: number, b: number): string => JSON.stringify({ [topic]: { 0: a, 1: b } });
    expect(await read({ startingOffsets: json(1, -2), endingOffsets: json(2, -1) })).toEqual(["b", "d"]);
    await expect(read({ startingOffsets: "latest" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(read({ endingOffsets: json(-2, 1) })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(read({ startingOffsets: json(3, 0), endingOffsets: json(1, 1) })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });

  on("tombstones, empty, huge and many records", async () => {
    const topic = await newTopic();
    await client.createTopics([{ name: `${topic}-big`, partitions: 1, configs: { "max.message.bytes": "30000000" } }]);
    const huge = "h".repeat(10_000_000);
    const big = new KafkaProducer(client, { batchBytes: 25_000_000, maxRequestBytes: 30_000_000 });
    await big.sendColumns(`${topic}-big`, 0, { values: [null, "", huge, "after"] });
    await big.close();
    const source = await openSource({
      subscribe: `${topic}-big`,
      startingOffsets: "earliest",
      "kafka.max.partition.fetch.bytes": "1000",
    });
    const first = await source.initialOffset();
    const { end } = await source.latestOffset(first, "options");
    const got = (await valuesOf(source, first, end)) as (string | null)[];
    expect(got.map((v) => v?.length ?? null)).toEqual([null, 0, 10_000_000, 5]);
  });

  on("processed offsets can be reported under a group", async () => {
    const topic = await newTopic();
    await put(topic, ["a", "b"]);
    const group = `g-${randomUUID().slice(0, 8)}`;
    const source = await openSource({ subscribe: topic, startingOffsets: "earliest", lagReportingGroup: group });
    const { end } = await source.latestOffset(await source.initialOffset(), "options");
    await source.commit!(end);
    expect(await client.committedOffsets(group, null)).toEqual([{ topic, partition: 0, offset: 2 }]);
  });

  on("files of a batch are gone when it is released, folders when the source is closed", async () => {
    const topic = await newTopic();
    await put(topic, ["a"]);
    const source = await openSource({ subscribe: topic, startingOffsets: "earliest" });
    const first = await source.initialOffset();
    const input = await source.read(first, (await source.latestOffset(first, "options")).end);
    const path = /read_parquet\('([^']+)'\)/.exec((input as { from: string }).from)![1]!;
    expect(existsSync(path)).toBe(true);
    await input.release!();
    expect(existsSync(path)).toBe(false);
    await source.close();
    expect(existsSync(join(path, ".."))).toBe(false);
  });
});
