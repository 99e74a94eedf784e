import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { hasNulls, orderKey } from "../types/order-key.ts";
import {
  type ArrayType,
  applied,
  arrayOf,
  arrayOrNull,
  containsNull,
  element,
  elementOfFirst,
  once,
  sameArrays,
  unlessNull,
} from "./collection-types.ts";
import { type FunctionDef, family, raise } from "./define.ts";
import { foldList } from "./fold.ts";
import { any, array, BOOLEAN, bodyOf, boolean, LONG, lambda, opt, orderableArray, typeOf } from "./params.ts";

const fn = family("collection");

/** Lists are made distinct in order of first appearance, nulls once, as Spark does. */
const distinct = (x: string): string =>
  once(
    x,
    (l) =>
      `list_filter(${l}, lambda e, i: CASE WHEN e IS NULL THEN len(list_filter(${l}[1:i - 1], lambda o: o IS NULL)) = 0 ELSE coalesce(list_position(${l}, e), 0) = i END)`,
  );
/** Whether a list holds a value, which may be null. */
const holds = (list: string, v: string): string =>
  `CASE WHEN ${v} IS NULL THEN len(list_filter(${list}, lambda w: w IS NULL)) > 0 ELSE list_contains(${list}, ${v}) END`;
const hasNull = (x: string): string => `len(list_filter(${x}, lambda n: n IS NULL)) > 0`;

/** Sorted by a comparator: each element goes behind those that are not greater. Stable. */
function sortedBy(x: string, comparator: string, type: DataType): string {
  const fails = raise("COMPARATOR_RETURNS_NULL", "The comparator has returned a NULL for a comparison.");
  const placed = (acc: string, element: string): string => {
    const compared = applied(comparator, ["e", element]);
    const place = `len(list_filter(${acc}, lambda e: CASE WHEN ${compared} IS NULL THEN ${fails} ELSE ${compared} <= 0 END))`;
    return `list_transform([${place}], lambda p: list_concat(list_append(${acc}[1:p], ${element}), ${acc}[p + 1:]))[1]`;
  };
  return unlessNull([x], foldList(x, "[]", placed, type, arrayOf(type)));
}

/** A list in its elements' order: those with nulls inside of them stand beside their keys meanwhile. */
function sorted(x: string, type: DataType, direction: "ASC" | "DESC", nulls: "FIRST" | "LAST"): string {
  const item = (type as ArrayType).elementType;
  const sort = (list: string): string => `list_sort(${list}, '${direction}', 'NULLS ${nulls}')`;
  if (!hasNulls(item)) return sort(x);
  const keyed = `list_transform(${x}, lambda e: CASE WHEN e IS NOT NULL THEN struct_pack(k := ${orderKey("e", item)}, v := e) END)`;
  // DuckDB forgets the type of a null that it sorts.
  return `CAST(list_transform(${sort(keyed)}, lambda e: struct_extract(e, 'v')) AS ${sqlType(type)})`;
}

/** array_max and array_min, which skip nulls. */
const mostOf = (name: "max" | "min", x: string, type: DataType): string =>
  hasNulls((type as ArrayType).elementType)
    ? `${sorted(x, type, name === "max" ? "DESC" : "ASC", "LAST")}[1]`
    : `list_${name}(${x})`;

export const collectionFunctions: readonly FunctionDef[] = [
  fn(
    "array_contains",
    [arrayOrNull, any],
    BOOLEAN,
    ["array_contains(array(1, 2, 3), 2)", true],
    ([x, e]) =>
      `CASE WHEN list_contains(${x}, ${e}) THEN true WHEN ${hasNull(x!)} THEN NULL WHEN ${x} IS NOT NULL AND ${e} IS NOT NULL THEN false END`,
    {
      coerce: elementOfFirst("array_contains"),
      nullable: ([x, e]) => x!.nullable || e!.nullable || containsNull(x!.type),
    },
  ),
  fn(
    "array_position",
    [arrayOrNull, any],
    LONG,
    ["array_position(array(3, 2, 1, 4), 1)", 3n],
    ([x, e]) => unlessNull([x!, e!], `CAST(coalesce(list_position(${x}, ${e}), 0) AS BIGINT)`),
    { coerce: elementOfFirst("array_position", true) },
  ),
  fn(
    "array_remove",
    [arrayOrNull, any],
    typeOf(0),
    ["array_remove(array(1, 2, 3, 1), 1)", [2, 3]],
    ([x, e]) => unlessNull([x!, e!], `list_filter(${x}, lambda a: a IS DISTINCT FROM ${e})`),
    { coerce: elementOfFirst("array_remove", true) },
  ),
  fn(
    "array_compact",
    [array],
    ([t]) => arrayOf((t as ArrayType).elementType, false),
    ["array_compact(array(1, 2, null))", [1, 2]],
    ([x]) => `list_filter(${x}, lambda e: e IS NOT NULL)`,
  ),
  fn("array_distinct", [orderableArray], typeOf(0), ["array_distinct(array(1, 2, 3, 1))", [1, 2, 3]], ([x]) =>
    distinct(x!),
  ),
  fn(
    "array_union",
    [arrayOrNull, arrayOrNull],
    ([a, b]) => arrayOf((a as ArrayType).elementType, containsNull(a) || containsNull(b)),
    ["array_union(array(1, 2), array(2, 3))", [1, 2, 3]],
    ([a, b]) => unlessNull([a!, b!], distinct(`list_concat(${a}, ${b})`)),
    { coerce: sameArrays("array_union") },
  ),
  fn(
    "array_intersect",
    [arrayOrNull, arrayOrNull],
    ([a, b]) => arrayOf((a as ArrayType).elementType, containsNull(a) && containsNull(b)),
    ["array_intersect(array(1, 2, 3), array(1, 3, 5))", [1, 3]],
    ([a, b]) => unlessNull([a!, b!], distinct(`list_filter(${a}, lambda v: ${holds(b!, "v")})`)),
    { coerce: sameArrays("array_intersect") },
  ),
  fn(
    "array_except",
    [arrayOrNull, arrayOrNull],
    typeOf(0),
    ["array_except(array(1, 2, 3), array(1, 3, 5))", [2]],
    ([a, b]) => unlessNull([a!, b!], distinct(`list_filter(${a}, lambda v: NOT (${holds(b!, "v")}))`)),
    { coerce: sameArrays("array_except") },
  ),
  fn(
    "arrays_overlap",
    [arrayOrNull, arrayOrNull],
    BOOLEAN,
    ["arrays_overlap(array(1, 2, 3), array(3, 4, 5))", true],
    ([a, b]) =>
      `CASE WHEN ${a} IS NULL OR ${b} IS NULL THEN NULL WHEN list_has_any(list_filter(${a}, lambda e: e IS NOT NULL), ${b}) THEN true WHEN len(${a}) > 0 AND len(${b}) > 0 AND (${hasNull(a!)} OR ${hasNull(b!)}) THEN NULL ELSE false END`,
    {
      coerce: sameArrays("arrays_overlap"),
      nullable: ([a, b]) => a!.nullable || b!.nullable || containsNull(a!.type) || containsNull(b!.type),
    },
  ),
  fn(
    "array_max",
    [orderableArray],
    element,
    ["array_max(array(1, 20, null, 3))", 20],
    ([x], { args: [t] }) => mostOf("max", x!, t!),
    {
      nullable: "always",
    },
  ),
  fn(
    "array_min",
    [orderableArray],
    element,
    ["array_min(array(1, 20, null, 3))", 1],
    ([x], { args: [t] }) => mostOf("min", x!, t!),
    {
      nullable: "always",
    },
  ),
  fn(
    "array_sort",
    [orderableArray, opt(lambda)],
    (types, args) => {
      const one = { type: (types[0] as ArrayType).elementType, nullable: true };
      if (args[1]) bodyOf(args[1], [one, one]);
      return types[0]!;
    },
    ["array_sort(array('b', 'd', null, 'c', 'a'))", ["a", "b", "c", "d", null]],
    ([x, f], { args: [t] }) =>
      f === undefined ? sorted(x!, t!, "ASC", "LAST") : sortedBy(x!, f, (t as ArrayType).elementType),
    { nullable: ([x]) => x!.nullable },
  ),
  fn(
    "sort_array",
    [orderableArray, opt(boolean)],
    typeOf(0),
    ["sort_array(array('b', 'd', null, 'c', 'a'), true)", [null, "a", "b", "c", "d"]],
    ([x, asc], { args: [t] }) =>
      asc === undefined
        ? sorted(x!, t!, "ASC", "FIRST")
        : `CASE WHEN ${asc} THEN ${sorted(x!, t!, "ASC", "FIRST")} WHEN NOT ${asc} THEN ${sorted(x!, t!, "DESC", "LAST")} END`,
  ),
];
