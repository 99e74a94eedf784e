import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SparkSession } from "../../src/index.ts";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { inferJsonSchema } from "../../src/query/json-schema.ts";
import { type Stack, startStack } from "../../src/stack.ts";
import { toDdl } from "../../src/types/ddl.ts";
import { entry, runCli } from "./cli-process.ts";

let directory: string;
let stack: Stack;
const env: NodeJS.ProcessEnv = {};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-query-"));
  stack = await startStack({
    directory: join(directory, ".millrace"),
    want: ["kafka", "postgres", "redis"],
    ports: { kafka: 0, postgres: 0, redis: 0 },
    env,
  });
  const spark = new SparkSession();
  const flights = spark.createDataFrame(
    [
      { origin: "ATL", delay: 10, at: new Date("2026-01-01T10:00:00.123Z") },
      { origin: "LAX", delay: null, at: new Date("2026-01-01T11:00:00Z") },
    ],
    "origin STRING, delay INT, at TIMESTAMP",
  );
  await flights.write.format("delta").save(join(stack.addresses.lake, "flights"));
  await spark.range(250).write.format("delta").save(join(stack.addresses.lake, "by-day/numbers"));
  await spark.stop();

  const database = new pg.Client(stack.addresses.postgres);
  await database.connect();
  await database.query(`
    CREATE TABLE airports (code text, city text, "Big" bigint);
    INSERT INTO airports VALUES ('ATL', 'Atlanta, "GA"', 9007199254740993), ('LAX', NULL, 1);
    CREATE SCHEMA other; CREATE TABLE other.numbers (n numeric(10,2)); INSERT INTO other.numbers VALUES (1.50)`);
  await database.end();

  const client = KafkaClient.connect({ "bootstrap.servers": stack.addresses.kafka });
  await client.createTopics([
    { name: "flight-events", partitions: 2 },
    { name: "flights", partitions: 1 },
  ]);
  const producer = new KafkaProducer(client);
  await producer.send("flight-events", [
    { partition: 0, key: "ATL", value: '{"origin":"ATL","delay":1,"tags":["a"]}', timestamp: Date.UTC(2026, 0, 1) },
    {
      partition: 1,
      key: "LAX",
      value: '{"origin":"LAX","delay":2.5,"gate":{"no":7}}',
      timestamp: Date.UTC(2026, 0, 2),
    },
    { partition: 1, key: null, value: "no json", headers: [{ key: "h", value: Buffer.from("x") }] },
  ]);
  await producer.send("flights", [{ key: null, value: "plain" }]);
  await producer.close();
  client.close();
}, 120_000);
afterAll(async () => {
  await stack?.stop();
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

const query = (...args: string[]) => runCli(["query", ...args], { cwd: directory, env });
const lines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("query", () => {
  test("without a query: the tables of all places", async () => {
    const { code, stdout } = await query("--json");
    expect(code).toBe(0);
    expect(lines(stdout).map((t) => t.table)).toEqual([
      "lake.`by-day`.numbers",
      "lake.flights",
      "database.other.numbers",
      "database.airports",
      "topics.`flight-events`",
      "topics.flights",
    ]);
  });

  test("joins lake, database and a topic in one query, for people", async () => {
    const { code, stdout, stderr } = await query(
      "select f.origin, a.city, f.delay, t.json.delay as sent from lake.flights f join database.airports a on a.code = f.origin join topics.`flight-events` t on t.key = f.origin order by 1",
    );
    expect(stderr).toMatch(/^2 rows in [\d.]+ s\n$/);
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        "origin  city           delay  sent",
        "──────  ─────────────  ─────  ────",
        'ATL     Atlanta, "GA"     10   1.0',
        "LAX     null            null   2.5",
        "",
      ].join("\n"),
    );
  });

  test("a name alone is enough where one place has it; several are asked about", async () => {
    expect((await query("select Big from airports order by 1", "--csv")).stdout).toBe("Big\n1\n9007199254740993\n");
    const both = await query("select * from flights");
    expect(both.code).toBe(1);
    expect(both.stderr).toContain("`flights` is in several places.");
    expect(both.stderr).toContain("Write lake.flights or topics.flights.");
  });

  test("--json keeps digits, times and names; --csv quotes", async () => {
    const json = await query("select *, 1 as origin, 1.50 as d, map('a', 1) m from lake.flights order by at", "--json");
    expect(json.stdout.split("\n")[0]).toBe(
      '{"origin":"ATL","delay":10,"at":"2026-01-01T10:00:00.123Z","origin_4":1,"d":1.50,"m":{"a":1}}',
    );
    expect((await query('select "Big", code from airports order by code', "--json")).stdout).toContain('"code":"ATL"');
    expect((await query("select Big from airports order by Big desc limit 1", "--json")).stdout).toBe(
      '{"Big":9007199254740993}\n',
    );
    expect((await query("select city, '' e, null n from airports order by code", "--csv")).stdout).toBe(
      'city,e,n\n"Atlanta, ""GA""","",\n,"",\n',
    );
  });

  test("shows 100 rows, says that there are more, and all with --limit 0 or for programs", async () => {
    const shown = await query("select * from lake.`by-day`.numbers");
    expect(shown.stdout.trim().split("\n")).toHaveLength(102);
    expect(shown.stderr).toContain("… more than 100 rows; --limit 0 shows all");
    expect((await query("select * from lake.`by-day`.numbers", "--limit", "0")).stdout.trim().split("\n")).toHaveLength(
      252,
    );
    expect((await query("select * from lake.`by-day`.numbers", "--csv")).stdout.trim().split("\n")).toHaveLength(251);
    const two = await query("select * from lake.`by-day`.numbers", "--json", "-l", "2");
    expect(lines(two.stdout)).toHaveLength(2);
  });

  test("topics: key, value, place, time, headers; bytes when they are named; by time", async () => {
    const all = await query(
      "select key, value, partition, offset, headers from topics.`flight-events` order by 3, 4",
      "--json",
    );
    expect(lines(all.stdout)).toEqual([
      { key: "ATL", value: '{"origin":"ATL","delay":1,"tags":["a"]}', partition: 0, offset: 0, headers: null },
      { key: "LAX", value: '{"origin":"LAX","delay":2.5,"gate":{"no":7}}', partition: 1, offset: 0, headers: null },
      { key: null, value: "no json", partition: 1, offset: 1, headers: [{ key: "h", value: "eA==" }] },
    ]);
    expect((await query("select key_bytes from topics.flight-events", "--csv")).code).not.toBe(0);
    expect((await query("select key_bytes from topics.`flight-events` where key = 'ATL'", "--csv")).stdout).toBe(
      "key_bytes\n41544C\n",
    );
    const since = await query("select key from topics.`flight-events`", "--since", "2026-01-01T12:00", "--csv");
    expect(since.stdout).toBe("key\nLAX\n\n");
    const described = await query("describe topics.`flight-events`", "--json");
    expect(lines(described.stdout).map((c) => c.name)).toEqual([
      "key",
      "value",
      "partition",
      "offset",
      "timestamp",
      "headers",
    ]);
  });

  test.each([
    ["select * from lake.flihgts", "Did you mean lake.flights?", 1],
    ["select * from airport", "Did you mean database.airports?", 1],
    ["select * from topics.nosuch", 'The Kafka topic "nosuch" does not exist.', 1],
    ["select nosuch from lake.flights", "`nosuch` cannot be resolved. Did you mean", 1],
    ["selec 1", "PARSE_SYNTAX_ERROR", 1],
    ["drop table lake.flights", "A query reads; this is a command.", 1],
    ["select json.a from topics.flights", "are no JSON objects", 1],
  ])("%s says what is wrong", async (sql, message, code) => {
    const ended = await query(sql);
    expect(ended.stderr).toContain(message);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe("");
  });

  test("a few rows of one table or topic: no more are read, which --verbose shows", async () => {
    const topic = await query("select value from topics.`flight-events` limit 1", "--csv", "--verbose");
    expect(topic.stderr).toBe("reads 1 of 3 records of flight-events\n");
    expect(topic.stdout.trim().split("\n")).toHaveLength(2);
    const partition = await query("select key from topics.`flight-events` where partition = 0", "--json", "--verbose");
    expect(partition).toMatchObject({
      code: 0,
      stdout: '{"key":"ATL"}\n',
      stderr: "reads 1 of 3 records of flight-events\n",
    });
    const shown = await query("select * from airports", "--verbose", "--limit", "1");
    expect(shown.stderr).toContain('the database is asked: SELECT * FROM "airports" LIMIT 2\n');
    expect(shown.stderr).toContain("… more than 1 rows; --limit 0 shows all");
    const filtered = await query("select big from airports where code = 'ATL'", "--csv", "--verbose");
    expect(filtered.stdout).toBe("big\n9007199254740993\n");
    expect(filtered.stderr).toBe(
      `the database is asked: SELECT * FROM "airports" WHERE ("code"::text COLLATE "C" = E'ATL')\n`,
    );
    expect((await query("select * from airports limit 1", "--csv")).stderr).toBe("");
  });

  test("--watch asks again until Ctrl-C", async () => {
    const { FORCE_COLOR, ...rest } = process.env;
    const child = spawn(
      process.execPath,
      [entry, "query", "select count(*) n from lake.flights", "--json", "--watch", "1"],
      {
        stdio: ["ignore", "pipe", "inherit"],
        cwd: directory,
        env: { ...rest, ...env },
      },
    );
    let text = "";
    for await (const chunk of child.stdout) {
      text += chunk;
      if (text.split("\n").length > 2) child.kill("SIGINT");
    }
    expect(text.split("\n").slice(0, 2)).toEqual(['{"n":2}', '{"n":2}']);
    if (child.exitCode === null) await once(child, "close");
    expect(child.exitCode).toBe(130);
  });
});

test("the schema of JSON by samples of it", () => {
  const ddl = (...texts: string[]) => {
    const schema = inferJsonSchema(texts);
    return schema && toDdl(schema);
  };
  expect(ddl('{"a":1}', '{"a":1.5,"b":null}', "nonsense", "[1]")).toBe("a DOUBLE, b STRING");
  expect(ddl('{"a":1}', '{"a":"x"}')).toBe("a STRING");
  expect(ddl('{"a":[{"b":1},{"c":true}]}')).toBe("a ARRAY<STRUCT<b: BIGINT, c: BOOLEAN>>");
  expect(ddl("5", "")).toBeUndefined();
});

test("when nothing runs, what the servers left is started to be looked at", async () => {
  await stack.stop();
  for (const name of Object.keys(env)) delete env[name];
  const { code, stdout, stderr } = await query("select count(*) n from topics.flights, database.airports", "--csv");
  expect(stderr).toMatch(/^starting postgres and kafka of .*\.millrace to look at what is there\n$/);
  expect(stdout).toBe("n\n2\n");
  expect(code).toBe(0);
}, 60_000);
