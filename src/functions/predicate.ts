import { commonTypeOf, isIntegral } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type FunctionDef, family } from "./define.ts";
import {
  any,
  BOOLEAN,
  boolean,
  differing,
  INT,
  int,
  integral,
  LONG,
  opt,
  rest,
  STRING,
  string,
  typeOf,
} from "./params.ts";

const fn = family("predicate");
const bits = (types: readonly DataType[]): DataType[] => {
  const t = commonTypeOf(types);
  if (t === undefined || !isIntegral(t)) throw differing("bitwise operator", types);
  return [t, t];
};

export const predicateFunctions: readonly FunctionDef[] = [
  fn(
    "in",
    [any, rest(any)],
    BOOLEAN,
    ["1 in (1, 2, 3)", true],
    ([x, ...list]) => (list.length === 0 ? "false" : `(${x} IN (${list.join(", ")}))`),
    {
      coerce: (types) => {
        const type = commonTypeOf(types);
        if (type === undefined) throw differing("in", types);
        return types.map(() => type);
      },
    },
  ),
  fn("&", [integral, integral], typeOf(0), ["3 & 5", 1], ([a, b]) => `(${a} & ${b})`, { coerce: bits }),
  fn("|", [integral, integral], typeOf(0), ["3 | 5", 7], ([a, b]) => `(${a} | ${b})`, { coerce: bits }),
  fn("^", [integral, integral], typeOf(0), ["3 ^ 5", 6], ([a, b]) => `xor(${a}, ${b})`, { coerce: bits }),
  fn("~", [integral], typeOf(0), ["~ 0", -1], ([a]) => `(~${a})`),
  fn(
    "shiftleft",
    [integral, int],
    typeOf(0),
    ["shiftleft(2, 1)", 4],
    ([a, n], { result }) => `CAST(${a} * CAST(pow(2, ${n}) AS BIGINT) AS ${sqlType(result)})`,
    { coerce: ([a]) => [a!.kind === "long" ? LONG : INT, INT] },
  ),
  fn(
    "shiftright",
    [integral, int],
    typeOf(0),
    ["shiftright(4, 1)", 2],
    ([a, n], { result }) => `CAST(floor(${a} / pow(2, ${n})) AS ${sqlType(result)})`,
    { coerce: ([a]) => [a!.kind === "long" ? LONG : INT, INT] },
  ),
  fn("bit_count", [integral], INT, ["bit_count(7)", 3], ([a]) => `CAST(bit_count(CAST(${a} AS BIGINT)) AS INTEGER)`),
  fn(
    "assert_true",
    [boolean, opt(string)],
    { kind: "null" },
    ["assert_true(0 < 1)", null],
    ([c, m]) =>
      `CASE WHEN ${c} THEN NULL ELSE error('[USER_FUNCTION_FAILED] ' || ${m ?? "'The condition of assert_true does not hold.'"}) END`,
    { nullable: "always" },
  ),
  fn(
    "raise_error",
    [string],
    STRING,
    ["coalesce('fine', raise_error('not reached'))", "fine"],
    ([m]) => `error('[USER_FUNCTION_FAILED] ' || ${m})`,
    { nullable: "always" },
  ),
  fn("typeof", [any], STRING, ["typeof(1)", "int"], (_, { args: [t] }) => `'${typeName(t!)}'`, { nullable: "never" }),
];

function typeName(type: DataType): string {
  switch (type.kind) {
    case "integer":
      return "int";
    case "long":
      return "bigint";
    case "short":
      return "smallint";
    case "byte":
      return "tinyint";
    case "null":
      return "void";
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "array":
      return `array<${typeName(type.elementType)}>`;
    case "map":
      return `map<${typeName(type.keyType)},${typeName(type.valueType)}>`;
    case "struct":
      return `struct<${type.fields.map((f) => `${f.name}:${typeName(f.type)}`).join(",")}>`;
    default:
      return type.kind;
  }
}
