import { MillraceError } from "../errors.ts";
import { commonType, isNumeric, isOrderable, sameType } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import type { Options, Result } from "./define.ts";
import { param, unordered } from "./params.ts";

/** What the functions of arrays, maps and lambdas share. */

export type ArrayType = Extract<DataType, { kind: "array" }>;
export type MapType = Extract<DataType, { kind: "map" }>;
export const arrayOf = (elementType: DataType, containsNull = true): DataType => ({
  kind: "array",
  elementType,
  containsNull,
});
export const element: Result = ([t]) => (t as ArrayType).elementType;
export const entry = (t: MapType): DataType => ({
  kind: "struct",
  fields: [
    { name: "key", type: t.keyType, nullable: false },
    { name: "value", type: t.valueType, nullable: t.valueContainsNull },
  ],
});
export const containsNull = (t: DataType | undefined): boolean => t?.kind === "array" && t.containsNull;

/** An array; a bare null gets the error of the function. */
export const arrayOrNull = param('"ARRAY"', ({ type }) =>
  type.kind === "array" || type.kind === "null" ? type : undefined,
);

/** `x` where it is not null, else null. */
export const unlessNull = (xs: string[], sql: string): string =>
  `CASE WHEN ${xs.map((x) => `${x} IS NOT NULL`).join(" AND ")} THEN ${sql} END`;

/** Computes an expression once, under the name `l`, however often `use` names it. */
export const once = (x: string, use: (l: string) => string): string =>
  `list_transform([${x}], lambda l: ${use("l")})[1]`;

// -------------------------------------------------------------------------------------------------------------- common types

/** Whether two types meet only by reading text as another type, which functions of arrays and maps do not do. */
function byText(a: DataType, b: DataType): boolean {
  if (a.kind === "array" && b.kind === "array") return byText(a.elementType, b.elementType);
  if (a.kind === "map" && b.kind === "map") return byText(a.keyType, b.keyType) || byText(a.valueType, b.valueType);
  if (a.kind === "struct" && b.kind === "struct")
    return a.fields.some((f, i) => b.fields[i] && byText(f.type, b.fields[i].type));
  const text = (t: DataType): boolean => t.kind === "string";
  return text(a) !== text(b) && a.kind !== "null" && b.kind !== "null";
}

/** The common type of two, without reading text as numbers or times. */
export const strictCommon = (a: DataType, b: DataType): DataType | undefined =>
  byText(a, b) ? undefined : commonType(a, b);

export function mismatch(condition: MillraceError["code"], name: string, types: readonly DataType[]): MillraceError {
  const list = types.map((t) => `"${sqlName(t)}"`).join(", ");
  return new MillraceError(
    condition,
    `Cannot resolve "${name}" due to data type mismatch: its arguments do not go together, they are [${list}].`,
    {
      parameters: { functionName: `\`${name}\``, dataType: `[${list}]` },
    },
  );
}

const diff = "DATATYPE_MISMATCH.ARRAY_FUNCTION_DIFF_TYPES";
/** Functions that compare the element with others. */
const COMPARES = new Set(["array_contains", "array_position", "array_remove"]);

/** Decimals are not widened for a neighbour: the common type has to be that of one of the two. */
function tight(a: DataType, b: DataType, common: DataType): boolean {
  if (common.kind !== "decimal" || a.kind === "null" || b.kind === "null") return true;
  return sameType(a, common) || sameType(b, common);
}

/** The second argument is an element of the first, an array. */
export const elementOfFirst =
  (name: string, keepNull = false): NonNullable<Options["coerce"]> =>
  ([a, e], given) => {
    if (a!.kind === "null")
      throw mismatch(name === "array_remove" ? diff : "DATATYPE_MISMATCH.NULL_TYPE", name, [a!, e!]);
    const own = (a as ArrayType).elementType;
    if (!keepNull && (e!.kind === "null" || given[0]!.type.kind === "null"))
      throw mismatch("DATATYPE_MISMATCH.NULL_TYPE", name, [a!, e!]);
    const type = strictCommon(own, e!);
    if (type === undefined || (name !== "array_contains" && !tight(own, e!, type)))
      throw mismatch(diff, name, [a!, e!]);
    if (!isOrderable(type) && COMPARES.has(name)) throw unordered(name, type);
    // What differs only in what may be null within is not cast.
    return [sameType(own, type) ? a : arrayOf(type, (a as ArrayType).containsNull), sameType(e!, type) ? e : type];
  };

/** Two arrays of one type. */
export const sameArrays =
  (name: string): NonNullable<Options["coerce"]> =>
  ([a, b]) => {
    const type = a!.kind === "array" && b!.kind === "array" ? strictCommon(a!.elementType, b!.elementType) : undefined;
    if (type !== undefined && !isOrderable(type)) throw unordered(name, type);
    if (type === undefined) throw mismatch("DATATYPE_MISMATCH.BINARY_ARRAY_DIFF_TYPES", name, [a!, b!]);
    if (name === "array_except" && sameType(a!, b!)) return [a, b];
    return [arrayOf(type, containsNull(a)), arrayOf(type, containsNull(b))];
  };

/** The second argument is a key of the first, a map. */
export function keyOfFirst(name: string, map: MapType, key: DataType): DataType {
  if (key.kind === "null") throw mismatch("DATATYPE_MISMATCH.NULL_TYPE", name, [map, key]);
  const type = strictCommon(map.keyType, key);
  const widens = type !== undefined && (type.kind === map.keyType.kind || (isNumeric(type) && isNumeric(map.keyType)));
  if (!widens) throw mismatch("DATATYPE_MISMATCH.MAP_FUNCTION_DIFF_TYPES", name, [map, key]);
  return type;
}

// -------------------------------------------------------------------------------------------------------------- lambdas in SQL

/** The parameters of a DuckDB lambda and its body. */
export function lambdaParts(text: string): { readonly params: readonly string[]; readonly body: string } {
  const m = /^lambda ((?:"(?:[^"]|"")*"|\w+)(?:, (?:"(?:[^"]|"")*"|\w+))*): ([\s\S]*)$/.exec(text);
  if (m === null) throw new MillraceError("INTERNAL", `Not a lambda: ${text.slice(0, 80)}`);
  return { params: m[1]!.match(/"(?:[^"]|"")*"|\w+/g)!, body: m[2]! };
}

/** The body of a lambda with expressions for its parameters; a parameter that it does not take is left out. */
export function applied(text: string, args: readonly string[]): string {
  const { params, body } = lambdaParts(text);
  const at = new Map(params.map((p, i) => [p, args[i]!]));
  // Names stand between quotes; texts, which may hold such a name, are passed over.
  return `(${body.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"/g, (token) => at.get(token) ?? token)})`;
}
