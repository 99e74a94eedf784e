import type { DataType, Value } from "../types/data-type.ts";
import type { Expr } from "./expr.ts";

const lit = (value: Value, type: DataType): Expr => ({ kind: "literal", value, type });

/** Spark's literals: int, long where it is too large or has an L, double with an exponent, decimal with a point. */
export function numberLiteral(text: string, long: boolean): Expr {
  if (/[eE]/.test(text)) return lit(Number(text), { kind: "double" });
  if (!text.includes(".")) {
    const n = BigInt(text);
    if (!long && n < 2n ** 31n) return lit(Number(n), { kind: "integer" });
    if (n < 2n ** 63n) return lit(n, { kind: "long" });
    return lit(text, { kind: "decimal", precision: Math.min(38, text.length), scale: 0 });
  }
  const [whole = "", fraction = ""] = text.split(".");
  const precision = Math.max(1, whole.replace(/^0+/, "").length + fraction.length, fraction.length);
  const type: DataType = { kind: "decimal", precision: Math.min(38, precision), scale: Math.min(38, fraction.length) };
  return lit(`${whole === "" ? "0" : whole}.${fraction}`.replace(/\.$/, ""), type);
}

export function negative(e: Extract<Expr, { kind: "literal" }>): Expr {
  if (typeof e.value === "bigint") {
    // -2147483648 is an int.
    if (e.type.kind === "long" && e.value === 2n ** 31n) return lit(-(2 ** 31), { kind: "integer" });
    return lit(-e.value, e.type);
  }
  if (typeof e.value === "string") {
    // -9223372036854775808 is a long.
    return e.value === String(2n ** 63n) ? lit(-(2n ** 63n), { kind: "long" }) : lit(`-${e.value}`, e.type);
  }
  return lit(-(e.value as number), e.type);
}
