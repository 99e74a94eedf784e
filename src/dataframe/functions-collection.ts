import { type Infer, type SchemaLike, structOf, type Type } from "../types/schema.ts";
import { isStandardSchema } from "../types/standard-schema.ts";
import { toSparkJson } from "../types/struct-json.ts";
import { type Column, columnExpr, operand } from "./column.ts";
import {
  type AnyColumn,
  type ColumnOrName,
  call,
  columns,
  type Literal,
  lambda,
  literals,
  type Maybe,
  type MaybeWithLiterals,
  optionsExpr,
  type WithLiterals,
} from "./functions-core.ts";
import { literal } from "./literal.ts";
import type { Arg, Flat, Item, Lift, NameOf, NeedOf, OperandType, Ref, TypeOf } from "./row-types.ts";

type Arr = readonly unknown[];
type Dict = ReadonlyMap<any, any>;

/** An array of these columns, cast to their common type. */
export const array = columns("array") as <const A extends readonly ColumnOrName[]>(
  ...cols: A
) => Column<any[], string, NeedOf<A[number]>>;
type Star = "*" | `${string}.*`;
/** A struct of these columns under their names: `struct("a", col("b").as("c"))`, `struct("*")` of all. */
export const struct = columns("struct") as <const A extends readonly ColumnOrName[]>(
  ...cols: A
) => Column<
  [Extract<A[number], Star>] extends [never] ? { [K in NameOf<A[number]>]: any } : { [name: string]: any },
  string,
  NeedOf<Exclude<A[number], Star>>
>;
/** A map of keys and values in turn. */
export const create_map = columns("map") as <const A extends readonly ColumnOrName[]>(
  ...cols: A
) => Column<Map<any, any>, string, NeedOf<A[number]>>;
/** The number of elements of an array or map. */
export const size = columns("size") as <const A extends Arg<Arr | Dict>>(
  col: A,
) => Column<Lift<number, TypeOf<A>>, `size(${NameOf<A>})`, NeedOf<A, Arr | Dict>>;
/** An element of an array by position (1 is the first, negative from the end) or of a map by key. */
export function element_at<const A extends Arg<Arr | Dict>, const K>(
  col: A,
  key: K,
): Column<Item<TypeOf<A>, K extends Column ? any : K>, string, NeedOf<A, Arr | Dict>> {
  return call("element_at", columnExpr(col as ColumnOrName), operand(key));
}
/** An element of an array from 0, null where there is none. */
export function get<const A extends Arg<Arr>>(
  col: A,
  index: Literal<number>,
): Column<Item<TypeOf<A>, 0>, string, NeedOf<A, Arr>> {
  return call("get", columnExpr(col as ColumnOrName), operand(index));
}
/** Whether the array holds the value. */
export const array_contains = literals("array_contains") as MaybeWithLiterals<Arr, [value: unknown], boolean>;
/** The position of the value from 1, 0 when it is not there. */
export const array_position = literals("array_position") as WithLiterals<Arr, [value: unknown], bigint>;
type SameArray = <const A extends Arg<Arr>>(col: A, ...rest: unknown[]) => Column<TypeOf<A>, string, NeedOf<A, Arr>>;
/** The array with a value at its end. */
export const array_append = literals("array_append") as SameArray;
/** The array with a value at its start. */
export const array_prepend = literals("array_prepend") as SameArray;
/** The array without a value. */
export const array_remove = literals("array_remove") as SameArray;
/** Each value once. */
export const array_distinct = literals("array_distinct") as SameArray;
/** The array in order, nulls last. */
export const array_sort = literals("array_sort") as SameArray;
/** The array in order, nulls first; `false` for the other way round. */
export const sort_array = literals("sort_array") as SameArray;
/** Elements from a position (1 is the first). */
export const slice = literals("slice") as SameArray;
type TwoArrays = <const A extends Arg<Arr>, const B extends Arg<Arr>>(
  a: A,
  b: B,
) => Column<TypeOf<A>, string, NeedOf<A, Arr> | NeedOf<B, Arr>>;
/** The values of both, each once. */
export const array_union = columns("array_union") as TwoArrays;
/** The values that are in both. */
export const array_intersect = columns("array_intersect") as TwoArrays;
/** The values that are in the first only. */
export const array_except = columns("array_except") as TwoArrays;
/** Whether a value is in both. */
export const arrays_overlap = columns("arrays_overlap") as <const A extends Arg<Arr>, const B extends Arg<Arr>>(
  a: A,
  b: B,
) => Column<boolean | null, string, NeedOf<A, Arr> | NeedOf<B, Arr>>;
/** The elements as text with a separator; nulls left out, or written as `nullReplacement`. */
export const array_join = literals("array_join") as WithLiterals<
  Arr,
  [separator: string, nullReplacement?: string],
  string
>;
/** The greatest element. */
export const array_max = columns("array_max") as <const A extends Arg<Arr>>(
  col: A,
) => Column<Item<TypeOf<A>, 0>, string, NeedOf<A, Arr>>;
/** The least element. */
export const array_min = columns("array_min") as <const A extends Arg<Arr>>(
  col: A,
) => Column<Item<TypeOf<A>, 0>, string, NeedOf<A, Arr>>;
/** An array of arrays as one array. */
export const flatten = columns("flatten") as Maybe<"flatten", Arr, any[]>;
/** The numbers (or times) from one to another. */
export const sequence = columns("sequence") as <const A extends readonly ColumnOrName[]>(
  ...cols: A
) => Column<any[], string, NeedOf<A[number]>>;
/** The keys of a map. */
export const map_keys = columns("map_keys") as <const A extends Arg<Dict>>(
  col: A,
) => Column<Lift<any[], TypeOf<A>>, string, NeedOf<A, Dict>>;
/** The values of a map. */
export const map_values = columns("map_values") as <const A extends Arg<Dict>>(
  col: A,
) => Column<Lift<any[], TypeOf<A>>, string, NeedOf<A, Dict>>;
/** The entries of a map as structs of key and value. */
export const map_entries = columns("map_entries") as <const A extends Arg<Dict>>(
  col: A,
) => Column<Lift<{ key: any; value: any }[], TypeOf<A>>, string, NeedOf<A, Dict>>;
/** Whether the map has the key. */
export const map_contains_key = literals("map_contains_key") as WithLiterals<Dict, [key: unknown], boolean>;

/** The variable of a lambda: a column of the array's elements. */
type Element = Column<any, any, never>;
/** Each element through a function of columns: `transform("xs", (x) => x.plus(1))`; the second parameter is the index from 0. */
export function transform<const A extends Arg<Arr>, const B extends AnyColumn>(
  col: A,
  f: (x: Element, i: Column<number, any, never>) => B,
): Column<Lift<OperandType<B>[], TypeOf<A>>, string, NeedOf<A, Arr>> {
  return call("transform", columnExpr(col as ColumnOrName), lambda(f, ["x", "i"]));
}
/** The elements for which a condition holds. */
export function filter<const A extends Arg<Arr>>(
  col: A,
  f: (x: Element, i: Column<number, any, never>) => AnyColumn,
): Column<TypeOf<A>, string, NeedOf<A, Arr>> {
  return call("filter", columnExpr(col as ColumnOrName), lambda(f, ["x", "i"]));
}
/** Whether a condition holds for some element. */
export function exists<const A extends Arg<Arr>>(
  col: A,
  f: (x: Element) => AnyColumn,
): Column<boolean | null, string, NeedOf<A, Arr>> {
  return call("exists", columnExpr(col as ColumnOrName), lambda(f, ["x"]));
}
/** Whether a condition holds for all elements. */
export function forall<const A extends Arg<Arr>>(
  col: A,
  f: (x: Element) => AnyColumn,
): Column<boolean | null, string, NeedOf<A, Arr>> {
  return call("forall", columnExpr(col as ColumnOrName), lambda(f, ["x"]));
}
/** All elements folded into one value: `aggregate("xs", lit(0), (sum, x) => sum.plus(x))`. */
export function aggregate<const A extends Arg<Arr>, const Z>(
  col: A,
  zero: Z,
  merge: (acc: Element, x: Element) => AnyColumn,
): Column<OperandType<Z> | null, string, NeedOf<A, Arr>> {
  return call("aggregate", columnExpr(col as ColumnOrName), operand(zero), lambda(merge, ["acc", "x"]));
}

// A row for each element. One such function in a select; give it a name with `as`.
type ElementOf<T> = T extends Ref<any> | Lift<any, any> | Item<any, any>
  ? Item<T, 0>
  : T extends readonly (infer E)[]
    ? E
    : any;
/** A row for each element of an array (column `col`) or entry of a map (`key`, `value`); none for an empty one. */
export function explode<const A extends Arg<Arr | Dict>>(
  col: A,
): Column<ElementOf<TypeOf<A>>, "col", NeedOf<A, Arr | Dict>> {
  return call("explode", columnExpr(col as ColumnOrName));
}
/** As `explode`, a row of null for an empty one. */
export function explode_outer<const A extends Arg<Arr | Dict>>(
  col: A,
): Column<ElementOf<TypeOf<A>> | null, "col", NeedOf<A, Arr | Dict>> {
  return call("explode_outer", columnExpr(col as ColumnOrName));
}
/** As `explode`, with the position from 0 (columns `pos` and `col`). */
export const posexplode = columns("posexplode") as (col: ColumnOrName) => AnyColumn;
/** An array of structs as rows and columns. */
export const inline = columns("inline") as (col: ColumnOrName) => AnyColumn;

// ------------------------------------------------------------------------------------------------------------- json

type JsonSchema = SchemaLike | Type<any> | string;
type JsonValue<S> = S extends string ? any : Infer<S>;
/** What is read from JSON may be null, field by field. */
type Parsed<T> = 0 extends 1 & T
  ? any
  : T extends Date | Uint8Array | ReadonlyMap<any, any> | readonly any[]
    ? T
    : T extends object
      ? Flat<{ [K in keyof T]: Parsed<T[K]> | null }>
      : T;

/**
 * Reads JSON text as a struct (or array, map). Spark's PERMISSIVE mode: text that is not JSON gives a struct of nulls, a value that
 * does not fit its field null in that field only; null and no text at all give null. Unlike in Spark, of a repeated key the first counts.
 *
 * `from_json(col("value").cast("string"), Flight).as("f")`, then `select("f.*")`. The schema may also be DDL text or a zod schema.
 * Options are Spark's: `{ mode: "FAILFAST" }`, `dateFormat`, `columnNameOfCorruptRecord`, ...; reading with options is slower.
 */
export function from_json<const A extends Arg<string>, const S extends JsonSchema>(
  col: A,
  schema: S,
  options?: Readonly<Record<string, string | number | boolean>>,
): Column<Parsed<JsonValue<S>> | null, `from_json(${NameOf<A>})`, NeedOf<A, string>> {
  return call("from_json", columnExpr(col as ColumnOrName), literal(schemaText(schema)), ...optionsExpr(options));
}

/** The schema as the plan carries it. */
function schemaText(s: JsonSchema): string {
  if (typeof s === "string") return s;
  const type = isStandardSchema(s) ? structOf(s) : (s as Type<any>).dataType;
  return JSON.stringify(toSparkJson(type));
}

/** A struct, array or map as JSON text; fields that are null are left out. */
export const to_json = columns("to_json") as <const A extends ColumnOrName>(
  col: A,
) => Column<Lift<string, TypeOf<A>>, `to_json(${NameOf<A>})`, NeedOf<A>>;
/** What stands at a JSON path, `$.a.b[0]`, as text. */
export const get_json_object = literals("get_json_object") as MaybeWithLiterals<string, [path: string], string>;
/** The length of a JSON array. */
export const json_array_length = columns("json_array_length") as Maybe<"json_array_length", string, number>;
