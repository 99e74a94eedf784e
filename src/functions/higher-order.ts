import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type ArrayType, arrayOf, type MapType, unlessNull } from "./collection-types.ts";
import { type FunctionDef, family } from "./define.ts";
import { any, array, BOOLEAN, bodyOf, differing, INT, lambda, map } from "./params.ts";

const fn = family("higher-order");

const elementParam = (t: DataType | undefined): { type: DataType; nullable: boolean } => ({
  type: (t as ArrayType).elementType,
  nullable: (t as ArrayType).containsNull,
});
const index = { type: INT, nullable: false };
const keyAndValue = (t: DataType | undefined): { type: DataType; nullable: boolean }[] => [
  { type: (t as MapType).keyType, nullable: false },
  { type: (t as MapType).valueType, nullable: (t as MapType).valueContainsNull },
];

/** A lambda over elements and, where it asks for it, their index from 0 (DuckDB counts from 1). */
function withIndex(fnText: string): string {
  const m = /^lambda ("(?:[^"]|"")*"|\w+), ("(?:[^"]|"")*"|\w+): ([\s\S]*)$/.exec(fnText);
  if (m === null) return fnText;
  return `lambda ${m[1]}, ${m[2]}: ${m[3]!.replaceAll(m[2]!, `CAST(${m[2]} - 1 AS INTEGER)`)}`;
}

const predicate = (args: readonly ArgumentType[], i: number, params: { type: DataType; nullable: boolean }[]): void => {
  const body = bodyOf(args[i], params);
  if (body.type.kind !== "boolean" && body.type.kind !== "null") throw differing("lambda", [body.type, BOOLEAN]);
};

export const higherOrderFunctions: readonly FunctionDef[] = [
  fn(
    "transform",
    [array, lambda],
    ([t], args) => {
      const b = bodyOf(args[1], [elementParam(t), index]);
      return arrayOf(b.type, b.nullable);
    },
    ["transform(array(1, 2, 3), x -> x + 1)", [2, 3, 4]],
    ([x, f]) => `list_transform(${x}, ${withIndex(f!)})`,
    { nullable: ([x]) => x!.nullable },
  ),
  fn(
    "filter",
    [array, lambda],
    (types, args) => {
      predicate(args, 1, [elementParam(types[0]), index]);
      return types[0]!;
    },
    ["filter(array(1, 2, 3), x -> x % 2 == 1)", [1, 3]],
    ([x, f]) => `list_filter(${x}, ${withIndex(f!)})`,
    { nullable: ([x]) => x!.nullable },
  ),
  fn(
    "exists",
    [array, lambda],
    (types, args) => {
      predicate(args, 1, [elementParam(types[0])]);
      return BOOLEAN;
    },
    ["exists(array(1, 2, 3), x -> x % 2 == 0)", true],
    ([x, f]) =>
      unlessNull(
        [x!],
        `CASE WHEN len(list_filter(${x}, ${f})) > 0 THEN true WHEN len(list_filter(list_transform(${x}, ${f}), lambda r: r IS NULL)) > 0 THEN NULL ELSE false END`,
      ),
    { nullable: "always" },
  ),
  fn(
    "forall",
    [array, lambda],
    (types, args) => {
      predicate(args, 1, [elementParam(types[0])]);
      return BOOLEAN;
    },
    ["forall(array(2, 4), x -> x % 2 == 0)", true],
    ([x, f]) =>
      unlessNull(
        [x!],
        `CASE WHEN len(list_filter(list_transform(${x}, ${f}), lambda r: NOT r)) > 0 THEN false WHEN len(list_filter(list_transform(${x}, ${f}), lambda r: r IS NULL)) > 0 THEN NULL ELSE true END`,
      ),
    { nullable: "always" },
  ),
  fn(
    "aggregate",
    [array, any, lambda],
    (types, args) => {
      const acc = { type: types[1]!, nullable: true };
      const b = bodyOf(args[2], [acc, elementParam(types[0])]);
      if (b.type.kind !== types[1]!.kind) throw differing("aggregate", [types[1]!, b.type]);
      return types[1]!;
    },
    ["aggregate(array(1, 2, 3), 0, (acc, x) -> acc + x)", 6],
    ([x, zero, f], { args: [, t] }) =>
      `list_reduce(list_transform(${x}, lambda e: e), ${f}, CAST(${zero} AS ${sqlType(t!)}))`,
    { aliases: ["reduce"], nullable: "always" },
  ),
  fn(
    "map_filter",
    [map, lambda],
    (types, args) => {
      predicate(args, 1, keyAndValue(types[0]));
      return types[0]!;
    },
    ["map_filter(map(1, 10, 2, 5), (k, v) -> v > 6)", new Map([[1, 10]])],
    ([m, f]) => `map_from_entries(list_filter(map_entries(${m}), ${overEntry(f!)}))`,
    { nullable: ([m]) => m!.nullable },
  ),
  fn(
    "transform_values",
    [map, lambda],
    (types, args) => {
      const b = bodyOf(args[1], keyAndValue(types[0]));
      return { kind: "map", keyType: (types[0] as MapType).keyType, valueType: b.type, valueContainsNull: b.nullable };
    },
    ["transform_values(map(1, 10), (k, v) -> v + k)", new Map([[1, 11]])],
    ([m, f]) => `map(map_keys(${m}), list_transform(map_entries(${m}), ${overEntry(f!)}))`,
    { nullable: ([m]) => m!.nullable },
  ),
  fn(
    "transform_keys",
    [map, lambda],
    (types, args) => {
      const b = bodyOf(args[1], keyAndValue(types[0]));
      return {
        kind: "map",
        keyType: b.type,
        valueType: (types[0] as MapType).valueType,
        valueContainsNull: (types[0] as MapType).valueContainsNull,
      };
    },
    ["transform_keys(map(1, 10), (k, v) -> k + 1)", new Map([[2, 10]])],
    ([m, f]) => `map(list_transform(map_entries(${m}), ${overEntry(f!)}), map_values(${m}))`,
    { nullable: ([m]) => m!.nullable },
  ),
];

/** A lambda over key and value as one over DuckDB's entries. */
function overEntry(f: string): string {
  const m = /^lambda ("(?:[^"]|"")*"|\w+), ("(?:[^"]|"")*"|\w+): ([\s\S]*)$/.exec(f);
  if (m === null) throw new MillraceError("INVALID_ARGUMENT", "The lambda of a map function takes a key and a value.");
  return `lambda "entry": ${m[3]!.replaceAll(m[1]!, '"entry".key').replaceAll(m[2]!, '"entry".value')}`;
}
