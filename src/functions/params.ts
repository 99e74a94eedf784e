import { MillraceError } from "../errors.ts";
import { canImplicitlyCast, commonTypeOf, isIntegral, isInterval, isNumeric, isOrderable } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import type { Options, Param, Result } from "./define.ts";

/** The vocabulary of the function table: types and parameters, so that a row stays one line. */

export const BOOLEAN: DataType = { kind: "boolean" };
export const INT: DataType = { kind: "integer" };
export const LONG: DataType = { kind: "long" };
export const DOUBLE: DataType = { kind: "double" };
export const STRING: DataType = { kind: "string" };
export const BINARY: DataType = { kind: "binary" };
export const DATE: DataType = { kind: "date" };
export const TIMESTAMP: DataType = { kind: "timestamp" };
export const NULL: DataType = { kind: "null" };
export const INTERVAL: DataType = { kind: "interval_day_time" };

/** A parameter of its own. */
export const param = (what: string, accept: Param["accept"]): Param => ({ what, accept });
const castTo =
  (type: DataType): Param["accept"] =>
  ({ type: from }) =>
    canImplicitlyCast(from, type) ? type : undefined;

/** Any type. */
export const any = param('"ANY"', ({ type }) => type);
export const orderable: Param = {
  ...param('"ORDERED"', ({ type }) => (isOrderable(type) ? type : undefined)),
  refuse: unordered,
};
export const boolean = param('"BOOLEAN"', castTo(BOOLEAN));
export const string = param('"STRING"', castTo(STRING));
export const int = param('"INT"', castTo(INT));
/** An int as it is: nothing is cast to it. */
export const integer = param('"INT"', ({ type }) => (type.kind === "integer" ? type : undefined));
export const long = param('"BIGINT"', castTo(LONG));
export const double = param('"DOUBLE"', castTo(DOUBLE));
export const date = param('"DATE"', castTo(DATE));
export const timestamp = param('"TIMESTAMP"', castTo(TIMESTAMP));
export const binary = param('"BINARY"', castTo(BINARY));
/** A string or binary, as it is; anything else becomes a string. */
export const text = param('"STRING" or "BINARY"', (arg) => (arg.type.kind === "binary" ? BINARY : string.accept(arg)));
/** A number as it is; a string becomes a double. */
export const numeric = param('"NUMERIC"', ({ type }) =>
  isNumeric(type) ? type : type.kind === "string" || type.kind === "null" ? DOUBLE : undefined,
);
export const numericOrInterval = param('"NUMERIC" or "INTERVAL"', (arg) =>
  isInterval(arg.type) ? arg.type : numeric.accept(arg),
);
export const integral = param('"INTEGRAL"', ({ type }) =>
  isIntegral(type) ? type : type.kind === "string" || type.kind === "null" ? LONG : undefined,
);
export const array = param('"ARRAY"', ({ type }) => (type.kind === "array" ? type : undefined));
/** An array whose elements can be compared, which maps cannot. */
export const orderableArray: Param = {
  ...param('"ARRAY"', ({ type }) => (type.kind === "array" && isOrderable(type.elementType) ? type : undefined)),
  refuse: (name, type) => (type.kind === "array" ? unordered(name, type.elementType) : undefined),
};
export const map = param('"MAP"', ({ type }) => (type.kind === "map" ? type : undefined));
export const struct = param('"STRUCT"', ({ type }) => (type.kind === "struct" ? type : undefined));
export const arrayOrMap = param('"ARRAY" or "MAP"', ({ type }) =>
  type.kind === "array" || type.kind === "map" ? type : undefined,
);
/** A lambda of so many parameters; its own types are asked by the result. */
export const lambda = param('"LAMBDA"', (arg) => (arg.lambda ? arg.type : undefined));
/** A parameter whose value is looked at before any row, where it is a constant. */
export const constant = (p: Param): Param => ({ ...p, constant: () => true });
/** A string that must be a constant, such as the field of date_part. */
export const constantString = constant(
  param("foldable STRING", (arg) => (typeof arg.literal === "string" || arg.literal === null ? STRING : undefined)),
);
/** A pattern, a unit, a zone: where it is a constant there are faster ways. */
export const pattern = constant(string);

export const opt = (p: Param): Param => ({ ...p, optional: true });
export const rest = (p: Param): Param => ({ ...p, rest: true });

/** The result has the type of argument `i`. */
export const typeOf =
  (i: number): Result =>
  (types) =>
    types[i] ?? NULL;

/** All arguments from `from` on (to `to`) are cast to their least common type. */
export function common(name: string, from = 0, to = Number.POSITIVE_INFINITY): NonNullable<Options["coerce"]> {
  return (types) => {
    const affected = types.slice(from, to);
    const type = commonTypeOf(affected);
    if (affected.length > 0 && type === undefined) throw differing(name, affected);
    return types.map((t, i) => (i >= from && i < to ? type : t));
  };
}

/** DATATYPE_MISMATCH.INVALID_ORDERING_TYPE. */
export function unordered(name: string, type: DataType): MillraceError {
  const shown = `"${sqlName(type)}"`;
  return new MillraceError(
    "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    `Cannot resolve "${name}" due to data type mismatch: it does not support ordering on the type ${shown}.`,
    { parameters: { functionName: `\`${name}\``, dataType: shown } },
  );
}

/** DATATYPE_MISMATCH.NON_FOLDABLE_INPUT: an argument has to be a constant. */
export function notConstant(name: string, input: string): MillraceError {
  return new MillraceError(
    "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
    `Cannot resolve "${name}" due to data type mismatch: the input \`${input}\` must be a constant.`,
    { parameters: { functionName: `\`${name}\``, inputName: `\`${input}\`` } },
  );
}

export function differing(name: string, types: readonly DataType[]): MillraceError {
  const list = types.map((t) => `"${sqlName(t)}"`).join(", ");
  return new MillraceError(
    "DATATYPE_MISMATCH.DATA_DIFF_TYPES",
    `Cannot resolve "${name}" due to data type mismatch: the arguments should all be of one type, but they are [${list}].`,
    { parameters: { functionName: name, dataType: list } },
  );
}

/** The type of a lambda's body for the given parameter types. */
export function bodyOf(
  arg: ArgumentType | undefined,
  params: readonly { type: DataType; nullable: boolean }[],
): { type: DataType; nullable: boolean } {
  return arg?.lambda?.(params) ?? { type: NULL, nullable: true };
}
