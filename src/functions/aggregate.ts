import { boundedDecimal, isIntegral } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { type AggregateDef, type FunctionDef, family } from "./define.ts";
import { duckdbType } from "./duckdb-type.ts";
import { any, boolean, DOUBLE, double, LONG, numeric, orderable, rest, typeOf } from "./params.ts";

const fn = family("aggregate");
const values = (type: string, ...xs: any[]) => ({ schema: `x ${type}`, rows: xs.map((x) => [x]) });

/** Where a side is null, the other one stands. */
const merged = (op: (l: string, r: string) => string) => (l: string, r: string) =>
  `CASE WHEN ${l} IS NULL THEN ${r} WHEN ${r} IS NULL THEN ${l} ELSE ${op(l, r)} END`;
const plus = merged((l, r) => `${l} + ${r}`);

/** An aggregate with one state column that is its own result. */
function single(
  type: (args: readonly DataType[]) => DataType,
  partial: (x: string, args: string[]) => string,
  merge: (l: string, r: string) => string,
  mergeAggregate: (c: string) => string,
  init = "NULL",
): AggregateDef {
  return {
    state: (args) => [{ name: "v", type: type(args), init }],
    partial: (args) => [partial(args[0] ?? "*", args)],
    merge: ([l], [r]) => [merge(l!, r!)],
    mergeAggregate: ([c]) => [mergeAggregate(c!)],
    final: ([c]) => c!,
    streaming: true,
  };
}

/** Spark's type of a sum: long for whole numbers, ten more digits for decimals, double otherwise. */
export const sumType = (t: DataType): DataType =>
  isIntegral(t) ? LONG : t.kind === "decimal" ? boundedDecimal(t.precision + 10, t.scale) : DOUBLE;
const avgType = (t: DataType): DataType =>
  t.kind === "decimal" ? boundedDecimal(t.precision + 4, t.scale + 4) : DOUBLE;

const sumSql = (x: string, t: DataType): string => `CAST(sum(${x}) AS ${duckdbType(sumType(t))})`;

export const aggregateFunctions: readonly FunctionDef[] = [
  fn("count", [rest(any)], LONG, ["count(*)", 3n], {
    nullable: "never",
    values: values("INT", 1, 2, 3),
    aggregate: single(
      () => LONG,
      (_, args) =>
        args.length === 0 || args[0] === "*"
          ? "count(*)"
          : args.length === 1
            ? `count(${args[0]})`
            : `count(*) FILTER (${args.map((a) => `${a} IS NOT NULL`).join(" AND ")})`,
      (l, r) => `coalesce(${l}, 0) + coalesce(${r}, 0)`,
      (c) => `CAST(coalesce(sum(${c}), 0) AS BIGINT)`,
      "0",
    ),
  }),
  fn("sum", [numeric], ([t]) => sumType(t!), ["sum(x)", 6n], {
    values: values("INT", 1, 2, 3),
    aggregate: {
      state: ([t]) => [{ name: "v", type: sumType(t!), init: "NULL" }],
      partial: ([x], { args: [t] }) => [sumSql(x!, t!)],
      merge: ([l], [r]) => [plus(l!, r!)],
      mergeAggregate: ([c], { result }) => [`CAST(sum(${c}) AS ${duckdbType(result)})`],
      final: ([c]) => c!,
      streaming: true,
    },
  }),
  fn("avg", [numeric], ([t]) => avgType(t!), ["avg(x)", 2], {
    aliases: ["mean"],
    values: values("INT", 1, 2, 3),
    aggregate: {
      state: ([t]) => [
        // Spark sums doubles for whole numbers too, so a sum of longs never overflows here.
        { name: "sum", type: t!.kind === "decimal" ? sumType(t!) : DOUBLE, init: "NULL" },
        { name: "count", type: LONG, init: "0" },
      ],
      partial: ([x], { args: [t] }) => [
        t!.kind === "decimal"
          ? sumSql(x!, t!)
          : isIntegral(t!)
            ? `CAST(sum(${x}) AS DOUBLE)`
            : `sum(CAST(${x} AS DOUBLE))`,
        `count(${x})`,
      ],
      merge: ([ls, lc], [rs, rc]) => [plus(ls!, rs!), `coalesce(${lc}, 0) + coalesce(${rc}, 0)`],
      mergeAggregate: ([s, c], { args: [t] }) => [
        t!.kind === "decimal" ? `CAST(sum(${s}) AS ${duckdbType(sumType(t!))})` : `sum(${s})`,
        `CAST(coalesce(sum(${c}), 0) AS BIGINT)`,
      ],
      final: ([s, c], { result }) =>
        result.kind === "decimal"
          ? `CASE WHEN ${c} > 0 THEN CAST(${s} / ${c} AS ${duckdbType(result)}) END`
          : `CASE WHEN ${c} > 0 THEN ${s} / ${c} END`,
      streaming: true,
    },
  }),
  fn("max", [orderable], typeOf(0), ["max(x)", 3], {
    values: values("INT", 1, 3, 2),
    aggregate: single(
      ([t]) => t!,
      (x) => `max(${x})`,
      merged((l, r) => `greatest(${l}, ${r})`),
      (c) => `max(${c})`,
    ),
  }),
  fn("min", [orderable], typeOf(0), ["min(x)", 1], {
    values: values("INT", 2, 1, 3),
    aggregate: single(
      ([t]) => t!,
      (x) => `min(${x})`,
      merged((l, r) => `least(${l}, ${r})`),
      (c) => `min(${c})`,
    ),
  }),
];
void boolean;
void double;
