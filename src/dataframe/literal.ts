import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { show } from "../types/show.ts";

/**
 * A literal with Spark's type for it: a whole number is an int where it fits and a long otherwise, other numbers are doubles,
 * a bigint is a long, a Date a timestamp. Throws INVALID_ARGUMENT.
 */
export function literal(value: unknown): Extract<Expr, { kind: "literal" }> {
  return Object.freeze({ kind: "literal", ...typed(value) });
}

function typed(value: unknown): { value: Value; type: DataType } {
  switch (typeof value) {
    case "string":
      return { value, type: { kind: "string" } };
    case "boolean":
      return { value, type: { kind: "boolean" } };
    case "bigint":
      return { value, type: { kind: "long" } };
    case "number":
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) return { value, type: { kind: "double" } };
      return value >= -(2 ** 31) && value < 2 ** 31
        ? { value, type: { kind: "integer" } }
        : { value: BigInt(value), type: { kind: "long" } };
    case "object":
      if (value === null) return { value, type: { kind: "null" } };
      if (value instanceof Date) return { value, type: { kind: "timestamp" } };
      if (value instanceof Uint8Array) return { value, type: { kind: "binary" } };
  }
  throw new MillraceError("INVALID_ARGUMENT", `A value of this kind cannot be a literal: ${show(value)}.`, {
    hint: "Use a string, number, bigint, boolean, Date, Uint8Array or null; build arrays with array(...) and structs with struct(...).",
  });
}
