import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KafkaClient, KafkaProducer } from "../../kafka/client/index.ts";
import { SparkSession } from "../../session.ts";
import { type Stack, startStack } from "../../stack.ts";
import type { ApiError } from "../api.ts";
import type {
  CachePage,
  CacheValue,
  DatabaseTableDetail,
  DatabaseTableSummary,
  LakeTableDetail,
  LakeTableSummary,
  MessagePage,
  RowsPage,
  TopicDetail,
  TopicSummary,
} from "../api-explore.ts";
import type { Addresses } from "../routes/explore.ts";
import { type Observer, startObserver } from "../server.ts";

const env: NodeJS.ProcessEnv = {};
let folder: string;
let stack: Stack;
let spark: SparkSession;
let observer: Observer;
let addresses: Addresses;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-explore-"));
  stack = await startStack({ directory: join(folder, "data"), env, ports: { kafka: 0, postgres: 0, redis: 0 } });
  await stack.ready;
  spark = new SparkSession();
  addresses = { ...stack.addresses };
  observer = await startObserver({ port: 0, addresses: () => addresses });
});
afterAll(async () => {
  await observer.close();
  await spark.stop();
  await stack.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${observer.url}api/${path}`);
  return { status: response.status, body: await response.json() };
}
async function get<T>(path: string): Promise<T> {
  const { status, body } = await ask(path);
  expect([status, status === 200 ? "" : JSON.stringify(body)]).toEqual([200, ""]);
  return body as T;
}
async function refused(path: string): Promise<[number, string]> {
  const { status, body } = await ask(path);
  return [status, (body as ApiError).error.code];
}
const q = encodeURIComponent;

describe("topics", () => {
  const binary = Buffer.from([0, 0, 0, 0, 7, 1, 2, 255]);
  beforeAll(async () => {
    const client = KafkaClient.connect({ "bootstrap.servers": addresses.kafka! });
    await client.createTopics([
      { name: "flights", partitions: 2, configs: { "retention.ms": "100000" } },
      { name: "odd", partitions: 1, configs: { "max.message.bytes": "4000000" } },
      { name: "empty", partitions: 1 },
    ]);
    const producer = new KafkaProducer(client);
    const send = (topic: string, partition: number, timestamp: number, key: Buffer | null, value: Buffer | null) =>
      producer.send(topic, [{ partition, timestamp, key, value, headers: [{ key: "h", value: Buffer.from("x") }] }]);
    const sent: Promise<void>[] = [];
    for (let i = 0; i < 300; i++) {
      sent.push(
        send(
          "flights",
          i % 2,
          1_700_000_000_000 + i * 1_000,
          Buffer.from(`k${i}`),
          Buffer.from(`{"n":${i},"Name":"Flug ${i}"}`),
        ),
      );
    }
    sent.push(send("odd", 0, 1, binary, Buffer.alloc(1 << 20, "ä")));
    sent.push(send("odd", 0, 2, null, null));
    sent.push(send("odd", 0, 3, Buffer.from(""), Buffer.from([0xff, 0xfe])));
    await Promise.all(sent);
    await producer.close();
    client.close();
  });

  test("each with partitions, records, bytes, problem; the rate from the second look on", async () => {
    const list = await get<TopicSummary[]>("topics");
    expect(list.filter((t) => !t.internal).map((t) => [t.name, t.partitions, t.records, t.problem])).toEqual([
      ["empty", 1, 0, null],
      ["flights", 2, 300, null],
      ["odd", 1, 3, null],
    ]);
    expect(list.find((t) => t.name === "flights")!.bytes).toBeGreaterThan(1_000);
    const detail = await get<TopicDetail>("topics/flights");
    expect(detail.offsets).toEqual([
      { partition: 0, start: "0", end: "150", leader: expect.any(Number), read: {} },
      { partition: 1, start: "0", end: "150", leader: expect.any(Number), read: {} },
    ]);
    expect(detail.config["retention.ms"]).toBe("100000");
    expect(await refused("topics/none")).toEqual([404, "KAFKA_UNKNOWN_TOPIC"]);
    expect(await refused(`topics/${q("../../etc/passwd")}`)).toEqual([404, "KAFKA_UNKNOWN_TOPIC"]);
    expect(await refused(`topics/${q("'; drop")}/messages`)).toEqual([404, "KAFKA_UNKNOWN_TOPIC"]);
  });

  test("the newest first, the oldest first, from an offset, from a time, page by page", async () => {
    const keys = (page: MessagePage): unknown[] => page.messages.map((m) => (m.key as { text: string }).text);
    const latest = await get<MessagePage>("topics/flights/messages?limit=3");
    expect(keys(latest)).toEqual(["k299", "k298", "k297"]);
    expect(latest.end).toBe(false);
    expect(keys(await get("topics/flights/messages?from=earliest&limit=3"))).toEqual(["k0", "k1", "k2"]);
    expect(keys(await get("topics/flights/messages?from=148&partition=1&limit=5"))).toEqual(["k297", "k299"]);
    const time = new Date(1_700_000_000_000 + 100_000).toISOString();
    expect(keys(await get(`topics/flights/messages?from=${q(time)}&limit=2`))).toEqual(["k100", "k101"]);
    const seen: unknown[] = [];
    let from = "earliest";
    for (let i = 0; ; i++) {
      const page = await get<MessagePage>(`topics/flights/messages?from=${from}&limit=70`);
      seen.push(...keys(page));
      from = page.next;
      if (page.end || i > 10) break;
    }
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => `k${i}`));
    expect((await get<MessagePage>(`topics/flights/messages?from=${latest.next}`)).messages).toEqual([]);
    expect(await get("topics/empty/messages")).toMatchObject({ messages: [], end: true });
    expect(await refused("topics/flights/messages?from=gestern")).toEqual([400, "INVALID_ARGUMENT"]);
    expect(await refused("topics/flights/messages?limit=100000")).toEqual([400, "INVALID_ARGUMENT"]);
    expect(await refused("topics/flights/messages?partition=7")).toEqual([404, "NOT_FOUND"]);
  });

  test("a search looks through everything, whatever the case", async () => {
    const page = await get<MessagePage>("topics/flights/messages?search=fLUG%2017%22");
    expect(page.messages.map((m) => m.offset)).toEqual(["8"]);
    expect([page.scanned, page.end]).toEqual([300, true]);
  });

  test("large values are cut off, bytes that are no text are base64 with the reason", async () => {
    const { messages } = await get<MessagePage>("topics/odd/messages?from=earliest");
    const [large, nothing, broken] = messages;
    expect(large).toMatchObject({ size: (1 << 20) + 8, key: { base64: binary.toString("base64"), truncated: false } });
    expect((large!.key as { reason: string }).reason).toContain("schema 7");
    expect(large!.value).toEqual({ text: "ä".repeat(4096), truncated: true });
    expect(large!.headers).toEqual([{ key: "h", value: { text: "x", truncated: false } }]);
    expect(nothing).toMatchObject({ key: null, value: null });
    expect(broken).toMatchObject({
      key: { text: "", truncated: false },
      value: { base64: "//4=", reason: "It is not UTF-8." },
    });
    // one alone is shown nearly whole
    const alone = await get<MessagePage>("topics/odd/messages?from=0&limit=1");
    expect((alone.messages[0]!.value as { text: string }).text.length).toBe(1 << 19);
  });
});

describe("lake", () => {
  beforeAll(async () => {
    const rows = spark.createDataFrame(
      [
        { id: 1n, name: "a", at: new Date("2024-01-01T00:00:00Z"), raw: new Uint8Array(4), day: "x" },
        { id: 2n ** 60n, name: "ü".repeat(5_000), at: null, raw: null, day: "y" },
      ],
      "id BIGINT, name STRING, at TIMESTAMP, raw BINARY, day STRING",
    );
    await rows.write
      .format("delta")
      .partitionBy("day")
      .save(join(addresses.lake!, "bronze", "flights"));
    await rows.write
      .format("delta")
      .mode("append")
      .save(join(addresses.lake!, "bronze", "flights"));
    await rows.write.parquet(join(addresses.lake!, "files"));
    mkdirSync(join(addresses.lake!, "broken", "_delta_log"), { recursive: true });
    writeFileSync(join(addresses.lake!, "broken", "_delta_log", `${"0".repeat(20)}.json`), "{nonsense\n");
  });

  test("tables by their own metadata; a broken one does not hide the others", async () => {
    const list = await get<LakeTableSummary[]>("lake");
    expect(list.map((t) => [t.name, t.format, t.rows, t.files, t.version, t.partitionBy])).toEqual([
      ["broken", "delta", null, 0, null, []],
      ["bronze/flights", "delta", 4, 4, 1, ["day"]],
      ["files", "parquet", null, expect.any(Number), null, []],
    ]);
    expect(list[0]!.problem).toContain("not JSON");
    const detail = await get<LakeTableDetail>(`lake/table?name=${q("bronze/flights")}`);
    expect(detail.columns[0]).toEqual({ name: "id", type: "bigint", nullable: true });
    expect(detail.history.map((h) => [h.version, h.operation, h.rowsAdded, h.filesAdded])).toEqual([
      [1, "WRITE", 2, 2],
      [0, "WRITE", 2, 2],
    ]);
    expect(detail.largestFiles[0]).toMatchObject({ rows: 1, partition: { day: expect.any(String) } });
    expect(await get(`lake/table?name=files`)).toMatchObject({ rows: 2, format: "parquet" });
  });

  test("rows, small and exact", async () => {
    const page = await get<RowsPage>(`lake/rows?name=${q("bronze/flights")}&limit=3`);
    expect([page.rows.length, page.more]).toEqual([3, true]);
    const all = await get<RowsPage>(`lake/rows?name=${q("bronze/flights")}`);
    expect(all.rows).toContainEqual([1, "a", "2024-01-01T00:00:00.000Z", "[binary, 4 bytes]", "x"]);
    expect(all.rows).toContainEqual(["1152921504606846976", `${"ü".repeat(2_000)}…`, null, null, "y"]);
    expect((await get<RowsPage>("lake/rows?name=files")).rows).toHaveLength(2);
  });

  test("nothing outside of the lake is opened, also not through a link", async () => {
    const secret = join(folder, "secret");
    await spark
      .createDataFrame([{ a: 1 }], "a INT")
      .write.format("delta")
      .save(secret);
    symlinkSync(secret, join(addresses.lake!, "link"));
    for (const name of ["../../secret", "bronze/../../../secret", secret, "link", "..", "files\0", "none", "bronze"]) {
      expect([name, ...(await refused(`lake/table?name=${q(name)}`))]).toEqual([name, 404, "TABLE_OR_VIEW_NOT_FOUND"]);
      expect((await refused(`lake/rows?name=${q(name)}`))[0]).toBe(404);
    }
    expect(await refused("lake/table")).toEqual([400, "INVALID_ARGUMENT"]);
    expect((await get<LakeTableSummary[]>("lake")).map((t) => t.name)).not.toContain("link");
  });

  test("a table with 10,000 files answers within a second, and again at once", async () => {
    const path = join(addresses.lake!, "many", "_delta_log");
    mkdirSync(path, { recursive: true });
    const head = [
      { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
      {
        metaData: {
          id: "m",
          format: { provider: "parquet", options: {} },
          schemaString: JSON.stringify({
            type: "struct",
            fields: [{ name: "n", type: "integer", nullable: true, metadata: {} }],
          }),
          partitionColumns: [],
          configuration: {},
        },
      },
    ];
    const adds = Array.from({ length: 10_000 }, (_, i) => ({
      add: {
        path: `part-${i}.parquet`,
        partitionValues: {},
        size: 1_000 + i,
        modificationTime: i,
        dataChange: true,
        stats: JSON.stringify({ numRecords: 2, minValues: { n: i }, maxValues: { n: i }, nullCount: { n: 0 } }),
      },
    }));
    writeFileSync(
      join(path, `${"0".repeat(20)}.json`),
      [...head, ...adds].map((action) => JSON.stringify(action)).join("\n"),
    );
    const timed = async (): Promise<number> => {
      const started = performance.now();
      const detail = await get<LakeTableDetail>("lake/table?name=many");
      expect([detail.rows, detail.files, detail.largestFiles.length]).toEqual([20_000, 10_000, 200]);
      expect(detail.largestFiles[0]!.bytes).toBe(10_999);
      return performance.now() - started;
    };
    const [first, again] = [await timed(), await timed()];
    console.log(`a table with 10,000 files: ${Math.round(first)} ms, again ${Math.round(again)} ms`);
    expect(first).toBeLessThan(5_000);
    // its data files are not there: the problem is said, the page stays
    const { status, body } = await ask("lake/rows?name=many");
    expect([status, JSON.stringify(body)]).toEqual([500, expect.stringContaining("cannot be read")]);
  });

  test("a lake that is not there yet", async () => {
    const before = addresses;
    addresses = { ...before, lake: join(folder, "nowhere") };
    expect(await refused("lake")).toEqual([404, "PATH_NOT_FOUND"]);
    addresses = { ...before, lake: undefined };
    expect(await refused("lake")).toEqual([404, "NOT_CONFIGURED"]);
    addresses = { ...before, lake: "s3://bucket/lake" };
    expect((await refused("lake"))[0]).toBeGreaterThanOrEqual(400);
    addresses = before;
  });
});

describe("database", () => {
  const hostile = `ta"ble'; drop table x; --`;
  beforeAll(async () => {
    const client = new pg.Client(addresses.postgres!);
    await client.connect();
    await client.query(`
      CREATE TABLE delays(id int PRIMARY KEY, at timestamptz, local timestamp, big bigint, amount numeric(20,4), raw bytea, doc jsonb, tags text[]);
      INSERT INTO delays SELECT i, '2024-01-01T00:00:00.123456Z', '2024-01-01 10:00', 9007199254740993, 1.5, '\\x00ff', '{"a":1}', '{x,y}' FROM generate_series(1, 300) i;
      INSERT INTO delays(id, at) VALUES (0, 'infinity');
      CREATE INDEX delays_at ON delays(at);
      CREATE SCHEMA "Mixed Case";
      CREATE TABLE "Mixed Case".${JSON.stringify(hostile).replace('\\"', '""')}("co""l" text, nothing int);
      INSERT INTO "Mixed Case".${JSON.stringify(hostile).replace('\\"', '""')} VALUES (repeat('x', 100000), null);
    `);
    await client.end();
  });

  test("tables with estimates, never counted", async () => {
    const list = await get<DatabaseTableSummary[]>("database");
    const delays = list.find((t) => t.name === "delays")!;
    expect(delays.schema).toBe("public");
    // The planner's guess from the size of the file.
    expect(delays.estimatedRows).toBeGreaterThan(50);
    expect(delays.estimatedRows).toBeLessThan(2_000);
    expect(delays.bytes).toBeGreaterThan(8_192);
    const detail = await get<DatabaseTableDetail>("database/table?schema=public&table=delays");
    expect(detail.columns[0]).toEqual({ name: "id", type: "integer", nullable: false });
    expect(detail.indexes.map((i) => i.name)).toEqual(["delays_at", "delays_pkey"]);
  });

  test("rows as JSON takes them", async () => {
    const page = await get<RowsPage>("database/rows?schema=public&table=delays&limit=2");
    expect(page.more).toBe(true);
    expect(page.rows[0]).toEqual([
      1,
      "2024-01-01T00:00:00.123456Z",
      "2024-01-01T10:00:00.000000",
      "9007199254740993",
      "1.5000",
      "[binary, 2 bytes]",
      '{"a": 1}',
      "{x,y}",
    ]);
    const last = await get<RowsPage>("database/rows?schema=public&table=delays&limit=200");
    expect(last.rows).toHaveLength(200);
  });

  test("that somebody looks changes nothing for those who write", async () => {
    await get("database/rows?schema=public&table=delays&limit=1");
    const client = new pg.Client(addresses.postgres!);
    await client.connect();
    await client.query("BEGIN; INSERT INTO delays(id) VALUES (1000)");
    // the embedded server has one session: the page waits for the transaction, and says so when that takes too long
    const waiting = get<RowsPage>("database/rows?schema=public&table=delays&limit=1");
    await client.query("INSERT INTO delays(id) VALUES (1001)");
    await client.query("COMMIT");
    await waiting;
    await client.query("DELETE FROM delays WHERE id >= 1000");
    expect((await client.query("SHOW default_transaction_read_only")).rows).toEqual([
      { default_transaction_read_only: "off" },
    ]);
    await client.end();
  });

  test("hostile names are names", async () => {
    const [schema, table] = [q("Mixed Case"), q(hostile)];
    const page = await get<RowsPage>(`database/rows?schema=${schema}&table=${table}`);
    expect(page.columns.map((c) => c.name)).toEqual(['co"l', "nothing"]);
    expect(page.rows).toEqual([[`${"x".repeat(2_000)}…`, null]]);
    for (const name of ["x'; drop table delays; --", 'delays" where 1=1; --', "pg_authid", "\0", "x".repeat(5_000)]) {
      expect(await refused(`database/rows?schema=public&table=${q(name)}`)).toEqual([404, "TABLE_OR_VIEW_NOT_FOUND"]);
    }
    expect(await refused("database/table?schema=pg_catalog&table=pg_authid")).toEqual([404, "TABLE_OR_VIEW_NOT_FOUND"]);
    expect((await get<DatabaseTableSummary[]>("database")).map((t) => t.name)).toContain("delays");
  });
});

describe("cache", () => {
  beforeAll(async () => {
    const { Redis } = await import("iovalkey");
    const client = new Redis(addresses.redis!);
    const pipeline = client.pipeline();
    for (let i = 0; i < 500; i++) pipeline.hset(`airport:${i}`, { delay: `${i}`, name: "x".repeat(20_000) });
    pipeline.set("text", "a".repeat(50_000), "EX", 100);
    pipeline.set("bytes", Buffer.from([0, 255, 1]));
    pipeline.hset("wide", Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`f${i}`, `${i}`])));
    pipeline.set("hostile\r\nFLUSHALL", "1");
    await pipeline.exec();
    client.disconnect();
  });

  test("all keys in pages, each once; by pattern", async () => {
    const keys: string[] = [];
    for (let cursor: string | null = "0"; cursor !== null; ) {
      const page: CachePage = await get<CachePage>(`cache?cursor=${cursor}`);
      expect(page.total).toBe(504);
      keys.push(...page.keys.map((k) => k.key));
      cursor = page.cursor;
    }
    expect(new Set(keys).size).toBe(504);
    const some = await get<CachePage>(`cache?match=${q("t*")}`);
    expect(some.keys).toEqual([{ key: "text", type: "string", ttlSeconds: expect.closeTo(100, -1) }]);
    expect(some.cursor).toBe(null);
    expect(await refused("cache?cursor=x")).toEqual([400, "INVALID_ARGUMENT"]);
  });

  test("values, capped", async () => {
    const text = await get<CacheValue>("cache/key?key=text");
    expect([(text.value as string).length, text.truncated]).toEqual([8_192, true]);
    expect(await get("cache/key?key=bytes")).toMatchObject({ value: "[binary, 3 bytes]", truncated: false });
    const airport = await get<CacheValue>("cache/key?key=airport:7");
    expect(airport).toMatchObject({ type: "hash", truncated: true, value: { delay: "7" } });
    const wide = await get<CacheValue>("cache/key?key=wide");
    expect([Object.keys(wide.value as object).length, wide.truncated]).toEqual([100, true]);
    expect(await get(`cache/key?key=${q("hostile\r\nFLUSHALL")}`)).toMatchObject({ value: "1" });
    expect(await refused("cache/key?key=none")).toEqual([404, "NOT_FOUND"]);
  });
});

test("a server that is down is an answer, and the others go on", async () => {
  const before = addresses;
  addresses = {
    ...before,
    kafka: "127.0.0.1:1",
    postgres: "postgres://me:geheim@127.0.0.1:1/db",
    redis: "redis://:geheim@127.0.0.1:1",
  };
  for (const [path, code] of [
    ["topics", "KAFKA_UNREACHABLE"],
    ["topics/flights/messages", "KAFKA_UNREACHABLE"],
    ["database", "POSTGRES_UNREACHABLE"],
    ["cache", "REDIS_UNREACHABLE"],
  ] as const) {
    const started = performance.now();
    const { status, body } = await ask(path);
    expect([status, (body as ApiError).error.code]).toEqual([503, code]);
    expect(JSON.stringify(body)).not.toContain("geheim");
    expect(performance.now() - started).toBeLessThan(9_000);
  }
  expect((await get<LakeTableSummary[]>("lake")).length).toBeGreaterThan(0);
  addresses = before;
  expect((await get<TopicSummary[]>("topics")).length).toBeGreaterThan(0);
  expect((await get<DatabaseTableSummary[]>("database")).length).toBeGreaterThan(0);
});
