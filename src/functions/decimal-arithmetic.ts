import { MillraceError } from "../errors.ts";
import { boundedDecimal, decimalOf } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type NativeCall, nativeFunction } from "./define.ts";
import { INT, STRING } from "./params.ts";

/**
 * Decimal arithmetic to the digit: Spark's types of results, exact values, half up. DuckDB does it where the digits fit, TypeScript else.
 * https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html
 */

export type Decimal = Extract<DataType, { kind: "decimal" }>;
export type DecimalOperator = "+" | "-" | "*" | "/" | "%";
type Exact = DecimalOperator | "div";

/** The type of a result; cut to 38 digits, as Spark cuts it. */
export function decimalResult(op: DecimalOperator, a: Decimal, b: Decimal): Decimal {
  const s = Math.max(a.scale, b.scale);
  switch (op) {
    case "+":
    case "-":
      return boundedDecimal(Math.max(a.precision - a.scale, b.precision - b.scale) + s + 1, s);
    case "*":
      return boundedDecimal(a.precision + b.precision + 1, a.scale + b.scale);
    case "/": {
      const scale = Math.max(6, a.scale + b.precision + 1);
      return boundedDecimal(a.precision - a.scale + b.scale + scale, scale);
    }
    case "%":
      return boundedDecimal(Math.min(a.precision - a.scale, b.precision - b.scale) + s, s);
  }
}

/** The decimal that an operand beside a decimal becomes: a literal takes no more digits than it has. */
export function operandDecimal(arg: ArgumentType | undefined, type: DataType): Decimal | undefined {
  const value = arg?.literal;
  if (type.kind !== "decimal" && (typeof value === "number" || typeof value === "bigint") && decimalOf(type)) {
    const digits = String(value).replace("-", "").length;
    return { kind: "decimal", precision: digits, scale: 0 };
  }
  return decimalOf(type);
}

const OVERFLOW = "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION";

/** Whole units of 10^-scale. */
function units(text: string, scale: number): bigint {
  const [whole = "0", fraction = ""] = text.split(".");
  return BigInt(`${whole}${fraction.padEnd(scale, "0").slice(0, scale)}`);
}

function divideRounded(n: bigint, d: bigint): bigint {
  const negative = n < 0n !== d < 0n;
  const a = n < 0n ? -n : n;
  const b = d < 0n ? -d : d;
  const q = (2n * a + b) / (2n * b);
  return negative ? -q : q;
}

function shown(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}

const exact = nativeFunction(
  "decimal arithmetic",
  (x: string, y: string, op: Exact, precision: number, scale: number) => {
    const sx = x.split(".")[1]?.length ?? 0;
    const sy = y.split(".")[1]?.length ?? 0;
    const common = Math.max(sx, sy);
    let value: bigint;
    let valueScale = common;
    if (op === "*") {
      value = units(x, sx) * units(y, sy);
      valueScale = sx + sy;
    } else if (op === "/") {
      value = divideRounded(units(x, common) * 10n ** BigInt(scale), units(y, common));
      valueScale = scale;
    } else if (op === "div") {
      value = units(x, common) / units(y, common);
      valueScale = 0;
    } else {
      const [a, b] = [units(x, common), units(y, common)];
      value = op === "+" ? a + b : op === "-" ? a - b : a % b;
    }
    if (valueScale > scale) value = divideRounded(value, 10n ** BigInt(valueScale - scale));
    else if (valueScale < scale) value *= 10n ** BigInt(scale - valueScale);
    const text = shown(value, scale);
    if ((value < 0n ? -value : value) >= 10n ** BigInt(precision)) {
      throw new MillraceError(
        OVERFLOW,
        `The ${text} rounded half up from ${x} ${op} ${y} cannot be represented as Decimal(${precision}, ${scale}).`,
        {
          hint: "Use `try_add` and its like to get null instead, or cast to fewer digits before.",
          parameters: { value: text },
        },
      );
    }
    return text;
  },
);

/** `a op b` of two constants; undefined where it fails. */
export function decimalConstant(op: DecimalOperator, a: string, b: string, r: Decimal): string | undefined {
  if ((op === "/" || op === "%") && !/[1-9]/.test(b)) return undefined;
  try {
    return exact.call(a, b, op, r.precision, r.scale) as string;
  } catch {
    return undefined;
  }
}

/** SQL of `a op b`, for operands of these types; `b` is not zero where it divides. */
export function decimalSql(
  op: DecimalOperator,
  a: string,
  b: string,
  x: Decimal,
  y: Decimal,
  r: Decimal,
  native: NativeCall,
): string {
  const type = sqlType(r);
  // Beyond 18 digits DuckDB computes with 128 bits; below it would stop where the result has more.
  const wide = (sql: string, t: Decimal): string => `CAST(${sql} AS DECIMAL(${Math.max(19, t.precision)},${t.scale}))`;
  switch (op) {
    case "+":
    case "-":
      if (Math.max(x.precision - x.scale, y.precision - y.scale) + Math.max(x.scale, y.scale) + 1 <= 38)
        return `CAST((CAST(${a} AS ${type}) ${op} CAST(${b} AS ${type})) AS ${type})`;
      break;
    case "*":
      if (x.precision + y.precision <= 18) return `CAST((${a} * ${b}) AS ${type})`;
      if (x.precision + y.precision + 1 <= 38 && Math.max(19, x.precision) + y.precision <= 38)
        return `CAST((${wide(a, x)} * ${b}) AS ${type})`;
      break;
    case "/": {
      const shift = r.scale + y.scale - x.scale;
      const whole = (sql: string, t: Decimal): string =>
        `CAST(${wide(sql, t)} * CAST(1${"0".repeat(t.scale)} AS DECIMAL(${t.scale + 1},0)) AS HUGEINT)`;
      const fits = (t: Decimal): boolean => Math.max(19, t.precision) + t.scale + 1 <= 38;
      if (
        fits(x) &&
        fits(y) &&
        shift >= 0 &&
        x.precision + shift <= 36 &&
        y.precision <= 36 &&
        r.precision + r.scale + 1 <= 38
      ) {
        const n = `(${whole(a, x)} * CAST(1${"0".repeat(shift)} AS HUGEINT))`;
        const d = whole(b, y);
        // Half up, away from zero.
        const q = `list_transform([{'n': ${n}, 'd': ${d}}], lambda q: (2 * abs(q.n) + abs(q.d)) // (2 * abs(q.d)) * sign(q.n) * sign(q.d))[1]`;
        return `CAST(CAST(${q} AS DECIMAL(${r.precision},0)) * CAST(1e-${r.scale} AS DECIMAL(${r.scale + 1},${r.scale})) AS ${type})`;
      }
      break;
    }
    case "%":
      if (Math.max(x.precision - x.scale, y.precision - y.scale) + Math.max(x.scale, y.scale) <= 38)
        return `CAST((${a} % ${b}) AS ${type})`;
      break;
  }
  return exactly(op, a, b, r, native);
}

/** The quotient's whole part, toward zero. */
export function wholeQuotient(a: string, b: string, x: Decimal, y: Decimal, r: Decimal, native: NativeCall): string {
  // Whole numbers of the same unit, where they fit.
  const scale = Math.max(x.scale, y.scale);
  const fits = (t: Decimal): boolean => t.precision - t.scale + scale <= 38;
  if (!fits(x) || !fits(y) || x.precision - x.scale + 2 * scale + 1 > 38 || y.precision - y.scale + 2 * scale + 1 > 38)
    return exactly("div", a, b, r, native);
  const whole = (sql: string, t: Decimal): string =>
    `CAST(CAST(${sql} AS DECIMAL(${Math.max(19, t.precision - t.scale + scale)},${scale})) * CAST(1${"0".repeat(scale)} AS DECIMAL(${scale + 1},0)) AS HUGEINT)`;
  return `(${whole(a, x)} // ${whole(b, y)})`;
}

function exactly(op: Exact, a: string, b: string, r: Decimal, native: NativeCall): string {
  return native(
    exact,
    [
      { sql: `CAST(${a} AS VARCHAR)`, type: STRING },
      { sql: `CAST(${b} AS VARCHAR)`, type: STRING },
      { sql: `'${op}'`, type: STRING },
      { sql: String(r.precision), type: INT },
      { sql: String(r.scale), type: INT },
    ],
    r,
  );
}
