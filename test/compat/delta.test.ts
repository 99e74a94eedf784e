import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Python, python } from "../../services/python.ts";
import { delta } from "../../src/connectors/delta.ts";
import type { DataType, StructType } from "../../src/types/data-type.ts";
import { localBatch } from "../sinks/local-batch.ts";

/** delta-rs is an implementation of the Delta protocol of its own: what it reads is what the protocol says. */
describe("Delta tables as delta-rs sees them", () => {
  let py: Extract<Python, { run: unknown }>;
  let unavailable: string | undefined;
  let root: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "millrace-delta-"));
    const found = await python();
    if ("unavailable" in found) unavailable = found.unavailable;
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
});
