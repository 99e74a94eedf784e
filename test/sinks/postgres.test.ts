import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres } from "../../services/postgres.ts";
import type { OutputMode, SaveMode, StreamSink } from "../../src/connectors/connector.ts";
import { postgres } from "../../src/connectors/postgres.ts";
import { startPostgresServer } from "../../src/database/server.ts";
import { openDatabase } from "../../src/duckdb/duckdb.ts";
import type { DataType, StructType } from "../../src/types/data-type.ts";
import { given } from "../needs.ts";
import { breakingProxy } from "./breaking-proxy.ts";
import { localBatch } from "./local-batch.ts";

type Server = { url: string; stop(): Promise<void>; restart?(): Promise<void> };

const struct = (fields: Record<string, DataType>): StructType => ({
  kind: "struct",
  fields: Object.entries(fields).map(([name, type]) => ({ name, type, nullable: true })),
});
const delays = struct({ hour: { kind: "timestamp" }, origin: { kind: "string" }, flights: { kind: "long" } });
const rowsSql = (...rows: [string, string, number | null][]): string =>
  `SELECT * FROM (VALUES ${rows.map(([h, o, f]) => `(TIMESTAMPTZ '${h}', '${o}', ${f === null ? "NULL" : f}::BIGINT)`).join(", ")}) v(hour, origin, flights)`;

const servers: Record<string, () => Promise<Server | { unavailable: string }>> = {
  PostgreSQL: startPostgres,
  "the embedded database": async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-database-"));
    const running = await startPostgresServer({ directory, port: 0 });
    await running.ready;
    return {
      url: running.url,
      async stop() {
        await running.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  },
};

describe.each(Object.entries(servers))("the postgres sink on %s", (_name, start) => {
  let server: Server;
  let unavailable: string | undefined;
  let client: pg.Client;
  let count = 0;
  let table = "";

  beforeAll(async () => {
    const started = given(await start());
    if (started === undefined) unavailable = "the server is not available here";
    else server = started;
  });
  afterAll(async () => {
    await client?.end().catch(() => undefined);
    await server?.stop();
  });
  beforeEach(async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    table = `t${++count}`;
    await client?.end().catch(() => undefined);
    client = new pg.Client({ connectionString: server.url });
    client.on("error", () => undefined);
    await client.connect();
  });

  const select = async (sql: string): Promise<unknown[]> => (await client.query({ text: sql, rowMode: "array" })).rows;
  const open = async (
    options: Record<string, string> = {},
    extra: { schema?: StructType; mode?: OutputMode; queryId?: string; sinkName?: string } = {},
  ): Promise<StreamSink> => {
    const request = {
      options: { url: server.url, dbtable: table, createTable: "true", ...options },
      path: undefined,
      partitionBy: [],
      schema: extra.schema ?? delays,
      outputMode: extra.mode ?? ("append" as const),
      queryId: extra.queryId ?? `query-${table}`,
      sinkName: extra.sinkName ?? "db",
      sole: false,
      queryName: null,
      temporaryPath: "/nonexistent",
    };
    postgres.sink!.validate!(request);
    return await postgres.sink!.openStream!(request);
  };

  it("creates the table, appends, and knows its last batch", async () => {
    const sink = await open();
    expect(await sink.lastBatch()).toBeUndefined();
    await sink.addBatch(
      await localBatch({ id: 0, schema: delays, sql: rowsSql(["2001-01-01 00:00:00.123456Z", "ATL", 3]) }),
    );
    await sink.addBatch(
      await localBatch({ id: 1, schema: delays, sql: rowsSql(["2001-01-01 01:00:00Z", "ORD", null]) }),
    );
    expect(await sink.lastBatch()).toEqual({ batchId: 1, hash: "hash-1" });
    await sink.close();
    expect(await select(`SELECT (hour AT TIME ZONE 'UTC')::text, origin, flights FROM ${table} ORDER BY hour`)).toEqual(
      [
        ["2001-01-01 00:00:00.123456", "ATL", "3"],
        ["2001-01-01 01:00:00", "ORD", null],
      ],
    );
  });

  it("upserts by key, and the last of two rows of one key wins", async () => {
    const sink = await open({ key: "hour, origin" }, { mode: "update" });
    const h = "2001-01-01 00:00:00Z";
    await sink.addBatch(
      await localBatch({ id: 0, schema: delays, sql: rowsSql([h, "ATL", 1], [h, "ORD", 1]), outputMode: "update" }),
    );
    await sink.addBatch(
      await localBatch({
        id: 1,
        schema: delays,
        sql: rowsSql([h, "ATL", 5], [h, "ATL", 7], [h, "ATL", 6]),
        outputMode: "update",
      }),
    );
    await sink.addBatch(
      await localBatch({ id: 2, schema: delays, sql: rowsSql([h, "JFK", 2], [h, "JFK", 3]), outputMode: "update" }),
    );
    await sink.close();
    expect(await select(`SELECT origin, flights::int FROM ${table} ORDER BY 1`)).toEqual([
      ["ATL", 6],
      ["JFK", 3],
      ["ORD", 1],
    ]);
  });

  it("keeps every type as it is", async () => {
    const schema = struct({
      b: { kind: "boolean" },
      i1: { kind: "byte" },
      i4: { kind: "integer" },
      i8: { kind: "long" },
      f4: { kind: "float" },
      f8: { kind: "double" },
      d: { kind: "decimal", precision: 20, scale: 4 },
      s: { kind: "string" },
      bin: { kind: "binary" },
      day: { kind: "date" },
      ts: { kind: "timestamp" },
      ntz: { kind: "timestamp_ntz" },
      a: { kind: "array", elementType: { kind: "integer" }, containsNull: true },
      m: { kind: "map", keyType: { kind: "string" }, valueType: { kind: "double" }, valueContainsNull: true },
      st: struct({ x: { kind: "integer" }, y: { kind: "string" } }),
    });
    const sink = await open({}, { schema });
    const nasty = `a"b\\c{},NULL'' é\n`;
    await sink.addBatch(
      await localBatch({
        id: 0,
        schema,
        sql: `SELECT true b, (-1)::TINYINT i1, 7::INTEGER i4, 9223372036854775807 i8, 1.5::FLOAT f4, 'nan'::DOUBLE f8,
          1234567890123456.7891::DECIMAL(20,4) d, '${nasty}' s, '\\x00\\xFF'::BLOB bin, DATE '2001-02-03' AS "day",
          TIMESTAMPTZ '2001-02-03 04:05:06.000007Z' ts, TIMESTAMP '1999-12-31 23:59:59.5' ntz, [1, NULL, 3] a, MAP{'k"': 1.5} m,
          {'x': 1, 'y': 'q"'} st
          UNION ALL SELECT ${schema.fields.map((f) => `NULL AS "${f.name}"`).join(", ")}`,
      }),
    );
    await sink.close();
    const rows = await select(`SELECT b, i1, i4, i8::text, f4, f8::text, d::text, s, encode(bin, 'hex'), day::text,
      (ts AT TIME ZONE 'UTC')::text, ntz::text, a, m, st FROM ${table} ORDER BY b NULLS LAST`);
    expect(rows[0]).toEqual([
      true,
      -1,
      7,
      "9223372036854775807",
      1.5,
      "NaN",
      "1234567890123456.7891",
      `a"b\\c{},NULL' é\n`,
      "00ff",
      "2001-02-03",
      "2001-02-03 04:05:06.000007",
      "1999-12-31 23:59:59.5",
      [1, null, 3],
      { 'k"': 1.5 },
      { x: 1, y: 'q"' },
    ]);
    expect(rows[1]).toEqual(schema.fields.map(() => null));
  });

  it("keeps any text, number and moment (property)", async () => {
    const schema = struct({
      i: { kind: "integer" },
      s: { kind: "string" },
      f: { kind: "double" },
      ts: { kind: "timestamp" },
      a: { kind: "array", elementType: { kind: "string" }, containsNull: true },
    });
    const text = fc.option(
      fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", "")),
      { nil: null },
    );
    const rowOf = fc.record({
      s: text,
      f: fc.option(fc.double({ noNaN: true }), { nil: null }),
      us: fc.option(fc.bigInt({ min: -60_000_000_000_000_000n, max: 250_000_000_000_000_000n }), { nil: null }),
      a: fc.array(text, { maxLength: 3 }),
    });
    const sink = await open({ batchsize: "3", key: "i" }, { schema, mode: "update" });
    const quote = (s: string | null): string => (s === null ? "NULL" : `'${s.replaceAll("'", "''")}'`);
    let id = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(rowOf, { minLength: 1, maxLength: 8 }), async (rows) => {
        const values = rows.map(
          (r, i) =>
            `(${i}::INTEGER, ${quote(r.s)}::VARCHAR, ${r.f === null ? "NULL" : `'${r.f}'`}::DOUBLE, make_timestamptz(${r.us ?? "NULL"}), [${r.a.map(quote).join(", ")}]::VARCHAR[])`,
        );
        await client.query(`DELETE FROM ${table}`);
        await sink.addBatch(
          await localBatch({
            id: id++,
            schema,
            outputMode: "update",
            sql: `SELECT * FROM (VALUES ${values.join(", ")}) v(i, s, f, ts, a)`,
          }),
        );
        const held = await select(
          `SELECT s, f, (extract(epoch FROM ts) * 1000000)::bigint::text, a FROM ${table} ORDER BY i`,
        );
        expect(held).toEqual(
          rows.map((r) => [r.s, r.f === 0 ? expect.closeTo(0) : r.f, r.us === null ? null : `${r.us}`, r.a]),
        );
      }),
      { numRuns: 40 },
    );
    await sink.close();
  });

  it("tells an empty text from null and from the word NULL", async () => {
    const schema = struct({ s: { kind: "string" } });
    const sink = await open({}, { schema });
    await sink.addBatch(
      await localBatch({ schema, sql: "SELECT * FROM (VALUES (''), ('NULL'), (NULL), ('null')) v(s)" }),
    );
    await sink.close();
    expect(await select(`SELECT s FROM ${table} ORDER BY s NULLS LAST`)).toEqual(
      expect.arrayContaining([[""], ["NULL"], ["null"], [null]]),
    );
  });

  it("takes a batch that comes again only once", async () => {
    const batch = await localBatch({ id: 4, schema: delays, sql: rowsSql(["2001-01-01 00:00:00Z", "ATL", 1]) });
    const sink = await open();
    await sink.addBatch(batch);
    await sink.addBatch(batch);
    await sink.close();
    const again = await open();
    expect(await again.lastBatch()).toEqual({ batchId: 4, hash: "hash-4" });
    await again.addBatch(batch);
    await again.close();
    expect(await select(`SELECT count(*)::int FROM ${table}`)).toEqual([[1]]);
  });

  it.each([
    ["the same number with other offsets", 4, "other"],
    ["an older batch", 3, "hash-3"],
  ])("refuses %s", async (_what, id, hash) => {
    const sink = await open();
    await sink.addBatch(await localBatch({ id: 4, schema: delays, sql: rowsSql(["2001-01-01 00:00:00Z", "ATL", 1]) }));
    await expect(
      sink.addBatch(await localBatch({ id, hash, schema: delays, sql: rowsSql(["2001-01-01 00:00:00Z", "ORD", 1]) })),
    ).rejects.toMatchObject({ code: "CHECKPOINT_DIVERGED", retryable: false });
    await sink.close();
    expect(await select(`SELECT origin FROM ${table}`)).toEqual([["ATL"]]);
  });

  it("keeps the markers of two sinks of one query apart", async () => {
    const a = await open({}, { sinkName: "a" });
    const b = await open({ dbtable: `${table}_b` }, { sinkName: "b" });
    await a.addBatch(await localBatch({ id: 2, schema: delays, sql: rowsSql(["2001-01-01 00:00:00Z", "ATL", 1]) }));
    expect(await a.lastBatch()).toMatchObject({ batchId: 2 });
    expect(await b.lastBatch()).toBeUndefined();
    await a.close();
    await b.close();
  });

  it("replaces everything in complete mode", async () => {
    const sink = await open({}, { mode: "complete" });
    const h = "2001-01-01 00:00:00Z";
    await sink.addBatch(
      await localBatch({ id: 0, schema: delays, outputMode: "complete", sql: rowsSql([h, "ATL", 1], [h, "ORD", 1]) }),
    );
    await sink.addBatch(
      await localBatch({ id: 1, schema: delays, outputMode: "complete", sql: rowsSql([h, "ATL", 2]) }),
    );
    await sink.close();
    expect(await select(`SELECT origin, flights::int FROM ${table}`)).toEqual([["ATL", 2]]);
  });

  it("marks a batch without rows", async () => {
    const sink = await open();
    await sink.addBatch(
      await localBatch({ id: 0, schema: delays, sql: `${rowsSql(["2001-01-01 00:00:00Z", "ATL", 1])} WHERE false` }),
    );
    expect(await sink.lastBatch()).toEqual({ batchId: 0, hash: "hash-0" });
    await sink.close();
  });

  it("writes large batches in parts of one transaction, repeated keys included", async () => {
    const sink = await open({ key: "hour,origin", batchsize: "1000" }, { mode: "update" });
    const sql = `SELECT TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_hours((i % 5000)::INTEGER) AS hour, 'A' AS origin, i AS flights FROM range(12345) t(i)`;
    await sink.addBatch(await localBatch({ id: 0, schema: delays, outputMode: "update", sql }));
    await sink.close();
    expect(await select(`SELECT count(*)::int, min(flights)::int, max(flights)::int FROM ${table}`)).toEqual([
      [5000, 7345, 12344],
    ]);
  });

  it("writes nothing of a batch that fails halfway, marker included", async () => {
    const schema = struct({ n: { kind: "integer" } });
    await client.query(`CREATE TABLE ${table} (n int CHECK (n < 2500))`);
    const sink = await open({ batchsize: "1000" }, { schema });
    await expect(
      sink.addBatch(await localBatch({ schema, sql: "SELECT i::INTEGER n FROM range(5000) t(i)" })),
    ).rejects.toMatchObject({
      code: "POSTGRES_FAILED",
      retryable: false,
      message: expect.stringContaining(table),
    });
    expect(await sink.lastBatch()).toBeUndefined();
    expect(await select(`SELECT count(*)::int FROM ${table}`)).toEqual([[0]]);
    // The connection is good for the next batch.
    await sink.addBatch(await localBatch({ schema, sql: "SELECT 1::INTEGER n" }));
    await sink.close();
    expect(await select(`SELECT n FROM ${table}`)).toEqual([[1]]);
  });

  it("names the columns that do not fit an existing table", async () => {
    await client.query(`CREATE TABLE ${table} (hour timestamptz, orgin text, flights text, must int NOT NULL)`);
    await expect(open()).rejects.toMatchObject({
      code: "SINK_SCHEMA_MISMATCH",
      message: expect.stringMatching(/origin is missing.*\(it has orgin\).*flights is text.*must may not be null/),
    });
  });

  it("asks for a unique index on the key", async () => {
    await client.query(`CREATE TABLE ${table} (hour timestamptz, origin text, flights bigint)`);
    await expect(open({ key: "hour,origin" })).rejects.toMatchObject({
      code: "SINK_SCHEMA_MISMATCH",
      message: expect.stringContaining("CREATE UNIQUE INDEX"),
    });
    await client.query(`CREATE UNIQUE INDEX ON ${table} (origin, hour)`);
    await (await open({ key: "hour,origin" })).close();
  });

  it("does not create a table when told so, and shows one that fits", async () => {
    await expect(open({ createTable: "false", key: "hour,origin" })).rejects.toMatchObject({
      code: "POSTGRES_FAILED",
      message: expect.stringContaining(
        `CREATE TABLE "${table}" ("hour" timestamp with time zone, "origin" text, "flights" bigint, PRIMARY KEY`,
      ),
    });
  });

  describe("reading", () => {
    const read = async (options: Record<string, string>, select: string, columns?: string[]): Promise<unknown[][]> => {
      const request = {
        options: { url: server.url, ...options },
        paths: [],
        schema: undefined,
        ...(columns ? { columns } : {}),
      };
      const input = await postgres.source!.openBatch!(request);
      if (input.kind !== "sql") throw new Error("expected SQL");
      const database = await openDatabase(":memory:");
      const connection = await database.connect();
      const result = await connection.query(`SELECT ${select} FROM ${input.from}`);
      database.close();
      await input.release?.();
      return Array.from({ length: result.rowCount }, (_, i) => result.columns.map((c) => c[i]));
    };

    it("gives every type as it is, and what the sink wrote", async () => {
      await client.query(`CREATE TABLE ${table} (b boolean, i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, d numeric(20,4), u numeric,
        s text, v varchar(5), j jsonb, bin bytea, day date, ts timestamptz, ntz timestamp, a int[], t text[], id uuid)`);
      await client.query(`INSERT INTO ${table} VALUES (true, -1, 7, 9223372036854775807, 1.5, 'NaN', 1234567890123456.7891, 0.000001,
        E'a"b\\\\c\n', 'x', '{"k": [1]}', '\\x00ff', '2001-02-03', '2001-02-03 04:05:06.000007+02', '1999-12-31 23:59:59.5', '{1,NULL,3}', ARRAY['q"', NULL],
        '00000000-0000-0000-0000-000000000001')`);
      await client.query(`INSERT INTO ${table} (i4) VALUES (8)`);
      const schema = await postgres.source!.schema({
        options: { url: server.url, dbtable: table },
        paths: [],
        schema: undefined,
      });
      expect(Object.fromEntries(schema!.fields.map((f) => [f.name, f.type.kind]))).toEqual({
        b: "boolean",
        i2: "short",
        i4: "integer",
        i8: "long",
        f4: "float",
        f8: "double",
        d: "decimal",
        u: "decimal",
        s: "string",
        v: "string",
        j: "string",
        bin: "binary",
        day: "date",
        ts: "timestamp",
        ntz: "timestamp_ntz",
        a: "array",
        t: "array",
        id: "string",
      });
      const all = `b, i2, i4, i8::VARCHAR, f4, f8::VARCHAR, d::VARCHAR, u::VARCHAR, s, v, j, hex(bin), day::VARCHAR, ts::VARCHAR, ntz::VARCHAR, a, t, id`;
      const rows = await read({ dbtable: table, fetchsize: "1" }, all);
      expect(rows[0]).toEqual([
        true,
        -1,
        7,
        "9223372036854775807",
        1.5,
        "nan",
        "1234567890123456.7891",
        "0.000001000000000000",
        'a"b\\c\n',
        "x",
        '{"k": [1]}',
        "00FF",
        "2001-02-03",
        "2001-02-03 02:05:06.000007+00",
        "1999-12-31 23:59:59.5",
        [1, null, 3],
        ['q"', null],
        "00000000-0000-0000-0000-000000000001",
      ]);
      expect(rows[1]!.map((v) => v ?? null)).toEqual(Array.from({ length: 18 }, (_, i) => (i === 2 ? 8 : null)));
      expect(await read({ dbtable: table }, "i4, s", ["i4"])).toEqual([
        [7, null],
        [8, null],
      ]);
    });

    it("takes queries, also in Spark's form, and names what is missing", async () => {
      await client.query(`CREATE TABLE ${table} AS SELECT generate_series(1, 25) AS n`);
      expect(await read({ query: `SELECT n * 2 AS twice FROM ${table} WHERE n > 23;`, fetchsize: "10" }, "*")).toEqual([
        [48],
        [50],
      ]);
      expect(await read({ dbtable: `(SELECT count(*) AS c FROM ${table})` }, "c::INT")).toEqual([[25]]);
      expect(await read({ dbtable: `(SELECT count(*) AS c FROM ${table}) AS x`, fetchsize: "10" }, "c::INT")).toEqual([
        [25],
      ]);
      expect(await read({ dbtable: table, fetchsize: "10" }, "count(*)::INT", [])).toEqual([[25]]);
      await expect(read({ dbtable: "nowhere" }, "*")).rejects.toMatchObject({
        code: "POSTGRES_FAILED",
        message: expect.stringContaining("nowhere"),
      });
      await expect(read({}, "*")).rejects.toMatchObject({ code: "MISSING_OPTION" });
    });
  });

  it("writes batches by save mode", async () => {
    const schema = struct({ n: { kind: "integer" }, s: { kind: "string" } });
    const write = async (mode: SaveMode, sql: string, options: Record<string, string> = {}): Promise<void> =>
      await postgres.sink!.writeBatch!({
        mode,
        options: { url: server.url, dbtable: table, createTable: "true", ...options },
        path: undefined,
        partitionBy: [],
        schema,
        outputMode: "append",
        batch: await localBatch({ schema, sql, uncounted: true }),
      });
    await write("error", "SELECT i::INTEGER n, 'a' s FROM range(3) t(i)", { key: "n" });
    await expect(write("error", "SELECT 9::INTEGER n, 'a' s")).rejects.toMatchObject({ code: "PATH_ALREADY_EXISTS" });
    await write("ignore", "SELECT 9::INTEGER n, 'a' s");
    await write("append", "SELECT (i % 4)::INTEGER n, 'b' || i s FROM range(12) t(i)", { key: "n" });
    expect(await select(`SELECT n, s FROM ${table} ORDER BY n`)).toEqual([
      [0, "b8"],
      [1, "b9"],
      [2, "b10"],
      [3, "b11"],
    ]);
    await write("overwrite", "SELECT 5::INTEGER n, NULL::VARCHAR s", { truncate: "true" });
    expect(await select(`SELECT n, s FROM ${table}`)).toEqual([[5, null]]);
    // A failed overwrite leaves the table as it was.
    await expect(write("overwrite", "SELECT 1::INTEGER n, chr(0) s")).rejects.toMatchObject({
      code: "POSTGRES_FAILED",
      message: expect.stringContaining("U+0000"),
    });
    expect(await select(`SELECT n, s FROM ${table}`)).toEqual([[5, null]]);
  });

  describe.each([
    ["several statements, lost before the commit", "COMMIT", "lost", "100"],
    ["several statements, committed without an answer", "COMMIT", "unanswered", "100"],
    ["one statement, lost on its way", "WITH marker", "lost", "10000"],
    ["one statement, committed without an answer", "WITH marker", "unanswered", "10000"],
  ] as const)("when the connection dies: %s", (_what, text, how, batchsize) => {
    it("is exactly once", async () => {
      const proxy = await breakingProxy("127.0.0.1", Number(new URL(server.url).port));
      try {
        const url = new URL(server.url);
        url.port = `${proxy.port}`;
        const sink = await open({ url: url.href, batchsize });
        const batch = await localBatch({
          id: 9,
          schema: delays,
          sql: `SELECT TIMESTAMPTZ '2001-01-01 00:00:00Z' AS hour, 'A' AS origin, i AS flights FROM range(1000) t(i)`,
        });
        proxy.breakAt(text, how);
        await expect(sink.addBatch(batch)).rejects.toMatchObject({ code: "POSTGRES_UNREACHABLE", retryable: true });
        expect(proxy.broken).toBe(1);
        await sink.addBatch(batch);
        await sink.addBatch(batch);
        expect(await sink.lastBatch()).toEqual({ batchId: 9, hash: "hash-9" });
        await sink.close();
      } finally {
        await proxy.close();
      }
      expect(await select(`SELECT count(*)::int, count(DISTINCT flights)::int FROM ${table}`)).toEqual([[1000, 1000]]);
    });
  });

  it("says that the server is away and goes on when it is back", async (context) => {
    context.skip(server.restart === undefined, "this server has no restart");
    const sink = await open();
    await sink.addBatch(await localBatch({ id: 0, schema: delays, sql: rowsSql(["2001-01-01 00:00:00Z", "ATL", 1]) }));
    await server.restart!();
    const next = await localBatch({ id: 1, schema: delays, sql: rowsSql(["2001-01-01 01:00:00Z", "ATL", 2]) });
    await sink
      .addBatch(next)
      .catch((error) => expect(error).toMatchObject({ code: "POSTGRES_UNREACHABLE", retryable: true }));
    await sink.addBatch(next);
    await sink.close();
    const fresh = new pg.Client({ connectionString: server.url });
    await fresh.connect();
    expect((await fresh.query(`SELECT count(*)::int AS n FROM ${table}`)).rows).toEqual([{ n: 2 }]);
    await fresh.end();
  });
});

describe("the postgres sink's options", () => {
  const request = (options: Record<string, string>, outputMode: OutputMode = "append") => ({
    options,
    path: undefined,
    partitionBy: [],
    schema: delays,
    outputMode,
  });
  const validate = (options: Record<string, string>, mode?: OutputMode) => () =>
    postgres.sink!.validate!(request({ url: "postgres://u:geheim@h/db", dbtable: "t", ...options }, mode));

  it("refuses an unknown key column, update without key and a strange table name", () => {
    expect(validate({ key: "origin,our" })).toThrow(/names our; the rows have hour, origin, flights/);
    expect(validate({}, "update")).toThrow(/needs the option key/);
    expect(validate({ dbtable: "a.b.c" })).toThrow(/dbtable/);
    expect(validate({ sslmode: "maybe" })).toThrow(/verify-full/);
    expect(validate({ url: "http://u:geheim@h" })).toThrow(/not a PostgreSQL address/);
  });

  it("never shows a password", async () => {
    const error = await Promise.resolve(
      postgres.sink!.openStream!({
        ...request({ url: "postgres://u:geheim@127.0.0.1:1/db", dbtable: "t" }),
        queryId: "q",
        sinkName: "s",
        sole: true,
        queryName: null,
        temporaryPath: "/nonexistent",
      }),
    ).catch((e) => e);
    expect(error).toMatchObject({ code: "POSTGRES_UNREACHABLE", retryable: true });
    expect(`${error.message} ${JSON.stringify(error)} ${JSON.stringify(error.parameters)}`).not.toContain("geheim");
  });
});
