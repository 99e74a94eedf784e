import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import type { Relation } from "../plan/relation.ts";
import type { DataType } from "../types/data-type.ts";
import { parseType } from "../types/ddl.ts";
import type { Type } from "../types/schema.ts";
import { literal } from "./literal.ts";
import type {
  Arith,
  Item,
  Last,
  Lift,
  Need,
  NeedOf,
  OperandName,
  OperandNeed,
  OperandType,
  Proven,
  Proves,
  Ref,
} from "./row-types.ts";
import type { WindowSpec } from "./window.ts";

/** TypeScript types of the casts by name. */
export interface Casts {
  string: string;
  boolean: boolean;
  byte: number;
  tinyint: number;
  short: number;
  smallint: number;
  int: number;
  integer: number;
  long: bigint;
  bigint: bigint;
  float: number;
  double: number;
  binary: Uint8Array;
  date: Date;
  timestamp: Date;
  timestamp_ntz: Date;
}
export type CastName = keyof Casts | Uppercase<keyof Casts> | (string & {});
export type CastTo<K> =
  K extends Type<infer T>
    ? T
    : K extends string
      ? Lowercase<K> extends keyof Casts
        ? Casts[Lowercase<K>]
        : K extends `dec${string}`
          ? string
          : any
      : any;
/** The path that a test for null proves something about. */
type PathOf<T> = T extends Ref<infer P> ? P : never;
type Test<T, O> = Lift<boolean, T | OperandType<O>>;
type AndOf<T, O> = Lift<boolean, T | OperandType<O>> & Proves<Proven<T> | Proven<OperandType<O>>>;

/**
 * An expression over the columns of a DataFrame. Immutable. `T` is its value (or a reference that a DataFrame looks up), `N` its
 * name, `W` the columns that it needs. A bare value given to a method is a literal; write `col("x")` for a column.
 * https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/column.html
 */
export class Column<out T = any, out N extends string = string, out W extends Need = any> {
  /** Phantom: never there at run time. */
  declare readonly "~": { t: T; n: N; w: W };
  readonly expr: Expr;

  constructor(expr: Expr) {
    this.expr = Object.freeze(expr);
    Object.freeze(this);
  }

  #call(name: string, ...args: unknown[]): Column<any, any, any> {
    return new Column({ kind: "call", name, args: [this.expr, ...args.map(operand)] });
  }

  /** The same values under another name; `metadata` goes to the field. */
  as<M extends string>(name: M, metadata?: Readonly<Record<string, unknown>>): Column<T, M, W>;
  /** A name for each column of a generator: `explode(col("m")).as(["key", "value"])`. */
  as(names: readonly string[]): Column<any, any, W>;
  as(name: string | readonly string[], metadata?: Readonly<Record<string, unknown>>): Column<any, any, W> {
    const names = typeof name === "string" ? undefined : [...name];
    const first = typeof name === "string" ? name : (name[0] ?? "");
    return new Column({
      kind: "alias",
      child: this.expr,
      name: first,
      ...(names && { names }),
      ...(metadata && { metadata }),
    });
  }
  /** As `as`. */
  alias<M extends string>(name: M): Column<T, M, W> {
    return this.as(name);
  }
  /** As `as`. */
  name<M extends string>(name: M): Column<T, M, W> {
    return this.as(name);
  }

  /** Casts to a type, named as in Spark's DDL or given as `t.int`. In ANSI mode a value that does not fit stops the query. */
  cast<const K extends CastName | Type<any>>(to: K): Column<Lift<CastTo<K>, T>, N, W> {
    return new Column({ kind: "cast", child: this.expr, type: typeOf(to), mode: "ansi" });
  }
  /** As `cast`, but null for a value that does not fit. */
  try_cast<const K extends CastName | Type<any>>(to: K): Column<CastTo<K> | null, N, W> {
    return new Column({ kind: "cast", child: this.expr, type: typeOf(to), mode: "try" });
  }

  // Comparisons are null where a side is null; eqNullSafe never is.
  /** Equal. */
  eq<const O>(other: O): Column<Test<T, O>, `(${N} = ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("==", other);
  }
  /** As `eq`. */
  equalTo<const O>(other: O): Column<Test<T, O>, `(${N} = ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.eq(other);
  }
  /** Not equal. */
  notEqual<const O>(other: O): Column<Test<T, O>, string, W | OperandNeed<O>> {
    return new Column({ kind: "call", name: "not", args: [this.eq(other).expr] });
  }
  /** As `notEqual`. */
  ne<const O>(other: O): Column<Test<T, O>, string, W | OperandNeed<O>> {
    return this.notEqual(other);
  }
  /** Equal, where null equals null. */
  eqNullSafe<const O>(other: O): Column<boolean, string, W | OperandNeed<O>> {
    return this.#call("<=>", other);
  }
  /** Greater. */
  gt<const O>(other: O): Column<Test<T, O>, `(${N} > ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call(">", other);
  }
  /** Greater or equal. */
  geq<const O>(other: O): Column<Test<T, O>, `(${N} >= ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call(">=", other);
  }
  /** As `geq`. */
  ge<const O>(other: O): Column<Test<T, O>, `(${N} >= ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.geq(other);
  }
  /** Less. */
  lt<const O>(other: O): Column<Test<T, O>, `(${N} < ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("<", other);
  }
  /** Less or equal. */
  leq<const O>(other: O): Column<Test<T, O>, `(${N} <= ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("<=", other);
  }
  /** As `leq`. */
  le<const O>(other: O): Column<Test<T, O>, `(${N} <= ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.leq(other);
  }
  /** From `lower` to `upper`, both included. */
  between<const A, const B>(
    lower: A,
    upper: B,
  ): Column<Lift<boolean, T | OperandType<A> | OperandType<B>>, string, W | OperandNeed<A> | OperandNeed<B>> {
    return new Column({ kind: "call", name: "and", args: [this.geq(lower).expr, this.leq(upper).expr] });
  }
  /** One of the values, also given as one array, or of the rows of a DataFrame of one column. */
  isin<const V extends readonly unknown[]>(...values: V): Column<Lift<boolean, T>, string, W | OperandNeed<V[number]>> {
    const [first] = values;
    if (values.length === 1 && typeof first === "object" && first !== null && "plan" in first) {
      return new Column({ kind: "subquery", type: "in", plan: first.plan as Relation, values: [this.expr] });
    }
    const list = values.length === 1 && Array.isArray(values[0]) ? (values[0] as unknown[]) : values;
    return this.#call("in", ...list);
  }
  /** Says that it is a column of the query around a subquery. A name that the subquery has not is one in any case. */
  outer(): this {
    return this;
  }
  /** Whether it is null. */
  isNull(): Column<boolean, `(${N} IS NULL)`, W> {
    return this.#call("isnull");
  }
  /** In `filter`, makes the column not null in the row type too. */
  isNotNull(): Column<boolean & Proves<PathOf<T>>, `(${N} IS NOT NULL)`, W> {
    return this.#call("isnotnull");
  }
  /** Whether it is not a number. */
  isNaN(): Column<boolean, `isnan(${N})`, W> {
    return this.#call("isnan");
  }

  /** Both hold. */
  and<O extends Column<any, any, any>>(other: O): Column<AndOf<T, O>, string, W | NeedOf<O>> {
    return this.#call("and", other);
  }
  /** At least one holds. */
  or<O extends Column<any, any, any>>(other: O): Column<Lift<boolean, T | OperandType<O>>, string, W | NeedOf<O>> {
    return this.#call("or", other);
  }

  // Arithmetic overflow and division by zero stop the query, as in Spark's default ANSI mode.
  /** Sum. */
  plus<const O>(other: O): Column<Arith<T, OperandRaw<O>>, `(${N} + ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("+", other);
  }
  /** Difference. */
  minus<const O>(other: O): Column<Arith<T, OperandRaw<O>>, `(${N} - ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("-", other);
  }
  /** Product. */
  times<const O>(other: O): Column<Arith<T, OperandRaw<O>>, `(${N} * ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("*", other);
  }
  /** As `times`. */
  multiply<const O>(other: O): Column<Arith<T, OperandRaw<O>>, `(${N} * ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.times(other);
  }
  /** Always a double (or a decimal for decimals). */
  divide<const O>(
    other: O,
  ): Column<Lift<number, T | OperandType<O>>, `(${N} / ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("/", other);
  }
  /** As `divide`. */
  div<const O>(other: O): Column<Lift<number, T | OperandType<O>>, `(${N} / ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.divide(other);
  }
  /** Remainder, with the sign of the left side. */
  mod<const O>(other: O): Column<Arith<T, OperandRaw<O>>, `(${N} % ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("%", other);
  }
  /** The value with the other sign. */
  negate(): Column<T, `(- ${N})`, W> {
    return this.#call("negative");
  }
  /** Bits that both have. */
  bitwiseAND<const O>(other: O): Column<Arith<T, OperandRaw<O>>, `(${N} & ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("&", other);
  }
  /** Bits that one of them has. */
  bitwiseOR<const O>(other: O): Column<Arith<T, OperandRaw<O>>, `(${N} | ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("|", other);
  }
  /** Bits that just one of them has. */
  bitwiseXOR<const O>(other: O): Column<Arith<T, OperandRaw<O>>, `(${N} ^ ${OperandName<O>})`, W | OperandNeed<O>> {
    return this.#call("^", other);
  }

  /** SQL LIKE: `%` any text, `_` one character, `\` before either to mean itself. */
  like(pattern: string): Column<Lift<boolean, T>, string, W> {
    return this.#call("like", pattern);
  }
  /** As `like`, whatever the case of letters. */
  ilike(pattern: string): Column<Lift<boolean, T>, string, W> {
    return this.#call("ilike", pattern);
  }
  /** Whether a part of it matches a regular expression. */
  rlike(regex: string): Column<Lift<boolean, T>, string, W> {
    return this.#call("rlike", regex);
  }
  /** Whether it holds the other text. */
  contains<const O>(other: O): Column<Lift<boolean, T | OperandType<O>>, string, W | OperandNeed<O>> {
    return this.#call("contains", other);
  }
  /** Whether it begins with the other text. */
  startsWith<const O>(other: O): Column<Lift<boolean, T | OperandType<O>>, string, W | OperandNeed<O>> {
    return this.#call("startswith", other);
  }
  /** Whether it ends with the other text. */
  endsWith<const O>(other: O): Column<Lift<boolean, T | OperandType<O>>, string, W | OperandNeed<O>> {
    return this.#call("endswith", other);
  }
  /** `length` characters from position `start` (1 is the first, negative counts from the end). */
  substr(start: number, length: number): Column<Lift<string, T>, string, W> {
    return this.#call("substring", start, length);
  }

  /** A field of a struct, an element of an array (from 0) or of a map. */
  getItem<const K>(key: K): Column<Item<T, K>, K extends string ? K : string, W | OperandNeed<K>> {
    return new Column({ kind: "extract", child: this.expr, extraction: operand(key) });
  }
  /** A field of a struct by its name. */
  getField<const K extends string>(name: K): Column<Item<T, K>, Last<K>, W> {
    return new Column({ kind: "extract", child: this.expr, extraction: literal(name) });
  }

  /** Another branch of `when(...)`. */
  when<C extends Column<any, any, any>, const V>(
    condition: C,
    value: V,
  ): Column<T | OperandType<V>, string, W | NeedOf<C> | OperandNeed<V>> {
    const e = this.expr;
    if (e.kind !== "call" || e.name !== "when" || e.args.length % 2 === 1) {
      throw new MillraceError("INVALID_ARGUMENT", "when() can only follow when(), and not after otherwise().");
    }
    return new Column({ kind: "call", name: "when", args: [...e.args, condition.expr, operand(value)] });
  }
  /** The value where no branch of `when(...)` holds; null without it. */
  otherwise<const V>(value: V): Column<Exclude<T, null> | OperandType<V>, string, W | OperandNeed<V>> {
    const e = this.expr;
    if (e.kind !== "call" || e.name !== "when" || e.args.length % 2 === 1) {
      throw new MillraceError("INVALID_ARGUMENT", "otherwise() can only follow when(), once.");
    }
    return new Column({ kind: "call", name: "when", args: [...e.args, operand(value)] });
  }

  /** Computes the aggregate or window function over a window of rows. */
  over(spec: WindowSpec): Column<T, string, W> {
    return new Column({
      kind: "window",
      child: this.expr,
      partitionBy: spec.partition,
      orderBy: spec.order,
      ...(spec.frame && { frame: spec.frame }),
    });
  }

  /** For `orderBy`: rising, nulls first. */
  asc(): Column<T, N, W> {
    return this.#order("asc", "first");
  }
  /** For `orderBy`: rising, nulls first. */
  asc_nulls_first(): Column<T, N, W> {
    return this.#order("asc", "first");
  }
  /** For `orderBy`: rising, nulls last. */
  asc_nulls_last(): Column<T, N, W> {
    return this.#order("asc", "last");
  }
  /** For `orderBy`: falling, nulls last. */
  desc(): Column<T, N, W> {
    return this.#order("desc", "last");
  }
  /** For `orderBy`: falling, nulls first. */
  desc_nulls_first(): Column<T, N, W> {
    return this.#order("desc", "first");
  }
  /** For `orderBy`: falling, nulls last. */
  desc_nulls_last(): Column<T, N, W> {
    return this.#order("desc", "last");
  }
  #order(direction: "asc" | "desc", nulls: "first" | "last"): Column<any, any, any> {
    return new Column({ kind: "sort_order", child: this.expr, direction, nulls });
  }
}

type OperandRaw<O> = O extends Column<infer T, any, any> ? T : O;

/** A column's expression, or a literal for any other value. */
export function operand(value: unknown): Expr {
  return value instanceof Column ? value.expr : literal(value);
}

/** A column's expression, or the column of that name for a string. */
export function columnExpr(value: string | Column<any, any, any>): Expr {
  if (value instanceof Column) return value.expr;
  if (typeof value === "string") return named(value);
  throw new MillraceError("INVALID_ARGUMENT", `A column or a column's name is expected, not ${typeof value}.`, {
    hint: 'Write col("name"), or lit(value) for a literal.',
  });
}

/** The column of a name; `*` and `f.*` are stars. */
export function named(name: string, planId?: number): Expr {
  const plan = planId === undefined ? {} : { planId };
  if (name === "*") return { kind: "star", ...plan };
  if (name.endsWith(".*")) return { kind: "star", target: name.slice(0, -2), ...plan };
  return { kind: "attribute", name, ...plan };
}

/** A type as it is given: by its name in Spark's DDL, or as `t.int`. */
export function typeOf(to: string | Type<any>): DataType {
  return typeof to === "string" ? parseType(to) : to.dataType;
}

/** The expression of a new column; a bare text could mean a column or a literal. Throws INVALID_ARGUMENT. */
export function newColumn(name: string, column: unknown): Expr {
  if (column instanceof Column) return column.expr;
  throw new MillraceError(
    "INVALID_ARGUMENT",
    `The new column "${name}" must be given as a column, not ${typeof column}.`,
    {
      hint: 'Write col("name"), lit(value) or expr("...").',
    },
  );
}
