import { randomBytes } from "node:crypto";
import { Redis } from "iovalkey";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRealKafka } from "../services/kafka.ts";
import { startPostgres } from "../services/postgres.ts";
import { startRedis } from "../services/redis.ts";
import { KafkaClient, KafkaProducer } from "../src/kafka/client/index.ts";
import type {
  CachePage,
  CacheValue,
  DatabaseTableSummary,
  MessagePage,
  RowsPage,
  TopicDetail,
} from "../src/observe/api-explore.ts";
import type { Addresses } from "../src/observe/routes/explore.ts";
import { type Observer, startObserver } from "../src/observe/server.ts";
import { given } from "./needs.ts";

/** What the pages of topics, database and cache show of other people's servers. */
let observer: Observer;
let addresses: Addresses = {};
beforeAll(async () => {
  observer = await startObserver({ port: 0, addresses: () => addresses });
});
afterAll(() => observer.close());

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${observer.url}api/${path}`);
  const body = await response.json();
  expect([response.status, response.status === 200 ? "" : JSON.stringify(body)]).toEqual([200, ""]);
  return body as T;
}

const redis = given(await startRedis({ password: "geheim" }));
describe.skipIf(redis === undefined)("Redis", () => {
  afterAll(() => redis?.stop());

  test("keys of every type, capped; no password anywhere", async () => {
    const client = new Redis(redis!.url);
    await client.rpush("list", ...Array.from({ length: 300 }, (_, i) => `${i}`));
    await client.sadd("set", ...Array.from({ length: 5_000 }, (_, i) => `m${i}`));
    await client.zadd("sorted", 1.5, "one", 2, "two");
    await client.xadd("stream", "*", "field", "value");
    await client.hset("hash", { a: "1", b: "x".repeat(20_000) });
    await client.set("number", "7", "PX", 60_000);
    client.disconnect();
    addresses = { redis: redis!.url };
    const page = await get<CachePage>("cache");
    expect(page).toMatchObject({ total: 6, cursor: null });
    const types = Object.fromEntries(page.keys.map((k) => [k.key, k.type]));
    expect(types).toEqual({
      list: "list",
      set: "set",
      sorted: "zset",
      stream: "stream",
      hash: "hash",
      number: "string",
    });
    const value = (key: string): Promise<CacheValue> => get(`cache/key?key=${key}`);
    expect(await value("sorted")).toMatchObject({ value: { one: "1.5", two: "2" }, truncated: false });
    expect(await value("number")).toMatchObject({ value: "7", ttlSeconds: expect.closeTo(60, -1) });
    const [list, set, stream, hash] = [
      await value("list"),
      await value("set"),
      await value("stream"),
      await value("hash"),
    ];
    expect([(list.value as string[]).length, list.truncated]).toEqual([100, true]);
    expect([(set.value as string[]).length, set.truncated]).toEqual([100, true]);
    expect(stream.value).toEqual([expect.stringMatching(/^\d+-\d+ field value$/)]);
    expect(hash.truncated).toBe(true);
    addresses = { redis: redis!.url.replace("geheim", "falsch") };
    const refused = await fetch(`${observer.url}api/cache`);
    const text = await refused.text();
    expect(refused.status).toBe(500);
    expect(text).toContain("REDIS_FAILED");
    expect(text).not.toContain("falsch");
  });
});

const postgres = given(await startPostgres());
describe.skipIf(postgres === undefined)("PostgreSQL", () => {
  afterAll(() => postgres?.stop());

  test("estimates of analysed and of new tables; partitions; what may not be read is not there; slow answers are given up", async () => {
    const client = new pg.Client(postgres!.url);
    await client.connect();
    await client.query(`
      CREATE TABLE big AS SELECT i, md5(i::text) AS t FROM generate_series(1, 200000) i;
      ANALYZE big;
      CREATE TABLE fresh AS SELECT i FROM generate_series(1, 1000) i;
      CREATE TABLE parted(day date, n int) PARTITION BY RANGE (day);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
      CREATE ROLE viewer LOGIN;
      GRANT SELECT ON big, fresh, parted TO viewer;
      CREATE TABLE secret(n int);
    `);
    addresses = { postgres: postgres!.url.replace("postgres@", "viewer@") };
    const list = await get<DatabaseTableSummary[]>("database");
    expect(list.map((t) => t.name)).toEqual(["big", "fresh", "parted"]);
    expect(list[0]!.estimatedRows).toBe(200_000);
    expect(list[1]!.estimatedRows).toBeGreaterThan(300);
    const page = await get<RowsPage>("database/rows?schema=public&table=big&limit=2");
    expect(page.rows).toEqual([
      [1, "c4ca4238a0b923820dcc509a6f75849b"],
      [2, "c81e728d9d4c2f636f067f89cc14862c"],
    ]);
    expect((await fetch(`${observer.url}api/database/rows?schema=public&table=secret`)).status).toBe(404);
    // whoever looks waits for no lock for long, and holds none
    await client.query("BEGIN; LOCK TABLE fresh IN ACCESS EXCLUSIVE MODE");
    const started = performance.now();
    const waiting = await fetch(`${observer.url}api/database/rows?schema=public&table=fresh`);
    expect([waiting.status, performance.now() - started < 8_000]).toEqual([504, true]);
    await client.query("ROLLBACK");
    expect((await get<RowsPage>("database/rows?schema=public&table=fresh&limit=1")).rows).toEqual([[1]]);
    await client.end();
  });
});

const kafka = given(await startRealKafka());
describe.skipIf(kafka === undefined)("Apache Kafka", () => {
  afterAll(() => kafka?.stop());

  test("messages of a compacted, compressed topic, newest and oldest first", async () => {
    addresses = { kafka: kafka!.bootstrap };
    const client = KafkaClient.connect({ "bootstrap.servers": kafka!.bootstrap, "compression.type": "zstd" });
    await client.createTopics([{ name: "things", partitions: 3, configs: { "cleanup.policy": "compact" } }]);
    const producer = new KafkaProducer(client);
    for (let i = 0; i < 100; i++) {
      const record = {
        key: `k${i % 7}`,
        value: randomBytes(20).toString("hex"),
        timestamp: 1_700_000_000_000 + i * 1_000,
      };
      await producer.send("things", [record]);
    }
    await producer.close();
    client.close();
    const detail = await get<TopicDetail>("topics/things");
    expect(detail).toMatchObject({ partitions: 3, records: 100, problem: null });
    expect(detail.bytes).toBeGreaterThan(1_000);
    expect(detail.config["cleanup.policy"]).toBe("compact");
    const latest = await get<MessagePage>("topics/things/messages?limit=100");
    expect([latest.messages.length, latest.end]).toEqual([100, true]);
    const times = latest.messages.map((m) => m.timestamp);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    const oldest = await get<MessagePage>("topics/things/messages?from=earliest&limit=10");
    expect(oldest.messages.map((m) => m.timestamp)).toEqual(times.toReversed().slice(0, 10));
    const from = new Date(1_700_000_000_000 + 50_500).toISOString();
    expect((await get<MessagePage>(`topics/things/messages?from=${from}&limit=1`)).messages[0]!.timestamp).toBe(
      1_700_000_000_000 + 51_000,
    );
  });
});
