import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Python, python } from "../../services/python.ts";
import { delta } from "../../src/connectors/delta.ts";
import { openDatabase } from "../../src/duckdb/duckdb.ts";
import type { DataType, StructType } from "../../src/types/data-type.ts";
import { given } from "../needs.ts";
import { localBatch } from "../sinks/local-batch.ts";

/** delta-rs is an implementation of the Delta protocol of its own: what it reads is what the protocol says. */
describe("Delta tables as delta-rs sees them", () => {
  let py: Extract<Python, { run: unknown }>;
  let unavailable: string | undefined;
  let root: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "millrace-delta-"));
    const found = given(await python());
    if (found === undefined) unavailable = "there is no Python with deltalake here";
    else py = found;
  }, 400_000);
  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  const struct = (fields: Record<string, DataType>): StructType => ({
    kind: "struct",
    fields: Object.entries(fields).map(([name, type]) => ({ name, type, nullable: true })),
  });
  const open = async (
    path: string,
    schema: StructType,
    partitionBy: string[] = [],
    options: Record<string, string> = {},
  ) =>
    await delta.sink!.openStream!({
      options,
      path,
      partitionBy,
      schema,
      outputMode: "append",
      queryId: "q1",
      sinkName: "delta",
      sole: true,
      queryName: null,
      temporaryPath: join(root, "tmp"),
    });
  const rowsOf = async (path: string, sql: string): Promise<unknown> =>
    JSON.parse(
      await py.run(
        `
import sys, json
from deltalake import DeltaTable, QueryBuilder
dt = DeltaTable(sys.argv[1])
rows = QueryBuilder().register("t", dt).execute(sys.argv[2]).read_all()
cols = [[v.as_py() for v in rows.column(i)] for i in range(rows.num_columns)]
print(json.dumps([list(r) for r in zip(*cols)], default=str))
`,
        [path, sql],
      ),
    );

  it("reads every type, with nulls and special partition values", async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    const path = join(root, "types");
    const schema = struct({
      b: { kind: "boolean" },
      i1: { kind: "byte" },
      i2: { kind: "short" },
      i4: { kind: "integer" },
      i8: { kind: "long" },
      f4: { kind: "float" },
      f8: { kind: "double" },
      d: { kind: "decimal", precision: 20, scale: 4 },
      s: { kind: "string" },
      bin: { kind: "binary" },
      day: { kind: "date" },
      ts: { kind: "timestamp" },
      a: { kind: "array", elementType: { kind: "integer" }, containsNull: true },
      m: { kind: "map", keyType: { kind: "string" }, valueType: { kind: "double" }, valueContainsNull: true },
      st: struct({ x: { kind: "integer" }, y: { kind: "string" } }),
      p: { kind: "string" },
      pt: { kind: "timestamp" },
    });
    const sink = await open(path, schema, ["p", "pt"]);
    const row = (p: string, pt: string): string =>
      `SELECT true b, (-1)::TINYINT i1, 300::SMALLINT i2, 7::INTEGER i4, 9223372036854775807 i8, 1.5::FLOAT f4, 2.25::DOUBLE f8,
        1234567890123456.7891::DECIMAL(20,4) d, 'é"' s, '\\x00\\xFF'::BLOB bin, DATE '2001-02-03' AS "day",
        TIMESTAMPTZ '2001-02-03 04:05:06.000007Z' ts, [1, NULL, 3] a, MAP{'k': 1.5::DOUBLE} m, {'x': 1, 'y': 'q'} st, ${p} p, ${pt} pt`;
    const nulls = `SELECT ${schema.fields.map((f) => `NULL AS "${f.name}"`).join(", ")}`;
    await sink.addBatch(
      await localBatch({
        schema,
        sql: [
          row("'a/b c=%é:'", "TIMESTAMPTZ '2001-01-01 00:00:00.5Z'"),
          row("'NULL'", "NULL::TIMESTAMPTZ"),
          nulls,
        ].join(" UNION ALL "),
      }),
    );
    await sink.close();
    expect(
      await rowsOf(path, "select p, pt, b, i1, i2, i4, i8, f4, f8, d, s, day, ts, a, m, st from t order by p"),
    ).toMatchInlineSnapshot(`
      [
        [
          "NULL",
          null,
          true,
          -1,
          300,
          7,
          9223372036854776000,
          1.5,
          2.25,
          "1234567890123456.7891",
          "é"",
          "2001-02-03",
          "2001-02-03 04:05:06.000007+00:00",
          [
            1,
            null,
            3,
          ],
          [
            [
              "k",
              1.5,
            ],
          ],
          {
            "x": 1,
            "y": "q",
          },
        ],
        [
          "a/b c=%é:",
          "2001-01-01 00:00:00.500000+00:00",
          true,
          -1,
          300,
          7,
          9223372036854776000,
          1.5,
          2.25,
          "1234567890123456.7891",
          "é"",
          "2001-02-03",
          "2001-02-03 04:05:06.000007+00:00",
          [
            1,
            null,
            3,
          ],
          [
            [
              "k",
              1.5,
            ],
          ],
          {
            "x": 1,
            "y": "q",
          },
        ],
        [
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
        ],
      ]
    `);
  });

  it("reads many commits through our checkpoints, and the table's history", async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    const path = join(root, "many");
    const schema = struct({ day: { kind: "date" }, n: { kind: "long" }, s: { kind: "string" } });
    const sink = await open(path, schema, ["day"], { autoCompact: "false" });
    for (let id = 0; id < 25; id++) {
      await sink.addBatch(
        await localBatch({
          id,
          schema,
          sql: `SELECT DATE '2001-01-01' + (i % 3)::INTEGER AS day, ${id * 100} + i AS n, CASE WHEN i % 10 = 0 THEN NULL ELSE 'x' || i END AS s FROM range(100) t(i)`,
        }),
      );
    }
    await sink.close();
    const log = await readdir(join(path, "_delta_log"));
    expect(log.filter((f) => f.endsWith(".checkpoint.parquet"))).toHaveLength(2);
    expect(log.filter((f) => f.startsWith(".") || f.endsWith(".tmp"))).toEqual([]);
    expect(
      await rowsOf(path, "select day, count(*), sum(n), count(s) from t group by day order by day"),
    ).toMatchInlineSnapshot(`
      [
        [
          "2001-01-01",
          850,
          1062075,
          750,
        ],
        [
          "2001-01-02",
          825,
          1030425,
          750,
        ],
        [
          "2001-01-03",
          825,
          1031250,
          750,
        ],
      ]
    `);
    const facts = JSON.parse(
      await py.run(
        `
import sys, json, os
from deltalake import DeltaTable
path = sys.argv[1]
# Without the entries that the checkpoint stands for: delta-rs has to read it.
for v in range(0, 20): os.unlink(f"{path}/_delta_log/{v:020d}.json")
dt = DeltaTable(path)
print(json.dumps({"version": dt.version(), "files": len(dt.file_uris()), "txn": dt.transaction_version("q1"),
  "partitions": sorted({p["day"].isoformat() if hasattr(p["day"], "isoformat") else str(p["day"]) for p in dt.partitions()}),
  "operation": dt.history(1)[0]["operation"], "adds": dt.get_add_actions(flatten=True).num_rows}))
`,
        [path],
      ),
    );
    expect(facts).toMatchInlineSnapshot(`
      {
        "adds": 75,
        "files": 75,
        "operation": "STREAMING UPDATE",
        "partitions": [
          "2001-01-01",
          "2001-01-02",
          "2001-01-03",
        ],
        "txn": 24,
        "version": 24,
      }
    `);
    expect(await rowsOf(path, "select count(*), sum(n) from t")).toEqual([[2500, 3123750]]);
  });

  it("and we read what delta-rs writes: its checkpoints, partitions, changed schemas, time travel", async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    const path = join(root, "theirs");
    await py.run(
      `
import sys
from deltalake import DeltaTable, write_deltalake
import arro3.core as ac
path = sys.argv[1]
def table(i, extra):
  cols = {
    "day": ac.Array([11323 + i % 2] * 3, ac.DataType.int32()).cast(ac.DataType.date32()),
    "key": ac.Array(["a/b c=%", "x", None], ac.DataType.string()),
    "n": ac.Array([i * 3, i * 3 + 1, None], ac.DataType.int64()),
    "ts": ac.Array([i * 1000001] * 3, ac.DataType.int64()).cast(ac.DataType.timestamp("us", tz="UTC")),
  }
  if extra: cols["more"] = ac.Array(["m"] * 3, ac.DataType.string())
  return ac.Table.from_pydict(cols)
for i in range(6):
  write_deltalake(path, table(i, i == 5), mode="append", partition_by=["day", "key"], **({"schema_mode": "merge"} if i == 5 else {}))
  if i == 3: DeltaTable(path).create_checkpoint()
DeltaTable(path).optimize.compact()
`,
      [path],
    );
    const database = await openDatabase(":memory:");
    const connection = await database.connect();
    const read = async (select: string, options: Record<string, string> = {}): Promise<unknown> => {
      const input = await delta.source!.openBatch!({ options, paths: [path], schema: undefined });
      if (input.kind !== "sql") throw new Error("expected SQL");
      const result = await connection.query(select.replace("$t", () => input.from));
      return Array.from({ length: result.rowCount }, (_, i) => result.columns.map((c) => c[i]));
    };
    try {
      expect(await read("SELECT count(*)::INT, sum(n)::INT, max(epoch_us(ts))::INT, count(more)::INT FROM $t")).toEqual(
        [[18, 96, 5000005, 3]],
      );
      expect(
        await read("SELECT day::VARCHAR, key, count(*)::INT FROM $t GROUP BY ALL ORDER BY ALL NULLS LAST"),
      ).toEqual([
        ["2001-01-01", "a/b c=%", 3],
        ["2001-01-01", "x", 3],
        ["2001-01-01", null, 3],
        ["2001-01-02", "a/b c=%", 3],
        ["2001-01-02", "x", 3],
        ["2001-01-02", null, 3],
      ]);
      expect(await read("SELECT count(*)::INT FROM $t", { versionAsOf: "2" })).toEqual([[9]]);
      const schema = (await delta.source!.schema({ options: {}, paths: [path], schema: undefined }))!;
      const sink = await open(path, schema);
      const values =
        "DATE '2001-01-03' AS \"day\", 'k' AS \"key\", 100::BIGINT AS n, TIMESTAMPTZ '2001-01-01 00:00:00Z' AS ts, 'z' AS more";
      await sink.addBatch(await localBatch({ schema, sql: `SELECT ${values}` }));
      await sink.close();
    } finally {
      database.close();
    }
    expect(await rowsOf(path, "select count(*), sum(n) from t")).toEqual([[19, 196]]);
  });

  it("and both may write one table by turns and at once", async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    const path = join(root, "both");
    const schema = struct({ n: { kind: "long" } });
    const sink = await open(path, schema, [], { autoCompactMinFiles: "4" });
    await sink.addBatch(await localBatch({ id: 0, schema, sql: "SELECT 0::BIGINT AS n" }));
    const theirs = py.run(
      `
import sys
from deltalake import write_deltalake
import arro3.core as ac
for i in range(15): write_deltalake(sys.argv[1], ac.Table.from_pydict({"n": ac.Array([1000 + i], ac.DataType.int64())}), mode="append")
`,
      [path],
    );
    for (let id = 1; id < 40; id++)
      await sink.addBatch(await localBatch({ id, schema, sql: `SELECT ${id}::BIGINT AS n` }));
    await theirs;
    await sink.addBatch(await localBatch({ id: 40, schema, sql: "SELECT 40::BIGINT AS n" }));
    await sink.close();
    expect(await rowsOf(path, "select count(*), count(distinct n), sum(n) from t")).toEqual([[56, 56, 820 + 15105]]);
  });

  it("finds rows by our statistics", async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    const path = join(root, "statistics");
    const schema = struct({
      i: { kind: "integer" },
      d: { kind: "decimal", precision: 30, scale: 10 },
      s: { kind: "string" },
      ts: { kind: "timestamp" },
      day: { kind: "date" },
      f: { kind: "double" },
    });
    const sink = await open(path, schema, [], { autoCompact: "false" });
    for (let id = 0; id < 4; id++) {
      await sink.addBatch(
        await localBatch({
          id,
          schema,
          sql: `SELECT (${id} * 10 + i)::INTEGER AS i, (${id} * 10 + i + 0.1234567891)::DECIMAL(30,10) AS d, repeat('é', 40) || ${id} AS s,
            TIMESTAMPTZ '2001-01-01 00:00:00.123456Z' + to_hours(${id}) AS ts, DATE '2001-01-01' + ${id} AS "day",
            CASE WHEN i = 3 AND ${id} = 2 THEN 'nan'::DOUBLE ELSE i * 1.5 END AS f FROM range(10) t(i)`,
        }),
      );
    }
    await sink.close();
    const conditions = [
      "i = 25",
      "d > 29 and d < 31",
      "s >= repeat('é', 40) || '3'",
      "ts >= timestamp '2001-01-01T03:00:00.123456Z'",
      "day = date '2001-01-02'",
      "f > 13",
      "i is null",
    ];
    const counts = await Promise.all(
      conditions.map(async (c) => ((await rowsOf(path, `select count(*) from t where ${c}`)) as number[][])[0]![0]),
    );
    expect(counts).toEqual([1, 2, 10, 10, 10, 5, 0]);
    const stats = JSON.parse(
      await py.run(
        `
import sys, json
from deltalake import DeltaTable
rows = DeltaTable(sys.argv[1]).get_add_actions(flatten=True)
names = rows.schema.names
print(json.dumps({n: [v.as_py() for v in rows.column(names.index(n))] for n in names if n.startswith(("num_records", "null_count", "min.i", "max.i", "max.d", "max.ts"))}, default=str))
`,
        [path],
      ),
    );
    expect(stats).toMatchInlineSnapshot(`
      {
        "max.d": [
          "39.1234567891",
          "29.1234567891",
          "19.1234567891",
          "9.1234567891",
        ],
        "max.day": [
          "2001-01-04",
          "2001-01-03",
          "2001-01-02",
          "2001-01-01",
        ],
        "max.i": [
          39,
          29,
          19,
          9,
        ],
        "max.ts": [
          "2001-01-01 03:00:00.124000+00:00",
          "2001-01-01 02:00:00.124000+00:00",
          "2001-01-01 01:00:00.124000+00:00",
          "2001-01-01 00:00:00.124000+00:00",
        ],
        "min.i": [
          30,
          20,
          10,
          0,
        ],
        "null_count.d": [
          0,
          0,
          0,
          0,
        ],
        "null_count.day": [
          0,
          0,
          0,
          0,
        ],
        "null_count.f": [
          0,
          0,
          0,
          0,
        ],
        "null_count.i": [
          0,
          0,
          0,
          0,
        ],
        "null_count.s": [
          0,
          0,
          0,
          0,
        ],
        "null_count.ts": [
          0,
          0,
          0,
          0,
        ],
        "num_records": [
          10,
          10,
          10,
          10,
        ],
      }
    `);
  });
});
