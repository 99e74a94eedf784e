import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { quoteIdentifier, refuseSameNames, sqlType } from "../types/duckdb-types.ts";
import {
  type ArrayType,
  arrayOf,
  containsNull,
  element,
  elementOfFirst,
  keyOfFirst,
  type MapType,
  unlessNull,
} from "./collection-types.ts";
import { type Difference, type FunctionDef, family, raise } from "./define.ts";
import { nullable, SAME_NAMES, sameNames } from "./from-json.ts";
import {
  any,
  array,
  arrayOrMap,
  common,
  constant,
  INT,
  int,
  integral,
  LONG,
  NULL,
  opt,
  param,
  rest,
  STRING,
  string,
  typeOf,
} from "./params.ts";

const fn = family("collection");

/** A null literal counts as an empty kind of array. */
const maybeArray = param('"ARRAY"', ({ type }) =>
  type.kind === "array" ? type : type.kind === "null" ? arrayOf(INT) : undefined,
);
const collection = param('"ARRAY" or "MAP"', ({ type }) =>
  type.kind === "array" || type.kind === "map" ? type : type.kind === "null" ? arrayOf(INT) : undefined,
);

const zero = raise(
  "INVALID_INDEX_OF_ZERO",
  "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
);

/** A constant position of an array made in place: its element says whether it may be null. A position that it has not fails, or gives null. */
function elementNullable([array, index]: readonly ArgumentType[], base: 0 | 1, outside: "fails" | "null"): boolean {
  const parts = array?.elements;
  const i = Number(index?.literal ?? Number.NaN);
  if (parts === undefined || !Number.isInteger(i)) return true;
  const part = i < 0 && base === 0 ? undefined : parts.at(i < 0 ? i : i - base);
  return part ?? outside === "null";
}

const computedPosition: Difference = {
  reason:
    "With a position that is computed of constants by more than arithmetic the result may be null by its type; Spark computes it before.",
  when: ([array, index]) => array?.elements !== undefined && index?.foldable === true && index.literal === undefined,
};

export const arrayFunctions: readonly FunctionDef[] = [
  fn(
    "array",
    [rest(any)],
    (types, args) =>
      arrayOf(
        types[0] ?? NULL,
        args.some((a) => a.nullable),
      ),
    ["array(1, 2, 3)", [1, 2, 3]],
    (args, { result }) =>
      `CAST([${args.join(", ")}] AS ${sqlType((result as ArrayType).elementType.kind === "null" ? arrayOf(INT) : result)})`,
    { nullable: "never", coerce: common("array"), constant: (values) => values },
  ),
  fn(
    "named_struct",
    [{ ...rest(any), constant: (i) => i % 2 === 0 }],
    (_, args) => ({
      kind: "struct",
      fields: pairs(args).map(([k, v]) => ({ name: String(k.literal), type: v.type, nullable: v.nullable })),
    }),
    ["named_struct('a', 1, 'b', 2)", { a: 1, b: 2 }],
    (args, { result }) => {
      refuseSameNames(result);
      return `struct_pack(${(result as Extract<DataType, { kind: "struct" }>).fields.map((f, i) => `${quoteIdentifier(f.name)} := ${args[2 * i + 1]}`).join(", ")})`;
    },
    {
      nullable: "never",
      differences: [
        {
          reason: SAME_NAMES,
          when: (args) => sameNames(args.filter((_, i) => i % 2 === 0).map((a) => String(a.literal))),
        },
      ],
    },
  ),
  fn(
    "size",
    [collection],
    INT,
    ["size(array('b', 'd', 'c', 'a'))", 4],
    ([x], { args: [t] }) => `CAST(${t!.kind === "map" ? `cardinality(${x})` : `len(${x})`} AS INTEGER)`,
    {
      aliases: ["cardinality"],
      constant: ([x]) => (x === null ? null : Array.isArray(x) ? x.length : undefined),
    },
  ),
  fn("array_size", [maybeArray], INT, ["array_size(array(1, 2))", 2], ([x]) => `CAST(len(${x}) AS INTEGER)`),
  fn(
    "element_at",
    [arrayOrMap, constant(any)],
    ([t]) => (t!.kind === "map" ? t!.valueType : (t as ArrayType).elementType),
    ["element_at(array(1, 2, 3), 2)", 2],
    ([x, k], { args: [t] }) =>
      t!.kind === "map"
        ? `map_extract_value(${x}, ${k})`
        : `CASE WHEN ${k} = 0 AND ${x} IS NOT NULL THEN ${zero} WHEN abs(${k}) > len(${x}) THEN ${raise("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", "The index is out of bounds. Use `try_element_at` to tolerate accessing element at invalid index and return NULL instead.")} ELSE list_extract(${x}, ${k}) END`,
    {
      nullable: (args) => args[0]!.type.kind === "map" || elementNullable(args, 1, "fails"),
      coerce: positionOrKey("element_at"),
      differences: [computedPosition],
    },
  ),
  fn(
    "try_element_at",
    [arrayOrMap, constant(any)],
    ([t]) => (t!.kind === "map" ? t!.valueType : (t as ArrayType).elementType),
    ["try_element_at(array(1, 2, 3), 5)", null],
    ([x, k], { args: [t] }) =>
      t!.kind === "map"
        ? `map_extract_value(${x}, ${k})`
        : `CASE WHEN ${k} = 0 AND ${x} IS NOT NULL THEN ${zero} ELSE list_extract(${x}, ${k}) END`,
    {
      nullable: (args) => args[0]!.type.kind === "map" || elementNullable(args, 1, "null"),
      coerce: positionOrKey("try_element_at"),
      differences: [computedPosition],
    },
  ),
  fn(
    "array_item",
    [array, constant(integral)],
    element,
    ["array(1, 2, 3)[0]", 1],
    ([x, i]) =>
      `CASE WHEN ${i} < 0 OR ${i} >= len(${x}) THEN ${raise("INVALID_ARRAY_INDEX", "The index is out of bounds. Use the SQL function `get()` to tolerate accessing element at invalid index and return NULL instead.")} ELSE list_extract(${x}, CAST(${i} AS BIGINT) + 1) END`,
    { internal: true, nullable: (args) => elementNullable(args, 0, "fails") },
  ),
  fn(
    "get",
    [array, constant(int)],
    element,
    ["get(array(1, 2, 3), 0)", 1],
    ([x, i]) => `CASE WHEN ${i} >= 0 THEN list_extract(${x}, CAST(${i} AS BIGINT) + 1) END`,
    { nullable: (args) => elementNullable(args, 0, "null"), differences: [computedPosition] },
  ),
  fn(
    "array_append",
    [array, any],
    ([a]) => nullable(arrayOf((a as ArrayType).elementType)),
    ["array_append(array(1, 2), 3)", [1, 2, 3]],
    ([x, e]) => unlessNull([x!], `list_append(${x}, ${e})`),
    { coerce: elementOfFirst("array_append", true), nullable: ([x]) => x!.nullable },
  ),
  fn(
    "array_prepend",
    [array, any],
    ([a]) => nullable(arrayOf((a as ArrayType).elementType)),
    ["array_prepend(array(1, 2), 0)", [0, 1, 2]],
    ([x, e]) => unlessNull([x!], `list_prepend(${e}, ${x})`),
    { coerce: elementOfFirst("array_prepend", true), nullable: ([x]) => x!.nullable },
  ),
  fn(
    "array_insert",
    [array, int, any],
    ([a]) => nullable(arrayOf((a as ArrayType).elementType)),
    ["array_insert(array(1, 2, 3, 4), 5, 5)", [1, 2, 3, 4, 5]],
    ([x, i, e], { args: [t] }) => {
      const nulls = (n: string): string =>
        `list_transform(range(greatest(${n}, 0)), lambda i: CAST(NULL AS ${sqlType((t as ArrayType).elementType)}))`;
      const n = `len(${x})`;
      const front = `list_concat(list_concat(list_append(${x}[1:${i} - 1], CAST(NULL AS ${sqlType((t as ArrayType).elementType)}))[1:least(${i} - 1, ${n})], ${nulls(`${i} - 1 - ${n}`)}), [${e}])`;
      const at = `list_concat(${front}, ${x}[${i}:])`;
      // From the end: -1 is behind the last.
      const k = `(${n} + ${i} + 1)`;
      const back = `CASE WHEN ${k} >= 0 THEN list_concat(list_concat(${x}[1:${k}], [${e}]), ${x}[${k} + 1:]) ELSE list_concat(list_concat([${e}], ${nulls(`-${k}`)}), ${x}) END`;
      return `CASE WHEN ${x} IS NULL OR ${i} IS NULL THEN NULL WHEN ${i} = 0 THEN ${zero} WHEN ${i} > 0 THEN ${at} ELSE ${back} END`;
    },
    {
      coerce: ([a, i, e], given) => {
        if (i?.kind === "null" || given[1]!.type.kind === "null") {
          throw new MillraceError(
            "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
            'The second parameter of `array_insert` requires the "INT" type.',
          );
        }
        const [arr, item] = elementOfFirst("array_insert", true)([a!, e!], [given[0]!, given[2]!]);
        return [arr, INT, item];
      },
      nullable: ([x, i]) => x!.nullable || i!.nullable,
    },
  ),
  fn(
    "array_join",
    [maybeArray, string, opt(string)],
    STRING,
    ["array_join(array('hello', 'world'), ' ')", "hello world"],
    ([x, d, n]) =>
      unlessNull(
        n === undefined ? [x!, d!] : [x!, d!, n],
        `coalesce(array_to_string(${n === undefined ? `list_filter(${x}, lambda e: e IS NOT NULL)` : `list_transform(${x}, lambda e: coalesce(e, ${n}))`}, ${d}), '')`,
      ),
    { coerce: (types) => [arrayOf(STRING), ...types.slice(1)] },
  ),
  fn(
    "array_repeat",
    [any, int],
    ([t], args) => arrayOf(t!, args[0]!.nullable),
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
      `CASE WHEN ${x} IS NULL OR ${s} IS NULL OR ${n} IS NULL THEN NULL WHEN ${s} = 0 THEN ${raise("INVALID_PARAMETER_VALUE.START", "The value of parameter(s) `start` in `slice` is invalid: Expects a positive or a negative value for `start`, but got 0.")} WHEN ${n} < 0 THEN ${raise("INVALID_PARAMETER_VALUE.LENGTH", "The value of parameter(s) `length` in `slice` is invalid: Expects `length` greater than or equal to 0.")} WHEN ${s} < 0 AND -${s} > len(${x}) THEN [] WHEN ${n} = 0 THEN [] WHEN ${s} > 0 THEN ${x}[${s}:CAST(${s} AS BIGINT) + ${n} - 1] ELSE ${x}[len(${x}) + ${s} + 1:len(${x}) + ${s} + ${n}] END`,
  ),
  fn(
    "flatten",
    [
      param('"ARRAY" of "ARRAY"', ({ type }) =>
        type.kind === "array" && type.elementType.kind === "array" ? type : undefined,
      ),
    ],
    ([t]) => (t as ArrayType).elementType,
    ["flatten(array(array(1, 2), array(3, 4)))", [1, 2, 3, 4]],
    ([x]) => `CASE WHEN len(list_filter(${x}, lambda e: e IS NULL)) = 0 THEN flatten(${x}) END`,
    { nullable: ([x]) => x!.nullable || containsNull(x!.type) },
  ),
  fn(
    "arrays_zip",
    [rest(maybeArray)],
    (types, args) =>
      arrayOf(
        {
          kind: "struct",
          fields: types.map((t, i) => ({
            name: args[i]?.name ?? String(i),
            type: args[i]!.type.kind === "null" ? NULL : (t as ArrayType).elementType,
            nullable: true,
          })),
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
    (args, { result }) => {
      if (args.length === 0) return `CAST([] AS ${sqlType(result)})`;
      refuseSameNames(result);
      const { fields } = (result as ArrayType).elementType as Extract<DataType, { kind: "struct" }>;
      return unlessNull(
        args,
        `list_transform(range(1, greatest(${args.map((a) => `len(${a})`).join(", ")}) + 1), lambda i: struct_pack(${args.map((a, k) => `${quoteIdentifier(fields[k]!.name)} := ${a}[i]`).join(", ")}))`,
      );
    },
    { differences: [{ reason: SAME_NAMES, when: (args) => sameNames(args.map((a, i) => a.name ?? String(i))) }] },
  ),
  fn(
    "shuffle",
    [array],
    typeOf(0),
    ["size(shuffle(array(1, 2, 3)))", 3],
    ([x]) =>
      `list_transform(list_sort(list_transform(${x}, lambda e: struct_pack(r := random(), v := e))), lambda s: struct_extract(s, 'v'))`,
    {
      nondeterministic: true,
      differences: [{ reason: "The order is one of chance; no two runs agree, in Spark either." }],
    },
  ),
];

function positionOrKey(name: string): (types: readonly DataType[], given: readonly ArgumentType[]) => DataType[] {
  return ([t, k], given) => {
    if (t!.kind === "map") {
      const key = keyOfFirst(name, t as MapType, k!);
      return [{ ...(t as MapType), keyType: key }, key];
    }
    if (!["byte", "short", "integer"].includes(given[1]!.type.kind)) {
      throw new MillraceError(
        "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
        `The second parameter of \`${name}\` requires the "INT" type.`,
      );
    }
    return [t!, LONG];
  };
}

function pairs(args: readonly ArgumentType[]): [ArgumentType, ArgumentType][] {
  if (args.length % 2 === 1) {
    throw new MillraceError("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", "The `named_struct` requires 2n (n > 0) parameters.", {
      parameters: { functionName: "`named_struct`", expectedNum: "2n (n > 0)", actualNum: String(args.length) },
    });
  }
  if (args.some((a, i) => i % 2 === 0 && a.literal === null && a.type.kind !== "null")) {
    throw new MillraceError("DATATYPE_MISMATCH.UNEXPECTED_NULL", "A name that `named_struct` takes must not be null.", {
      parameters: { exprName: "`name`" },
    });
  }
  if (args.some((a, i) => i % 2 === 0 && typeof a.literal !== "string")) {
    throw new MillraceError(
      "DATATYPE_MISMATCH.CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING",
      "named_struct takes names (literal text) and values in turn.",
    );
  }
  return Array.from({ length: args.length / 2 }, (_, i) => [args[2 * i]!, args[2 * i + 1]!]);
}
