import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "iovalkey";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CacheServer, startCacheServer } from "../../src/cache/server.ts";
import { MemoryBuffer } from "../../src/connectors/memory-stream.ts";
import { type PostgresServer, startPostgresServer } from "../../src/database/server.ts";
import {
  avg,
  col,
  count,
  type DataFrame,
  type Infer,
  optimize,
  SparkSession,
  schema,
  t,
  window,
} from "../../src/index.ts";

const Event = schema({ ts: t.timestamp, key: t.string, value: t.int });

type EventRow = Infer<typeof Event>;

describe("one query to lake, database and cache", () => {
  let folder: string;
  let database: PostgresServer;
  let cache: CacheServer;
  let spark: SparkSession;
  let client: pg.Client;
  let keys: Redis;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-sinks-"));
    database = await startPostgresServer({ directory: join(folder, "postgres"), port: 0 });
    cache = await startCacheServer({ directory: join(folder, "cache"), port: 0 });
    await database.ready;
    spark = SparkSession.builder().appName("sinks").getOrCreate();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    keys = new Redis({ port: cache.port });
  });
  afterAll(async () => {
    await client?.end();
    keys?.disconnect();
    await spark?.stop();
    await database?.close();
    await cache?.close();
    await rm(folder, { recursive: true, force: true });
  });
  const streamOf = (buffer: MemoryBuffer) =>
    spark.readStream.format("memory-stream").option("id", buffer.id).load() as DataFrame<EventRow>;
  const at = (hour: number, minute: number): Date => new Date(Date.UTC(2024, 0, 1, hour, minute));
  const url = (): { url: string } => ({ url: database.url });
  const redisUrl = (): { url: string } => ({ url: `redis://127.0.0.1:${cache.port}` });

  it("delivers each batch once to each, over a restart", async () => {
    const events = new MemoryBuffer(Event.dataType);
    const start = () =>
      streamOf(events)
        .withWatermark("ts", "1 hour")
        .groupBy(window("ts", "1 hour"), "key")
        .agg(count("*").as("n"), avg("value").as("mean"))
        .select(col("window.start").as("hour"), "key", "n", "mean")
        .writeStream.outputMode("update")
        .sink("db", "postgres", { dbtable: "hourly", key: "hour,key", ...url() })
        .sink("cache", "redis", { key: "latest:{key}", version: "hour", ttl: "1 day", ...redisUrl() })
        .option("checkpointLocation", join(folder, "checkpoints", "hourly"))
        .start();
    const first = await start();
    events.add([
      { ts: at(1, 0), key: "a", value: 1 },
      { ts: at(2, 0), key: "a", value: 3 },
      { ts: at(1, 5), key: "b", value: 5 },
    ]);
    await first.processAllAvailable();
    events.add([{ ts: at(1, 30), key: "a", value: 2 }]);
    await first.processAllAvailable();
    expect(first.lastProgress!.sinks!.map((s) => [s.name, s.guarantee])).toEqual([
      ["db", "exactly-once"],
      ["cache", "by-key"],
    ]);
    await first.stop();
    const second = await start();
    events.add([{ ts: at(2, 30), key: "b", value: 7 }]);
    await second.processAllAvailable();
    await second.stop();
    const { rows } = await client.query(
      `SELECT to_char(hour AT TIME ZONE 'UTC', 'HH24:MI') AS hour, key, n::int, mean FROM hourly ORDER BY 1, 2`,
    );
    expect(rows).toEqual([
      { hour: "01:00", key: "a", n: 2, mean: 1.5 },
      { hour: "01:00", key: "b", n: 1, mean: 5 },
      { hour: "02:00", key: "a", n: 1, mean: 3 },
      { hour: "02:00", key: "b", n: 1, mean: 7 },
    ]);
    expect(await keys.hgetall("latest:a")).toMatchObject({ hour: "2024-01-01T02:00:00Z", n: "1", mean: "3.0" });
    expect(await keys.hgetall("latest:b")).toMatchObject({ hour: "2024-01-01T02:00:00Z", mean: "7.0" });
  });

  it("writes the lake, reads it back as a table, as it was, and as a stream", async () => {
    const lake = join(folder, "lake", "events");
    const events = new MemoryBuffer(Event.dataType);
    const query = await streamOf(events)
      .withColumn("day", col("ts").cast("date"))
      .writeStream.format("delta")
      .partitionBy("day")
      .option("checkpointLocation", join(folder, "checkpoints", "lake"))
      .start(lake);
    for (let i = 0; i < 3; i++) {
      events.add([
        { ts: at(i, 0), key: "a", value: i },
        { ts: new Date(at(i, 0).getTime() + 86_400_000), key: "b", value: 10 * i },
      ]);
      await query.processAllAvailable();
    }
    await query.stop();
    const table = spark.read.format("delta").load(lake);
    expect(await table.count()).toBe(6);
    expect(await table.filter(col("day").eq("2024-01-02")).groupBy("key").sum("value").collect()).toEqual([
      { key: "b", "sum(value)": 30n },
    ]);
    expect(await spark.read.format("delta").option("versionAsOf", "0").load(lake).count()).toBe(2);
    await optimize(lake);

    const copy = await spark.readStream
      .format("delta")
      .option("maxFilesPerTrigger", "1")
      .load(lake)
      .writeStream.format("postgres")
      .options({ dbtable: "events", ...url() })
      .option("checkpointLocation", join(folder, "checkpoints", "copy"))
      .trigger({ availableNow: true })
      .start();
    await copy.awaitTermination();
    expect((await client.query("SELECT count(*)::int AS n, sum(value)::int AS total FROM events")).rows).toEqual([
      { n: 6, total: 33 },
    ]);
  });

  it("joins a stream with a table of the database, and writes batches", async () => {
    await client.query("CREATE TABLE names (key text, name text)");
    await client.query("INSERT INTO names VALUES ('a', 'Anna'), ('b', 'Bert')");
    const names = spark.read
      .format("postgres")
      .options({ dbtable: "names", ...url() })
      .load();
    const events = new MemoryBuffer(Event.dataType);
    const query = await streamOf(events)
      .join(names, "key")
      .select("key", "name", "value")
      .writeStream.format("delta")
      .option("checkpointLocation", join(folder, "checkpoints", "joined"))
      .start(join(folder, "lake", "joined"));
    events.add([
      { ts: at(0, 0), key: "b", value: 1 },
      { ts: at(0, 0), key: "c", value: 2 },
    ]);
    await query.processAllAvailable();
    await query.stop();
    const joined = spark.read.format("delta").load(join(folder, "lake", "joined"));
    expect(await joined.collect()).toEqual([{ key: "b", name: "Bert", value: 1 }]);
    await joined.write
      .format("postgres")
      .options({ dbtable: "joined", ...url() })
      .mode("overwrite")
      .save();
    expect((await client.query("SELECT * FROM joined")).rows).toEqual([{ key: "b", name: "Bert", value: 1 }]);
    await joined.write
      .format("redis")
      .options({ key: "joined:{key}", type: "string", ...redisUrl() })
      .mode("append")
      .save();
    expect(JSON.parse((await keys.get("joined:b"))!)).toEqual({ key: "b", name: "Bert", value: 1 });
  });
});
