import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "iovalkey";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startCacheServer } from "../../src/cache/server.ts";
import { startPostgresServer } from "../../src/database/server.ts";
import { type DataFrame, expr, SparkSession } from "../../src/index.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";

const server = given(await sharedSpark());
// A server that many use at a time answers slowly.
vi.setConfig({ testTimeout: 180_000 });

describe.skipIf(server === undefined)("df.write on Spark to sinks that Spark has not", () => {
  let spark: SparkSession;
  let folder: string;
  let database: Awaited<ReturnType<typeof startPostgresServer>>;
  let cache: Awaited<ReturnType<typeof startCacheServer>>;

  beforeAll(async () => {
    spark = SparkSession.builder().remote(server!.url).getOrCreate();
    folder = await mkdtemp(join(tmpdir(), "millrace-own-sinks-"));
    database = await startPostgresServer({ directory: join(folder, "database"), port: 0 });
    await database.ready;
    cache = await startCacheServer({ directory: join(folder, "cache"), port: 0 });
  });
  afterAll(async () => {
    await spark.stop();
    await cache.close();
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("a table of PostgreSQL: microseconds, decimals, nulls; then upserts by key", async () => {
    const rows = spark
      .range(25_000)
      .select(
        expr("id"),
        expr("case when id % 3 > 0 then concat('row ', id) end as name"),
        expr("timestamp_micros(978307200000001 + id) as at"),
        expr("cast(id as decimal(12,3)) / 8 as eighth"),
      );
    const write = (df: DataFrame<any>): Promise<void> =>
      df.write
        .format("postgres")
        .mode("append")
        .option("url", database.url)
        .option("dbtable", "numbers")
        .option("key", "id")
        .save();
    await write(rows);
    const again: DataFrame<any> = rows.filter("id < 2");
    await write(again.select("id", expr("'again' as name"), "at", "eighth"));
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      const total = await client.query(
        "SELECT count(*)::int AS n, sum(id)::text AS s, count(name)::int AS names, sum(eighth)::text AS e FROM numbers",
      );
      expect(total.rows).toEqual([
        { n: 25_000, s: "312487500", names: 16_667, e: expect.stringMatching(/^39060937\.50*$/) },
      ]);
      const first = await client.query(
        "SELECT name, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS at FROM numbers WHERE id < 3 ORDER BY id",
      );
      expect(first.rows).toEqual([
        { name: "again", at: "2001-01-01 00:00:00.000001" },
        { name: "again", at: "2001-01-01 00:00:00.000002" },
        { name: "row 2", at: "2001-01-01 00:00:00.000003" },
      ]);
    } finally {
      await client.end();
    }
  });

  test("keys of Redis", async () => {
    const url = `redis://127.0.0.1:${cache.port}`;
    const rows = spark.createDataFrame([
      { origin: "SFO", delay: 1.5 },
      { origin: "JFK", delay: null },
    ]);
    await rows.write.format("redis").mode("append").option("url", url).option("key", "delay:{origin}").save();
    const client = new Redis(url);
    try {
      expect(await client.hgetall("delay:SFO")).toMatchObject({ delay: "1.5" });
      expect(await client.exists("delay:JFK")).toBe(1);
    } finally {
      client.disconnect();
    }
  });

  test("what the sink refuses is refused before anything runs", async () => {
    const df = spark.range(3).select(expr("id as a"), expr("id as A"));
    const twice = df.write.format("postgres").option("url", database.url).option("dbtable", "t").save();
    await expect(twice).rejects.toMatchObject({ code: "COLUMN_ALREADY_EXISTS" });
    const unknown = spark.range(1).write.format("postgres").option("url", database.url).option("dbtabel", "t").save();
    await expect(unknown).rejects.toMatchObject({ code: "UNKNOWN_OPTION", hint: "Did you mean `dbtable`?" });
    const running = spark.range(3).select(expr("1 div (id - 1) as q"));
    const failed = running.write.format("postgres").option("url", database.url).option("dbtable", "q").save();
    await expect(failed).rejects.toMatchObject({ code: "DIVIDE_BY_ZERO" });
  });
});
