import { execFile, fork } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Offset, OutputMode, SaveMode, StreamSink, StreamSource } from "../../src/connectors/connector.ts";
import { delta, optimize, vacuum } from "../../src/connectors/delta.ts";
import { type Database, openDatabase } from "../../src/duckdb/duckdb.ts";
import { subscribe } from "../../src/events.ts";
import type { DataType, StructType } from "../../src/types/data-type.ts";
import { localBatch } from "./local-batch.ts";

const struct = (fields: Record<string, DataType>): StructType => ({
  kind: "struct",
  fields: Object.entries(fields).map(([name, type]) => ({ name, type, nullable: true })),
});
const numbers = struct({ n: { kind: "long" } });
const events = struct({ day: { kind: "date" }, n: { kind: "long" }, s: { kind: "string" } });
const eventsSql = (from: number, to: number): string =>
  `SELECT DATE '2001-01-01' + (i % 3)::INTEGER AS day, i AS n, 'x' || i AS s FROM range(${from}, ${to}) t(i)`;

let root: string;
let path: string;
let count = 0;
let database: Database;
const warnings: string[] = [];
const unsubscribe = subscribe("warning", (w) => warnings.push(w.message));

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "millrace-delta-"));
  database = await openDatabase(":memory:", { threads: 2 });
});
beforeEach(() => {
  path = join(root, `t${++count}`);
});
afterEach(() => {
  // Maintenance only warns; here it must not fail in silence.
  expect(warnings.splice(0)).toEqual([]);
});
afterAll(async () => {
  unsubscribe();
  database.close();
  await rm(root, { recursive: true, force: true });
});

interface OpenOptions {
  schema?: StructType;
  partitionBy?: string[];
  options?: Record<string, string>;
  mode?: OutputMode;
  queryId?: string;
  sinkName?: string;
  sole?: boolean;
  path?: string;
}
const open = async (o: OpenOptions = {}): Promise<StreamSink> => {
  const request = {
    options: o.options ?? {},
    path: o.path ?? path,
    partitionBy: o.partitionBy ?? [],
    schema: o.schema ?? numbers,
    outputMode: o.mode ?? ("append" as const),
    queryId: o.queryId ?? "q1",
    sinkName: o.sinkName ?? "lake",
    sole: o.sole ?? true,
    queryName: null,
    temporaryPath: join(root, "tmp"),
  };
  delta.sink!.validate!(request);
  return await delta.sink!.openStream!(request);
};
const write = async (
  mode: SaveMode,
  schema: StructType,
  sql: string,
  options: Record<string, string> = {},
  partitionBy: string[] = [],
) =>
  await delta.sink!.writeBatch!({
    mode,
    options,
    path,
    partitionBy,
    schema,
    outputMode: "append",
    batch: await localBatch({ schema, sql }),
  });
const query = async (from: string, select: string): Promise<unknown[][]> => {
  const connection = await database.connect();
  try {
    const result = await connection.query(`SELECT ${select.replace("$t", () => from)}`);
    return Array.from({ length: result.rowCount }, (_, i) => result.columns.map((c) => c[i]));
  } finally {
    connection.close();
  }
};
/** `select` is a SELECT list with `FROM $t`. */
const read = async (select: string, options: Record<string, string> = {}): Promise<unknown[][]> => {
  const input = await delta.source!.openBatch!({ options, paths: [path], schema: undefined });
  if (input.kind !== "sql") throw new Error("expected SQL");
  return await query(input.from, select);
};
const all = (sql: string, id = 0, extra: { hash?: string; schema?: StructType; outputMode?: OutputMode } = {}) =>
  localBatch({ id, schema: numbers, sql, ...extra });
const logOf = async (version: number): Promise<any[]> =>
  (await readFile(join(path, "_delta_log", `${version}`.padStart(20, "0").concat(".json")), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const dataFiles = async (): Promise<string[]> =>
  (await readdir(path, { recursive: true })).filter((f) => f.endsWith(".parquet") && !f.startsWith("_delta_log"));

describe("the delta sink", () => {
  it("begins a table with protocol and metadata, and marks each batch", async () => {
    const sink = await open({ schema: events, partitionBy: ["day"] });
    expect(await sink.lastBatch()).toBeUndefined();
    await sink.addBatch(await localBatch({ id: 0, schema: events, sql: eventsSql(0, 10) }));
    await sink.addBatch(await localBatch({ id: 1, schema: events, sql: `${eventsSql(0, 1)} WHERE false` }));
    expect(await sink.lastBatch()).toEqual({ batchId: 1, hash: "hash-1" });
    await sink.close();
    const [commit, txn, protocol, metadata, add] = await logOf(0);
    expect(commit.commitInfo).toMatchObject({
      operation: "STREAMING UPDATE",
      offsetsHash: "hash-0",
      isBlindAppend: true,
    });
    expect(txn.txn).toMatchObject({ appId: "q1", version: 0 });
    expect(protocol.protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 2 });
    expect(metadata.metaData).toMatchObject({
      partitionColumns: ["day"],
      format: { provider: "parquet" },
      configuration: {},
    });
    expect(JSON.parse(metadata.metaData.schemaString).fields[0]).toEqual({
      name: "day",
      type: "date",
      nullable: true,
      metadata: {},
    });
    expect(add.add.path).toMatch(/^day=2001-01-0\d\/part-.*\.parquet$/);
    expect(JSON.parse((await logOf(0))[4].add.stats)).toMatchObject({
      numRecords: expect.any(Number),
      nullCount: { n: 0, s: 0 },
    });
    expect(await read("count(*), sum(n)::INT FROM $t")).toEqual([[10n, 45]]);
    expect(await read("day::VARCHAR, count(*)::INT FROM $t GROUP BY 1 ORDER BY 1")).toEqual([
      ["2001-01-01", 4],
      ["2001-01-02", 3],
      ["2001-01-03", 3],
    ]);
  });

  it("takes a batch that comes again only once, also after a restart", async () => {
    const batch = await all("SELECT range AS n FROM range(5)", 3);
    const sink = await open();
    await sink.addBatch(batch);
    await sink.addBatch(batch);
    await sink.close();
    const again = await open();
    expect(await again.lastBatch()).toEqual({ batchId: 3, hash: "hash-3" });
    await again.addBatch(batch);
    await again.close();
    expect(await read("count(*) FROM $t")).toEqual([[5n]]);
    expect(await dataFiles()).toHaveLength(1);
  });

  it("refuses another batch under a number that it has", async () => {
    const sink = await open();
    await sink.addBatch(await all("SELECT 1::BIGINT AS n", 3));
    await sink.addBatch(await all("SELECT 2::BIGINT AS n", 4));
    for (const [id, hash] of [
      [4, "other"],
      [3, "other"],
      [2, "hash-2"],
    ] as const) {
      await expect(sink.addBatch(await all("SELECT 9::BIGINT AS n", id, { hash }))).rejects.toMatchObject({
        code: "CHECKPOINT_DIVERGED",
        retryable: false,
      });
    }
    await sink.addBatch(await all("SELECT 9::BIGINT AS n", 3));
    await sink.close();
    expect(await read("n::INT FROM $t ORDER BY n")).toEqual([[1], [2]]);
  });

  it("follows Spark's rule for a batch that Spark wrote: the number alone", async () => {
    const sink = await open();
    await sink.addBatch(await all("SELECT 1::BIGINT AS n", 0));
    await sink.close();
    await appendFile(
      join(path, "_delta_log", "00000000000000000001.json"),
      '{"commitInfo":{"operation":"STREAMING UPDATE"}}\n{"txn":{"appId":"q1","version":1,"lastUpdated":1}}\n',
    );
    const next = await open();
    expect(await next.lastBatch()).toEqual({ batchId: 1 });
    await next.addBatch(await all("SELECT 2::BIGINT AS n", 1));
    await next.addBatch(await all("SELECT 3::BIGINT AS n", 2));
    await next.close();
    expect(await read("n::INT FROM $t ORDER BY n")).toEqual([[1], [3]]);
  });

  it("keeps two sinks of one query apart, and two queries on one table", async () => {
    const a = await open({ sole: false, sinkName: "a" });
    const b = await open({ sole: false, sinkName: "b" });
    const c = await open({ queryId: "q2" });
    for (const [i, sink] of [a, b, c].entries()) await sink.addBatch(await all(`SELECT ${i}::BIGINT AS n`));
    expect(await a.lastBatch()).toMatchObject({ batchId: 0 });
    for (const sink of [a, b, c]) await sink.close();
    expect(await read("n::INT FROM $t ORDER BY n")).toEqual([[0], [1], [2]]);
    expect((await logOf(1))[1].txn.appId).toBe("q1:b");
  });

  it("replaces the table in complete mode, in one commit", async () => {
    const sink = await open({ mode: "complete" });
    await sink.addBatch(await all("SELECT range AS n FROM range(3)", 0, { outputMode: "complete" }));
    await sink.addBatch(await all("SELECT 7::BIGINT AS n", 1, { outputMode: "complete" }));
    await sink.close();
    expect(await read("n::INT FROM $t")).toEqual([[7]]);
    expect(await read("count(*)::INT FROM $t", { versionAsOf: "0" })).toEqual([[3]]);
    expect((await logOf(1)).filter((a) => a.remove)).toHaveLength(1);
  });

  it("refuses output mode update, names that Parquet cannot hold, and types that Delta has not", async () => {
    await expect(open({ mode: "update" })).rejects.toMatchObject({
      code: "STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE",
    });
    await expect(open({ schema: struct({ "a b": { kind: "long" }, z: { kind: "null" } }) })).rejects.toThrow(
      /"a b".*z is always null/,
    );
    await expect(open({ partitionBy: ["nope"] })).rejects.toThrow(/partition column nope is not a column/);
    await expect(open({ partitionBy: ["n"] })).rejects.toThrow(/every column is a partition column/);
    await expect(open({ path: "s3://bucket/table" })).rejects.toMatchObject({ code: "DELTA_UNSUPPORTED" });
  });

  it("names the columns that do not fit, before anything is written", async () => {
    const sink = await open({ schema: events, partitionBy: ["day"] });
    await sink.addBatch(await localBatch({ schema: events, sql: eventsSql(0, 3) }));
    await sink.close();
    const files = await dataFiles();
    const other = struct({
      day: { kind: "date" },
      n: { kind: "string" },
      S: { kind: "string" },
      extra: { kind: "long" },
    });
    await expect(open({ schema: other, queryId: "q2" })).rejects.toMatchObject({
      code: "SINK_SCHEMA_MISMATCH",
      message: expect.stringMatching(
        /column n is long in the table and string in the rows.*S is spelt s.*extra is not in the table.*mergeSchema/,
      ),
    });
    await expect(open({ schema: events, partitionBy: ["n"], queryId: "q2" })).rejects.toThrow(
      /partitioned by day, not by n/,
    );
    expect(await dataFiles()).toEqual(files);
  });

  it("adds columns with mergeSchema, and reads older files with null there", async () => {
    const wide = struct({ n: { kind: "long" }, st: struct({ x: { kind: "integer" } }), at: { kind: "timestamp" } });
    const first = await open();
    await first.addBatch(await all("SELECT 1::BIGINT AS n"));
    await first.close();
    const second = await open({ schema: wide, options: { mergeSchema: "true" }, queryId: "q2" });
    await second.addBatch(
      await localBatch({
        schema: wide,
        sql: "SELECT 2::BIGINT AS n, {'x': 5} AS st, TIMESTAMPTZ '2001-01-01 00:00:00.000001Z' AS \"at\"",
      }),
    );
    await second.close();
    // The first query goes on with its own columns.
    const third = await open();
    await third.addBatch(await all("SELECT 3::BIGINT AS n", 1));
    await third.close();
    expect(await read(`n::INT, st.x, epoch_us("at") FROM $t ORDER BY n`)).toEqual([
      [1, null, null],
      [2, 5, 978307200000001n],
      [3, null, null],
    ]);
    expect(await read("* FROM $t", { versionAsOf: "0" })).toEqual([[1n]]);
    expect(
      (await delta.source!.schema({ options: {}, paths: [path], schema: undefined }))!.fields.map((f) => f.name),
    ).toEqual(["n", "st", "at"]);
  });

  it("holds timestamps without a zone in a table that says so", async () => {
    const schema = struct({ ntz: { kind: "timestamp_ntz" } });
    const sink = await open({ schema });
    await sink.addBatch(await localBatch({ schema, sql: "SELECT TIMESTAMP '2001-01-01 00:00:00.000001' AS ntz" }));
    await sink.close();
    expect((await logOf(0)).find((a) => a.protocol).protocol).toMatchObject({
      minReaderVersion: 3,
      readerFeatures: ["timestampNtz"],
    });
    expect(await read("ntz::VARCHAR FROM $t")).toEqual([["2001-01-01 00:00:00.000001"]]);
  });

  it("lets many writers append at once and loses none", async () => {
    const writers = 6;
    const batches = 8;
    await Promise.all(
      Array.from({ length: writers }, async (_, w) => {
        const sink = await open({ queryId: `writer-${w}` });
        for (let id = 0; id < batches; id++) await sink.addBatch(await all(`SELECT ${w * 100 + id}::BIGINT AS n`, id));
        await sink.close();
      }),
    );
    expect(await read("count(*)::INT, count(DISTINCT n)::INT FROM $t")).toEqual([
      [writers * batches, writers * batches],
    ]);
    for (let w = 0; w < writers; w++) {
      const sink = await open({ queryId: `writer-${w}` });
      expect(await sink.lastBatch()).toEqual({ batchId: batches - 1, hash: `hash-${batches - 1}` });
      await sink.close();
    }
  });

  it("refuses to write into a table that was replaced under it", async () => {
    const sink = await open();
    await sink.addBatch(await all("SELECT 1::BIGINT AS n", 0));
    await sink.addBatch(await all("SELECT 2::BIGINT AS n", 1));
    await rm(path, { recursive: true });
    await expect(sink.addBatch(await all("SELECT 3::BIGINT AS n", 2))).rejects.toMatchObject({
      code: "DELTA_CONFLICT",
    });
    await sink.close();
    await expect(stat(join(path, "_delta_log"))).rejects.toThrow();
  });

  it("leaves nothing visible when the batch fails before the commit", async () => {
    const sink = await open();
    await sink.addBatch(await all("SELECT 1::BIGINT AS n", 0));
    const broken = await localBatch({
      id: 1,
      schema: numbers,
      sql: "SELECT 2::BIGINT AS n",
      before: () => {
        throw Object.assign(new Error("write ENOSPC: No space left on device"), { code: "ENOSPC" });
      },
    });
    await expect(sink.addBatch(broken)).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await read("n::INT FROM $t")).toEqual([[1]]);
    await sink.addBatch(await all("SELECT 2::BIGINT AS n", 1));
    await sink.close();
    expect(await read("n::INT FROM $t ORDER BY n")).toEqual([[1], [2]]);
  });

  it("says that the disk is full, and goes on when there is room", async (context) => {
    const mounted = join(root, "small");
    await mkdir(mounted);
    const run = promisify(execFile);
    const mount = await run("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", mounted]).catch((error: Error) => error);
    context.skip(mount instanceof Error, "needs the right to mount a small file system");
    try {
      path = join(mounted, "t");
      const sink = await open();
      await sink.addBatch(await all("SELECT range AS n FROM range(1000)", 0));
      await writeFile(join(mounted, "ballast"), Buffer.alloc(2_500_000));
      const big = await all("SELECT (hash(range) >> 1)::BIGINT AS n FROM range(400000)", 1);
      await expect(sink.addBatch(big)).rejects.toMatchObject({ code: "DISK_FULL" });
      expect(await read("count(*) FROM $t")).toEqual([[1000n]]);
      await rm(join(mounted, "ballast"));
      // What the failed attempt left is not named by any commit.
      for (const file of await vacuumNow()) expect(file).toMatch(/\.parquet$/);
      const small = await all("SELECT range AS n FROM range(10)", 1);
      await sink.addBatch(small);
      await sink.close();
      expect(await read("count(*) FROM $t")).toEqual([[1010n]]);
    } finally {
      await run("umount", [mounted]);
    }
  });
});

const vacuumNow = async (): Promise<readonly string[]> => {
  for (const file of await dataFiles()) await utimes(join(path, file), new Date(0), new Date(0));
  return await vacuum(path, { retention: "0 seconds" });
};

describe("delta maintenance", () => {
  it("writes a checkpoint every ten commits, from which the table can be read alone", async () => {
    const sink = await open({ schema: events, partitionBy: ["day"], options: { autoCompact: "false" } });
    for (let id = 0; id <= 20; id++)
      await sink.addBatch(await localBatch({ id, schema: events, sql: eventsSql(id * 10, id * 10 + 10) }));
    await sink.close();
    const log = join(path, "_delta_log");
    expect((await readdir(log)).filter((f) => !f.endsWith(".json")).sort()).toEqual([
      "00000000000000000010.checkpoint.parquet",
      "00000000000000000020.checkpoint.parquet",
      "_last_checkpoint",
    ]);
    expect(JSON.parse(await readFile(join(log, "_last_checkpoint"), "utf8"))).toMatchObject({
      version: 20,
      numOfAddFiles: 63,
    });
    for (let v = 0; v < 20; v++) await unlink(join(log, `${`${v}`.padStart(20, "0")}.json`));
    expect(await read("count(*)::INT, sum(n)::INT, count(DISTINCT day)::INT FROM $t")).toEqual([[210, 21945, 3]]);
    const again = await open({ schema: events });
    expect(await again.lastBatch()).toEqual({ batchId: 20, hash: "hash-20" });
    await again.addBatch(await localBatch({ id: 21, schema: events, sql: eventsSql(0, 1) }));
    await again.close();
    expect(await read("count(*)::INT FROM $t")).toEqual([[211]]);
    await expect(read("count(*) FROM $t", { versionAsOf: "15" })).rejects.toMatchObject({ code: "DELTA_CORRUPT" });
  });

  it("falls back when a checkpoint is damaged", async () => {
    const sink = await open();
    for (let id = 0; id <= 10; id++) await sink.addBatch(await all(`SELECT ${id}::BIGINT AS n`, id));
    await sink.close();
    await writeFile(join(path, "_delta_log", "00000000000000000010.checkpoint.parquet"), "PAR1 not really PAR1");
    expect(await read("sum(n)::INT FROM $t")).toEqual([[55]]);
  });

  it("merges small files behind the batches, without touching a row", async () => {
    const sink = await open({ schema: events, partitionBy: ["day"], options: { autoCompactMinFiles: "4" } });
    for (let id = 0; id < 30; id++)
      await sink.addBatch(await localBatch({ id, schema: events, sql: eventsSql(id * 10, id * 10 + 10) }));
    await sink.close();
    expect(await read("count(*)::INT, sum(n)::INT, count(DISTINCT n)::INT FROM $t")).toEqual([[300, 44850, 300]]);
    expect(await read("day::VARCHAR, count(*)::INT FROM $t GROUP BY 1 ORDER BY 1")).toEqual([
      ["2001-01-01", 100],
      ["2001-01-02", 100],
      ["2001-01-03", 100],
    ]);
    const live = await liveFiles();
    expect(live.length).toBeLessThan(30);
    expect(live.length).toBeGreaterThanOrEqual(3);
    const versions = (await readdir(join(path, "_delta_log"))).filter((f) => /^\d+\.json$/.test(f)).length;
    const operations = (await Promise.all(Array.from({ length: versions }, (_, v) => logOf(v)))).filter(
      (actions) => actions[0].commitInfo.operation === "OPTIMIZE",
    );
    expect(operations.length).toBeGreaterThan(0);
    for (const actions of operations) {
      for (const a of actions) expect((a.add ?? a.remove)?.dataChange ?? false).toBe(false);
    }
    expect(await read("count(*)::INT FROM $t", { versionAsOf: "0" })).toEqual([[10]]);
  });

  it("merges everything on demand, and deletes what is no longer needed", async () => {
    const sink = await open({ schema: events, partitionBy: ["day"], options: { autoCompact: "false" } });
    for (let id = 0; id < 5; id++)
      await sink.addBatch(await localBatch({ id, schema: events, sql: eventsSql(id * 10, id * 10 + 10) }));
    await sink.close();
    expect(await optimize(path)).toEqual({ removed: 15, added: 3 });
    expect(await optimize(path)).toEqual({ removed: 0, added: 0 });
    expect(await read("count(*)::INT, sum(n)::INT FROM $t")).toEqual([[50, 1225]]);
    await writeFile(join(path, "day=2001-01-01", "orphan.parquet"), "x");
    expect(await vacuum(path)).toEqual([]);
    expect(await dataFiles()).toHaveLength(19);
    expect(await vacuum(path, { retention: "0 seconds", dryRun: true })).toHaveLength(16);
    await vacuumNow();
    expect(await dataFiles()).toHaveLength(3);
    expect(await read("count(*)::INT, sum(n)::INT FROM $t")).toEqual([[50, 1225]]);
    await expect(vacuum(join(root, "nowhere"))).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
  });

  it("compacts while others write and other compactions run", async () => {
    const first = await open({ options: { autoCompact: "false" } });
    for (let id = 0; id < 20; id++) await first.addBatch(await all(`SELECT ${id}::BIGINT AS n`, id));
    const second = await open({ queryId: "q2", options: { autoCompactMinFiles: "3" } });
    await Promise.all([
      optimize(path),
      optimize(path),
      (async () => {
        for (let id = 0; id < 10; id++) await second.addBatch(await all(`SELECT ${100 + id}::BIGINT AS n`, id));
      })(),
    ]);
    await first.close();
    await second.close();
    expect(await read("count(*)::INT, count(DISTINCT n)::INT, sum(n)::INT FROM $t")).toEqual([[30, 30, 1235]]);
  });

  it("cleans log entries that are older than the retention and before an old checkpoint", async () => {
    const sink = await open({ options: { autoCompact: "false" } });
    for (let id = 0; id < 15; id++) await sink.addBatch(await all(`SELECT ${id}::BIGINT AS n`, id));
    await sink.close();
    const log = join(path, "_delta_log");
    const old = new Date(Date.now() - 31 * 86_400_000);
    for (const file of await readdir(log)) await utimes(join(log, file), old, old);
    const again = await open({ options: { autoCompact: "false" } });
    for (let id = 15; id <= 20; id++) await again.addBatch(await all(`SELECT ${id}::BIGINT AS n`, id));
    await again.close();
    expect((await readdir(log)).filter((f) => f.endsWith(".json")).sort()[0]).toBe("00000000000000000010.json");
    expect(await read("sum(n)::INT FROM $t")).toEqual([[210]]);
    expect(await read("sum(n)::INT FROM $t", { versionAsOf: "12" })).toEqual([[78]]);
  });
});

const liveFiles = async (): Promise<string[]> =>
  (await read("DISTINCT filename FROM $t").catch(() => liveFromLog())) as unknown as string[];
const liveFromLog = async (): Promise<string[]> => {
  const live = new Set<string>();
  for (const file of (await readdir(join(path, "_delta_log"))).filter((f) => /^\d+\.json$/.test(f)).sort()) {
    for (const action of await logOf(Number(file.slice(0, 20)))) {
      if (action.remove) live.delete(action.remove.path);
      if (action.add) live.add(action.add.path);
    }
  }
  return [...live];
};

describe("df.write.format(delta)", () => {
  it("follows the save modes", async () => {
    await write("error", numbers, "SELECT 1::BIGINT AS n");
    await expect(write("error", numbers, "SELECT 2::BIGINT AS n")).rejects.toMatchObject({
      code: "PATH_ALREADY_EXISTS",
    });
    await write("ignore", numbers, "SELECT 3::BIGINT AS n");
    await write("append", numbers, "SELECT 4::BIGINT AS n");
    expect(await read("n::INT FROM $t ORDER BY n")).toEqual([[1], [4]]);
    await write("overwrite", numbers, "SELECT 5::BIGINT AS n");
    expect(await read("n::INT FROM $t")).toEqual([[5]]);
    const other = struct({ s: { kind: "string" }, p: { kind: "integer" } });
    await expect(write("overwrite", other, "SELECT 'a' AS s, 1::INTEGER AS p")).rejects.toMatchObject({
      code: "SINK_SCHEMA_MISMATCH",
    });
    await write("overwrite", other, "SELECT 'a' AS s, 1::INTEGER AS p", { overwriteSchema: "true" }, ["p"]);
    expect(await read("* FROM $t")).toEqual([["a", 1]]);
    expect(await read("n::INT FROM $t ORDER BY n", { versionAsOf: "1" })).toEqual([[1], [4]]);
  });

  it("leaves out a repeated write by txnAppId and txnVersion", async () => {
    const options = (version: number): Record<string, string> => ({ txnAppId: "app", txnVersion: `${version}` });
    await write("append", numbers, "SELECT 1::BIGINT AS n", options(0));
    await write("append", numbers, "SELECT 2::BIGINT AS n", options(1));
    await write("append", numbers, "SELECT 2::BIGINT AS n", options(1));
    await write("append", numbers, "SELECT 1::BIGINT AS n", options(0));
    expect(await read("n::INT FROM $t ORDER BY n")).toEqual([[1], [2]]);
    await expect(write("append", numbers, "SELECT 1::BIGINT AS n", { txnAppId: "app" })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });

  it("keeps any partition value (property)", async () => {
    const schema = struct({ p: { kind: "string" }, n: { kind: "integer" } });
    const text = fc.oneof(
      fc.constant(null),
      fc.constantFrom("NULL", "a=b", "x/y", "%2F", "é ü", "'", "__HIVE_DEFAULT_PARTITION__ ", "."),
      fc.string({ maxLength: 8 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(text, { minLength: 1, maxLength: 6 }), async (values) => {
        path = join(root, `t${++count}`);
        const usable = values.filter((v) => v === null || (!v.includes("\0") && v !== "" && v.isWellFormed()));
        if (usable.length === 0) return;
        const rows = usable.map((v, i) => `(${v === null ? "NULL" : `'${v.replaceAll("'", "''")}'`}, ${i})`);
        await write(
          "append",
          schema,
          `SELECT p::VARCHAR AS p, n::INTEGER AS n FROM (VALUES ${rows.join(", ")}) t(p, n)`,
          {},
          ["p"],
        );
        expect(await read("p, n FROM $t ORDER BY n")).toEqual(usable.map((v, i) => [v, i]));
      }),
      { numRuns: 40 },
    );
  });
});

describe("reading Delta", () => {
  it("goes back in time", async () => {
    for (let i = 0; i < 3; i++) await write("append", numbers, `SELECT ${i}::BIGINT AS n`);
    for (let v = 0; v < 3; v++) {
      const time = new Date(Date.UTC(2024, 0, 1 + v));
      await utimes(join(path, "_delta_log", `${`${v}`.padStart(20, "0")}.json`), time, time);
    }
    expect(await read("count(*)::INT FROM $t", { versionAsOf: "1" })).toEqual([[2]]);
    expect(await read("count(*)::INT FROM $t", { timestampAsOf: "2024-01-02 12:00:00" })).toEqual([[2]]);
    expect(await read("count(*)::INT FROM $t", { timestampAsOf: "2024-01-01T00:00:00Z" })).toEqual([[1]]);
    await expect(read("* FROM $t", { versionAsOf: "3" })).rejects.toThrow(/no version 3; its newest is 2/);
    await expect(read("* FROM $t", { timestampAsOf: "2023-01-01" })).rejects.toThrow(/oldest version is of 2024-01-01/);
    await expect(read("* FROM $t", { timestampAsOf: "then" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  it("leaves out the rows of files by their partition", async () => {
    await write("append", events, eventsSql(0, 3000), {}, ["day"]);
    const input = await delta.source!.openBatch!({ options: {}, paths: [path], schema: undefined });
    if (input.kind !== "sql") throw new Error("expected SQL");
    const connection = await database.connect();
    const plan = await connection.query(
      `EXPLAIN ANALYZE SELECT count(*) FROM ${input.from} WHERE day = DATE '2001-01-02'`,
    );
    connection.close();
    // The scan itself gives the rows of one file.
    expect(String(plan.columns.at(-1)![0])).toContain("1,000 rows");
    expect(String(plan.columns.at(-1)![0])).not.toContain("3,000 rows");
  });

  it("says what is wrong with a table", async () => {
    await expect(read("* FROM $t")).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
    await write("append", numbers, "SELECT 1::BIGINT AS n");
    await write("append", numbers, "SELECT 2::BIGINT AS n");
    const log = join(path, "_delta_log");
    const second = await readFile(join(log, "00000000000000000001.json"), "utf8");
    await writeFile(join(log, "00000000000000000001.json"), second.slice(0, 40));
    await expect(read("* FROM $t")).rejects.toMatchObject({
      code: "DELTA_CORRUPT",
      message: expect.stringMatching(/Line 1 of .*1\.json/),
    });
    await writeFile(join(log, "00000000000000000002.json"), second);
    await unlink(join(log, "00000000000000000001.json"));
    await expect(read("* FROM $t")).rejects.toMatchObject({
      code: "DELTA_CORRUPT",
      message: expect.stringContaining("lacks version 1"),
    });
  });

  it.each([
    [
      "deletionVectors",
      {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ["deletionVectors"],
        writerFeatures: ["deletionVectors"],
      },
      {},
      { deletionVector: { storageType: "u", pathOrInlineDv: "x", offset: 1, sizeInBytes: 3, cardinality: 1 } },
    ],
    ["columnMapping", { minReaderVersion: 2, minWriterVersion: 5 }, { "delta.columnMapping.mode": "name" }, {}],
    [
      "variantType",
      { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ["variantType"], writerFeatures: ["variantType"] },
      {},
      {},
    ],
    ["reader version 4", { minReaderVersion: 4, minWriterVersion: 7 }, {}, {}],
  ])("refuses %s by name", async (feature, protocol, configuration, extra) => {
    await write("append", numbers, "SELECT 1::BIGINT AS n");
    const [commit, , metadata, add] = await logOf(0);
    metadata.metaData.configuration = configuration;
    const actions = [commit, { protocol }, metadata, { add: { ...add.add, ...extra } }];
    await writeFile(
      join(path, "_delta_log", "00000000000000000000.json"),
      actions.map((a) => JSON.stringify(a)).join("\n"),
    );
    await expect(read("* FROM $t")).rejects.toMatchObject({
      code: "DELTA_UNSUPPORTED",
      message: expect.stringContaining(feature),
    });
  });

  it.each([
    ["rowTracking", ["rowTracking"], {}, {}],
    ["CHECK constraint positive", ["checkConstraints"], { "delta.constraints.positive": "n > 0" }, {}],
    ["delta.generationExpression of the column n", ["generatedColumns"], {}, { "delta.generationExpression": "1" }],
  ])("reads, but does not write, a table with %s", async (feature, writerFeatures, configuration, columnMetadata) => {
    await write("append", numbers, "SELECT 1::BIGINT AS n");
    const [commit, , metadata, add] = await logOf(0);
    metadata.metaData.configuration = configuration;
    const schema = JSON.parse(metadata.metaData.schemaString);
    schema.fields[0].metadata = columnMetadata;
    metadata.metaData.schemaString = JSON.stringify(schema);
    const actions = [commit, { protocol: { minReaderVersion: 1, minWriterVersion: 7, writerFeatures } }, metadata, add];
    await writeFile(
      join(path, "_delta_log", "00000000000000000000.json"),
      actions.map((a) => JSON.stringify(a)).join("\n"),
    );
    expect(await read("n::INT FROM $t")).toEqual([[1]]);
    await expect(write("append", numbers, "SELECT 2::BIGINT AS n")).rejects.toMatchObject({
      code: "DELTA_UNSUPPORTED",
      message: expect.stringContaining(feature),
    });
  });
});

describe("the delta stream source", () => {
  const stream = async (options: Record<string, string> = {}, metadata = `m${count}`): Promise<StreamSource> =>
    await delta.source!.openStream!({
      options,
      paths: [path],
      schema: undefined,
      queryId: "s",
      metadataPath: join(root, metadata),
      temporaryPath: join(root, "tmp"),
    });
  const drain = async (source: StreamSource, from: Offset): Promise<{ batches: number[][]; end: Offset }> => {
    const batches: number[][] = [];
    let start = from;
    for (;;) {
      const { end } = await source.latestOffset(start, "options");
      if (JSON.stringify(end) === JSON.stringify(start)) return { batches, end };
      const input = await source.read(start, end);
      if (input.kind !== "sql") throw new Error("expected SQL");
      const rows = await query(input.from, "n::INT FROM $t ORDER BY 1");
      if (input.rowCount !== undefined) expect(rows).toHaveLength(input.rowCount);
      batches.push(rows.map((r) => r[0] as number));
      start = end;
    }
  };

  it("reads the table, then what is added, in bounded batches, whatever is compacted", async () => {
    for (let i = 0; i < 5; i++) await write("append", numbers, `SELECT ${i}::BIGINT AS n`);
    const source = await stream({ maxFilesPerTrigger: "2" });
    const first = await source.initialOffset();
    expect(first).toMatchObject({ sourceVersion: 1, reservoirVersion: 4, index: -1, isStartingVersion: true });
    await write("append", numbers, "SELECT 5::BIGINT AS n");
    expect(await source.initialOffset()).toEqual(first);
    const { batches, end } = await drain(source, first);
    expect(batches.map((b) => b.length)).toEqual([2, 2, 2]);
    expect(batches.flat().sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(end).toMatchObject({ reservoirVersion: 6, index: -1, isStartingVersion: false });
    await optimize(path);
    expect((await source.latestOffset(end, "options")).end).toEqual(end);
    const waiting = source.waitForData!(end, 20_000, new AbortController().signal);
    await write("append", numbers, "SELECT 6::BIGINT AS n");
    await waiting;
    expect((await drain(source, end)).batches).toEqual([[6]]);
    await source.close();
  });

  it("starts where it is told, and at the same place after a restart", async () => {
    for (let i = 0; i < 4; i++) await write("append", numbers, `SELECT ${i}::BIGINT AS n`);
    const byVersion = await stream({ startingVersion: "2" }, `a${count}`);
    expect((await drain(byVersion, await byVersion.initialOffset())).batches).toEqual([[2, 3]]);
    const latest = await stream({ startingVersion: "latest" }, `b${count}`);
    const start = await latest.initialOffset();
    await write("append", numbers, "SELECT 4::BIGINT AS n");
    const restarted = await stream({ startingVersion: "latest" }, `b${count}`);
    expect(await restarted.initialOffset()).toEqual(start);
    expect((await drain(restarted, start)).batches).toEqual([[4]]);
    await restarted.prepareForAvailableNow!();
    await write("append", numbers, "SELECT 5::BIGINT AS n");
    expect((await drain(restarted, start)).batches).toEqual([[4]]);
  });

  it("stops at changes unless told to skip them, and at another table", async () => {
    await write("append", numbers, "SELECT 0::BIGINT AS n");
    const source = await stream({}, `c${count}`);
    const start = await source.initialOffset();
    await write("overwrite", numbers, "SELECT 1::BIGINT AS n");
    await write("append", numbers, "SELECT 2::BIGINT AS n");
    await expect(drain(source, start)).rejects.toMatchObject({
      code: "SOURCE_FAILED",
      message: expect.stringContaining("skipChangeCommits"),
    });
    const skipping = await stream({ skipChangeCommits: "true" }, `d${count}`);
    expect((await drain(skipping, start)).batches).toEqual([[0, 2]]);
    await rm(path, { recursive: true });
    await write("append", numbers, "SELECT 9::BIGINT AS n");
    const other = await stream({}, `c${count}`);
    await expect(other.latestOffset(await other.initialOffset(), "options")).rejects.toMatchObject({
      code: "CHECKPOINT_DIVERGED",
    });
  });
});

describe("a writer that is killed", () => {
  it("loses nothing and writes nothing twice, wherever it stops", async () => {
    const total = 40;
    let next = 0;
    let kills = 0;
    const random = fc.sample(fc.integer({ min: 1, max: 60 }), { numRuns: 200, seed: 7 });
    while (next < total) {
      const child = fork(new URL("./delta-writer.ts", import.meta.url).pathname, [path, `${total}`], {
        stdio: ["ignore", "ignore", "inherit", "ipc"],
        execArgv: [],
      });
      const budget = random[kills]!;
      const exit = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
      let steps = 0;
      child.on("message", (message: { done?: number }) => {
        // Every batch passes several points; the child is killed at one of them, or in the midst of what follows it.
        if (message.done !== undefined) next = Math.max(next, message.done + 1);
        if (kills < 12 && ++steps >= budget % 14) child.kill("SIGKILL");
      });
      const code = await exit;
      if (code === 0) break;
      kills++;
      expect(kills).toBeLessThan(100);
    }
    expect(kills).toBeGreaterThanOrEqual(5);
    expect(await read("count(*)::INT, count(DISTINCT n)::INT, min(n)::INT, max(n)::INT FROM $t")).toEqual([
      [total * 100, total * 100, 0, total * 100 - 1],
    ]);
    const before = await dataFiles();
    const orphans = await vacuumNow();
    expect((await dataFiles()).length).toBe(before.length - orphans.length);
    expect(await read("count(*)::INT FROM $t")).toEqual([[total * 100]]);
  }, 120_000);
});
