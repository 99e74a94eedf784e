import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ColumnChunk, SinkBatch } from "../connectors/connector.ts";
import type { StructType } from "../types/data-type.ts";
import { parseDdl } from "../types/ddl.ts";
import { type Connection, type Database, openDatabase } from "./duckdb.ts";
import { createSinkBatch } from "./stored-batch.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-batch-"));
let database: Database;
let connection: Connection;
let open = 0;

beforeAll(async () => {
  database = await openDatabase(join(directory, "state.db"), { threads: 2 });
  connection = await database.connect();
});
afterAll(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

function batchOf(from: string, ddl: string): SinkBatch {
  return createSinkBatch({
    acquire: () => {
      open++;
      return database.connect();
    },
    release: (c) => {
      open--;
      c.close();
    },
    from,
    schema: parseDdl(ddl) as StructType,
    id: 7,
    queryId: "q",
    sinkName: "s",
    offsetsHash: "h",
    timestampMs: 0,
    outputMode: "append",
    rowCount: undefined,
  });
}

async function all<T>(chunks: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const c of chunks) list.push(c);
  return list;
}

test("the same rows in the same order, each time, on connections of their own", async () => {
  await connection.exec("CREATE TABLE output AS SELECT i AS a, 'x' || i AS b FROM range(5000) t(i) ORDER BY hash(i)");
  const batch = batchOf("output", "a BIGINT, b STRING");
  const first = (await all(batch.rows())).flat();
  expect(first).toHaveLength(5000);
  expect((await all(batch.rows())).flat()).toEqual(first);
  const columns = await all(batch.columns(["b"]));
  expect(columns.every((c) => c.rowCount <= 2048 && c.names.join() === "b")).toBe(true);
  expect(columns.flatMap((c) => c.columns[0])).toEqual(first.map((r) => r.b));
  // two readings at once, and one that is left early
  const [x, y] = await Promise.all([all(batch.rows()), all(batch.query("SELECT count(*) AS n FROM batch"))]);
  expect(x.flat()).toEqual(first);
  expect((y[0] as ColumnChunk).columns[0]).toEqual([5000n]);
  for await (const _ of batch.rows()) break;
  expect(open).toBe(0);
});

test("a query may have a WITH of its own", async () => {
  const batch = batchOf("(SELECT 1 AS a UNION ALL SELECT 2)", "a INT");
  const [chunk] = await all(batch.query("WITH big AS (SELECT a FROM batch WHERE a > 1) SELECT a FROM big"));
  expect(chunk!.columns).toEqual([[2]]);
});

test("statistics are bounds of what is in the file", async () => {
  await connection.exec(`CREATE TABLE st AS SELECT * FROM (VALUES
    (1::BIGINT, 1.5::DOUBLE, 'b', TIMESTAMPTZ '1969-12-31 23:59:59.999999+00', DATE '2020-01-01', 1.50::DECIMAL(10,2), 'nan'::DOUBLE, {'x': 1}, NULL::INTEGER),
    (NULL, -2.0, 'a', TIMESTAMPTZ '2020-01-01 00:00:00.000001+00', NULL, -3.25, 1.0, NULL, NULL)) t(l, d, s, t, da, de, nan, st, n)`);
  const batch = batchOf(
    "st",
    "l BIGINT, d DOUBLE, s STRING, t TIMESTAMP, da DATE, de DECIMAL(10,2), nan DOUBLE, st STRUCT<x: INT>, n INT",
  );
  const [file] = await batch.writeFiles({ format: "parquet", directory: join(directory, "st"), statistics: true });
  expect(file).toMatchObject({ rowCount: 2, partitionValues: {} });
  expect(file!.statistics).toEqual({
    l: { min: "1", max: "1", nullCount: 1 },
    d: { min: "-2.0", max: "1.5", nullCount: 0 },
    s: { min: "a", max: "b", nullCount: 0 },
    // rounded outwards to milliseconds
    t: { min: "1969-12-31T23:59:59.999Z", max: "2020-01-01T00:00:00.001Z", nullCount: 0 },
    da: { min: "2020-01-01", max: "2020-01-01", nullCount: 1 },
    de: { min: "-3.25", max: "1.50", nullCount: 0 },
    nan: { nullCount: 0 },
    n: { nullCount: 2 },
  });
});

test("partitions: values as text, null kept apart, columns left out of the files", async () => {
  const batch = batchOf(
    "(SELECT i AS v, CASE i WHEN 0 THEN NULL ELSE 'a/b=' || (i % 2) END AS k, TIMESTAMPTZ '2020-01-01 00:00:00+00' AS t FROM range(5) r(i))",
    "v BIGINT, k STRING, t TIMESTAMP",
  );
  for (const format of ["parquet", "json", "csv"] as const) {
    const files = await batch.writeFiles({ format, directory: join(directory, format), partitionBy: ["k", "t"] });
    const found = files
      .map((f) => [f.partitionValues, f.rowCount] as const)
      .sort((a, b) => String(a[0].k).localeCompare(String(b[0].k)));
    expect(found).toEqual([
      [{ k: "a/b=0", t: "2020-01-01 00:00:00" }, 2],
      [{ k: "a/b=1", t: "2020-01-01 00:00:00" }, 2],
      [{ k: null, t: "2020-01-01 00:00:00" }, 1],
    ]);
    expect(files.every((f) => f.bytes > 0 && !f.path.startsWith("/"))).toBe(true);
  }
});

test("text files are written as Spark writes them", async () => {
  const batch = batchOf(
    "(SELECT 'a\"b' AS s, NULL::INTEGER AS n, {'x': NULL::INTEGER, 'y': TIMESTAMPTZ '2020-01-01 00:00:00.5+00'} AS st, ['nan'::DOUBLE, 1.0] AS d, MAP {'k': DATE '2020-01-01'} AS m)",
    "s STRING, n INT, st STRUCT<x: INT, y: TIMESTAMP>, d ARRAY<DOUBLE>, m MAP<STRING, DATE>",
  );
  const [file] = await batch.writeFiles({ format: "json", directory: join(directory, "text") });
  expect(readFileSync(join(directory, "text", file!.path), "utf8")).toBe(
    '{"s":"a\\"b","st":{"y":"2020-01-01T00:00:00.500Z"},"d":["NaN",1.0],"m":{"k":"2020-01-01"}}\n',
  );
});

test("no rows, no files; names are never used twice", async () => {
  const none = batchOf("(SELECT 1 AS a WHERE false)", "a INT");
  for (const format of ["parquet", "json", "csv"] as const) {
    expect(await none.writeFiles({ format, directory: join(directory, "none") })).toEqual([]);
    expect(
      await none.writeFiles({ format, directory: join(directory, "nonep"), partitionBy: ["a"] }).catch(() => []),
    ).toEqual([]);
  }
  const one = batchOf("(SELECT 1 AS a)", "a INT");
  const names = new Set<string>();
  for (let i = 0; i < 3; i++) {
    for (const f of await one.writeFiles({ format: "parquet", directory: join(directory, "one"), compression: "zstd" }))
      names.add(f.path);
  }
  expect(names.size).toBe(3);
  expect([...names].every((f) => f.endsWith(".zstd.parquet"))).toBe(true);
});
