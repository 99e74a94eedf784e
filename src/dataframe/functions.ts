import type { Expr } from "../plan/expr.ts";
import { parseExpression } from "../plan/parse.ts";
import { type Infer, type SchemaLike, structOf, type Type } from "../types/schema.ts";
import { isStandardSchema } from "../types/standard-schema.ts";
import { toSparkJson } from "../types/struct-json.ts";
import { Column, columnExpr, named, operand } from "./column.ts";
import { literal } from "./literal.ts";
import type {
  Arg,
  Last,
  Lift,
  NameOf,
  Need,
  NeedOf,
  OperandNeed,
  OperandType,
  Ref,
  TypeOf,
  Widen,
} from "./row-types.ts";

/**
 * Spark's functions, typed. A string argument names a column, as in Spark; `lit("x")` is the text x. Meaning, examples and what
 * they give are in the function table (src/functions), every row of which runs as a test.
 * https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/functions.html
 */

export type AnyColumn = Column<any, any, any>;
export type ColumnOrName = string | AnyColumn;

/** A call of any function of the table by its name, untyped. */
export function call_function(name: string, ...args: ColumnOrName[]): AnyColumn {
  return new Column({ kind: "call", name, args: args.map(columnExpr) });
}

function call(name: string, ...args: Expr[]): AnyColumn {
  return new Column({ kind: "call", name, args });
}

// ------------------------------------------------------------------------------------------------------------- basics

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

/** An expression in Spark SQL: `expr("delay / 60 as hours")`. */
export function expr<T = any>(sql: string): Column<T, string, never> {
  return new Column(parseExpression(sql));
}

/** `when(condition, value).when(...).otherwise(value)`. */
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

// ----------------------------------------------------------------------------------------------------- shapes of calls

/** A function of one argument of type `In` that gives `Out`, or null for null. */
type Unary<N extends string, In, Out> = <const A extends Arg<In>>(
  a: A,
) => Column<Lift<Out, TypeOf<A>>, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
/** As `Unary`, but never null. */
type Total<N extends string, In, Out> = <const A extends Arg<In>>(
  a: A,
) => Column<Out, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
/** As `Unary`, but it may be null for any argument. */
type Partial1<N extends string, In, Out> = <const A extends Arg<In>>(
  a: A,
) => Column<Out | null, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
/** Gives its argument's type. */
type Same<N extends string, In> = <const A extends Arg<In>>(
  a: A,
) => Column<TypeOf<A>, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
/** Gives its argument's type or null: aggregates. */
type SameOrNull<N extends string, In> = <const A extends Arg<In>>(
  a: A,
) => Column<TypeOf<A> | null, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
/** Two arguments. */
type Binary<In1, In2, Out> = <const A extends Arg<In1>, const B extends Arg<In2>>(
  a: A,
  b: B,
) => Column<Lift<Out, TypeOf<A> | TypeOf<B>>, string, NeedOf<A, In1> | NeedOf<B, In2>>;

const unary =
  (name: string) =>
  (a: any): any =>
    call(name, columnExpr(a));
const binary =
  (name: string) =>
  (a: any, b: any): any =>
    call(name, columnExpr(a), columnExpr(b));

type Num = number | bigint | string;
type Time = Date | bigint | string;

// --------------------------------------------------------------------------------------------------------- aggregates

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
export const countDistinct = count_distinct;
/** The sum: long for whole numbers, double for fractions, decimal for decimals. Null when there is no value. */
export const sum = unary("sum") as <const A extends Arg<Num>>(
  a: A,
) => Column<SumOf<TypeOf<A>> | null, `sum(${NameOf<A>})`, NeedOf<A, number | bigint | string>>;
type SumOf<T> = T extends bigint ? bigint : number | bigint;
/** The sum of the different values. */
export function sum_distinct<const A extends Arg<Num>>(
  a: A,
): Column<SumOf<TypeOf<A>> | null, `sum(DISTINCT ${NameOf<A>})`, NeedOf<A, number | bigint>> {
  return new Column({ kind: "call", name: "sum", args: [columnExpr(a as ColumnOrName)], distinct: true });
}
/** The average as a double. Null when there is no value. */
export const avg = unary("avg") as <const A extends Arg<number | bigint>>(
  a: A,
) => Column<number | null, `avg(${NameOf<A>})`, NeedOf<A, number | bigint>>;
export const mean = avg;
export const max = unary("max") as SameOrNull<"max", any>;
export const min = unary("min") as SameOrNull<"min", any>;

// ------------------------------------------------------------------------------------------------------------- json

type JsonSchema = SchemaLike | Type<any> | string;
type JsonValue<S> = S extends string ? any : Infer<S>;
/** What is read from JSON may be null, field by field. */
type Parsed<T> = T extends Date | Uint8Array | Map<any, any>
  ? T
  : T extends readonly (infer E)[]
    ? E[]
    : T extends object
      ? { [K in keyof T]: T[K] | null }
      : T;

/** The schema literal as the plan carries it. */
function schemaText(s: JsonSchema): string {
  if (typeof s === "string") return s;
  const type = isStandardSchema(s) ? structOf(s) : (s as Type<any>).dataType;
  return JSON.stringify(toSparkJson(type));
}

/**
 * Reads JSON text as a struct (or array, map). Spark's PERMISSIVE mode: text that is not JSON gives a struct of nulls, a value that does not fit its field
 * gives null in that field only, null gives null.
 */
export function from_json<const A extends Arg<string>, const S extends JsonSchema>(
  a: A,
  schema: S,
): Column<Parsed<JsonValue<S>> | null, `from_json(${NameOf<A>})`, NeedOf<A, string>> {
  return call("from_json", columnExpr(a as ColumnOrName), literal(schemaText(schema)));
}

// ------------------------------------------------------------------------------------------------------- time windows

type TimeWindow = { start: Date; end: Date };
/**
 * Windows of time for `groupBy`, [start, end), aligned to 1970 in UTC: `window("ts", "1 hour")`; with `slide`, overlapping windows start that often; `start` shifts them.
 */
export function window<const A extends Arg<Date | TimeWindow>>(
  time: A,
  duration: string,
  slide?: string,
  start?: string,
): Column<TimeWindow, "window", NeedOf<A, Date | TimeWindow>> {
  const args = [literal(duration)];
  if (slide !== undefined || start !== undefined) args.push(literal(slide ?? duration));
  if (start !== undefined) args.push(literal(start));
  return call("window", columnExpr(time as ColumnOrName), ...args);
}
/** The time that stands for a window in a later window or watermark: its end less a microsecond. */
export const window_time = unary("window_time") as Unary<"window_time", TimeWindow, Date>;
export const upper = unary("upper") as Unary<"upper", string, string>;
export const lower = unary("lower") as Unary<"lower", string, string>;
void binary;
