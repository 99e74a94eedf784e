import { MillraceError } from "../errors.ts";
import { isIntegral, isInterval } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { hasNulls, orderKey } from "../types/order-key.ts";
import { batch, merged, values } from "./aggregate-batch.ts";
import { bitmapFunctions } from "./aggregate-bitmap.ts";
import { extremeFunctions } from "./aggregate-extreme.ts";
import { percentileFunctions } from "./aggregate-percentile.ts";
import { beyond, orNaN, statisticsFunctions, within } from "./aggregate-statistics.ts";
import { type AggregateDef, type FunctionDef, family, narrowed } from "./define.ts";
import { overflow } from "./math-round.ts";
import {
  any,
  BOOLEAN,
  boolean,
  DOUBLE,
  double,
  integral,
  LONG,
  numericOrInterval,
  opt,
  orderable,
  rest,
  typeOf,
} from "./params.ts";

const fn = family("aggregate");

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
const sumType = (t: DataType): DataType =>
  isIntegral(t) ? LONG : t.kind === "decimal" ? cut(t.precision + 10, t.scale) : isInterval(t) ? t : DOUBLE;
const avgType = (t: DataType): DataType =>
  t.kind === "decimal" ? cut(t.precision + 4, t.scale + 4) : isInterval(t) ? { kind: t.kind } : DOUBLE;
/** A decimal of at most 38 digits; its scale stays. */
const cut = (precision: number, scale: number): DataType => ({
  kind: "decimal",
  precision: Math.min(38, precision),
  scale: Math.min(38, scale),
});

const sumSql = (x: string, t: DataType): string => {
  if (t.kind === "interval_day_time") return `to_microseconds(CAST(sum(epoch_us(${x})) AS BIGINT))`;
  const overflows = isIntegral(t)
    ? `CASE WHEN sum(${x}) NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN ${overflow} ELSE CAST(sum(${x}) AS BIGINT) END`
    : undefined;
  return overflows ?? `CAST(sum(${x}) AS ${sqlType(sumType(t))})`;
};

const listOf = (elementType: DataType): DataType => ({ kind: "array", elementType, containsNull: false });
/** first, last, any_value: the second argument, `true`, skips nulls. */
function pick(
  name: string,
  alias: string | undefined,
  example: string,
  choose: (l: string, r: string, set: string) => string,
  result: number,
): FunctionDef {
  const skips = (literals: readonly unknown[] | undefined): boolean => literals?.[1] === true;
  const dir = name === "last" ? "last" : "first";
  const nonNull = (x: string): string => `${dir}(${x}) FILTER (${x} IS NOT NULL)`;
  return fn(name, [any, opt(boolean)], typeOf(0), [example, result], {
    aliases: alias ? [alias] : [],
    values: values("INT", 1, 2, 3),
    coerce: (types, given) => {
      if (given.length < 2 || typeof given[1]!.literal === "boolean") return types;
      throw new MillraceError(
        "INVALID_ARGUMENT",
        `The second argument of \`${name}\` must be true or false, written as such.`,
      );
    },
    aggregate: {
      state: ([t]) => [
        { name: "v", type: t!, init: "NULL" },
        { name: "seen", type: BOOLEAN, init: "false" },
      ],
      partial: ([x], { literals }) =>
        skips(literals) ? [nonNull(x!), `(count(${x}) > 0)`] : [`${dir}(${x})`, "(count(*) > 0)"],
      merge: ([l, ls], [r, rs]) => [
        choose(l!, r!, name === "last" ? `coalesce(${rs}, false)` : `coalesce(${ls}, false)`),
        `(coalesce(${ls}, false) OR coalesce(${rs}, false))`,
      ],
      mergeAggregate: ([v, s]) => [`${dir}(${v}) FILTER (${s})`, `bool_or(${s})`],
      final: ([v]) => v!,
      streaming: true,
    },
  });
}

function lists(tidy: (list: string) => string): AggregateDef {
  return {
    state: ([t]) => [{ name: "v", type: listOf(t!), init: "[]" }],
    partial: ([x]) => [tidy(`coalesce(list(${x}) FILTER (${x} IS NOT NULL), [])`)],
    merge: ([l], [r]) => [tidy(`list_concat(coalesce(${l}, []), coalesce(${r}, []))`)],
    mergeAggregate: ([c]) => [tidy(`coalesce(flatten(list(${c})), [])`)],
    final: ([c]) => c!,
    streaming: true,
  };
}

/** Mean and squared distances, merged by Chan's formula: exact where sums of squares lose digits. */
function moments(name: string, aliases: string[], root: string, lost: 0 | 1, result: number): FunctionDef {
  const n = (l: string, r: string): string => `(${l} + ${r})`;
  return fn(name, [double], DOUBLE, [`${name}(x)`, result], {
    aliases,
    values: values("INT", 1, 2, 3),
    aggregate: {
      state: () => [
        { name: "n", type: LONG, init: "0" },
        { name: "mean", type: DOUBLE, init: "0" },
        { name: "m2", type: DOUBLE, init: "0" },
      ],
      partial: ([x]) => {
        const m2 = `coalesce(var_pop(${within(2, x!)}) * count(${x}), 0)`;
        return [`count(${x})`, `coalesce(avg(${x}), 0)`, orNaN(beyond(2, x!), m2)];
      },
      merge: ([ln, lm, l2], [rn, rm, r2]) => {
        const [a, b] = [`coalesce(${ln}, 0)`, `coalesce(${rn}, 0)`];
        const delta = `(coalesce(${rm}, 0) - coalesce(${lm}, 0))`;
        const total = n(a, b);
        return [
          total,
          `CASE WHEN ${total} = 0 THEN 0 ELSE coalesce(${lm}, 0) + ${delta} * ${b} / ${total} END`,
          `CASE WHEN ${total} = 0 THEN 0 ELSE coalesce(${l2}, 0) + coalesce(${r2}, 0) + ${delta} * ${delta} * ${a} * ${b} / ${total} END`,
        ];
      },
      final: ([c, , m2]) => {
        const variance = `${m2} / (${c}${lost === 1 ? " - 1" : ""})`;
        return `CASE WHEN ${c} > ${lost} THEN ${root === "" ? variance : `sqrt(${variance})`} END`;
      },
      streaming: true,
    },
  });
}

// HyperLogLog with 512 registers (about 4.6 % standard error, as Spark's default of 5 %). A register is kept as
// `number * 64 + rank`, and only the highest rank of each stays.
const ranked = (x: string): string => {
  const low = `(hash(${x}) & 36028797018963967)`;
  return `CAST((hash(${x}) >> 55) * 64 + CASE WHEN ${low} = 0 THEN 56 ELSE 55 - CAST(floor(log2(${low})) AS BIGINT) END AS INTEGER)`;
};
const topRanks = (list: string): string =>
  `list_transform([list_sort(list_distinct(${list}))], lambda s: list_filter(s, lambda v, i: i = len(s) OR s[i + 1] // 64 <> v // 64))[1]`;
const estimate = (c: string): string => {
  const empty = `(512 - len(${c}))`;
  const raw = `(${(0.7213 / (1 + 1.079 / 512)) * 512 * 512} / (${empty} + coalesce(list_sum(list_transform(${c}, lambda v: pow(2, -(v % 64)))), 0)))`;
  return `CASE WHEN ${c} IS NULL THEN 0 WHEN ${raw} <= 1280 AND ${empty} > 0 THEN CAST(round(512 * ln(512.0 / ${empty})) AS BIGINT) ELSE CAST(round(${raw}) AS BIGINT) END`;
};

/** A sum by a count, rounded half up where the result has a scale. */
function quotient(s: string, c: string, result: DataType): string {
  if (result.kind === "interval_day_time") return `to_microseconds(CAST(round(${s} / ${c}) AS BIGINT))`;
  if (result.kind === "interval_year_month") return `CAST(round(${s} / ${c}) AS INTEGER)`;
  if (result.kind !== "decimal") return `${s} / ${c}`;
  const near = `CAST(${s} / ${c} AS ${sqlType(result)})`;
  // DuckDB divides decimals as doubles, which have 15 digits for sure.
  if (result.precision <= 15) return near;
  const digits = `CAST(replace(CAST(${s} AS VARCHAR), '.', '') AS HUGEINT)`;
  const number = `CAST((abs(${digits}) * 20000 + ${c}) // (2 * ${c}) AS VARCHAR)`;
  const text = `lpad(${number}, CAST(greatest(length(${number}), ${result.scale + 1}) AS INTEGER), '0')`;
  const exact = `CAST(CASE WHEN ${s} < 0 THEN '-' ELSE '' END || left(${text}, length(${text}) - ${result.scale}) || '.' || right(${text}, ${result.scale}) AS ${sqlType(result)})`;
  return result.scale < 4
    ? near
    : `CASE WHEN abs(${digits}) < 1000000000000000000000000000000000 THEN ${exact} ELSE ${near} END`;
}

/** avg and try_avg: a sum and a count, so neither overflows where the sum does not. */
const average = (name: string, aliases: string[]): FunctionDef =>
  fn(name, [numericOrInterval], ([t]) => avgType(t!), [`${name}(x)`, 2], {
    aliases,
    values: values("INT", 1, 2, 3),
    aggregate: {
      state: ([t]) => [
        // Spark sums doubles for whole numbers too, so a sum of longs never overflows here.
        { name: "sum", type: t!.kind === "decimal" ? sumType(t!) : isInterval(t!) ? LONG : DOUBLE, init: "NULL" },
        { name: "count", type: LONG, init: "0" },
      ],
      partial: ([x], { args: [t] }) => [
        isInterval(t!)
          ? `CAST(sum(${t!.kind === "interval_day_time" ? `epoch_us(${x})` : x}) AS BIGINT)`
          : t!.kind === "decimal"
            ? sumSql(x!, t!)
            : isIntegral(t!)
              ? `CAST(sum(${x}) AS DOUBLE)`
              : `sum(CAST(${x} AS DOUBLE))`,
        `count(${x})`,
      ],
      merge: ([ls, lc], [rs, rc]) => [plus(ls!, rs!), `coalesce(${lc}, 0) + coalesce(${rc}, 0)`],
      mergeAggregate: ([s, c], { args: [t] }) => [
        t!.kind === "decimal"
          ? `CAST(sum(${s}) AS ${sqlType(sumType(t!))})`
          : isInterval(t!)
            ? `CAST(sum(${s}) AS BIGINT)`
            : `sum(${s})`,
        `CAST(coalesce(sum(${c}), 0) AS BIGINT)`,
      ],
      final: ([s, c], { result }) => `CASE WHEN ${c} > 0 THEN ${quotient(s!, c!, result)} END`,
      streaming: true,
    },
  });

/** max and min. */
function most(name: "max" | "min", result: number): FunctionDef {
  const of = (x: string, t: DataType): string =>
    hasNulls(t) ? `arg_${name}(${x}, ${orderKey(x, t)})` : `${name}(${x})`;
  const better = name === "max" ? ">" : "<";
  return fn(name, [orderable], typeOf(0), [`${name}(x)`, result], {
    values: values("INT", 2, 1, 3),
    aggregate: {
      state: ([t]) => [{ name: "v", type: t!, init: "NULL" }],
      partial: ([x], { args: [t] }) => [of(x!, t!)],
      merge: ([l], [r], { args: [t] }) => [
        merged((a, b) => `CASE WHEN ${orderKey(b, t!)} ${better} ${orderKey(a, t!)} THEN ${b} ELSE ${a} END`)(l!, r!),
      ],
      mergeAggregate: ([c], { args: [t] }) => [of(c!, t!)],
      final: ([c]) => c!,
      streaming: true,
    },
  });
}

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
  fn("sum", [numericOrInterval], ([t]) => sumType(t!), ["sum(x)", 6n], {
    values: values("INT", 1, 2, 3),
    aggregate: {
      state: ([t]) => [{ name: "v", type: sumType(t!), init: "NULL" }],
      partial: ([x], { args: [t] }) => [sumSql(x!, t!)],
      merge: ([l], [r]) => [plus(l!, r!)],
      mergeAggregate: ([c], { result }) => [
        result.kind === "interval_day_time" ? sumSql(c!, result) : `CAST(sum(${c}) AS ${sqlType(result)})`,
      ],
      final: ([c]) => c!,
      streaming: true,
    },
  }),
  batch(
    "try_sum",
    [numericOrInterval],
    ([t]) => sumType(t!),
    ["try_sum(x)", 6n],
    ([x], { result }) =>
      result.kind === "interval_day_time"
        ? `to_microseconds(TRY_CAST(sum(epoch_us(${x})) AS BIGINT))`
        : narrowed(`TRY_CAST(sum(${x}) AS ${sqlType(result)})`),
  ),
  average("avg", ["mean"]),
  average("try_avg", []),
  most("max", 3),
  most("min", 1),
  pick("first", "first_value", "first(x)", (l, r, set) => `CASE WHEN ${set} THEN ${l} ELSE ${r} END`, 1),
  pick("last", "last_value", "last(x)", (l, r, set) => `CASE WHEN ${set} THEN ${r} ELSE ${l} END`, 3),
  pick("any_value", undefined, "any_value(x)", (l, r, set) => `CASE WHEN ${set} THEN ${l} ELSE ${r} END`, 1),
  fn("count_if", [boolean], LONG, ["count_if(x % 2 = 0)", 1n], {
    nullable: "never",
    values: values("INT", 1, 2, 3),
    aggregate: single(
      () => LONG,
      (x) => `count(*) FILTER (${x})`,
      (l, r) => `coalesce(${l}, 0) + coalesce(${r}, 0)`,
      (c) => `CAST(coalesce(sum(${c}), 0) AS BIGINT)`,
      "0",
    ),
  }),
  fn("bool_and", [boolean], BOOLEAN, ["bool_and(x)", false], {
    aliases: ["every"],
    values: values("BOOLEAN", true, false, true),
    aggregate: single(
      () => BOOLEAN,
      (x) => `bool_and(${x})`,
      merged((l, r) => `(${l} AND ${r})`),
      (c) => `bool_and(${c})`,
    ),
  }),
  fn("bool_or", [boolean], BOOLEAN, ["bool_or(x)", true], {
    aliases: ["some", "any"],
    values: values("BOOLEAN", true, false, false),
    aggregate: single(
      () => BOOLEAN,
      (x) => `bool_or(${x})`,
      merged((l, r) => `(${l} OR ${r})`),
      (c) => `bool_or(${c})`,
    ),
  }),
  fn("bit_and", [integral], typeOf(0), ["bit_and(x)", 1], {
    values: values("INT", 3, 5),
    aggregate: single(
      ([t]) => t!,
      (x) => `bit_and(${x})`,
      merged((l, r) => `(${l} & ${r})`),
      (c) => `bit_and(${c})`,
    ),
  }),
  fn("bit_or", [integral], typeOf(0), ["bit_or(x)", 7], {
    values: values("INT", 3, 5),
    aggregate: single(
      ([t]) => t!,
      (x) => `bit_or(${x})`,
      merged((l, r) => `(${l} | ${r})`),
      (c) => `bit_or(${c})`,
    ),
  }),
  fn("bit_xor", [integral], typeOf(0), ["bit_xor(x)", 6], {
    values: values("INT", 3, 5),
    aggregate: single(
      ([t]) => t!,
      (x) => `bit_xor(${x})`,
      merged((l, r) => `xor(${l}, ${r})`),
      (c) => `bit_xor(${c})`,
    ),
  }),
  fn("collect_list", [any], ([t]) => listOf(t!), ["collect_list(x)", [1, 2, 1]], {
    aliases: ["array_agg"],
    nullable: "never",
    values: values("INT", 1, 2, 1),
    aggregate: lists((c) => c),
  }),
  // Spark's order of a set is open; here it is sorted, so that the same rows give the same set.
  fn("collect_set", [any], ([t]) => listOf(t!), ["collect_set(x)", [1, 2]], {
    nullable: "never",
    values: values("INT", 2, 1, 1),
    aggregate: lists((c) => `list_sort(list_distinct(${c}))`),
  }),
  fn("approx_count_distinct", [any, opt(any)], LONG, ["approx_count_distinct(x)", 3n], {
    nullable: "never",
    differences: [
      { reason: "The estimate is made with another hash, so both may differ by their errors.", when: () => false },
    ],
    values: values("INT", 1, 1, 2, 2, 3),
    aggregate: {
      state: () => [{ name: "registers", type: listOf({ kind: "integer" }), init: "[]" }],
      partial: ([x]) => [topRanks(`list(DISTINCT ${ranked(x!)}) FILTER (${x} IS NOT NULL)`)],
      merge: ([l], [r]) => [topRanks(`list_concat(coalesce(${l}, []), coalesce(${r}, []))`)],
      mergeAggregate: ([c]) => [topRanks(`flatten(list(${c}))`)],
      final: ([c]) => estimate(c!),
      streaming: true,
    },
  }),
  moments("stddev_samp", ["stddev", "std"], "sqrt", 1, 1),
  moments("stddev_pop", [], "sqrt", 0, Math.sqrt(2 / 3)),
  moments("var_samp", ["variance"], "", 1, 1),
  moments("var_pop", [], "", 0, 2 / 3),
  ...extremeFunctions,
  ...statisticsFunctions,
  ...percentileFunctions,
  ...bitmapFunctions,
];
