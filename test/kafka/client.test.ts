import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EARLIEST, KafkaClient, KafkaProducer, LATEST } from "../../src/kafka/client/index.ts";
import { Codec, type CodecId } from "../../src/kafka/wire/compression.ts";
import { partitionForKey } from "../../src/kafka/wire/murmur2.ts";
import { type DecodedRecord, decodeBatch, readBatchHeader } from "../../src/kafka/wire/record-batch.ts";
import { given } from "../needs.ts";
import { BROKERS, type TestBroker } from "./brokers.ts";
import { type CuttingProxy, cuttingProxy } from "./cutting-proxy.ts";

/** Everything in a partition, as objects. */
async function contents(client: KafkaClient, topic: string, partition: number): Promise<DecodedRecord[]> {
  const [end] = await client.listOffsets([{ topic, partition }], LATEST);
  const records: DecodedRecord[] = [];
  for (let offset = 0; offset < end!.offset; ) {
    const [fetched] = await client.fetchFrom(
      await client.leader(topic, partition),
      [{ topic, partition, offset, maxBytes: 1 << 24 }],
      { maxWaitMs: 500, minBytes: 1, maxBytes: 1 << 24 },
    );
    expect(fetched!.errorCode).toBe(0);
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

describe.each(BROKERS)("client of %s", (_name, start) => {
  let broker: TestBroker | undefined;
  let client: KafkaClient;
  beforeAll(async () => {
    broker = given(await start());
    if (broker !== undefined) client = KafkaClient.connect({ "bootstrap.servers": broker.bootstrap });
  });
  afterAll(async () => {
    client?.close();
    await broker?.stop();
  });

  const on = (name: string, run: () => Promise<void>): void => {
    test(name, async (context) => {
      if (broker === undefined) return context.skip("there is no such broker here");
      await run();
    });
  };
  const newTopic = async (partitions = 1, configs: Record<string, string> = {}): Promise<string> => {
    const name = `t-${randomUUID().slice(0, 8)}`;
    await client.createTopics([{ name, partitions, configs }]);
    return name;
  };

  on("topics are created, described and deleted", async () => {
    const topic = await newTopic(3);
    const [info] = await client.describeTopics([topic]);
    expect(info!.partitions.map((p) => p.partition)).toEqual([0, 1, 2]);
    await expect(client.createTopics([{ name: topic }])).rejects.toMatchObject({
      code: "KAFKA_PROTOCOL",
      parameters: { kafkaError: "TOPIC_ALREADY_EXISTS" },
    });
    await client.createTopics([{ name: topic }], { ifNotExists: true });
    await client.deleteTopics([topic]);
    await expect.poll(async () => (await client.metadata([topic])).missing, { timeout: 10_000 }).toEqual([topic]);
    await expect(client.deleteTopics([topic])).rejects.toMatchObject({ code: "KAFKA_UNKNOWN_TOPIC" });
  });

  on("an unknown topic is named, with those that are near", async () => {
    const topic = await newTopic();
    const wrong = `${topic}x`;
    await expect(client.describeTopics([wrong])).rejects.toMatchObject({
      code: "KAFKA_UNKNOWN_TOPIC",
      message: expect.stringContaining(`Did you mean "${topic}"?`),
      parameters: { topic: wrong },
    });
    await expect(client.metadata(["not a name!"])).rejects.toMatchObject({ code: "KAFKA_UNKNOWN_TOPIC" });
  });

  on("records arrive as sent, in the partitions of their keys", async () => {
    const topic = await newTopic(4);
    const producer = new KafkaProducer(client);
    const records = Array.from({ length: 200 }, (_, i) => ({
      key: `key ${i % 23}`,
      value: i % 10 === 0 ? null : `value ${i}`,
      timestamp: 1_700_000_000_000 + i,
      headers:
        i % 5 === 0
          ? [
              { key: "n", value: Buffer.from(String(i)) },
              { key: "none", value: null },
            ]
          : [],
    }));
    await producer.send(topic, records);
    await producer.close();
    for (let partition = 0; partition < 4; partition++) {
      const expected = records.filter((r) => partitionForKey(Buffer.from(r.key), 4) === partition);
      const got = await contents(client, topic, partition);
      expect(
        got.map((r) => ({
          key: r.key!.toString(),
          value: r.value === null ? null : r.value.toString(),
          timestamp: r.timestamp,
          headers: r.headers.map((h) => ({ key: h.key, value: h.value === null ? null : Buffer.from(h.value) })),
        })),
      ).toEqual(expected);
      expect(got.map((r) => r.offset)).toEqual(got.map((_, i) => i));
    }
  });

  on("every codec is accepted", async () => {
    const topic = await newTopic();
    for (const codec of Object.values(Codec) as CodecId[]) {
      const producer = new KafkaProducer(client, { codec });
      await producer.send(topic, [{ value: `codec ${codec}`.repeat(100) }]);
      await producer.close();
    }
    const got = await contents(client, topic, 0);
    expect(got.map((r) => r.value!.toString().slice(0, 7))).toEqual([
      "codec 0",
      "codec 1",
      "codec 2",
      "codec 3",
      "codec 4",
    ]);
  });

  on("many batches under way keep their order", async () => {
    const topic = await newTopic(2);
    const producer = new KafkaProducer(client, { batchBytes: 2_000 });
    const values = Array.from({ length: 5_000 }, (_, i) => `record number ${i}`);
    await Promise.all([
      producer.sendColumns(topic, 0, { values: values.slice(0, 2_500) }),
      producer.sendColumns(topic, 0, { values: values.slice(2_500) }),
      producer.sendColumns(topic, 1, { values }),
    ]);
    await producer.close();
    for (const partition of [0, 1]) {
      expect((await contents(client, topic, partition)).map((r) => r.value!.toString())).toEqual(values);
    }
  });

  on("a batch too large for the topic is cut, a record too large is named", async () => {
    const topic = await newTopic(1, { "max.message.bytes": "20000" });
    const producer = new KafkaProducer(client);
    const values = Array.from({ length: 60 }, (_, i) => String(i).padStart(1_000, "."));
    const [first, second] = await Promise.allSettled([
      producer.sendColumns(topic, 0, { values }),
      producer.sendColumns(topic, 0, { values: ["x".repeat(30_000)] }),
    ]);
    expect(first.status).toBe("fulfilled");
    expect(second).toMatchObject({ status: "rejected", reason: { code: "INVALID_VALUE" } });
    await producer.sendColumns(topic, 0, { values: ["after"] });
    await producer.close();
    const got = (await contents(client, topic, 0)).map((r) => r.value!.toString());
    expect(got).toEqual([...values, "after"]);
  });

  on("broken connections lose nothing, double nothing and keep the order", async () => {
    const proxy: CuttingProxy = await cuttingProxy(broker!.bootstrap);
    const through = KafkaClient.connect({ "bootstrap.servers": proxy.bootstrap, "retry.backoff.ms": "5" });
    try {
      const topic = await newTopic(2);
      proxy.onProduce = (n) => (n % 4 === 0 ? "unanswered" : n % 7 === 0 ? "lost" : "pass");
      const producer = new KafkaProducer(through, { batchBytes: 500 });
      const values = Array.from({ length: 2_000 }, (_, i) => `record number ${i}`);
      await Promise.all([0, 1].map((partition) => producer.sendColumns(topic, partition, { values })));
      await producer.close();
      expect(proxy.cuts).toBeGreaterThan(5);
      for (const partition of [0, 1]) {
        expect((await contents(client, topic, partition)).map((r) => r.value!.toString())).toEqual(values);
      }
    } finally {
      through.close();
      await proxy.close();
    }
  });

  on("a topic that is missing is made by a producer where the broker does so, or named", async () => {
    const strict = KafkaClient.connect({
      "bootstrap.servers": broker!.bootstrap,
      "allow.auto.create.topics": "false",
    });
    const refused = new KafkaProducer(strict);
    await expect(refused.send("never-made", [{ value: "x" }])).rejects.toMatchObject({ code: "KAFKA_UNKNOWN_TOPIC" });
    strict.close();
    const topic = `auto-${randomUUID().slice(0, 8)}`;
    const producer = new KafkaProducer(client);
    await producer.send(topic, [{ value: "x", partition: 0 }]);
    await producer.close();
    expect((await contents(client, topic, 0)).map((r) => r.value!.toString())).toEqual(["x"]);
  });

  on("offsets by earliest, latest and time", async () => {
    const topic = await newTopic();
    const producer = new KafkaProducer(client);
    for (const timestamp of [1_000, 2_000, 3_000]) await producer.send(topic, [{ value: "x", timestamp }]);
    await producer.close();
    const at = async (what: number): Promise<number> =>
      (await client.listOffsets([{ topic, partition: 0 }], what))[0]!.offset;
    expect([await at(EARLIEST), await at(LATEST), await at(1_500), await at(3_000), await at(3_001)]).toEqual([
      0, 3, 1, 2, -1,
    ]);
  });

  on("offsets of a group are stored and read back", async () => {
    const topic = await newTopic(2);
    const group = `g-${randomUUID().slice(0, 8)}`;
    await client.commitOffsets(group, [
      { topic, partition: 0, offset: 12 },
      { topic, partition: 1, offset: 0 },
    ]);
    await client.commitOffsets(group, [{ topic, partition: 0, offset: 13 }]);
    const stored = await client.committedOffsets(group, null);
    expect(stored.sort((a, b) => a.partition - b.partition)).toEqual([
      { topic, partition: 0, offset: 13 },
      { topic, partition: 1, offset: 0 },
    ]);
    expect(await client.committedOffsets(`${group}-other`, [{ topic, partition: 0 }])).toEqual([]);
  });
});

describe("a broker that is not there", () => {
  test("is named, and the call may be repeated", async () => {
    const client = KafkaClient.connect({ "bootstrap.servers": "127.0.0.1:1", "retry.backoff.ms": "1" });
    await expect(client.metadata(null)).rejects.toMatchObject({
      code: "KAFKA_UNREACHABLE",
      retryable: true,
      message: expect.stringContaining("127.0.0.1:1"),
    });
    client.close();
    await expect(client.metadata(null)).rejects.toMatchObject({ code: "STOPPED" });
  });

  test.each([
    ["speaks another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", { code: "KAFKA_PROTOCOL" }],
    ["answers nonsense", "\0\0\0\x08abcdefgh", { code: "KAFKA_PROTOCOL" }],
    ["says nothing", "", { code: "KAFKA_UNREACHABLE", retryable: true }],
  ])("%s", async (_name, answer, error) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.write(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const client = KafkaClient.connect({
      "bootstrap.servers": `127.0.0.1:${port}`,
      "request.timeout.ms": "100",
      "retry.backoff.ms": "1",
    });
    await expect(client.metadata(null)).rejects.toMatchObject(error);
    client.close();
    server.close();
  });
});
