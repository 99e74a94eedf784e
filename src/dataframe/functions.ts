import { parseExpression } from "../plan/parse.ts";
import { Column, columnExpr, named, operand } from "./column.ts";
import { type AnyColumn, type ColumnOrName, call, columns, literals, type SameOrNull } from "./functions-core.ts";
import { literal } from "./literal.ts";
import type {
  Arg,
  Last,
  Lift,
  NameOf,
  Need,
  NeedOf,
  NotNullOf,
  OperandNeed,
  OperandType,
  Ref,
  TypeOf,
  Widen,
} from "./row-types.ts";

/**
 * Spark's functions, typed. A string argument names a column, as in Spark; `lit("x")` is the text x. Meaning, SQL and examples are in
 * the function table (src/functions), every row of which runs as a test.
 * https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/functions.html
 */
export * from "./functions-collection.ts";
export type { AnyColumn, ColumnOrName } from "./functions-core.ts";
export * from "./functions-datetime.ts";
export * from "./functions-math.ts";
export * from "./functions-statistics.ts";
export * from "./functions-string.ts";
export * from "./functions-text.ts";

/** A call of any function of the table by its name, untyped. */
export function call_function(name: string, ...args: ColumnOrName[]): AnyColumn {
  return call(name, ...args.map(columnExpr));
}

/** The column of a name, `col("window.start")`; put a name that has dots in back-quotes. */
export function col<const P extends string>(path: P): Column<Ref<P>, Last<P>, Need<P>> {
  return new Column(named(path));
}
/** As `col`. */
export const column = col;

/** A literal value. */
export function lit<const V>(
  value: V,
): Column<Widen<V>, V extends string | number | bigint | boolean ? `${V}` : string, never> {
  return value instanceof Column ? (value as any) : new Column(literal(value));
}

/** An expression in Spark SQL: `expr("delay / 60 as hours")`. Throws PARSE_SYNTAX_ERROR. */
export function expr<T = any>(sql: string): Column<T, string, never> {
  return new Column(parseExpression(sql));
}

/** `when(condition, value).when(...).otherwise(value)`; null where no condition holds. */
export function when<C extends Column<any, any, any>, const V>(
  condition: C,
  value: V,
): Column<OperandType<V> | null, string, NeedOf<C> | OperandNeed<V>> {
  return call("when", condition.expr, operand(value));
}

/** Negates a condition. */
export function not<C extends AnyColumn>(
  condition: C,
): Column<Lift<boolean, TypeOf<C>>, `(NOT ${NameOf<C>})`, NeedOf<C>> {
  return call("not", condition.expr);
}

/** Ascending order by a column, for orderBy. */
export function asc<const P extends string>(path: P): Column<Ref<P>, Last<P>, Need<P>> {
  return col(path).asc();
}
/** Descending order by a column, for orderBy. */
export function desc<const P extends string>(path: P): Column<Ref<P>, Last<P>, Need<P>> {
  return col(path).desc();
}

// -------------------------------------------------------------------------------------------------------- conditions

type Init<A extends readonly unknown[]> = A extends readonly [...infer I, unknown] ? I[number] : never;
type LastOf<A extends readonly unknown[]> = A extends readonly [...unknown[], infer L] ? L : never;

/** The first value that is not null. */
export function coalesce<const A extends readonly ColumnOrName[]>(
  ...cols: A
): Column<NotNullOf<TypeOf<Init<A>>> | TypeOf<LastOf<A>>, string, NeedOf<A[number]>> {
  return call("coalesce", ...cols.map(columnExpr));
}
/** The first column, or the second where the first is null. */
export function ifnull<const A extends ColumnOrName, const B extends ColumnOrName>(
  a: A,
  b: B,
): Column<NotNullOf<TypeOf<A>> | TypeOf<B>, string, NeedOf<A> | NeedOf<B>> {
  return call("nvl", columnExpr(a), columnExpr(b));
}
/** As `ifnull`. */
export const nvl = ifnull;
/** The first column, null where both are equal. */
export function nullif<const A extends ColumnOrName, const B extends ColumnOrName>(
  a: A,
  b: B,
): Column<TypeOf<A> | null, string, NeedOf<A> | NeedOf<B>> {
  return call("nullif", columnExpr(a), columnExpr(b));
}
/** The greatest of the columns, nulls skipped. */
export function greatest<const A extends readonly ColumnOrName[]>(
  ...cols: A
): Column<TypeOf<A[number]>, string, NeedOf<A[number]>> {
  return call("greatest", ...cols.map(columnExpr));
}
/** The least of the columns, nulls skipped. */
export function least<const A extends readonly ColumnOrName[]>(
  ...cols: A
): Column<TypeOf<A[number]>, string, NeedOf<A[number]>> {
  return call("least", ...cols.map(columnExpr));
}
/** Whether the column is null. */
export function isnull<const A extends ColumnOrName>(a: A): Column<boolean, `(${NameOf<A>} IS NULL)`, NeedOf<A>> {
  return call("isnull", columnExpr(a));
}
/** Whether the column is not null. */
export function isnotnull<const A extends ColumnOrName>(
  a: A,
): Column<boolean, `(${NameOf<A>} IS NOT NULL)`, NeedOf<A>> {
  return call("isnotnull", columnExpr(a));
}

// -------------------------------------------------------------------------------------------------------- aggregates

type Num = number | bigint;
type Measure<N extends string, In, Out> = <const A extends Arg<In>>(
  col: A,
) => Column<Out | null, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
type Chosen = <const A extends ColumnOrName>(
  col: A,
  ignoreNulls?: boolean,
) => Column<TypeOf<A> | null, string, NeedOf<A>>;
type Beside = <const A extends ColumnOrName, const B extends ColumnOrName>(
  col: A,
  by: B,
) => Column<TypeOf<A> | null, string, NeedOf<A> | NeedOf<B>>;
type Collected = <const A extends ColumnOrName>(
  col: A,
) => Column<NotNullOf<TypeOf<A>> extends infer _ ? any[] : never, string, NeedOf<A>>;

/** The number of rows (`"*"`), or of rows where the column is not null. */
export function count<const A extends ColumnOrName>(
  a: A,
): Column<bigint, A extends "*" ? "count(1)" : `count(${NameOf<A>})`, A extends "*" ? never : NeedOf<A>> {
  return call("count", columnExpr(a));
}
/** The number of different values, or combinations of values, without nulls. */
export function count_distinct<const A extends readonly ColumnOrName[]>(
  ...cols: A
): Column<bigint, `count(DISTINCT ${string})`, NeedOf<A[number]>> {
  return new Column({ kind: "call", name: "count", args: cols.map(columnExpr), distinct: true });
}
/** As `count_distinct`. */
export const countDistinct = count_distinct;
/** About how many different values there are (5 % error), with state that stays small. */
export function approx_count_distinct<const A extends ColumnOrName>(
  a: A,
): Column<bigint, `approx_count_distinct(${NameOf<A>})`, NeedOf<A>> {
  return call("approx_count_distinct", columnExpr(a));
}
/** The number of rows for which a condition holds. */
export function count_if<C extends AnyColumn>(condition: C): Column<bigint, string, NeedOf<C>> {
  return call("count_if", condition.expr);
}
/** The sum: long for whole numbers, double for fractions, decimal for decimals; null without a value. */
export const sum = columns("sum") as <const A extends Arg<Num | string>>(
  col: A,
) => Column<number | bigint | null, `sum(${NameOf<A>})`, NeedOf<A, Num | string>>;
/** The sum of the different values. */
export function sum_distinct<const A extends Arg<Num>>(
  a: A,
): Column<number | bigint | null, `sum(DISTINCT ${NameOf<A>})`, NeedOf<A, Num>> {
  return new Column({ kind: "call", name: "sum", args: [columnExpr(a as ColumnOrName)], distinct: true });
}
/** The average as a double; null without a value. */
export const avg = columns("avg") as Measure<"avg", Num, number>;
/** As `avg`. */
export const mean = avg;
/** The greatest value. */
export const max = columns("max") as SameOrNull<"max", any>;
/** The least value. */
export const min = columns("min") as SameOrNull<"min", any>;
/** The first row's value, or the first that is not null. Which row is first is open without an order. */
export const first = literals("first") as Chosen;
/** The last row's value, or the last that is not null. */
export const last = literals("last") as Chosen;
/** Some value, null only where all are. */
export const any_value = literals("any_value") as Chosen;
/** The value of the row where `by` is greatest. */
export const max_by = columns("max_by") as Beside;
/** The value of the row where `by` is least. */
export const min_by = columns("min_by") as Beside;
/** All values that are not null, as an array. */
export const collect_list = columns("collect_list") as Collected;
/** The different values, as an array. */
export const collect_set = columns("collect_set") as Collected;
/** Sample standard deviation; null for fewer than two values. */
export const stddev = columns("stddev_samp") as Measure<"stddev_samp", Num, number>;
/** As `stddev`. */
export const stddev_samp = stddev;
/** Standard deviation of the whole population. */
export const stddev_pop = columns("stddev_pop") as Measure<"stddev_pop", Num, number>;
/** Sample variance; null for fewer than two values. */
export const variance = columns("var_samp") as Measure<"var_samp", Num, number>;
/** As `variance`. */
export const var_samp = variance;
/** Variance of the whole population. */
export const var_pop = columns("var_pop") as Measure<"var_pop", Num, number>;
/** The middle value. */
export const median = columns("median") as Measure<"median", Num, number>;
/** The value below which a share of the values lies, between two values where needed: `percentile("delay", 0.9)`. */
export const percentile = literals("percentile") as <const A extends Arg<Num>>(
  col: A,
  share: number,
) => Column<number | null, string, NeedOf<A, Num>>;
/** As `percentile`, one of the values. */
export const percentile_approx = literals("percentile_approx") as <const A extends Arg<Num>>(
  col: A,
  share: number,
  accuracy?: number,
) => Column<TypeOf<A> | null, string, NeedOf<A, Num>>;
/** As `percentile_approx`. */
export const approx_percentile = percentile_approx;
/** The most frequent value. */
export const mode = columns("mode") as SameOrNull<"mode", any>;
/** Whether all are true. */
export const bool_and = columns("bool_and") as Measure<"bool_and", boolean, boolean>;
/** Whether one is true. */
export const bool_or = columns("bool_or") as Measure<"bool_or", boolean, boolean>;
/** The correlation of two columns. */
export const corr = columns("corr") as <const A extends Arg<Num>, const B extends Arg<Num>>(
  a: A,
  b: B,
) => Column<number | null, string, NeedOf<A, Num> | NeedOf<B, Num>>;
/** The skewness of the values. */
export const skewness = columns("skewness") as Measure<"skewness", Num, number>;
/** The excess kurtosis of the values. */
export const kurtosis = columns("kurtosis") as Measure<"kurtosis", Num, number>;

// -------------------------------------------------------------------------------------------------- window functions

/** The number of the row in its partition, from 1. With `over(...)`. */
export const row_number = columns("row_number") as () => Column<number, "row_number()", never>;
/** The rank with gaps after ties. */
export const rank = columns("rank") as () => Column<number, "rank()", never>;
/** The rank without gaps. */
export const dense_rank = columns("dense_rank") as () => Column<number, "dense_rank()", never>;
/** The rank from 0 to 1. */
export const percent_rank = columns("percent_rank") as () => Column<number, "percent_rank()", never>;
/** The share of rows up to this one's value. */
export const cume_dist = columns("cume_dist") as () => Column<number, "cume_dist()", never>;
/** The number of this row's bucket out of `n`. */
export function ntile(n: number): Column<number, string, never> {
  return call("ntile", literal(n));
}
type Neighbour = <const A extends ColumnOrName>(
  col: A,
  offset?: number,
  fallback?: unknown,
) => Column<TypeOf<A> | null, string, NeedOf<A>>;
/** The value of the row so many before, null (or `fallback`) where there is none. */
export const lag = literals("lag") as Neighbour;
/** The value of the row so many after. */
export const lead = literals("lead") as Neighbour;
/** The value of the n-th row of the window. */
export const nth_value = literals("nth_value") as <const A extends ColumnOrName>(
  col: A,
  n: number,
  ignoreNulls?: boolean,
) => Column<TypeOf<A> | null, string, NeedOf<A>>;
