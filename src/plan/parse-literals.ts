import { MillraceError } from "../errors.ts";
import type { DataType, Value } from "../types/data-type.ts";
import type { Expr } from "./expr.ts";

type Literal = Extract<Expr, { kind: "literal" }>;
const lit = (value: Value, type: DataType): Literal => ({ kind: "literal", value, type });

const WHOLE = { Y: ["byte", 8], S: ["short", 16], L: ["long", 64] } as const;
const MAX_FLOAT = 3.4028234663852886e38;

/**
 * Spark's numbers, with their sign: int, long where it is too large, double with an exponent, decimal with a point; or of the type that
 * a suffix tells, `1Y 1S 1L 1F 1D 1BD`. Throws INVALID_NUMERIC_LITERAL_RANGE.
 */
export function numberLiteral(text: string): Literal {
  const m = /^([^a-z]*(?:e[+-]?\d+)?)(BD|[DFSYL])?$/i.exec(text);
  const digits = m?.[1] ?? text;
  const suffix = m?.[2]?.toUpperCase();
  switch (suffix) {
    case "Y":
    case "S":
    case "L": {
      const [kind, bits] = WHOLE[suffix];
      const n = /^-?\d+$/.test(digits) ? BigInt(digits) : undefined;
      if (n === undefined || BigInt.asIntN(bits, n) !== n) throw outOfRange(text, kind);
      return lit(kind === "long" ? n : Number(n), { kind });
    }
    case "F":
      if (Math.abs(Number(digits)) > MAX_FLOAT) throw outOfRange(text, "float");
      return lit(Math.fround(Number(digits)), { kind: "float" });
    case "D":
      return double(digits, text);
    case "BD":
      return decimal(digits);
  }
  if (/[eE]/.test(digits)) return double(digits, text);
  if (digits.includes(".")) return decimal(digits);
  const n = BigInt(digits);
  if (BigInt.asIntN(32, n) === n) return lit(Number(n), { kind: "integer" });
  if (BigInt.asIntN(64, n) === n) return lit(n, { kind: "long" });
  return decimal(digits);
}

function double(digits: string, text: string): Literal {
  const n = Number(digits);
  if (!Number.isFinite(n)) throw outOfRange(text, "double");
  return lit(n, { kind: "double" });
}

function decimal(text: string): Literal {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const moved = fraction.length - Number(exponent);
  const scale = Math.max(0, moved);
  let digits = `${whole}${fraction}`.replace(/^0+/, "");
  if (digits !== "" && moved < 0) digits += "0".repeat(-moved);
  const precision = Math.max(1, digits.length, scale);
  if (precision > 38) {
    throw new MillraceError(
      "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
      `Decimal precision ${precision} exceeds max precision 38.`,
      { parameters: { precision: String(precision), maxPrecision: "38" }, hint: "Write a double: 1E40." },
    );
  }
  const all = digits.padStart(scale + 1, "0");
  const at = all.length - scale;
  const plain = scale === 0 ? all : `${all.slice(0, at)}.${all.slice(at)}`;
  return lit(/[1-9]/.test(plain) ? `${sign}${plain}` : plain, { kind: "decimal", precision, scale });
}

function outOfRange(text: string, type: string): MillraceError {
  return new MillraceError(
    "INVALID_NUMERIC_LITERAL_RANGE",
    `The number ${text} is outside of the range of its type ${type}.`,
    { parameters: { rawStrippedQualifier: text.replace(/[A-Za-z]+$/, ""), typeName: type } },
  );
}

/** An interval with the other sign. */
export function negative(e: Literal): Literal {
  return lit(typeof e.value === "bigint" ? -e.value : -(e.value as number), e.type);
}
