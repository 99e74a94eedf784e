import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "iovalkey";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CacheServer, startCacheServer } from "../../src/cache/server.ts";
import { delta } from "../../src/connectors/delta.ts";
import { type PostgresServer, startPostgresServer } from "../../src/database/server.ts";
import { openDatabase } from "../../src/duckdb/duckdb.ts";
import type { BatchStep } from "../../src/events.ts";
import { type KillAt, runPipeline } from "./killed-process.ts";
import { type Place, pipelines } from "./sinks-pipelines.ts";

const child = fileURLToPath(new URL("./sinks-child.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "millrace-crash-sinks-"));
/** In the short form only the steps at which the sinks matter; steps.test.ts passes all of them. */
const STEPS: BatchStep[] =
  process.env.MILLRACE_CRASH === "full"
    ? ["offsets-written", "ingested", "state-committed", "sink-before", "sink-after", "commits-written"]
    : ["sink-before", "sink-after"];

let database: PostgresServer;
let cache: CacheServer;
let client: pg.Client;
let keys: Redis;

beforeAll(async () => {
  database = await startPostgresServer({ directory: join(root, "postgres"), port: 0 });
  cache = await startCacheServer({ directory: join(root, "cache"), port: 0 });
  await database.ready;
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  keys = new Redis({ port: cache.port });
});
afterAll(async () => {
  await client?.end();
  keys?.disconnect();
  await database?.close();
  await cache?.close();
  rmSync(root, { recursive: true, force: true });
});

const run = (pipeline: string, place: Place, kill?: KillAt): Promise<string | null> =>
  runPipeline(child, pipeline, JSON.stringify(place), kill);

const placeOf = (pipeline: string, name: string): Place => {
  const id = `${Object.keys(pipelines).indexOf(pipeline)}_${name}`;
  return {
    directory: join(root, id),
    name: `c${id}`,
    postgres: database.url,
    redis: `redis://127.0.0.1:${cache.port}`,
  };
};

const select = async (sql: string): Promise<unknown[][]> => (await client.query({ text: sql, rowMode: "array" })).rows;

async function lakeRows(path: string, columns: string): Promise<unknown[][]> {
  const input = await delta.source!.openBatch!({ options: {}, paths: [path], schema: undefined });
  if (input.kind !== "sql") throw new Error("expected SQL");
  const duckdb = await openDatabase(":memory:");
  const connection = await duckdb.connect();
  const result = await connection.query(`SELECT ${columns} FROM ${input.from} ORDER BY ALL`);
  duckdb.close();
  return Array.from({ length: result.rowCount }, (_, i) => result.columns.map((c) => c[i]));
}

/** What the outside world holds. */
const results: Record<string, (place: Place) => Promise<unknown>> = {
  lake: ({ directory }) => lakeRows(join(directory, "lake"), "value, key, epoch_ms(ts)::VARCHAR, day::VARCHAR"),
  database: ({ name }) => select(`SELECT value, key, ts FROM ${name}_events ORDER BY value, key`),
  "database and cache": async ({ name }) => [
    await select(`SELECT hour, key, n, mean FROM ${name}_hours ORDER BY 1, 2`),
    await Promise.all([0, 1, 2, 3, 4].map((k) => keys.hgetall(`${name}:k${k}`))),
  ],
  "lake and database": async ({ directory, name }) => {
    const lake = (await lakeRows(join(directory, "lake"), "value, key, r")) as [number, string, number][];
    expect(await select(`SELECT value, key, r FROM ${name}_random ORDER BY 1, 2`)).toEqual(lake);
    return lake.map(([value, key]) => [value, key]);
  },
};

describe.each(Object.entries(pipelines))("%s", (name, pipeline) => {
  test("killed at each step, of one batch after the other and of the same batch", { timeout: 180_000 }, async () => {
    const whole = placeOf(name, "whole");
    expect(await run(name, whole)).toBeNull();
    const expected = await results[name]!(whole);
    expect(JSON.stringify(expected).length).toBeGreaterThan(1000);

    const broken = placeOf(name, "broken");
    let batchId = 1;
    for (const step of STEPS) {
      // A sole sink that holds a batch in one step with its marker needs no state.
      if (step === "state-committed" && pipeline.sinks.length === 1) continue;
      for (const sink of step.startsWith("sink") ? pipeline.sinks : [undefined]) {
        expect([step, sink, await run(name, broken, [step, batchId, sink])]).toEqual([step, sink, "SIGKILL"]);
        // Killed again while the batch is delivered a second time, the last sink first.
        if (step === "sink-after") {
          const last = pipeline.sinks.at(-1);
          expect([step, last, await run(name, broken, [step, batchId, last])]).toEqual([step, last, "SIGKILL"]);
        }
        batchId++;
      }
    }
    expect(await run(name, broken)).toBeNull();
    expect(await results[name]!(broken)).toEqual(expected);
  });
});
