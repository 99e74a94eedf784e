import { expect, test, vi } from "vitest";
import type { Backend, Conf } from "../../src/backend.ts";
import { expr } from "../../src/dataframe/functions.ts";
import { parseExpression } from "../../src/plan/parse.ts";
import type { Relation } from "../../src/plan/relation.ts";
import { SparkSession } from "../../src/session.ts";
import { createSparkBackend } from "../../src/spark/backend.ts";
import { SparkConnectClient } from "../../src/spark/client/client.ts";
import { withStatePartitions } from "../../src/spark/streaming/state-partitions.ts";
import type { AnyRow } from "../../src/types/data-type.ts";
import { parseDdl } from "../../src/types/ddl.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";

const server = given(await sharedSpark());
// A server that many use at a time answers slowly.
vi.setConfig({ testTimeout: 180_000 });

const range: Relation = { kind: "range", start: 0n, end: 3n, step: 1n };
async function collect(backend: Backend, plan: Relation, conf: Conf = {}): Promise<AnyRow[]> {
  const rows: AnyRow[] = [];
  for await (const part of backend.run(plan, conf)) rows.push(...part);
  return rows;
}

test.skipIf(server === undefined)("each of many plans at a time is run with its own settings", async () => {
  const backend = await createSparkBackend({ url: server!.url });
  try {
    const plan: Relation = {
      kind: "project",
      input: { kind: "range", start: 0n, end: 1n, step: 1n },
      exprs: [parseExpression("date_format(timestamp_seconds(0), 'HH') as h")],
    };
    const hourIn = async (zone: string): Promise<unknown> => {
      return (await collect(backend, plan, { "spark.sql.session.timeZone": zone }))[0]!.h;
    };
    const zones = ["UTC", "Asia/Tokyo", "Europe/Berlin", "Asia/Tokyo", "America/New_York", "America/New_York"];
    const hours = await Promise.all([...zones, ...zones].map(hourIn));
    expect(hours).toEqual(["00", "09", "01", "09", "19", "19", "00", "09", "01", "09", "19", "19"]);
  } finally {
    await backend.close();
  }
});

test.skipIf(server === undefined)(
  "a session that the server ended fails one action; the next one has another",
  async () => {
    const backend = await createSparkBackend({
      url: server!.url,
      conf: { "spark.sql.session.timeZone": "Asia/Tokyo" },
    });
    try {
      const rows = Array.from({ length: 20_000 }, (_, i) => [i, "x".repeat(60)]);
      const local: Relation = { kind: "local", schema: parseDdl("a INT, b STRING"), rows };
      expect(await collect(backend, local)).toHaveLength(20_000);
      const separator = server!.url.includes("/;") ? "" : "/";
      const id = backend.client.sessionId;
      await (await SparkConnectClient.connect(`${server!.url}${separator};session_id=${id}`)).close();
      await expect(collect(backend, range)).rejects.toMatchObject({ code: "SPARK_SESSION_LOST", retryable: true });
      // Settings and local data are sent again.
      expect(await collect(backend, local, { "spark.sql.session.timeZone": "Asia/Tokyo" })).toHaveLength(20_000);
      const zone: Relation = { kind: "project", input: range, exprs: [parseExpression("current_timezone() as z")] };
      const tokyo = { "spark.sql.session.timeZone": "Asia/Tokyo" };
      expect(await collect(backend, zone, tokyo)).toEqual(Array(3).fill({ z: "Asia/Tokyo" }));
      expect(backend.client.sessionId).not.toBe(id);
    } finally {
      await backend.close();
    }
  },
);

test.skipIf(server === undefined)(
  "temporary views and the current database come along into the next session",
  async () => {
    const backend = await createSparkBackend({ url: server!.url });
    const { catalog } = backend;
    const sql = (query: string) => catalog.command({ kind: "sql", query }, {});
    try {
      await sql("CREATE DATABASE IF NOT EXISTS moved");
      await catalog.createView(range, { name: "Numbers", global: false, replace: false }, {});
      await sql("CREATE TEMP VIEW small AS SELECT id FROM numbers WHERE id < 2");
      await catalog.createView(range, { name: "gone", global: false, replace: false }, {});
      await catalog.ask({ kind: "dropTempView", viewName: "gone" }, {});
      await catalog.ask({ kind: "setCurrentDatabase", dbName: "moved" }, {});
      // Made again, so now behind the view that reads it.
      await catalog.createView(range, { name: "numbers", global: false, replace: true }, {});

      const separator = server!.url.includes("/;") ? "" : "/";
      const id = backend.client.sessionId;
      await (await SparkConnectClient.connect(`${server!.url}${separator};session_id=${id}`)).close();
      const small: Relation = { kind: "named_table", name: "small", options: {}, streaming: false };
      await expect(collect(backend, small)).rejects.toMatchObject({ code: "SPARK_SESSION_LOST" });
      expect(await collect(backend, small)).toEqual([{ id: 0n }, { id: 1n }]);
      expect(Object.values((await catalog.ask({ kind: "currentDatabase" }, {}))[0]!)).toEqual(["moved"]);
      const gone: Relation = { ...small, name: "gone" };
      await expect(collect(backend, gone)).rejects.toMatchObject({ code: "TABLE_OR_VIEW_NOT_FOUND" });
    } finally {
      await sql("DROP DATABASE IF EXISTS moved");
      await backend.close();
    }
  },
);

test.skipIf(server === undefined)("the parts of a query's state are chosen where nobody says them", async () => {
  const setting = "spark.sql.shuffle.partitions";
  const backend = await createSparkBackend({ url: server!.url });
  const bare = await createSparkBackend({ url: server!.url });
  try {
    expect(await withStatePartitions(backend, {})).toEqual({}); // the server of the tests says 2
    await bare.client.conf.unset(setting);
    const cores = Number((/local\[(\d+)\]/.exec(await bare.client.conf.get("spark.master")) ?? [])[1]);
    expect(await withStatePartitions(bare, { [setting]: "7" })).toEqual({ [setting]: "7" });
    expect(await withStatePartitions(bare, {})).toEqual({ [setting]: String(2 * cores) });
  } finally {
    await Promise.all([backend.close(), bare.close()]);
  }
});

test.skipIf(server === undefined)("a setting that is taken back is the server's again", async () => {
  const setting = "spark.sql.shuffle.partitions";
  const backend = await createSparkBackend({ url: server!.url });
  try {
    await collect(backend, range, { [setting]: "7" });
    expect(await backend.client.conf.get(setting)).toBe("7");
    await collect(backend, range);
    expect(await backend.client.conf.get(setting)).toBe("2");
  } finally {
    await backend.close();
  }
});

test.skipIf(server === undefined)("with one partition a union is whole all the same", async () => {
  const spark = new SparkSession({ remote: server!.url });
  try {
    spark.conf.set("spark.sql.shuffle.partitions", "1");
    const ranks = spark
      .sql("SELECT * FROM VALUES (1, 10), (2, 20), (3, 30), (4, 40) AS t(w, k)")
      .withColumn("rank", expr("percent_rank() OVER (PARTITION BY k ORDER BY w)"));
    const counted = ranks.union(ranks.filter("w IS NOT NULL")).withColumn("n", expr("count(*) OVER (ORDER BY rank)"));
    const rows = await counted.union(counted.filter("w = w")).collect();
    expect(rows.map((row) => row.n)).toEqual(Array(16).fill(8n));
  } finally {
    await spark.stop();
  }
});
