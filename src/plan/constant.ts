import type { DataType, Value } from "../types/data-type.ts";
import { isIntegral } from "./coercion.ts";
import type { ResolvedExpr } from "./resolved.ts";

/**
 * Values of expressions over literals alone, as `concat('yyyy', '-MM')` and `1 + 1`: some functions want to know an argument before there
 * is any row, and Spark computes it for them. What would fail has no value here, and fails when it runs.
 */
const known = new WeakMap<ResolvedExpr, Value>();

/** Says what a call over constants gives. */
export function setConstant(e: ResolvedExpr, value: Value): void {
  known.set(e, value);
}

/** The value of an expression, where it can be computed without a row. */
export function constantOf(e: ResolvedExpr): Value | undefined {
  if (e.kind === "literal") return e.value;
  if (e.kind !== "cast") return known.get(e);
  const value = constantOf(e.child);
  return value === undefined ? undefined : castConstant(value, e.child.type, e.type);
}

const BITS: Readonly<Record<string, number>> = { byte: 8, short: 16, integer: 32, long: 64 };

/** A whole number as a value of an integral type; undefined where it does not fit. */
export function integralConstant(value: bigint, { kind }: DataType): Value | undefined {
  const bits = BITS[kind];
  if (bits === undefined || BigInt.asIntN(bits, value) !== value) return undefined;
  return kind === "long" ? value : Number(value);
}

function castConstant(value: Value, from: DataType, to: DataType): Value | undefined {
  if (value === null) return null;
  switch (to.kind) {
    case "byte":
    case "short":
    case "integer":
    case "long": {
      const whole = wholePart(value, from);
      return whole === undefined ? undefined : integralConstant(whole, to);
    }
    case "double": {
      const text = typeof value === "string" ? value.trim() : String(value);
      const isNumber = from.kind === "double" || isIntegral(from) || from.kind === "decimal" || from.kind === "string";
      return isNumber && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
    }
    case "decimal":
      return isIntegral(from) || from.kind === "decimal" ? padded(String(value), to) : undefined;
    case "string":
      if (from.kind === "string") return value;
      return isIntegral(from) || from.kind === "decimal" || from.kind === "boolean" ? String(value) : undefined;
    default:
      return undefined;
  }
}

/** The whole part of a number, toward zero, or the whole number that a text says. */
function wholePart(value: Value, from: DataType): bigint | undefined {
  if (isIntegral(from)) return BigInt(value as number | bigint);
  if (from.kind === "double") return Number.isFinite(value) ? BigInt(Math.trunc(value as number)) : undefined;
  if (from.kind === "decimal") return BigInt(String(value).split(".")[0]!);
  const text = from.kind === "string" ? /^\+?(-?\d+)$/.exec(String(value).trim())?.[1] : undefined;
  return text === undefined ? undefined : BigInt(text);
}

/** A decimal with more digits behind the point; undefined where digits would be lost. */
function padded(text: string, { precision, scale }: Extract<DataType, { kind: "decimal" }>): string | undefined {
  const [whole = "0", fraction = ""] = text.split(".");
  if (fraction.length > scale || whole.replace(/^-?0*/, "").length > precision - scale) return undefined;
  return scale === 0 ? whole : `${whole}.${fraction.padEnd(scale, "0")}`;
}
