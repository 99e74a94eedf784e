import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type Connection, type Database, openDatabase } from "../duckdb/duckdb.ts";
import { createSinkBatch } from "../duckdb/stored-batch.ts";
import { createEmbeddedBackend } from "../engine/backend.ts";
import type { Relation } from "../plan/relation.ts";
import type { AnyRow, StructType, Value } from "../types/data-type.ts";
import { parseDdl } from "../types/ddl.ts";
import type { BatchInput, SaveMode, SinkBatch, StreamSinkRequest } from "./connector.ts";
import { listFiles } from "./file/list.ts";
import { csv, json, parquet } from "./file.ts";

const backend = createEmbeddedBackend({ threads: 2 });
const root = mkdtempSync(join(tmpdir(), "millrace-file-"));
let directory: string;
let n = 0;
beforeEach(() => {
  directory = join(root, String(n++));
  mkdirSync(directory);
});
const databases: Database[] = [];
afterAll(async () => {
  await backend.close();
  for (const d of databases) d.close();
  rmSync(root, { recursive: true });
});

const ddl = (text: string): StructType => parseDdl(text) as StructType;
const local = (schema: string, ...rows: Value[][]): Relation => ({ kind: "local", schema: ddl(schema), rows });
const read = (format: string, path: string, options: Record<string, string> = {}, schema?: string): Relation => ({
  kind: "read",
  format,
  options,
  paths: [path],
  streaming: false,
  ...(schema !== undefined && { schema: ddl(schema) }),
});
async function collect(plan: Relation): Promise<AnyRow[]> {
  const rows: AnyRow[] = [];
  for await (const chunk of backend.run(plan, {})) rows.push(...chunk);
  return rows;
}
const write = (
  plan: Relation,
  format: string,
  path: string,
  mode: SaveMode = "error",
  partitionBy: string[] = [],
  options: Record<string, string> = {},
): Promise<void> => backend.write(plan, { format, options, path, mode, partitionBy }, {});

describe("batch", () => {
  const everything = local(
    "b BOOLEAN, i INT, l BIGINT, d DOUBLE, de DECIMAL(10,2), s STRING, bi BINARY, da DATE, t TIMESTAMP, a ARRAY<INT>, st STRUCT<x: INT, y: STRING>",
    [
      true,
      1,
      2n ** 60n,
      0.5,
      "1.50",
      'é\n"q",x',
      new Uint8Array([0, 255]),
      new Date("2020-01-02"),
      new Date("2020-01-02T03:04:05.678Z"),
      [1, null],
      { x: 1, y: "z" },
    ],
    [null, null, null, null, null, null, null, null, null, null, null],
  );

  test("parquet keeps every type", async () => {
    const path = join(directory, "p");
    await write(everything, "parquet", path);
    expect(await collect(read("parquet", path))).toEqual(await collect(everything));
    expect((await backend.schema(read("parquet", path), {})).fields.map((f) => f.type)).toEqual(
      (await backend.schema(everything, {})).fields.map((f) => f.type),
    );
    expect(readdirSync(path).sort()).toEqual([
      "_SUCCESS",
      expect.stringMatching(/^part-00000-[0-9a-f-]{36}-c000\.snappy\.parquet$/),
    ]);
  });

  test("json leaves nulls out and comes back with its schema", async () => {
    const path = join(directory, "j");
    await write(everything, "json", path);
    const file = readdirSync(path).find((f) => f.endsWith(".json"))!;
    const [first, second] = readFileSync(join(path, file), "utf8").trimEnd().split("\n");
    expect(JSON.parse(first!)).toMatchObject({
      i: 1,
      s: 'é\n"q",x',
      bi: "AP8=",
      t: "2020-01-02T03:04:05.678Z",
      a: [1, null],
    });
    expect(second).toBe("{}");
    const back = await collect(
      read(
        "json",
        path,
        {},
        "b BOOLEAN, i INT, l BIGINT, d DOUBLE, s STRING, da DATE, t TIMESTAMP, a ARRAY<INT>, st STRUCT<x: INT, y: STRING>",
      ),
    );
    const expected = (await collect(everything)).map(({ de: _de, bi: _bi, ...rest }) => rest);
    expect(back).toEqual(expected);
  });

  test("csv with a header", async () => {
    const path = join(directory, "c");
    const rows = local(
      "i INT, s STRING, t TIMESTAMP",
      [1, 'a,"b"\nc', new Date("2020-01-02T03:04:05Z")],
      [null, "", null],
    );
    await write(rows, "csv", path, "error", [], { header: "true" });
    await expect(collect(read("csv", path, { header: "true" }, "i INT, s STRING, t TIMESTAMP"))).rejects.toMatchObject({
      code: "MALFORMED_RECORD_IN_PARSING",
      message: expect.stringContaining("set the option multiLine to true"),
    });
    const options = { header: "true", multiLine: "true" };
    expect(await collect(read("csv", path, options, "i INT, s STRING, t TIMESTAMP"))).toEqual([
      { i: 1, s: 'a,"b"\nc', t: new Date("2020-01-02T03:04:05Z") },
      { i: null, s: "", t: null },
    ]);
  });

  test("partition folders become columns and are pruned by name only", async () => {
    const path = join(directory, "p");
    const rows = local(
      "day DATE, k STRING, v INT",
      [new Date("2020-01-01"), "a/b", 1],
      [new Date("2020-01-02"), null, 2],
      [null, "c=d", 3],
    );
    await write(rows, "parquet", path, "error", ["day", "k"]);
    const back = await collect({ kind: "sort", input: read("parquet", path), order: [], global: true });
    expect(back.sort((a, b) => Number(a.v) - Number(b.v))).toEqual([
      { v: 1, day: new Date("2020-01-01"), k: "a/b" },
      { v: 2, day: new Date("2020-01-02"), k: null },
      { v: 3, day: null, k: "c=d" },
    ]);
  });

  test.each(["csv", "json", "parquet"])("an inferred schema of %s has a partition column once", async (format) => {
    const path = join(directory, `inferred-${format}`);
    await write(local("k STRING, v INT", ["a", 1], ["b", 2]), format, path, "error", ["k"]);
    const back = await collect(read(format, path, format === "csv" ? { inferSchema: "true" } : {}));
    const v = format === "csv" ? "_c0" : "v";
    expect(back.map((r) => [Object.keys(r), Number(r[v]), r.k])).toEqual([
      [[v, "k"], 1, "a"],
      [[v, "k"], 2, "b"],
    ]);
  });

  test("save modes", async () => {
    const path = join(directory, "m");
    const one = local("x INT", [1]);
    const values = async (): Promise<Value[]> => (await collect(read("parquet", path))).map((r) => r.x!).sort();
    await write(one, "parquet", path);
    await expect(write(one, "parquet", path)).rejects.toMatchObject({ code: "PATH_ALREADY_EXISTS" });
    await write(local("x INT", [9]), "parquet", path, "ignore");
    expect(await values()).toEqual([1]);
    await write(local("x INT", [2]), "parquet", path, "append");
    expect(await values()).toEqual([1, 2]);
    await write(local("x INT", [3]), "parquet", path, "overwrite");
    expect(await values()).toEqual([3]);
  });

  test("a table may be overwritten from itself", async () => {
    const path = join(directory, "m");
    await write(local("x INT", [1]), "parquet", path);
    const doubled: Relation = {
      kind: "set_op",
      op: "union",
      left: read("parquet", path),
      right: read("parquet", path),
      all: true,
      byName: false,
      allowMissingColumns: false,
    };
    await write(doubled, "parquet", path, "overwrite");
    expect(await collect(read("parquet", path))).toEqual([{ x: 1 }, { x: 1 }]);
  });

  test("files of different columns: a missing one is null; mergeSchema takes all", async () => {
    const path = join(directory, "u");
    await write(local("a INT", [1]), "parquet", path);
    await write(local("a INT, b STRING", [2, "x"]), "parquet", path, "append");
    expect(
      (await collect(read("parquet", path, {}, "a INT, b STRING, c INT"))).sort((x, y) => Number(x.a) - Number(y.a)),
    ).toEqual([
      { a: 1, b: null, c: null },
      { a: 2, b: "x", c: null },
    ]);
    expect(
      (await backend.schema(read("parquet", path, { mergeSchema: "true" }), {})).fields.map((f) => f.name).sort(),
    ).toEqual(["a", "b"]);
  });

  const bad = '{"a":1,"b":"x"}\n{bad\n{"a":"text","b":"y"}\n';
  test("malformed JSON lines: null, left out, an error", async () => {
    writeFileSync(join(directory, "x.json"), bad);
    const rows = (mode: string, schema = "a INT, b STRING"): Promise<AnyRow[]> =>
      collect(read("json", directory, { mode }, schema));
    expect(await rows("PERMISSIVE")).toEqual([
      { a: 1, b: "x" },
      { a: null, b: null },
      { a: null, b: "y" },
    ]);
    expect(await rows("PERMISSIVE", "a INT, _corrupt_record STRING")).toEqual([
      { a: 1, _corrupt_record: null },
      { a: null, _corrupt_record: "{bad" },
      { a: null, _corrupt_record: null },
    ]);
    expect(await rows("DROPMALFORMED")).toEqual([
      { a: 1, b: "x" },
      { a: null, b: "y" },
    ]);
    await expect(rows("FAILFAST")).rejects.toMatchObject({ code: "MALFORMED_RECORD_IN_PARSING" });
  });

  test("malformed CSV values: null, left out, an error", async () => {
    writeFileSync(join(directory, "x.csv"), "1,a\nbad,b\n3\n4,d,extra\n");
    const rows = (mode: string): Promise<AnyRow[]> => collect(read("csv", directory, { mode }, "a INT, b STRING"));
    expect(await rows("PERMISSIVE")).toEqual([
      { a: 1, b: "a" },
      { a: null, b: "b" },
      { a: 3, b: null },
      { a: 4, b: "d" },
    ]);
    expect(await rows("DROPMALFORMED")).toEqual([{ a: 1, b: "a" }]);
    await expect(rows("FAILFAST")).rejects.toMatchObject({ code: "MALFORMED_RECORD_IN_PARSING" });
  });

  test("inferred schemas", async () => {
    const types = async (plan: Relation): Promise<string[]> =>
      (await backend.schema(plan, {})).fields.map((f) => `${f.name}:${f.type.kind}`);
    writeFileSync(join(directory, "a.json"), '{"z":1,"a":{"d":"2020-01-01"},"f":1.5,"l":[true]}\n');
    expect(await types(read("json", join(directory, "a.json")))).toEqual(["a:struct", "f:double", "l:array", "z:long"]);
    writeFileSync(
      join(directory, "a.csv"),
      "n;t;d;z\n1;x;2020-01-01;2020-01-01T00:00:00.5Z\n2;y;2020-01-02;2020-01-01T00:00:00+01:00\n",
    );
    expect(
      await types(read("csv", join(directory, "a.csv"), { sep: ";", header: "true", inferSchema: "true" })),
    ).toEqual(["n:integer", "t:string", "d:date", "z:timestamp"]);
    expect(await types(read("csv", join(directory, "a.csv"), { sep: ";" }))).toEqual([
      "_c0:string",
      "_c1:string",
      "_c2:string",
      "_c3:string",
    ]);
  });

  test("patterns of dates and timestamps", async () => {
    writeFileSync(join(directory, "a.csv"), "31.12.2020,31/12/2020 23:59\n");
    const options = { dateFormat: "dd.MM.yyyy", timestampFormat: "dd/MM/yyyy HH:mm" };
    expect(await collect(read("csv", directory, options, "d DATE, t TIMESTAMP"))).toEqual([
      { d: new Date("2020-12-31"), t: new Date("2020-12-31T23:59:00Z") },
    ]);
  });

  test("names that look like patterns, hidden files, globs", async () => {
    const odd = join(directory, "a[1]*?");
    mkdirSync(odd);
    writeFileSync(join(odd, "x[0].json"), '{"a":1}\n');
    writeFileSync(join(odd, "_hidden.json"), '{"a":2}\n');
    writeFileSync(join(odd, ".x.json.crc"), "nonsense");
    expect(await collect(read("json", odd, {}, "a INT"))).toEqual([{ a: 1 }]);
    expect(await collect(read("json", join(directory, "*", "*.json"), {}, "a INT"))).toHaveLength(2);
  });

  test("errors name what is wrong", async () => {
    await expect(collect(read("parquet", join(directory, "none")))).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
    await expect(collect(read("parquet", directory))).rejects.toMatchObject({ code: "UNABLE_TO_INFER_SCHEMA" });
    writeFileSync(join(directory, "x.parquet"), "no parquet");
    await expect(collect(read("parquet", directory))).rejects.toMatchObject({ code: "UNABLE_TO_INFER_SCHEMA" });
    await expect(collect(read("parqet", directory))).rejects.toThrow("Did you mean `parquet`?");
    await expect(collect(read("csv", directory, { heder: "true" }))).rejects.toMatchObject({
      code: "UNKNOWN_OPTION",
      message: expect.stringContaining("Did you mean `header`?"),
    });
    await expect(collect(read("csv", directory, { header: "maybe" }))).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
    await expect(write(local("x INT", [1]), "parquet", join(directory, "x.parquet"))).rejects.toMatchObject({
      code: "PATH_ALREADY_EXISTS",
    });
    await expect(write(local("x INT", [1]), "parquet", join(directory, "y"), "error", ["nope"])).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
    await expect(
      write(local("x INT", [1]), "parquet", join(directory, "y"), "error", [], { compression: "zip" }),
    ).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

describe("stream source", () => {
  const open = async (options: Record<string, string> = {}, format = json) =>
    format.source!.openStream!({
      options,
      paths: [join(directory, "in")],
      schema: ddl("a INT"),
      queryId: "q",
      metadataPath: join(directory, "sources", "0"),
      temporaryPath: join(directory, "tmp"),
    });
  const put = (name: string, seconds: number, ...values: number[]): void => {
    const path = join(directory, "in", name);
    mkdirSync(join(directory, "in"), { recursive: true });
    writeFileSync(path, values.map((a) => `{"a":${a}}\n`).join(""));
    utimesSync(path, 1_600_000_000 + seconds, 1_600_000_000 + seconds);
  };
  const rowsOf = async (input: BatchInput): Promise<Value[]> => {
    if (input.kind !== "sql") throw new Error("expected SQL");
    const database = await openDatabase(":memory:", { threads: 1 });
    databases.push(database);
    const { columns } = await (await database.connect()).query(`SELECT a FROM ${input.from} ORDER BY a`);
    return columns[0] as Value[];
  };

  test("each file belongs to one batch; a batch read again after a restart is the same", async () => {
    put("1.json", 1, 1, 2);
    put("2.json", 2, 3);
    let source = await open();
    const zero = await source.initialOffset();
    expect(zero).toEqual({ logOffset: -1 });
    const first = await source.latestOffset(zero, "options");
    expect(first.end).toEqual({ logOffset: 0 });
    expect(await rowsOf(await source.read(zero, first.end))).toEqual([1, 2, 3]);
    expect((await source.latestOffset(first.end, "options")).end).toEqual(first.end);
    put("3.json", 3, 4);
    const second = await source.latestOffset(first.end, "options");
    await source.close();
    source = await open();
    expect((await source.latestOffset(zero, "options")).end).toEqual(first.end);
    expect(await rowsOf(await source.read(zero, first.end))).toEqual([1, 2, 3]);
    expect(await rowsOf(await source.read(first.end, second.end))).toEqual([4]);
    // Spark's layout of the source's log
    expect(readFileSync(join(directory, "sources", "0", "1"), "utf8")).toMatch(
      /^v1\n\{"path":"file:\/\/\/.*3\.json","timestamp":1600000003000,"batchId":1\}$/,
    );
  });

  test("maxFilesPerTrigger and maxBytesPerTrigger bound a batch, oldest or newest first", async () => {
    for (let i = 0; i < 5; i++) put(`${i}.json`, i, i);
    const source = await open({ maxFilesPerTrigger: "2" });
    const first = await source.latestOffset({ logOffset: -1 }, "options");
    expect(await rowsOf(await source.read({ logOffset: -1 }, first.end))).toEqual([0, 1]);
    expect(first.latest).not.toEqual(first.end);
    const all = await source.latestOffset(first.end, "all");
    expect(await rowsOf(await source.read(first.end, all.end))).toEqual([2, 3, 4]);
    rmSync(join(directory, "sources"), { recursive: true });
    const newest = await open({ maxBytesPerTrigger: "17", latestFirst: "true" });
    const last = await newest.latestOffset({ logOffset: -1 }, "options");
    expect(await rowsOf(await newest.read({ logOffset: -1 }, last.end))).toEqual([3, 4]);
  });

  test("what was logged before a crash comes in batches of its own, or with all the rest", async () => {
    put("1.json", 1, 1);
    const crashed = await open();
    await crashed.latestOffset({ logOffset: -1 }, "options");
    put("2.json", 2, 2);
    await crashed.latestOffset({ logOffset: 0 }, "options");
    put("3.json", 3, 3);
    const source = await open();
    const { end } = await source.latestOffset({ logOffset: -1 }, "options");
    expect(await rowsOf(await source.read({ logOffset: -1 }, end))).toEqual([1]);
    const all = await source.latestOffset({ logOffset: -1 }, "all");
    expect(await rowsOf(await source.read({ logOffset: -1 }, all.end))).toEqual([1, 2, 3]);
  });

  test("the log is compacted every ten batches and survives it", async () => {
    let source = await open({ maxFilesPerTrigger: "1" });
    let offset = await source.initialOffset();
    for (let i = 0; i < 13; i++) {
      put(`${i}.json`, i, i);
      offset = (await source.latestOffset(offset, "options")).end;
    }
    expect(offset).toEqual({ logOffset: 12 });
    expect(readdirSync(join(directory, "sources", "0"))).toContain("9.compact");
    source = await open();
    expect((await source.latestOffset(offset, "options")).end).toEqual(offset);
    expect(await rowsOf(await source.read({ logOffset: 3 }, { logOffset: 5 }))).toEqual([4, 5]);
  });

  test("AvailableNow stops at what was there; a missing folder is no error; a lost file is one", async () => {
    const source = await open();
    expect((await source.latestOffset({ logOffset: -1 }, "options")).end).toEqual({ logOffset: -1 });
    put("1.json", 1, 1);
    await source.prepareForAvailableNow!();
    put("2.json", 2, 2);
    const { end } = await source.latestOffset({ logOffset: -1 }, "options");
    expect(await rowsOf(await source.read({ logOffset: -1 }, end))).toEqual([1]);
    expect((await source.latestOffset(end, "options")).end).toEqual(end);
    rmSync(join(directory, "in", "1.json"));
    await expect(source.read({ logOffset: -1 }, end)).rejects.toMatchObject({ code: "SOURCE_FAILED" });
  });

  test("waitForData sees a new file", async () => {
    const source = await open();
    const waiting = source.waitForData!({ logOffset: -1 }, 20_000, new AbortController().signal);
    put("1.json", 1, 1);
    await waiting;
    expect((await source.latestOffset({ logOffset: -1 }, "options")).end).toEqual({ logOffset: 0 });
  });
});

describe("stream sink", () => {
  let connection: Connection;
  beforeEach(async () => {
    const database = await openDatabase(":memory:", { threads: 1 });
    databases.push(database);
    connection = await database.connect();
  });
  const schema = ddl("a INT, k STRING");
  const request = (queryId = "q", partitionBy: string[] = []): StreamSinkRequest => ({
    options: {},
    path: join(directory, "out"),
    partitionBy,
    schema,
    outputMode: "append",
    queryId,
    sinkName: "parquet",
    sole: true,
    queryName: null,
    temporaryPath: join(directory, "tmp"),
  });
  const batch = (id: number, rows: string, offsetsHash = `h${id}`): SinkBatch =>
    createSinkBatch({
      acquire: () => connection,
      from: `(SELECT CAST(a AS INTEGER) AS a, k FROM (VALUES ${rows}) t(a, k))`,
      schema,
      id,
      queryId: "q",
      sinkName: "parquet",
      offsetsHash,
      timestampMs: 0,
      outputMode: "append",
      rowCount: undefined,
    });
  const values = async (): Promise<Value[]> =>
    (await collect(read("parquet", join(directory, "out")))).map((r) => r.a!).sort();

  test("a batch delivered twice appears once; files outside the manifest are invisible", async () => {
    const sink = await parquet.sink!.openStream!(request());
    expect(await sink.lastBatch()).toBeUndefined();
    await sink.addBatch(batch(0, "(1, 'x'), (2, 'y')"));
    await sink.addBatch(batch(0, "(1, 'x'), (2, 'y')"));
    await sink.addBatch(batch(1, "(3, NULL)"));
    expect(await sink.lastBatch()).toEqual({ batchId: 1, hash: "h1" });
    await connection.query(
      `COPY (SELECT 99::INTEGER AS a, 'lost' AS k) TO '${join(directory, "out", "part-00000-orphan.parquet")}'`,
    );
    expect(await values()).toEqual([1, 2, 3]);
    const again = await parquet.sink!.openStream!(request());
    expect(await again.lastBatch()).toEqual({ batchId: 1, hash: "h1" });
    const line = JSON.parse(readFileSync(join(directory, "out", "_spark_metadata", "0"), "utf8").split("\n")[1]!);
    expect(line).toMatchObject({ isDir: false, action: "add", blockReplication: 1 });
    expect(line.path).toMatch(/^file:\/\/\/.*part-00000-.*-c000\.snappy\.parquet$/);
  });

  test("a batch without rows is committed too", async () => {
    const sink = await parquet.sink!.openStream!(request());
    await sink.addBatch(batch(0, "(1, 'x')"));
    await sink.addBatch(
      createSinkBatch({
        ...baseOf(1),
        acquire: () => connection,
        from: "(SELECT 1::INTEGER AS a, 'x' AS k WHERE false)",
      }),
    );
    expect(await sink.lastBatch()).toEqual({ batchId: 1, hash: "h1" });
    expect(await values()).toEqual([1]);
  });
  const baseOf = (id: number) => ({
    schema,
    id,
    queryId: "q",
    sinkName: "parquet",
    offsetsHash: `h${id}`,
    timestampMs: 0,
    outputMode: "append" as const,
    rowCount: 0,
  });

  test("another query's folder and another batch of the same number are refused", async () => {
    const sink = await parquet.sink!.openStream!(request());
    await sink.addBatch(batch(0, "(1, 'x')"));
    await expect(sink.addBatch(batch(0, "(2, 'x')", "other"))).rejects.toMatchObject({ code: "CHECKPOINT_DIVERGED" });
    await expect(Promise.resolve(parquet.sink!.openStream!(request("other")))).rejects.toMatchObject({
      code: "CHECKPOINT_DIVERGED",
    });
  });

  test("a crash between the files and the manifest leaves nothing visible", async () => {
    const first = await parquet.sink!.openStream!(request("q", ["k"]));
    await first.addBatch(batch(0, "(1, 'x')"));
    const half = batch(1, "(2, 'x'), (3, 'y')");
    await half.writeFiles({ format: "parquet", directory: join(directory, "out"), partitionBy: ["k"] });
    const sink = await parquet.sink!.openStream!(request("q", ["k"]));
    expect(await sink.lastBatch()).toEqual({ batchId: 0, hash: "h0" });
    await sink.addBatch(batch(1, "(2, 'x'), (3, 'y')"));
    expect(await values()).toEqual([1, 2, 3]);
  });

  test("ten batches are compacted into one list", async () => {
    const sink = await parquet.sink!.openStream!(request());
    for (let i = 0; i < 12; i++) await sink.addBatch(batch(i, `(${i}, 'x')`));
    const log = readdirSync(join(directory, "out", "_spark_metadata"));
    expect(log).toContain("9.compact");
    expect(await listFiles([join(directory, "out")], {})).toHaveLength(12);
    // one line a file, after the version
    expect(readFileSync(join(directory, "out", "_spark_metadata", "9.compact"), "utf8").split("\n")).toHaveLength(11);
  });

  test("a corrupt manifest is said so", async () => {
    const sink = await parquet.sink!.openStream!(request());
    await sink.addBatch(batch(0, "(1, 'x')"));
    appendFileSync(join(directory, "out", "_spark_metadata", "0"), "\n{half");
    await expect(values()).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
  });

  test("what cannot be written is refused before anything runs", () => {
    const validate = (over: Partial<StreamSinkRequest>, format = parquet): void =>
      format.sink!.validate!({ ...request(), ...over });
    expect(() => validate({ path: undefined })).toThrow("[MISSING_OPTION]");
    expect(() => validate({ partitionBy: ["nope"] })).toThrow("[INVALID_OPTION]");
    expect(() => validate({ partitionBy: ["a", "k"] })).toThrow("[INVALID_OPTION]");
    expect(() => validate({ schema: ddl("a INT, A INT") })).toThrow("[COLUMN_ALREADY_EXISTS]");
    expect(() => validate({ schema: ddl("a ARRAY<INT>") }, csv)).toThrow("[UNSUPPORTED_DATATYPE]");
    expect(() => validate({ path: "s3://bucket/x" })).toThrow("[UNSUPPORTED_FEATURE]");
  });
});
