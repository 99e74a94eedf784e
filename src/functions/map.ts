import { MillraceError } from "../errors.ts";
import { commonTypeOf } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import {
  type ArrayType,
  arrayOf,
  entry,
  keyOfFirst,
  type MapType,
  mismatch,
  strictCommon,
  unlessNull,
} from "./collection-types.ts";
import { mapConstant } from "./constants.ts";
import { type FunctionDef, family, raise } from "./define.ts";
import { any, array, BOOLEAN, differing, map, NULL, opt, rest, STRING, string } from "./params.ts";

const fn = family("map");

/** Duplicate and null keys fail in DuckDB's own `map` and `map_from_entries`, as in Spark; `map_concat` would let the last one win. */
export const mapFunctions: readonly FunctionDef[] = [
  fn(
    "map",
    [rest(any)],
    (types, args) => ({
      kind: "map",
      keyType: types[0] ?? NULL,
      valueType: types[1] ?? NULL,
      valueContainsNull: args.some((a, i) => i % 2 === 1 && a.nullable),
    }),
    [
      "map('a', 1, 'b', 2)",
      new Map([
        ["a", 1],
        ["b", 2],
      ]),
    ],
    (args) =>
      `map([${args.filter((_, i) => i % 2 === 0).join(", ")}], [${args.filter((_, i) => i % 2 === 1).join(", ")}])`,
    { aliases: ["create_map"], nullable: "never", coerce: mapTypes, constant: mapConstant },
  ),
  fn(
    "map_from_arrays",
    [array, array],
    ([k, v]) => ({
      kind: "map",
      keyType: (k as ArrayType).elementType,
      valueType: (v as ArrayType).elementType,
      valueContainsNull: (v as ArrayType).containsNull,
    }),
    [
      "map_from_arrays(array('a', 'b'), array(1, 2))",
      new Map([
        ["a", 1],
        ["b", 2],
      ]),
    ],
    ([k, v]) =>
      `CASE WHEN ${k} IS NULL OR ${v} IS NULL THEN NULL WHEN len(${k}) <> len(${v}) THEN ${raise("INVALID_ARGUMENT", "The key array and value array of MapData must have the same length.")} ELSE map(${k}, ${v}) END`,
  ),
  fn(
    "map_from_entries",
    [array],
    ([t]) => {
      const s = (t as ArrayType).elementType;
      if (s.kind !== "struct" || s.fields.length !== 2) {
        throw new MillraceError(
          "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
          'The first parameter of `map_from_entries` requires the "ARRAY" of pair "STRUCT" type.',
        );
      }
      return {
        kind: "map",
        keyType: s.fields[0]!.type,
        valueType: s.fields[1]!.type,
        valueContainsNull: s.fields[1]!.nullable,
      };
    },
    ["map_from_entries(array(struct('a', 1)))", new Map([["a", 1]])],
    ([x]) =>
      `CASE WHEN len(list_filter(${x}, lambda e: e IS NULL)) = 0 THEN map_from_entries(list_transform(${x}, lambda e: struct_pack("key" := struct_extract_at(e, 1), "value" := struct_extract_at(e, 2)))) END`,
    { nullable: ([x]) => x!.nullable || (x!.type.kind === "array" && x!.type.containsNull) },
  ),
  fn(
    "map_keys",
    [map],
    ([t]) => arrayOf((t as MapType).keyType),
    ["map_keys(map(1, 'a', 2, 'b'))", [1, 2]],
    ([m]) => `map_keys(${m})`,
  ),
  fn(
    "map_values",
    [map],
    ([t]) => arrayOf((t as MapType).valueType),
    ["map_values(map(1, 'a', 2, 'b'))", ["a", "b"]],
    ([m]) => `map_values(${m})`,
  ),
  fn(
    "map_entries",
    [map],
    ([t]) => arrayOf(entry(t as MapType), false),
    ["map_entries(map(1, 'a'))", [{ key: 1, value: "a" }]],
    ([m]) => `map_entries(${m})`,
  ),
  fn(
    "map_contains_key",
    [map, any],
    BOOLEAN,
    ["map_contains_key(map(1, 'a', 2, 'b'), 1)", true],
    ([m, k]) => `map_contains(${m}, ${k})`,
    {
      nullable: "always",
      coerce: ([m, k]) => {
        const key = keyOfFirst("map_contains_key", m as MapType, k!);
        return [{ ...(m as MapType), keyType: key }, key];
      },
    },
  ),
  fn(
    "map_concat",
    [rest(any)],
    (types) => types[0] ?? { kind: "map", keyType: STRING, valueType: STRING, valueContainsNull: true },
    [
      "map_concat(map(1, 'a'), map(2, 'b'))",
      new Map([
        [1, "a"],
        [2, "b"],
      ]),
    ],
    (args) => {
      if (args.length === 0) return "CAST(map() AS MAP(VARCHAR, VARCHAR))";
      if (args.length === 1) return args[0]!;
      const all = args.map((m) => `map_entries(${m})`).reduce((a, b) => `list_concat(${a}, ${b})`);
      return unlessNull(args, `map_from_entries(${all})`);
    },
    {
      coerce: (types) => {
        if (types.some((t) => t.kind !== "map"))
          throw mismatch("DATATYPE_MISMATCH.MAP_CONCAT_DIFF_TYPES", "map_concat", types);
        const type = types.reduce<DataType | undefined>((a, b) => a && strictCommon(a, b), types[0]);
        if (types.length > 0 && type === undefined)
          throw mismatch("DATATYPE_MISMATCH.DATA_DIFF_TYPES", "map_concat", types);
        return types.map(() => type);
      },
    },
  ),
  fn(
    "str_to_map",
    [string, opt(string), opt(string)],
    { kind: "map", keyType: STRING, valueType: STRING, valueContainsNull: true },
    [
      "str_to_map('a:1,b:2', ',', ':')",
      new Map([
        ["a", "1"],
        ["b", "2"],
      ]),
    ],
    ([s, p = "','", k = "':'"]) => {
      // What stands behind the first separator is the value, further separators included.
      const key = `string_split_regex(e, ${k})[1]`;
      const behind = `substr(e, length(${key}) + 1)`;
      const value = `CASE WHEN len(string_split_regex(e, ${k})) > 1 THEN substr(${behind}, length(regexp_extract(${behind}, ${k})) + 1) END`;
      return `CASE WHEN ${[s, p, k].map((x) => `${x} IS NOT NULL`).join(" AND ")} THEN map_from_entries(list_transform(string_split_regex(${s}, ${p}), lambda e: struct_pack("key" := ${key}, "value" := ${value}))) END`;
    },
  ),
];

function mapTypes(types: readonly DataType[], given: readonly ArgumentType[]): DataType[] {
  if (types.length % 2 === 1) {
    throw new MillraceError(
      "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
      `The \`map\` requires 2n (n > 0) parameters but the actual number is ${given.length}.`,
      { parameters: { functionName: "`map`", expectedNum: "2n (n > 0)", actualNum: String(given.length) } },
    );
  }
  const keys = types.filter((_, i) => i % 2 === 0);
  const values = types.filter((_, i) => i % 2 === 1);
  const key = commonTypeOf(keys);
  const value = commonTypeOf(values);
  if ((keys.length > 0 && key === undefined) || (values.length > 0 && value === undefined))
    throw differing("map", types);
  if (key && hasMap(key)) throw mismatch("DATATYPE_MISMATCH.INVALID_MAP_KEY_TYPE", "map", [key]);
  return types.map((_, i) => (i % 2 === 0 ? key! : value!));
}

function hasMap(t: DataType): boolean {
  if (t.kind === "array") return hasMap(t.elementType);
  if (t.kind === "struct") return t.fields.some((f) => hasMap(f.type));
  return t.kind === "map";
}
