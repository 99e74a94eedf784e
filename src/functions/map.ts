import { MillraceError } from "../errors.ts";
import { commonTypeOf } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { type ArrayType, arrayOf, entry, type MapType, unlessNull } from "./collection-types.ts";
import { type FunctionDef, family } from "./define.ts";
import { any, array, BOOLEAN, common, differing, map, NULL, opt, rest, STRING, string, typeOf } from "./params.ts";

const fn = family("map");

export const mapFunctions: readonly FunctionDef[] = [
  fn(
    "map",
    [rest(any)],
    (types) => ({ kind: "map", keyType: types[0] ?? NULL, valueType: types[1] ?? NULL, valueContainsNull: true }),
    [
      "map('a', 1, 'b', 2)",
      new Map([
        ["a", 1],
        ["b", 2],
      ]),
    ],
    (args) =>
      `map([${args.filter((_, i) => i % 2 === 0).join(", ")}], [${args.filter((_, i) => i % 2 === 1).join(", ")}])`,
    { aliases: ["create_map"], nullable: "never", coerce: mapTypes },
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
    ([k, v]) => `map(${k}, ${v})`,
  ),
  fn(
    "map_from_entries",
    [array],
    ([t]) => {
      const s = (t as ArrayType).elementType as Extract<DataType, { kind: "struct" }>;
      return { kind: "map", keyType: s.fields[0]!.type, valueType: s.fields[1]!.type, valueContainsNull: true };
    },
    ["map_from_entries(array(struct('a', 1)))", new Map([["a", 1]])],
    ([x]) => `map_from_entries(${x})`,
  ),
  fn(
    "map_keys",
    [map],
    ([t]) => arrayOf((t as MapType).keyType, false),
    ["map_keys(map(1, 'a', 2, 'b'))", [1, 2]],
    ([m]) => `map_keys(${m})`,
  ),
  fn(
    "map_values",
    [map],
    ([t]) => arrayOf((t as MapType).valueType, (t as MapType).valueContainsNull),
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
    { coerce: ([m]) => [m, (m as MapType).keyType] },
  ),
  fn(
    "map_concat",
    [rest(map)],
    typeOf(0),
    [
      "map_concat(map(1, 'a'), map(2, 'b'))",
      new Map([
        [1, "a"],
        [2, "b"],
      ]),
    ],
    (args) => (args.length === 1 ? args[0]! : unlessNull(args, `map_concat(${args.join(", ")})`)),
    { coerce: common("map_concat") },
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
    ([s, p, k]) =>
      `map_from_entries(list_transform(string_split_regex(${s}, ${p ?? "','"}), lambda e: struct_pack("key" := string_split_regex(e, ${k ?? "':'"})[1], "value" := string_split_regex(e, ${k ?? "':'"})[2])))`,
  ),
];

function mapTypes(types: readonly DataType[]): DataType[] {
  if (types.length % 2 === 1)
    throw new MillraceError("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", "The `map` requires 2n (n > 0) parameters.");
  const keys = types.filter((_, i) => i % 2 === 0);
  const values = types.filter((_, i) => i % 2 === 1);
  const key = commonTypeOf(keys);
  const value = commonTypeOf(values);
  if ((keys.length > 0 && key === undefined) || (values.length > 0 && value === undefined))
    throw differing("map", types);
  return types.map((_, i) => (i % 2 === 0 ? key! : value!));
}
