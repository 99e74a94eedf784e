import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { functions, type SqlTypes } from "./index.ts";

const connection = DuckDBInstance.create(":memory:").then((db) => db.connect());
async function value(sql: string): Promise<unknown> {
  const rows = (await (await connection).runAndReadAll(sql)).getRowsJson();
  return rows[0]![0];
}

type Row = readonly [x: number | boolean | null, y: number | null];
const text = (v: unknown): string => (v === null ? "NULL" : String(v));

/** Rows of a table `t(x, y)`, numbered so that first and last have an order. */
const table = (rows: readonly Row[], type: DataType): string =>
  `(SELECT CAST(x AS ${sqlType(type)}) AS x, CAST(y AS INTEGER) AS y FROM (VALUES ${[[null, null] as Row, ...rows]
    .map(([x, y], i) => `(${i}, ${text(x)}, ${text(y)})`)
    .join(", ")}) v(i, x, y) WHERE i > 0 ORDER BY i)`;

const streaming = [...functions.values()].filter((f) => f.aggregate?.streaming);

describe("an aggregate over batches equals the aggregate over all rows", () => {
  for (const f of streaming) {
    const boolean = f.name.startsWith("bool_") || f.name === "count_if";
    const xType: DataType = { kind: boolean ? "boolean" : /^(stddev|var)/.test(f.name) ? "double" : "integer" };
    const args: DataType[] = f.name.endsWith("_by") ? [xType, { kind: "integer" }] : [xType];
    const names = args.length === 2 ? ["x", "y"] : ["x"];

    test(f.name, async () => {
      const x = boolean ? fc.option(fc.boolean()) : fc.option(fc.integer({ min: -50, max: 50 }));
      // Equal order values would leave the choice of max_by open.
      const batch = fc.array(fc.tuple(x, fc.constant(null)), { maxLength: 6 });
      const result = f.resolve(args.map((type) => ({ type, nullable: true }))).type;
      const types: SqlTypes = { args, result, literals: args.map(() => undefined) };
      const a = f.aggregate!;
      const same = (l: unknown, r: unknown): void => {
        if (typeof l === "number" && typeof r === "number") expect(l).toBeCloseTo(r, 9);
        else expect(l).toEqual(r);
      };
      await fc.assert(
        fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (batches) => {
          let n = 0;
          const data = batches.map((rows) => rows.map(([v]): Row => [v, ++n]));
          const direct = await value(
            `SELECT ${a.final(a.partial(names, types), types)} FROM ${table(data.flat(), xType)}`,
          );
          const state = a.state(args);
          let stored = state.map((c) => `CAST(${c.init} AS ${sqlType(c.type)})`);
          const columns = (p: string): string[] => state.map((_, i) => `${p}.s${i}`);
          const typed = (exprs: readonly string[]): string =>
            state.map((c, i) => `CAST(${exprs[i]} AS ${sqlType(c.type)}) AS s${i}`).join(", ");
          for (const rows of data) {
            // A batch without rows of a group never reaches its state.
            if (rows.length === 0) continue;
            const left = `(SELECT ${typed(stored)}) l`;
            const right = `(SELECT ${typed(a.partial(names, types))} FROM ${table(rows, xType)}) r`;
            const sql = `SELECT to_json(struct_pack(${state.map((_, i) => `s${i} := s${i}`).join(", ")})) FROM (SELECT ${typed(a.merge(columns("l"), columns("r"), types))} FROM ${left}, ${right})`;
            const json = JSON.parse((await value(sql)) as string);
            stored = state.map((c, i) => literal(json[`s${i}`], c.type));
          }
          const merged = await value(`SELECT ${a.final(columns("l"), types)} FROM (SELECT ${typed(stored)}) l`);
          same(merged, direct);
          if (a.mergeAggregate && data.some((d) => d.length > 0)) {
            const parts = data
              .filter((d) => d.length > 0)
              .map((rows, i) => `SELECT ${i} AS b, ${typed(a.partial(names, types))} FROM ${table(rows, xType)}`);
            const all = `SELECT ${typed(
              a.mergeAggregate(
                state.map((_, i) => `s${i}`),
                types,
              ),
            )} FROM (SELECT * FROM (${parts.join(" UNION ALL ")}) ORDER BY b)`;
            same(await value(`SELECT ${a.final(columns("l"), types)} FROM (${all}) l`), direct);
          }
        }),
        { numRuns: 15 },
      );
    });
  }
});

function literal(v: unknown, type: DataType): string {
  return `CAST(${v === null ? "NULL" : Array.isArray(v) ? `[${v.map(text).join(", ")}]` : text(v)} AS ${sqlType(type)})`;
}

test("approx_count_distinct stays within its error", async () => {
  const f = functions.get("approx_count_distinct")!;
  const types: SqlTypes = { args: [{ kind: "long" }], result: { kind: "long" } };
  for (const n of [10, 1_000, 100_000]) {
    const counted = Number(
      await value(`SELECT ${f.aggregate!.final(f.aggregate!.partial(["x"], types), types)} FROM range(${n}) t(x)`),
    );
    expect(Math.abs(counted - n) / n).toBeLessThan(0.15);
  }
});
