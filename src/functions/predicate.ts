import { MillraceError } from "../errors.ts";
import { commonTypeOf, isOrderable } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { intervalFields } from "../types/interval-type.ts";
import { type FunctionDef, family } from "./define.ts";
import { any, BOOLEAN, boolean, differing, opt, rest, STRING, string } from "./params.ts";

const fn = family("predicate");
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
        if (!isOrderable(type)) {
          throw new MillraceError(
            "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
            `Cannot resolve "in" due to data type mismatch: it does not support ordering on the type "${sqlName(type)}".`,
          );
        }
        return types.map(() => type);
      },
    },
  ),
  fn(
    "assert_true",
    [boolean, opt(string)],
    { kind: "null" },
    ["assert_true(0 < 1)", null],
    ([c, m]) =>
      `CASE WHEN ${c} THEN NULL ELSE error('[USER_RAISED_EXCEPTION] ' || ${m === undefined ? "'The condition of assert_true does not hold.'" : `coalesce(${m}, 'null')`}) END`,
    { nullable: "always" },
  ),
  fn(
    "raise_error",
    [string],
    STRING,
    ["coalesce('fine', raise_error('not reached'))", "fine"],
    ([m]) => `error('[USER_RAISED_EXCEPTION] ' || coalesce(${m}, 'null'))`,
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
    case "interval_day_time":
    case "interval_year_month":
      return `interval ${intervalFields(type)}`;
    default:
      return type.kind;
  }
}
