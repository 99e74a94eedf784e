import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SinkRequest } from "../../src/connectors/connector.ts";
import { kafka } from "../../src/connectors/kafka.ts";
import { EARLIEST, KafkaClient, LATEST } from "../../src/kafka/client/index.ts";
import { partitionForKey } from "../../src/kafka/wire/murmur2.ts";
import { type DecodedRecord, decodeBatch, readBatchHeader } from "../../src/kafka/wire/record-batch.ts";
import type { AtomicKind, DataType, StructType } from "../../src/types/data-type.ts";
import { localBatch } from "../sinks/local-batch.ts";
import { embeddedBroker, type TestBroker } from "./brokers.ts";

let broker: TestBroker;
let client: KafkaClient;
beforeAll(async () => {
  broker = await embeddedBroker();
  client = KafkaClient.connect({ "bootstrap.servers": broker.bootstrap });
});
afterAll(async () => {
  client.close();
  await broker.stop();
});

const headersType: DataType = {
  kind: "array",
  containsNull: true,
  elementType: {
    kind: "struct",
    fields: [
      { name: "key", type: { kind: "string" }, nullable: true },
      { name: "value", type: { kind: "binary" }, nullable: true },
    ],
  },
};

function schema(columns: Record<string, AtomicKind | DataType>): StructType {
  return {
    kind: "struct",
    fields: Object.entries(columns).map(([name, type]) => ({
      name,
      type: typeof type === "string" ? { kind: type } : type,
      nullable: true,
    })),
  };
}

function request(of: StructType, options: Record<string, string> = {}): SinkRequest {
  return {
    options: { "kafka.bootstrap.servers": broker.bootstrap, ...options },
    path: undefined,
    partitionBy: [],
    schema: of,
    outputMode: "append",
  };
}

async function deliver(of: StructType, sql: string, options: Record<string, string>): Promise<void> {
  const sink = await kafka.sink!.openStream!({
    ...request(of, options),
    queryId: randomUUID(),
    sinkName: "kafka",
    sole: true,
    queryName: null,
    temporaryPath: "/tmp",
  });
  try {
    expect(await sink.lastBatch()).toBeUndefined();
    await sink.addBatch(await localBatch({ schema: of, sql }));
  } finally {
    await sink.close();
  }
}

async function contents(topic: string, partition: number): Promise<DecodedRecord[]> {
  const [end] = await client.listOffsets([{ topic, partition }], LATEST);
  const [begin] = await client.listOffsets([{ topic, partition }], EARLIEST);
  const records: DecodedRecord[] = [];
  for (let offset = begin!.offset; offset < end!.offset; ) {
    const [fetched] = await client.fetchFrom(
      await client.leader(topic, partition),
      [{ topic, partition, offset, maxBytes: 1 << 26 }],
      { maxWaitMs: 500, minBytes: 1, maxBytes: 1 << 26 },
    );
    for (let at = 0; ; ) {
      const header = readBatchHeader(fetched!.records, at);
      if (header === undefined) break;
      records.push(...decodeBatch(fetched!.records, at).records);
      at += header.size;
      offset = header.baseOffset + header.lastOffsetDelta + 1;
    }
  }
  return records;
}

async function newTopic(partitions: number): Promise<string> {
  const name = `s-${randomUUID().slice(0, 8)}`;
  await client.createTopics([{ name, partitions }]);
  return name;
}

const text = (bytes: Buffer | null): string | null => (bytes === null ? null : bytes.toString());

describe("the Kafka sink", () => {
  test("keys choose partitions as in Java, order is kept, nulls stay null", async () => {
    const topic = await newTopic(4);
    const of = schema({ key: "string", value: "string" });
    await deliver(
      of,
      "SELECT 'k' || (i % 50) AS key, CASE WHEN i % 9 = 0 THEN NULL ELSE 'v' || i END AS value FROM range(10000) t(i) ORDER BY i",
      { topic },
    );
    let total = 0;
    for (let partition = 0; partition < 4; partition++) {
      const got = await contents(topic, partition);
      total += got.length;
      const expected = Array.from({ length: 10_000 }, (_, i) => i)
        .filter((i) => partitionForKey(Buffer.from(`k${i % 50}`), 4) === partition)
        .map((i) => [`k${i % 50}`, i % 9 === 0 ? null : `v${i}`]);
      expect(got.map((r) => [text(r.key), text(r.value)])).toEqual(expected);
    }
    expect(total).toBe(10_000);
  });

  test("valueFormat json: all columns in one object, one of them as the key", async () => {
    const topic = await newTopic(1);
    const of = schema({ origin: "string", hour: "timestamp", flights: "long", delay: "double", raw: "binary" });
    await deliver(
      of,
      `SELECT * FROM (VALUES
        ('ATL', TIMESTAMPTZ '2001-01-01 05:00:00.5Z', 9007199254740993, 1.5::DOUBLE, 'ab'::BLOB),
        (NULL, NULL, NULL, 'nan'::DOUBLE, NULL)
       ) t(origin, hour, flights, delay, raw)`,
      { topic, valueFormat: "json", keyColumn: "origin" },
    );
    expect((await contents(topic, 0)).map((r) => [text(r.key), text(r.value)])).toEqual([
      ["ATL", '{"origin":"ATL","hour":"2001-01-01T05:00:00.500Z","flights":9007199254740993,"delay":1.5,"raw":"YWI="}'],
      [null, "{}"],
    ]);
  });

  test("bytes, headers, topic and partition columns", async () => {
    const [a, b] = [await newTopic(1), await newTopic(3)];
    const of = schema({ topic: "string", partition: "integer", value: "binary", headers: headersType });
    await deliver(
      of,
      `SELECT * FROM (VALUES
        ('${a}', NULL, '\\x00\\xFF'::BLOB, NULL),
        ('${b}', 2, ''::BLOB, [{'key': 'trace', 'value': '\\x01'::BLOB}, {'key': 'none', 'value': NULL}])
       ) t(topic, partition, value, headers)`,
      {},
    );
    expect((await contents(a, 0)).map((r) => [r.key, r.value!.toString("hex"), r.headers])).toEqual([
      [null, "00ff", []],
    ]);
    const [record] = await contents(b, 2);
    expect(record!.value).toHaveLength(0);
    expect(record!.headers.map((h) => [h.key, h.value === null ? null : Buffer.from(h.value).toString("hex")])).toEqual(
      [
        ["trace", "01"],
        ["none", null],
      ],
    );
  });

  test("the option topic wins over the column", async () => {
    const topic = await newTopic(1);
    await deliver(schema({ topic: "string", value: "string" }), "SELECT 'other' AS topic, 'x' AS value", { topic });
    expect((await contents(topic, 0)).map((r) => text(r.value))).toEqual(["x"]);
  });

  test("a null topic and a partition that does not exist are named", async () => {
    const topic = await newTopic(2);
    const of = schema({ topic: "string", partition: "integer", value: "string" });
    await expect(deliver(of, "SELECT NULL::VARCHAR AS topic, 0 AS partition, 'x' AS value", {})).rejects.toMatchObject({
      code: "KAFKA_NULL_TOPIC_IN_DATA",
    });
    await expect(deliver(of, `SELECT '${topic}' AS topic, 2 AS partition, 'x' AS value`, {})).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: expect.stringContaining("has 2 partitions"),
    });
  });

  test("a record too large fails the batch, and the sink can go on", async () => {
    const topic = await newTopic(1);
    const of = schema({ value: "string" });
    await expect(deliver(of, "SELECT repeat('x', 2000000) AS value", { topic })).rejects.toMatchObject({
      code: "INVALID_VALUE",
    });
    await deliver(of, "SELECT 'small' AS value", { topic });
    expect((await contents(topic, 0)).map((r) => text(r.value))).toEqual(["small"]);
  });

  test.each<[string, Record<string, AtomicKind | DataType>, Record<string, string>, RegExp]>([
    ["no value", { key: "string" }, { topic: "t" }, /needs a column "value"; there are: key/],
    ["a number as value", { value: "integer" }, { topic: "t" }, /"value" is integer; it must be string or binary/],
    ["a number as key", { key: "long", value: "string" }, { topic: "t" }, /"key" is long/],
    ["no topic at all", { value: "string" }, {}, /option "topic" or a column "topic"/],
    ["a number as topic", { topic: "integer", value: "string" }, {}, /"topic" is integer/],
    ["text as partition", { partition: "string", value: "string" }, { topic: "t" }, /"partition" is string/],
    ["text as headers", { headers: "string", value: "string" }, { topic: "t" }, /"headers" must be array/],
  ])("%s is refused before anything runs", (_name, columns, options, message) => {
    expect(() => kafka.sink!.validate!(request(schema(columns), options))).toThrow(
      expect.objectContaining({ code: "SINK_SCHEMA_MISMATCH", message: expect.stringMatching(message) }),
    );
  });

  test("a batch write appends, and nothing else", async () => {
    const topic = await newTopic(1);
    const of = schema({ value: "string" });
    const batch = await localBatch({ schema: of, sql: "SELECT 'once' AS value" });
    await kafka.sink!.writeBatch!({ ...request(of, { topic }), mode: "append", batch });
    expect((await contents(topic, 0)).map((r) => text(r.value))).toEqual(["once"]);
    for (const mode of ["overwrite", "ignore"] as const) {
      await expect(kafka.sink!.writeBatch!({ ...request(of, { topic }), mode, batch })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
  });
});
