import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connection, type Database, openDatabase } from "./duckdb.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-duckdb-"));
let database: Database;
let connection: Connection;

beforeAll(async () => {
  database = await openDatabase(":memory:", { threads: 2 });
  connection = await database.connect();
});
afterAll(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

test("nothing is downloaded: extensions are neither installed nor loaded on their own", async () => {
  const { rows } = await connection.query(
    "SELECT current_setting('autoinstall_known_extensions') AS i, current_setting('autoload_known_extensions') AS l, current_setting('TimeZone') AS z",
  );
  expect(rows).toEqual([{ i: false, l: false, z: "UTC" }]);
  await expect(connection.exec("SELECT * FROM read_xlsx('x.xlsx')")).rejects.toMatchObject({ code: "ENGINE_FAILED" });
});

test("a second statement during a stream is refused, not the stream cut off", async () => {
  let rows = 0;
  let refused: unknown;
  for await (const chunk of connection.stream("SELECT * FROM range(100000)")) {
    if (rows === 0) refused = await connection.query("SELECT 1").catch((error: unknown) => error);
    rows += chunk.rowCount;
  }
  expect(rows).toBe(100_000);
  expect(refused).toMatchObject({ code: "ENGINE_FAILED", message: expect.stringContaining("still being read") });
  expect((await connection.query("SELECT 1 AS x")).rows).toEqual([{ x: 1 }]);
});

test("a stream that is left early frees the connection", async () => {
  for await (const _ of connection.stream("SELECT * FROM range(100000)")) break;
  expect((await connection.query("SELECT 1 AS x")).rows).toEqual([{ x: 1 }]);
});

test("`read` allows other statements between its chunks", async () => {
  let rows = 0;
  for await (const chunk of connection.read("SELECT * FROM range(10000)")) {
    await connection.query("SELECT 1");
    rows += chunk.rowCount;
  }
  expect(rows).toBe(10_000);
});

test("a transaction that throws leaves nothing", async () => {
  await connection.exec("CREATE TABLE t (x INTEGER)");
  await expect(
    connection.transaction(async () => {
      await connection.exec("INSERT INTO t VALUES (1)");
      throw new Error("stop");
    }),
  ).rejects.toThrow("stop");
  await connection.transaction(() => connection.exec("INSERT INTO t VALUES (2)"));
  expect((await connection.query("FROM t")).rows).toEqual([{ x: 2 }]);
});

test("what is kept for later is done with the next call, in order", async () => {
  connection.later("CREATE TABLE kept(x INTEGER)");
  connection.later("INSERT INTO kept VALUES (1), (2)");
  expect((await connection.query("SELECT sum(x) AS s FROM kept")).rows).toEqual([{ s: 3n }]);
  connection.later("INSERT INTO kept VALUES (3)");
  // the number of rows of this statement, not of the one before
  expect((await connection.query("DELETE FROM kept")).columns).toEqual([[3n]]);
});

test("a transaction asks its last question before COMMIT", async () => {
  await connection.exec("CREATE OR REPLACE TABLE t(x INTEGER)");
  const { value, last } = await connection.transactionWith(async () => {
    connection.later("INSERT INTO t VALUES (1)");
    return "done";
  }, "SELECT count(*) AS n FROM t");
  expect([value, last.rows]).toEqual(["done", [{ n: 1n }]]);
  const other = await connection.database.connect();
  expect((await other.query("FROM t")).rows).toEqual([{ x: 1 }]);
  other.close();
});

test("a kept statement that fails undoes its transaction and leaves the connection usable", async () => {
  await connection.exec("CREATE OR REPLACE TABLE t(x INTEGER)");
  const failing = connection.transactionWith(async () => {
    connection.later("INSERT INTO t VALUES (1)");
    connection.later("INSERT INTO t VALUES ('a')");
  }, "SELECT count(*) FROM t");
  await expect(failing).rejects.toMatchObject({ code: "CAST_INVALID_INPUT" });
  expect((await connection.query("SELECT count(*) AS n FROM t")).rows).toEqual([{ n: 0n }]);
});

test("parameters", async () => {
  const at = new Date("2020-01-02T03:04:05.678Z");
  const { rows } = await connection.query("SELECT $1 AS a, $2 AS b, $3 AS c", [5n, "x", at]);
  expect(rows).toEqual([{ a: 5n, b: "x", c: at }]);
});

test.each([
  ["SELECT CAST(x AS INTEGER) FROM (VALUES ('a')) t(x)", "CAST_INVALID_INPUT"],
  ["SELECT CAST(x AS TINYINT) FROM (VALUES (300)) t(x)", "CAST_OVERFLOW"],
  ["SELECT x * x FROM (VALUES (9223372036854775807)) t(x)", "ARITHMETIC_OVERFLOW"],
  ["SELECT error('[INVALID_ARRAY_INDEX] The index 5 is out of bounds.') FROM range(2)", "INVALID_ARRAY_INDEX"],
  ["SELECT * FROM read_parquet('/nowhere/x.parquet')", "PATH_NOT_FOUND"],
  ["SELECT nothing", "ENGINE_FAILED"],
])("%s: %s", async (sql, code) => {
  await expect(connection.query(sql)).rejects.toMatchObject({ code });
});

test("the statement's text is kept out of errors of values", async () => {
  const error = await connection
    .query("SELECT CAST(x AS INTEGER) AS y FROM (VALUES ('a')) t(x)")
    .catch((e: unknown) => e);
  expect(String(error)).not.toMatch(/LINE|SELECT/);
});

test("a file that another process holds is said to be in use", async () => {
  const path = join(directory, "held.db");
  const code = `
    const { DuckDBInstance } = await import(${JSON.stringify(import.meta.resolve("@duckdb/node-api"))});
    globalThis.held = await DuckDBInstance.create(${JSON.stringify(path)});
    console.log("open"); process.stdin.resume();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    await expect(openDatabase(path, { inUse: "DIRECTORY_IN_USE" })).rejects.toMatchObject({ code: "DIRECTORY_IN_USE" });
  } finally {
    child.kill();
    await once(child, "exit");
  }
});
