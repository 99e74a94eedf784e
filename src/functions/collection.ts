import { MillraceError } from "../errors.ts";
import { commonTypeOf } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { quoteIdentifier, sqlType } from "../types/duckdb-types.ts";
import { type ArrayType, arrayOf, element, unlessNull } from "./collection-types.ts";
import { type FunctionDef, family, type Options, raise } from "./define.ts";
import {
  any,
  array,
  arrayOrMap,
  BOOLEAN,
  boolean,
  common,
  differing,
  INT,
  int,
  integral,
  LONG,
  NULL,
  opt,
  rest,
  STRING,
  string,
  typeOf,
} from "./params.ts";

const fn = family("collection");

/** The second argument is an element of the first, an array. */
const elementOfFirst =
  (name: string): NonNullable<Options["coerce"]> =>
  ([a, e]) => {
    const type = commonTypeOf([(a as ArrayType).elementType, e!]);
    if (type === undefined) throw differing(name, [a!, e!]);
    return [arrayOf(type, (a as ArrayType).containsNull), type];
  };

/** Computes an expression once, under the name `l`, however often `use` names it. */
const once = (x: string, use: (l: string) => string): string => `list_transform([${x}], lambda l: ${use("l")})[1]`;

/** Lists are made distinct in order of first appearance, nulls once, as Spark does. */
const distinct = (x: string): string =>
  once(
    x,
    (l) =>
      `list_filter(${l}, lambda e, i: CASE WHEN e IS NULL THEN len(list_filter(${l}[1:i - 1], lambda o: o IS NULL)) = 0 ELSE coalesce(list_position(${l}, e), 0) = i END)`,
  );

export const collectionFunctions: readonly FunctionDef[] = [
  fn(
    "array",
    [rest(any)],
    (types) => arrayOf(types[0] ?? NULL, true),
    ["array(1, 2, 3)", [1, 2, 3]],
    (args, { result }) =>
      `CAST([${args.join(", ")}] AS ${sqlType((result as ArrayType).elementType.kind === "null" ? arrayOf(INT) : result)})`,
    { nullable: "never", coerce: common("array") },
  ),
  fn(
    "named_struct",
    [rest(any)],
    (_, args) => ({
      kind: "struct",
      fields: pairs(args).map(([k, v]) => ({ name: String(k.literal), type: v.type, nullable: v.nullable })),
    }),
    ["named_struct('a', 1, 'b', 2)", { a: 1, b: 2 }],
    (args, { result }) =>
      `struct_pack(${(result as Extract<DataType, { kind: "struct" }>).fields.map((f, i) => `${quoteIdentifier(f.name)} := ${args[2 * i + 1]}`).join(", ")})`,
    { nullable: "never" },
  ),
  fn(
    "size",
    [arrayOrMap],
    INT,
    ["size(array('b', 'd', 'c', 'a'))", 4],
    ([x], { args: [t] }) => `CAST(${t!.kind === "map" ? `cardinality(${x})` : `len(${x})`} AS INTEGER)`,
    { aliases: ["cardinality", "array_size"] },
  ),
  fn(
    "element_at",
    [arrayOrMap, any],
    ([t]) => (t!.kind === "map" ? t!.valueType : (t as ArrayType).elementType),
    ["element_at(array(1, 2, 3), 2)", 2],
    ([x, k], { args: [t] }) =>
      t!.kind === "map"
        ? `map_extract_value(${x}, ${k})`
        : `CASE WHEN ${k} = 0 THEN ${raise("INVALID_ARRAY_INDEX", "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).")} WHEN abs(${k}) > len(${x}) THEN ${raise("INVALID_ARRAY_INDEX", "The index is out of bounds. Use `try_element_at` to tolerate accessing element at invalid index and return NULL instead.")} ELSE list_extract(${x}, ${k}) END`,
    { nullable: "always", coerce: ([t]) => [t, t!.kind === "map" ? t!.keyType : LONG] },
  ),
  fn(
    "try_element_at",
    [arrayOrMap, any],
    ([t]) => (t!.kind === "map" ? t!.valueType : (t as ArrayType).elementType),
    ["try_element_at(array(1, 2, 3), 5)", null],
    ([x, k], { args: [t] }) => (t!.kind === "map" ? `map_extract_value(${x}, ${k})` : `list_extract(${x}, ${k})`),
    { nullable: "always", coerce: ([t]) => [t, t!.kind === "map" ? t!.keyType : LONG] },
  ),
  fn(
    "array_item",
    [array, integral],
    element,
    ["array(1, 2, 3)[0]", 1],
    ([x, i]) =>
      `CASE WHEN ${i} < 0 OR ${i} >= len(${x}) THEN ${raise("INVALID_ARRAY_INDEX", "The index is out of bounds. Use the SQL function `get()` to tolerate accessing element at invalid index and return NULL instead.")} ELSE list_extract(${x}, CAST(${i} AS BIGINT) + 1) END`,
    { nullable: "always" },
  ),
  fn(
    "get",
    [array, integral],
    element,
    ["get(array(1, 2, 3), 0)", 1],
    ([x, i]) => `CASE WHEN ${i} >= 0 THEN list_extract(${x}, CAST(${i} AS BIGINT) + 1) END`,
    { nullable: "always" },
  ),
  fn(
    "array_contains",
    [array, any],
    BOOLEAN,
    ["array_contains(array(1, 2, 3), 2)", true],
    ([x, e]) =>
      `CASE WHEN list_contains(${x}, ${e}) THEN true WHEN len(list_filter(${x}, lambda n: n IS NULL)) > 0 THEN NULL WHEN ${x} IS NOT NULL AND ${e} IS NOT NULL THEN false END`,
    { coerce: elementOfFirst("array_contains"), nullable: "always" },
  ),
  fn(
    "array_position",
    [array, any],
    LONG,
    ["array_position(array(3, 2, 1, 4), 1)", 3n],
    ([x, e]) => unlessNull([x!, e!], `CAST(coalesce(list_position(${x}, ${e}), 0) AS BIGINT)`),
    { coerce: elementOfFirst("array_position") },
  ),
  fn(
    "array_append",
    [array, any],
    typeOf(0),
    ["array_append(array(1, 2), 3)", [1, 2, 3]],
    ([x, e]) => unlessNull([x!], `list_append(${x}, ${e})`),
    { coerce: elementOfFirst("array_append"), nullable: ([x]) => x!.nullable },
  ),
  fn(
    "array_prepend",
    [array, any],
    typeOf(0),
    ["array_prepend(array(1, 2), 0)", [0, 1, 2]],
    ([x, e]) => unlessNull([x!], `list_prepend(${e}, ${x})`),
    { coerce: elementOfFirst("array_prepend"), nullable: ([x]) => x!.nullable },
  ),
  fn(
    "array_remove",
    [array, any],
    typeOf(0),
    ["array_remove(array(1, 2, 3, 1), 1)", [2, 3]],
    ([x, e]) => unlessNull([x!, e!], `list_filter(${x}, lambda a: a IS DISTINCT FROM ${e})`),
    { coerce: elementOfFirst("array_remove") },
  ),
  fn("array_distinct", [array], typeOf(0), ["array_distinct(array(1, 2, 3, 1))", [1, 2, 3]], ([x]) => distinct(x!)),
  fn(
    "array_union",
    [array, array],
    typeOf(0),
    ["array_union(array(1, 2), array(2, 3))", [1, 2, 3]],
    ([a, b]) => unlessNull([a!, b!], distinct(`list_concat(${a}, ${b})`)),
    { coerce: common("array_union") },
  ),
  fn(
    "array_intersect",
    [array, array],
    typeOf(0),
    ["array_intersect(array(1, 2, 3), array(1, 3, 5))", [1, 3]],
    ([a, b]) =>
      unlessNull(
        [a!, b!],
        distinct(
          `list_filter(${a}, lambda v: CASE WHEN v IS NULL THEN len(list_filter(${b}, lambda w: w IS NULL)) > 0 ELSE list_contains(${b}, v) END)`,
        ),
      ),
    { coerce: common("array_intersect") },
  ),
  fn(
    "array_except",
    [array, array],
    typeOf(0),
    ["array_except(array(1, 2, 3), array(1, 3, 5))", [2]],
    ([a, b]) =>
      unlessNull(
        [a!, b!],
        distinct(
          `list_filter(${a}, lambda v: NOT CASE WHEN v IS NULL THEN len(list_filter(${b}, lambda w: w IS NULL)) > 0 ELSE list_contains(${b}, v) END)`,
        ),
      ),
    { coerce: common("array_except") },
  ),
  fn(
    "arrays_overlap",
    [array, array],
    BOOLEAN,
    ["arrays_overlap(array(1, 2, 3), array(3, 4, 5))", true],
    ([a, b]) => `list_has_any(${a}, ${b})`,
    { coerce: common("arrays_overlap") },
  ),
  fn(
    "array_join",
    [array, string, opt(string)],
    STRING,
    ["array_join(array('hello', 'world'), ' ')", "hello world"],
    ([x, d, n]) =>
      unlessNull(
        [x!, d!],
        `coalesce(array_to_string(${n === undefined ? `list_filter(${x}, lambda e: e IS NOT NULL)` : `list_transform(${x}, lambda e: coalesce(e, ${n}))`}, ${d}), '')`,
      ),
    { coerce: (types) => [arrayOf(STRING), ...types.slice(1)] },
  ),
  fn("array_max", [array], element, ["array_max(array(1, 20, null, 3))", 20], ([x]) => `list_max(${x})`, {
    nullable: "always",
  }),
  fn("array_min", [array], element, ["array_min(array(1, 20, null, 3))", 1], ([x]) => `list_min(${x})`, {
    nullable: "always",
  }),
  fn(
    "array_sort",
    [array],
    typeOf(0),
    ["array_sort(array('b', 'd', null, 'c', 'a'))", ["a", "b", "c", "d", null]],
    ([x]) => `list_sort(${x}, 'ASC', 'NULLS LAST')`,
  ),
  fn(
    "sort_array",
    [array, opt(boolean)],
    typeOf(0),
    ["sort_array(array('b', 'd', null, 'c', 'a'), true)", [null, "a", "b", "c", "d"]],
    ([x, asc]) =>
      asc === undefined
        ? `list_sort(${x}, 'ASC', 'NULLS FIRST')`
        : `CASE WHEN ${asc} THEN list_sort(${x}, 'ASC', 'NULLS FIRST') ELSE list_sort(${x}, 'DESC', 'NULLS LAST') END`,
  ),
  fn(
    "array_repeat",
    [any, int],
    ([t]) => arrayOf(t!),
    ["array_repeat('123', 2)", ["123", "123"]],
    ([e, n]) => unlessNull([n!], `list_transform(range(CAST(${n} AS BIGINT)), lambda i: ${e})`),
    { nullable: ([, n]) => n!.nullable },
  ),
  fn(
    "slice",
    [array, int, int],
    typeOf(0),
    ["slice(array(1, 2, 3, 4), 2, 2)", [2, 3]],
    ([x, s, n]) =>
      `CASE WHEN ${s} = 0 THEN ${raise("INVALID_ARRAY_INDEX", "The start of slice must not be 0: array indices start at 1.")} WHEN ${n} < 0 THEN ${raise("INVALID_ARGUMENT", "The length of slice must not be negative.")} WHEN ${s} < 0 AND -${s} > len(${x}) THEN [] WHEN ${n} = 0 THEN [] WHEN ${s} > 0 THEN ${x}[${s}:${s} + ${n} - 1] ELSE ${x}[len(${x}) + ${s} + 1:len(${x}) + ${s} + ${n}] END`,
  ),
  fn(
    "flatten",
    [array],
    ([t]) => (t as ArrayType).elementType,
    ["flatten(array(array(1, 2), array(3, 4)))", [1, 2, 3, 4]],
    ([x]) => `CASE WHEN len(list_filter(${x}, lambda e: e IS NULL)) = 0 THEN flatten(${x}) END`,
    { nullable: "always" },
  ),
  fn(
    "sequence",
    [any, any, opt(any)],
    ([t]) => arrayOf(t!, false),
    ["sequence(1, 5)", [1, 2, 3, 4, 5]],
    ([a, b, s], { args: [t] }) =>
      t!.kind === "integer" || t!.kind === "long"
        ? `CAST(generate_series(CAST(${a} AS BIGINT), CAST(${b} AS BIGINT), CAST(${s ?? `CASE WHEN ${a} <= ${b} THEN 1 ELSE -1 END`} AS BIGINT)) AS ${sqlType(t!)}[])`
        : `CAST(generate_series(${a}, ${b}, ${s ?? "INTERVAL 1 DAY"}) AS ${sqlType(t!)}[])`,
    {
      coerce: ([a, b, s]) => {
        const t = commonTypeOf([a!, b!]);
        if (t === undefined) throw differing("sequence", [a!, b!]);
        const r = t.kind === "byte" || t.kind === "short" ? INT : t;
        return [r, r, s?.kind === "interval_day_time" ? s : s && r];
      },
    },
  ),
  fn(
    "arrays_zip",
    [array, rest(array)],
    (types) =>
      arrayOf(
        {
          kind: "struct",
          fields: types.map((t, i) => ({ name: String(i), type: (t as ArrayType).elementType, nullable: true })),
        },
        false,
      ),
    [
      "arrays_zip(array(1, 2), array(3, 4))",
      [
        { "0": 1, "1": 3 },
        { "0": 2, "1": 4 },
      ],
    ],
    (args) =>
      unlessNull(
        args,
        `list_transform(range(1, greatest(${args.map((a) => `len(${a})`).join(", ")}) + 1), lambda i: struct_pack(${args.map((a, k) => `${quoteIdentifier(String(k))} := ${a}[i]`).join(", ")}))`,
      ),
  ),
];

function pairs(args: readonly ArgumentType[]): [ArgumentType, ArgumentType][] {
  if (args.length % 2 === 1 || args.some((a, i) => i % 2 === 0 && typeof a.literal !== "string")) {
    throw new MillraceError("DATATYPE_MISMATCH", "named_struct takes names (literal text) and values in turn.");
  }
  return Array.from({ length: args.length / 2 }, (_, i) => [args[2 * i]!, args[2 * i + 1]!]);
}
