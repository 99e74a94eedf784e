import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KafkaClient } from "./client/client.ts";
import { KafkaProducer } from "./index.ts";
import { type KafkaServer, startKafkaServer } from "./server.ts";
import { decodedBatches } from "./wire/decoded-batches.ts";

let directory: string;
let kafka: KafkaServer;
let servers: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-producer-"));
  kafka = await startKafkaServer({ directory, port: 0 });
  servers = `127.0.0.1:${kafka.port}`;
});
afterAll(async () => {
  await kafka?.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

/** All records of the first partition, as texts. */
async function records(topic: string) {
  const client = KafkaClient.connect({ "bootstrap.servers": servers });
  const limits = { maxWaitMs: 100, minBytes: 1, maxBytes: 1 << 20 };
  const info = await client.describeTopics([topic]);
  const { leader } = info[0]!.partitions[0]!;
  const found = [];
  for (let offset = 0; ; ) {
    const [answer] = await client.fetchFrom(leader, [{ topic, partition: 0, offset, maxBytes: 1 << 20 }], limits);
    if (answer!.records.length === 0) break;
    for (const batch of decodedBatches(answer!.records)) {
      found.push(...batch.records!);
      offset = batch.next;
    }
  }
  client.close();
  const text = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString("latin1");
  return found.map((r) => ({
    key: text(r.key),
    value: text(r.value),
    timestamp: r.timestamp,
    headers: r.headers.map((h) => [h.key, text(h.value)]),
  }));
}

test("objects become JSON, text and bytes stay, in the order of the calls", async () => {
  await using producer = await new KafkaProducer({ servers }).connect();
  await producer.createTopic("values", { partitions: 1 });
  await producer.createTopic("values", { partitions: 1 }); // it is there already
  const at = new Date(Date.UTC(2026, 0, 31));
  const values = [{ at, id: 2n ** 60n, tags: new Map([["a", 1]]) }, "text", new Uint8Array([0, 255]), null, 7, [true]];
  await Promise.all(
    values.map((value, i) => producer.send("values", { key: "k", value, timestamp: at.getTime() + i })),
  );
  await producer.send("values", [{ value: "h", headers: { a: "1", b: null, c: new Uint8Array([200]) } }]);
  const found = await records("values");
  expect(found.map((r) => r.value)).toEqual([
    '{"at":"2026-01-31T00:00:00.000Z","id":1152921504606846976,"tags":{"a":1}}',
    "text",
    "\u0000\u00ff",
    null,
    "7",
    "[true]",
    "h",
  ]);
  expect(found[0]).toMatchObject({ key: "k", timestamp: at.getTime(), headers: [] });
  expect(found[6]!.headers).toEqual([
    ["a", "1"],
    ["b", null],
    ["c", "\u00c8"],
  ]);
});

test("the types of topics are checked where they are given", async () => {
  await using producer = new KafkaProducer<{ clicks: { page: string } }>({ servers });
  await producer.createTopic("clicks", { partitions: 1 });
  await producer.send("clicks", { value: { page: "/" } });
  // @ts-expect-error a topic that is not among them
  await producer.createTopic("klicks");
  // @ts-expect-error a value of another shape
  await producer.send("clicks", { value: { side: "/" } });
  expect((await records("clicks")).map((r) => r.value)).toEqual(['{"page":"/"}', '{"side":"/"}']);
});

test("what cannot be sent says why", async () => {
  await using producer = new KafkaProducer({ servers });
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  await expect(producer.send("values", { value: circle })).rejects.toMatchObject({
    code: "INVALID_VALUE",
    message: expect.stringContaining('A value for the topic "values" cannot be written as JSON.'),
  });
  const nowhere = new KafkaProducer({ servers: "127.0.0.1:1", settings: { "default.api.timeout.ms": "200" } });
  await expect(nowhere.connect()).rejects.toMatchObject({ code: "KAFKA_UNREACHABLE" });
  const before = process.env.MILLRACE_KAFKA;
  delete process.env.MILLRACE_KAFKA;
  expect(() => new KafkaProducer()).toThrow("A producer needs the address of Kafka.");
  if (before !== undefined) process.env.MILLRACE_KAFKA = before;
});

test("while a program is only looked at, a producer needs no address and sends nothing", async () => {
  process.env.MILLRACE_PLANNING = "1";
  try {
    const producer = await new KafkaProducer({ servers: "127.0.0.1:1" }).connect();
    await producer.createTopic("t");
    await producer.send("t", { value: 1 });
    await producer.close();
  } finally {
    delete process.env.MILLRACE_PLANNING;
  }
});
