import { MillraceError } from "../errors.ts";
import { sameType } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import {
  type ArrayType,
  applied,
  arrayOf,
  lambdaParts,
  type MapType,
  mismatch,
  strictCommon,
  unlessNull,
} from "./collection-types.ts";
import { type FunctionDef, family } from "./define.ts";
import { foldList, merging } from "./fold.ts";
import { any, array, BOOLEAN, bodyOf, INT, lambda, map, opt } from "./params.ts";

const fn = family("higher-order");

interface Typed {
  readonly type: DataType;
  readonly nullable: boolean;
}
const elementParam = (t: DataType | undefined): Typed => ({
  type: (t as ArrayType).elementType,
  nullable: (t as ArrayType).containsNull,
});
const index: Typed = { type: INT, nullable: false };
const keyAndValue = (t: DataType | undefined): Typed[] => [
  { type: (t as MapType).keyType, nullable: false },
  { type: (t as MapType).valueType, nullable: (t as MapType).valueContainsNull },
];

/** A lambda over elements and, where it asks for it, their index from 0 (DuckDB counts from 1). */
function withIndex(text: string): string {
  const { params } = lambdaParts(text);
  if (params.length < 2) return text;
  return `lambda ${params[0]}, ${params[1]}: ${applied(text, [params[0]!, `CAST(${params[1]} - 1 AS INTEGER)`])}`;
}

/** A lambda over key and value as one over DuckDB's entries. */
const overEntry = (f: string): string => `lambda "entry": ${applied(f, [`"entry".key`, `"entry".value`])}`;

function unexpected(name: string, wanted: string, given: DataType): MillraceError {
  return new MillraceError(
    "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
    `The lambda of \`${name}\` must give the type ${wanted}, however it gives "${sqlName(given)}".`,
    { parameters: { functionName: `\`${name}\``, requiredType: wanted, inputType: `"${sqlName(given)}"` } },
  );
}

function predicate(name: string, args: readonly ArgumentType[], i: number, params: Typed[]): Typed {
  const body = bodyOf(args[i], params);
  if (body.type.kind !== "boolean" && body.type.kind !== "null") throw unexpected(name, '"BOOLEAN"', body.type);
  return body;
}

/** exists and forall can be null only where the condition can. */
const mayBeNull = (name: string) => (args: readonly ArgumentType[]) => {
  const body = predicate(name, args, 1, [elementParam(args[0]!.type)]);
  return args[0]!.nullable || body.nullable || body.type.kind === "null";
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
      predicate("filter", args, 1, [elementParam(types[0]), index]);
      return types[0]!;
    },
    ["filter(array(1, 2, 3), x -> x % 2 == 1)", [1, 3]],
    ([x, f]) => `list_filter(${x}, ${asBoolean(withIndex(f!))})`,
    { nullable: ([x]) => x!.nullable },
  ),
  fn(
    "exists",
    [array, lambda],
    BOOLEAN,
    ["exists(array(1, 2, 3), x -> x % 2 == 0)", true],
    ([x, f]) =>
      unlessNull(
        [x!],
        `CASE WHEN len(list_filter(${x}, ${asBoolean(f!)})) > 0 THEN true WHEN len(list_filter(list_transform(${x}, ${f}), lambda r: r IS NULL)) > 0 THEN NULL ELSE false END`,
      ),
    { nullable: mayBeNull("exists") },
  ),
  fn(
    "forall",
    [array, lambda],
    BOOLEAN,
    ["forall(array(2, 4), x -> x % 2 == 0)", true],
    ([x, f]) =>
      unlessNull(
        [x!],
        `CASE WHEN len(list_filter(list_transform(${x}, ${asBoolean(f!)}), lambda r: NOT r)) > 0 THEN false WHEN len(list_filter(list_transform(${x}, ${f}), lambda r: r IS NULL)) > 0 THEN NULL ELSE true END`,
      ),
    { nullable: mayBeNull("forall") },
  ),
  fn(
    "aggregate",
    [array, any, lambda, opt(lambda)],
    (types, args) => {
      const acc = { type: types[1]!, nullable: true };
      const b = bodyOf(args[2], [acc, elementParam(types[0])]);
      if (!sameType(b.type, types[1]!)) throw unexpected("aggregate", `"${sqlName(types[1]!)}"`, b.type);
      return args[3] ? bodyOf(args[3], [acc]).type : types[1]!;
    },
    ["aggregate(array(1, 2, 3), 0, (acc, x) -> acc + x, acc -> acc * 10)", 60],
    ([x, zero, merge, finish], { args: [t, acc] }) => {
      const folded = foldList(x!, zero!, merging(merge!), (t as ArrayType).elementType, acc!);
      const result = finish === undefined ? folded : `list_transform([${folded}], ${finish})[1]`;
      return unlessNull([x!], result);
    },
    { aliases: ["reduce"], nullable: "always" },
  ),
  fn(
    "zip_with",
    [array, array, lambda],
    ([a, b], args) => {
      const body = bodyOf(args[2], [
        { ...elementParam(a), nullable: true },
        { ...elementParam(b), nullable: true },
      ]);
      return arrayOf(body.type, body.nullable);
    },
    ["zip_with(array(1, 2), array(3, 4), (x, y) -> x + y)", [4, 6]],
    ([a, b, f]) =>
      unlessNull(
        [a!, b!],
        `list_transform(range(1, greatest(len(${a}), len(${b})) + 1), lambda i: ${applied(f!, [`list_extract(${a}, i)`, `list_extract(${b}, i)`])})`,
      ),
    { nullable: ([a, b]) => a!.nullable || b!.nullable },
  ),
  fn(
    "map_filter",
    [map, lambda],
    (types, args) => {
      predicate("map_filter", args, 1, keyAndValue(types[0]));
      return types[0]!;
    },
    ["map_filter(map(1, 10, 2, 5), (k, v) -> v > 6)", new Map([[1, 10]])],
    ([m, f]) => `map_from_entries(list_filter(map_entries(${m}), ${asBoolean(overEntry(f!))}))`,
    { nullable: ([m]) => m!.nullable },
  ),
  fn(
    "map_zip_with",
    [map, map, lambda],
    ([a, b], args) => {
      const [x, y] = [a as MapType, b as MapType];
      const body = bodyOf(args[2], [
        { type: x.keyType, nullable: false },
        { type: x.valueType, nullable: true },
        { type: y.valueType, nullable: true },
      ]);
      return { kind: "map", keyType: x.keyType, valueType: body.type, valueContainsNull: body.nullable };
    },
    ["map_zip_with(map('a', 1), map('a', 2), (k, x, y) -> x + y)", new Map([["a", 3]])],
    ([a, b, f]) => {
      const keys = `list_concat(map_keys(${a}), list_filter(map_keys(${b}), lambda k: NOT map_contains(${a}, k)))`;
      const value = applied(f!, ["k", `map_extract_value(${a}, k)`, `map_extract_value(${b}, k)`]);
      return unlessNull([a!, b!], `map(${keys}, list_transform(${keys}, lambda k: ${value}))`);
    },
    {
      coerce: ([a, b]) => {
        const [x, y] = [a as MapType, b as MapType];
        const key = strictCommon(x.keyType, y.keyType);
        if (key === undefined) throw mismatch("DATATYPE_MISMATCH.MAP_ZIP_WITH_DIFF_TYPES", "map_zip_with", [x, y]);
        return [{ ...x, keyType: key }, { ...y, keyType: key }, undefined];
      },
      nullable: ([a, b]) => a!.nullable || b!.nullable,
    },
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

/** A condition may be a bare null, whose type is no boolean in DuckDB. */
function asBoolean(f: string): string {
  const { params, body } = lambdaParts(f);
  return `lambda ${params.join(", ")}: CAST(${body} AS BOOLEAN)`;
}
