import { col } from "millrace";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PostgresServer, startPostgresServer } from "../../src/database/server.ts";
import { type Bench, bench, failure } from "./setup.ts";

let b: Bench;
let database: PostgresServer;
let client: pg.Client;
beforeAll(async () => {
  b = await bench();
  database = await startPostgresServer({ directory: b.path("database"), port: 0 });
  process.env.MILLRACE_POSTGRES = `postgres://postgres@${database.host}:${database.port}/postgres`;
  client = new pg.Client({ connectionString: process.env.MILLRACE_POSTGRES });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await b.spark.stop();
  await database.close();
  await b.close();
});

const words = (topic: string) =>
  b.spark.readStream
    .format("kafka")
    .option("subscribe", topic)
    .option("startingOffsets", "earliest")
    .load()
    .select(col("offset").cast("int").as("id"), col("value").cast("string").as("word"));

const numbers = (n: number) => Array.from({ length: n }, (_, i) => `${i}`);

test("a row that the database refuses: nothing of its batch is there, and it goes on when that is mended", async () => {
  await client.query("CREATE TABLE narrow (id int PRIMARY KEY, word text CHECK (word <> '4000'))");
  const topic = await b.topic(numbers(3));
  const run = async (): Promise<void> => {
    const query = await words(topic)
      .writeStream.format("postgres")
      .option("dbtable", "narrow")
      .option("checkpointLocation", b.path("narrow"))
      .trigger({ availableNow: true })
      .start();
    await query.awaitTermination();
  };
  const rows = async () => (await client.query("SELECT count(*)::int AS n FROM narrow")).rows[0].n;
  await run();
  await b.put(topic, numbers(5000));
  for (let again = 0; again < 2; again++) {
    const error = await failure(run());
    expect(error.code).toBe("POSTGRES_FAILED");
    expect(error.message).toContain("narrow_word_check");
    expect(error.retryable).toBe(false);
    expect(await rows()).toBe(3);
  }
  await client.query("ALTER TABLE narrow DROP CONSTRAINT narrow_word_check");
  await run();
  expect(await rows()).toBe(5003);
});

test("of several sinks the second fails: the first has the batch once, the second gets it after the restart", async () => {
  const topic = await b.topic(numbers(10));
  const run = async (): Promise<void> => {
    const query = await words(topic)
      .writeStream.option("checkpointLocation", b.path("several"))
      .sink("lake", "delta", { path: b.path("several-lake") })
      .sink("out", "kafka", { topic: "later", valueFormat: "json" })
      .sink("db", "postgres", { dbtable: "several" })
      .trigger({ availableNow: true })
      .start();
    await query.awaitTermination();
  };
  const error = await failure(run());
  expect(error.code).toBe("KAFKA_UNKNOWN_TOPIC");
  expect(error.message).toContain("later");
  await b.client.createTopics([{ name: "later", partitions: 1 }]);
  await b.put(topic, ["more"]);
  await run();
  expect(await b.spark.read.delta(b.path("several-lake")).count()).toBe(11);
  expect(await b.spark.read.format("kafka").option("subscribe", "later").load().count()).toBe(11);
  expect((await client.query("SELECT count(*)::int AS n, count(DISTINCT id)::int AS d FROM several")).rows[0]).toEqual({
    n: 11,
    d: 11,
  });
});

test("a user function that fails: its batch comes again with the same rows", async () => {
  const topic = await b.topic(["a", "b"]);
  const calls: [number, unknown[]][] = [];
  const run = async (works: boolean): Promise<void> => {
    const query = await words(topic)
      .writeStream.foreachBatch((rows, id) => {
        calls.push([id, rows.map((r) => r.word)]);
        if (!works) throw new TypeError("no such service");
      })
      .option("checkpointLocation", b.path("function"))
      .trigger({ availableNow: true })
      .start();
    await query.awaitTermination();
  };
  const error = await failure(run(false));
  expect(error.code).toBe("USER_FUNCTION_FAILED");
  expect(error.message).toContain("no such service");
  expect(error.cause).toBeInstanceOf(TypeError);
  await b.put(topic, ["c"]);
  await run(true);
  expect(calls).toEqual([
    [0, ["a", "b"]],
    [0, ["a", "b"]],
    [1, ["c"]],
  ]);
});

test("a table whose columns do not fit is refused before a row is written", async () => {
  await client.query("CREATE TABLE other (id int PRIMARY KEY)");
  const topic = await b.topic(["a"]);
  const error = await failure(
    words(topic)
      .writeStream.format("postgres")
      .option("dbtable", "other")
      .option("checkpointLocation", b.path("other"))
      .trigger({ availableNow: true })
      .start()
      .then((q) => q.awaitTermination()),
  );
  expect(error.code).toBe("SINK_SCHEMA_MISMATCH");
  expect(error.message).toContain("word");
});
