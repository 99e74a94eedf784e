import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectorFor, resolveOptions } from "../connectors/index.ts";
import type { DataFrame } from "../dataframe/dataframe.ts";
import { expandPlan } from "../engine/expand.ts";
import { KafkaClient, KafkaProducer } from "../kafka/client/index.ts";
import { SparkSession } from "../session.ts";
import { type Stack, startStack } from "../stack.ts";
import type { Places } from "./catalogs.ts";
import { pushDown } from "./push-down.ts";
import { prepareQuery } from "./run-query.ts";

let directory: string;
let stack: Stack<"kafka" | "postgres">;
let places: Places;
let spark: SparkSession;
const GAPS = [0n, 50n, 200n];
const START = Date.UTC(2026, 0, 1);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-push-"));
  await makeGaps();
  stack = await startStack({ directory, want: ["kafka", "postgres"], ports: { kafka: 0, postgres: 0 }, env: {} });
  await stack.ready;
  places = { lake: undefined, database: stack.addresses.postgres, topics: stack.addresses.kafka };
  spark = new SparkSession();
  const database = new pg.Client(stack.addresses.postgres);
  await database.connect();
  await database.query(`
    CREATE TABLE t (id bigint, "Small" smallint, n int, b boolean, d date, at timestamptz, local timestamp, x float8, s text,
      fixed char(4), j json, num numeric(10,2), o oid);
    INSERT INTO t SELECT g,
      CASE WHEN g % 7 = 0 THEN NULL ELSE g % 5 - 2 END, CASE WHEN g % 11 = 0 THEN NULL ELSE g % 13 END,
      CASE g % 3 WHEN 0 THEN true WHEN 1 THEN false END, DATE '2026-01-01' + (g % 10)::int,
      CASE WHEN g % 9 > 0 THEN TIMESTAMPTZ '2026-01-01 00:00+00' + g * interval '37 minutes 0.0005 seconds' END,
      TIMESTAMP '2026-01-01' + (g % 50) * interval '1 hour',
      CASE g % 6 WHEN 0 THEN 'NaN' WHEN 1 THEN NULL WHEN 2 THEN '-Infinity' ELSE g * 0.5 END,
      CASE g % 8 WHEN 0 THEN 'a' WHEN 1 THEN 'A' WHEN 2 THEN 'it''s' WHEN 3 THEN E'back\\\\slash' WHEN 4 THEN 'zoë' WHEN 5 THEN NULL WHEN 6 THEN '' ELSE '\u{1F600}' END,
      CASE WHEN g % 2 = 0 THEN 'ab' END, CASE WHEN g % 4 > 0 THEN '{"a":1}' END::json, g * 0.25, g % 3
      FROM generate_series(1, 300) g`);
  await database.end();
  const client = KafkaClient.connect({ "bootstrap.servers": stack.addresses.kafka });
  await client.createTopics([
    { name: "t", partitions: 3 },
    { name: "empty", partitions: 2 },
  ]);
  const producer = new KafkaProducer(client);
  for (let batch = 0; batch < 10; batch++) {
    const records = Array.from({ length: 60 }, (_, i) => {
      const n = batch * 60 + i;
      // Times go to and fro.
      return { partition: n % 3, key: `k${n % 7}`, value: `{"n":${n}}`, timestamp: START + (n + (n % 5) * 40) * 1000 };
    });
    await producer.send("t", records);
  }
  await producer.close();
  client.close();
}, 120_000);
/** A topic `gaps` of three batches of ten records, between them offsets that nobody has, as compaction leaves them. */
async function makeGaps(): Promise<void> {
  const before = await startStack({ directory, want: ["kafka"], ports: { kafka: 0 }, env: {} });
  await before.ready;
  const client = KafkaClient.connect({ "bootstrap.servers": before.addresses.kafka });
  await client.createTopics([{ name: "gaps", partitions: 1 }]);
  const producer = new KafkaProducer(client);
  for (let batch = 0; batch < 3; batch++) {
    await producer.send(
      "gaps",
      Array.from({ length: 10 }, (_, i) => ({ partition: 0, key: null, value: `${batch * 10 + i}` })),
    );
  }
  await producer.close();
  client.close();
  await before.stop();
  const [topic] = readdirSync(join(directory, "kafka/logs"));
  const folder = join(directory, "kafka/logs", topic!, "0");
  for (const name of readdirSync(folder)) if (!name.endsWith(".log")) rmSync(join(folder, name));
  const file = join(folder, "00000000000000000000.log");
  const log = readFileSync(file);
  let at = 0;
  for (const base of GAPS) {
    // The first offset of a batch is outside its checksum.
    log.writeBigInt64BE(base, at);
    at += log.readInt32BE(at + 8) + 12;
  }
  expect(at).toBe(log.length);
  writeFileSync(file, log);
}

afterAll(async () => {
  await spark?.stop();
  await stack?.stop();
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

/** Rows as texts, and how many rows its readers gave. */
async function rowsOf(df: DataFrame): Promise<string[]> {
  const rows = await df.collect();
  return rows.map((row) => JSON.stringify(row, (_, v) => (typeof v === "bigint" ? `${v}n` : v)));
}

async function readBy(df: DataFrame): Promise<number> {
  let count = 0;
  for (const read of (await expandPlan(df.plan, async () => undefined)).reads) {
    const connector = connectorFor(read.format);
    const options = resolveOptions(connector, read.options, "source");
    const input = await connector.source!.openBatch!({ options, paths: [], schema: undefined, columns: [] });
    count += input.rowCount ?? Number.NaN;
    await input.release?.();
  }
  return count;
}

async function both(sql: string, since?: number) {
  const { df } = await prepareQuery(spark, sql, places, { since });
  const pushed = await pushDown(df);
  return { plain: await rowsOf(df), rows: await rowsOf(pushed.df), read: await readBy(pushed.df), told: pushed.told };
}

describe("what is read", () => {
  test.each<[string, number]>([
    ["select * from database.t limit 10", 10],
    ["select id from database.t limit 10 offset 5", 15],
    ["select * from (select * from database.t limit 7) where id > 3", 7],
    ["select * from database.t where n = 5 and `small` is not null limit 3", 3],
    ["select count(*) from database.t where id between 11 and 20", 10],
    ["select id from database.t where d = date'2026-01-03' and id <= 100", 10],
    ["select id from database.t where at >= '2026-01-08 12:00' and at < timestamp'2026-01-08 13:00+00:00'", 2],
    ["select id from database.t where local < '2026-01-01 02:00:00'", 12],
    ["select id, upper(s) u from database.t order by id desc, s limit 4", 4],
    ["select s from database.t where s in ('a', 'it''s') order by s limit 9", 9],
    ["select * from database.t where num > 1 limit 5", 300],
    ["select * from database.t where s > 'a' limit 5", 300],
    ["select * from database.t order by num limit 5", 300],
    ["select sum(id) from database.t limit 1", 300],
    ["select distinct n from database.t limit 2", 300],
    ["select id, row_number() over (order by id) r from database.t limit 2", 300],
    ["select * from (select id, row_number() over (order by id desc) r from database.t) where id = 7", 300],
    ["select * from (select id, rand(1) r from database.t) where id = 7", 300],
    ["select id from database.t where id in (select max(id) from database.t)", 600],
    ["select a.id from database.t a join database.t b on a.id = b.id where a.id = 1", 600],
    ["select * from topics.t limit 10", 10],
    ["select * from topics.t limit 0", 0],
    ["select upper(key) from topics.t limit 250", 250],
    ["select key from topics.t limit 10 offset 20", 30],
    ["select * from topics.empty limit 10", 0],
    ["select * from topics.t where partition = 1", 200],
    ["select * from topics.t where partition in (0, 2) and offset >= 190 limit 15", 15],
    ["select * from topics.t where partition <> 1 and 5 > offset", 10],
    ["select * from topics.t where partition = 9", 0],
    ["select * from topics.t where offset = 3", 3],
    ["select max(offset) from topics.t where offset between 10 and 19 and key = 'k1'", 30],
    ["select * from topics.t where key = 'k1' limit 3", 600],
    ["select * from topics.t where partition = 0 or key = 'k1'", 600],
    ["select * from topics.t where timestamp < '2026-01-01 00:00:10'", 600],
    ["select * from topics.t order by offset desc limit 3", 600],
    ["select json.n from topics.t where json.n > 5 limit 3", 600],
  ])("%s: %i rows", async (sql, expected) => {
    const { plain, rows, read } = await both(sql);
    expect(read).toBe(expected);
    expect(rows).toHaveLength(plain.length);
  });

  test.each([
    [1, 1],
    [10, 10],
    [11, 30],
    [15, 30],
    [25, 30],
    [30, 30],
    [100, 30],
  ])("offsets with gaps: limit %i gives as many records as there are", async (limit, mostRead) => {
    const { plain, rows, read } = await both(`select value, offset from topics.gaps limit ${limit}`);
    expect(plain).toHaveLength(Math.min(limit, 30));
    expect(rows).toEqual(plain);
    expect(read).toBeGreaterThanOrEqual(rows.length);
    expect(read).toBeLessThanOrEqual(mostRead);
    const later = await both(`select value from topics.gaps where offset between 55 and 300 limit ${limit}`);
    expect(later.plain).toHaveLength(Math.min(limit, 15));
    expect(later.rows).toEqual(later.plain);
  });

  test("from a time on; --since counts as well", async () => {
    const { plain, rows, read } = await both("select value from topics.t where timestamp >= '2026-01-01 00:10:00'");
    expect(rows.sort()).toEqual(plain.sort());
    expect(read).toBeGreaterThanOrEqual(rows.length);
    expect(read).toBeLessThan(300);
    const since = await both("select value from topics.t where partition = 0", START + 600_000);
    expect(since.rows.sort()).toEqual(since.plain.sort());
    expect(since.read).toBeLessThan(100);
    expect(since.told).toMatch(/^reads \d+ of \d+ records of t$/);
    const recent = await both("select value from topics.t where timestamp > now() - interval 1 hour");
    expect([recent.read, recent.rows, recent.plain]).toEqual([0, [], []]);
    const days = Math.ceil((Date.now() - START) / 86_400_000) + 1;
    const old = await both(`select value from topics.t where timestamp > now() - interval ${days} day`);
    expect(old.rows.sort()).toEqual(old.plain.sort());
    expect(old.rows).toHaveLength(600);
    const late = await both("select value from topics.t limit 3", START + 1e9);
    expect([late.read, late.rows]).toEqual([0, []]);
  });
});

describe("the rows are the same", () => {
  const int = fc.integer({ min: -3, max: 320 });
  const sign = fc.constantFrom("=", "<", "<=", ">", ">=", "<>", "<=>");
  const text = fc.constantFrom("a", "A", "it\\'s", "back\\\\slash", "zoë", "", "ab", "ab  ", "\u{1F600}", "b");
  const day = fc.integer({ min: 1, max: 10 }).map((d) => `2026-01-${String(d).padStart(2, "0")}`);
  const time = fc
    .tuple(day, fc.integer({ min: 0, max: 23 }))
    .map(([d, h]) => `${d} ${String(h).padStart(2, "0")}:17:00`);
  const onTable = fc.oneof(
    fc.tuple(fc.constantFrom("id", "small", "n", "x", "o", "num"), sign, int).map((p) => p.join(" ")),
    fc.tuple(sign, int).map(([s, n]) => `${n} ${s} id`),
    fc
      .tuple(fc.constantFrom("id", "n", "small"), fc.array(int, { minLength: 1, maxLength: 4 }))
      .map(([c, l]) => `${c} in (${l})`),
    fc.tuple(fc.constantFrom("s", "fixed", "j"), sign, text).map(([c, s, v]) => `${c} ${s} '${v}'`),
    fc.tuple(fc.constantFrom("d", "local", "at"), sign, fc.oneof(day, time)).map(([c, s, v]) => `${c} ${s} '${v}'`),
    fc.tuple(sign, day).map(([s, v]) => `d ${s} date'${v}'`),
    fc.tuple(sign, time).map(([s, v]) => `at ${s} timestamp'${v}'`),
    fc
      .tuple(
        fc.constantFrom("id", "small", "n", "b", "d", "at", "local", "x", "s", "fixed", "j"),
        fc.constantFrom("is null", "is not null"),
      )
      .map((p) => p.join(" ")),
    fc.constantFrom("b", "not b", "b = true", "b <=> false", "x > 12.5", "x = double('NaN')", "id % 2 = 0"),
  );
  const onTopic = fc.oneof(
    fc.tuple(fc.constantFrom("partition", "offset"), sign, fc.integer({ min: -1, max: 210 })).map((p) => p.join(" ")),
    fc.tuple(sign, fc.integer({ min: -1, max: 3 })).map(([s, n]) => `${n} ${s} partition`),
    fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 }).map((l) => `partition in (${l})`),
    fc
      .tuple(sign, fc.integer({ min: 0, max: 59 }))
      .map(([s, m]) => `timestamp ${s} '2026-01-01 00:${String(m).padStart(2, "0")}:03'`),
    fc.constantFrom("key = 'k3'", "offset % 3 = 1", "headers is null"),
  );
  const condition = (of: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.oneof(
      { weight: 4, arbitrary: of },
      { weight: 2, arbitrary: fc.tuple(of, fc.constantFrom("and", "or"), of).map(([a, w, b]) => `(${a} ${w} ${b})`) },
      { weight: 1, arbitrary: of.map((c) => `not (${c})`) },
    );
  const where = (of: fc.Arbitrary<string>) =>
    fc.array(condition(of), { maxLength: 3 }).map((list) => (list.length === 0 ? "" : `where ${list.join(" and ")}`));
  const limit = fc.option(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 9 })), {
    nil: undefined,
  });
  const limitText = (l: [number, number] | undefined): string =>
    l === undefined ? "" : `limit ${l[0]} offset ${l[1]}`;

  async function agree(columns: string, from: string, order: string, l: [number, number] | undefined): Promise<void> {
    const sql = `select ${columns} ${from} ${order} ${limitText(l)}`;
    const { plain, rows } = await both(sql);
    if (l === undefined || order !== "") return void expect(rows.sort(), sql).toEqual(plain.sort());
    // Without an order any of the rows will do.
    expect(rows.length, sql).toBe(plain.length);
    const all = await rowsOf((await prepareQuery(spark, `select ${columns} ${from}`, places)).df);
    for (const row of rows) expect(all, sql).toContain(row);
  }

  test("of a table", async () => {
    const key = fc.constantFrom("id", "small", "n", "b", "d", "at", "local", "x", "s", "fixed", "num", "o");
    const way = fc.constantFrom("", "desc", "asc nulls last", "desc nulls first");
    const order = fc.option(
      fc.tuple(key, way).map((p) => `order by ${p.join(" ")}, id`),
      { nil: "" },
    );
    await fc.assert(
      fc.asyncProperty(where(onTable), order, limit, (w, o, l) => agree("*", `from database.t ${w}`, o, l)),
      { numRuns: 60 },
    );
  }, 120_000);

  test("of a topic", async () => {
    const columns = "partition, offset, key, value, timestamp";
    const order = fc.constantFrom("", "order by partition, offset desc");
    await fc.assert(
      fc.asyncProperty(where(onTopic), order, limit, (w, o, l) => agree(columns, `from topics.t ${w}`, o, l)),
      { numRuns: 60 },
    );
  }, 120_000);
});
