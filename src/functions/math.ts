import { MillraceError } from "../errors.ts";
import { boundedDecimal, commonType, isIntegral, isInterval, isNumeric } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { operandDecimal } from "./decimal-arithmetic.ts";
import { type FunctionDef, family, nativeFunction, type Options, raise } from "./define.ts";
import { overflow, roundingFunctions } from "./math-round.ts";
import { attempt } from "./math-try.ts";
import { any, DOUBLE, double, INT, int, LONG, long, numericOrInterval, opt, STRING, string, typeOf } from "./params.ts";

const fn = family("math");

/** A function of one double. Spark calls all of them nullable. */
const f64 = (
  name: string,
  example: readonly [string, unknown],
  sql?: (x: string) => string,
  o: Options = {},
): FunctionDef =>
  fn(name, [double], DOUBLE, example, sql ? ([x]) => sql(x!) : ([x]) => `${name}(${x})`, { nullable: "always", ...o });

const NAN = "CAST('nan' AS DOUBLE)";
const INF = "CAST('inf' AS DOUBLE)";
/** DuckDB refuses an infinite angle, which has no sine. */
const finite = (call: (x: string) => string) => (x: string) => `CASE WHEN isinf(${x}) THEN ${NAN} ELSE ${call(x)} END`;
/** 1 / y where zero gives infinity, of the sign of the zero. */
const inverse = (y: string): string =>
  `CASE WHEN ${y} = 0 THEN CASE WHEN signbit(${y}) THEN -${INF} ELSE ${INF} END ELSE 1 / ${y} END`;

/** Java's Math of doubles that SQL has no word for, or a less exact one. */
const expm1 = nativeFunction("expm1", Math.expm1);
const log1p = nativeFunction("log1p", (x: number) => (x <= -1 ? null : Math.log1p(x)));
const one = (x: string): { sql: string; type: DataType }[] => [{ sql: x, type: DOUBLE }];

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";
const MAX_UNSIGNED = 2n ** 64n;

/** conv: reads digits as far as they go; a negative base asks for a sign in the result. */
const conv = nativeFunction("conv", (text: string, from: number, to: number): string | null => {
  const base = Math.abs(to);
  if (from < 2 || from > 36 || base < 2 || base > 36) return null;
  // Spaces only: UTF8String.trim of Spark knows no other.
  const trimmed = text.replace(/^ +| +$/g, "");
  if (trimmed === "") return null;
  const negative = trimmed.startsWith("-");
  let value = 0n;
  for (const c of trimmed.slice(negative ? 1 : 0).toLowerCase()) {
    const digit = DIGITS.indexOf(c);
    if (digit < 0 || digit >= from) break;
    value = value * BigInt(from) + BigInt(digit);
    if (value >= MAX_UNSIGNED) throw new MillraceError("ARITHMETIC_OVERFLOW", "Overflow in function conv().");
  }
  // As a long is negated: one that is out of range is taken for -1.
  if (negative && to > 0) value = value >= MAX_UNSIGNED / 2n ? MAX_UNSIGNED - 1n : BigInt.asUintN(64, -value);
  const signed = to < 0 ? (negative ? -value : BigInt.asIntN(64, value)) : value;
  return (signed < 0n ? `-${(-signed).toString(base)}` : signed.toString(base)).toUpperCase();
});

/** The common type of two numbers, decimals each in their own. */
function numbers(name: string, a: DataType, b: DataType, given?: readonly ArgumentType[]): DataType[] {
  const type = commonType(a, b);
  if (type?.kind === "null") return [DOUBLE, DOUBLE];
  if (type === undefined || !isNumeric(type)) {
    throw new MillraceError(
      "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
      `Cannot resolve "${name}" due to data type mismatch: its arguments have the incompatible types "${sqlName(a)}" and "${sqlName(b)}".`,
    );
  }
  if (type.kind !== "decimal") return [type, type];
  return [operandDecimal(given?.[0], a) ?? type, operandDecimal(given?.[1], b) ?? type];
}

const remainderByZero = raise(
  "REMAINDER_BY_ZERO",
  "Remainder by zero. Use `try_mod` to tolerate divisor being 0 and return NULL instead.",
);

/** The number of an interval, for functions that only compare and divide. */
const measure = (x: string, t: DataType): string =>
  t.kind === "interval_day_time" ? `CAST(epoch_us(${x}) AS DOUBLE)` : `CAST(${x} AS DOUBLE)`;

export const mathFunctions: readonly FunctionDef[] = [
  fn("abs", [numericOrInterval], typeOf(0), ["abs(-1)", 1], ([x], { result: r }) => {
    if (r.kind === "interval_day_time") return `to_microseconds(abs(epoch_us(${x})))`;
    if (!isIntegral(r)) return `abs(${x})`;
    const least = { byte: "-128", short: "-32768", integer: "-2147483648", long: "-9223372036854775808" }[
      r.kind as "byte"
    ];
    return `CASE WHEN ${x} = ${least} THEN ${overflow} ELSE abs(${x}) END`;
  }),
  ...roundingFunctions,
  f64("sqrt", ["sqrt(4)", 2], (x) => `CASE WHEN ${x} < 0 THEN ${NAN} ELSE sqrt(${x}) END`),
  // One Newton step makes cube roots of cubes exact.
  f64(
    "cbrt",
    ["cbrt(27.0)", 3],
    (x) =>
      `CASE WHEN ${x} = 0 OR NOT isfinite(${x}) OR abs(${x}) > 1e300 THEN cbrt(${x}) ELSE cbrt(${x}) - (pow(cbrt(${x}), 3) - ${x}) / (3 * pow(cbrt(${x}), 2)) END`,
  ),
  f64("exp", ["exp(0)", 1]),
  fn("expm1", [double], DOUBLE, ["expm1(0)", 0], ([x], _, native) => native(expm1, one(x!), DOUBLE), {
    nullable: "always",
  }),
  // Logarithms of what has none are null, as in Spark.
  f64("ln", ["ln(1)", 0], (x) => `CASE WHEN ${x} > 0 THEN ln(${x}) WHEN isnan(${x}) THEN ${x} END`),
  fn(
    "log",
    [double, opt(double)],
    DOUBLE,
    ["log(10, 100)", 2],
    ([a, b]) =>
      b === undefined
        ? `CASE WHEN ${a} > 0 THEN ln(${a}) END`
        : // The number is computed for every base that is not null, as in Spark: it may fail.
          `CASE WHEN ${a} IS NULL THEN NULL WHEN ${b} > 0 THEN CASE WHEN ${a} = 1 THEN CASE WHEN ${b} = 1 OR isnan(${b}) THEN ${NAN} WHEN ${b} > 1 THEN ${INF} ELSE -${INF} END WHEN ${a} > 0 THEN ln(${b}) / ln(${a}) END END`,
    { nullable: "always" },
  ),
  f64("log2", ["log2(2)", 1], (x) => `CASE WHEN ${x} > 0 THEN log2(${x}) END`),
  f64("log10", ["log10(10)", 1], (x) => `CASE WHEN ${x} > 0 THEN log10(${x}) END`),
  fn("log1p", [double], DOUBLE, ["log1p(0)", 0], ([x], _, native) => native(log1p, one(x!), DOUBLE), {
    nullable: "always",
  }),
  fn(
    "pow",
    [double, double],
    DOUBLE,
    ["pow(2, 3)", 8],
    ([a, b]) => `CASE WHEN abs(${a}) = 1 AND NOT isfinite(${b}) THEN ${NAN} ELSE pow(${a}, ${b}) END`,
    {
      aliases: ["power"],
    },
  ),
  f64(
    "sin",
    ["sin(0)", 0],
    finite((x) => `sin(${x})`),
  ),
  f64(
    "cos",
    ["cos(0)", 1],
    finite((x) => `cos(${x})`),
  ),
  f64(
    "tan",
    ["tan(0)", 0],
    finite((x) => `tan(${x})`),
  ),
  f64(
    "cot",
    ["round(cot(1), 6)", 0.642093],
    finite((x) => inverse(`tan(${x})`)),
  ),
  f64(
    "sec",
    ["sec(0)", 1],
    finite((x) => inverse(`cos(${x})`)),
  ),
  f64(
    "csc",
    ["round(csc(1), 6)", 1.188395],
    finite((x) => inverse(`sin(${x})`)),
  ),
  f64("asin", ["asin(0)", 0], (x) => `CASE WHEN abs(${x}) <= 1 THEN asin(${x}) WHEN ${x} IS NOT NULL THEN ${NAN} END`),
  f64("acos", ["acos(1)", 0], (x) => `CASE WHEN abs(${x}) <= 1 THEN acos(${x}) WHEN ${x} IS NOT NULL THEN ${NAN} END`),
  f64("atan", ["atan(0)", 0]),
  f64("sinh", ["sinh(0)", 0]),
  f64("cosh", ["cosh(0)", 1]),
  f64("tanh", ["tanh(0)", 0]),
  f64("asinh", ["asinh(0)", 0]),
  f64("acosh", ["acosh(1)", 0], (x) => `CASE WHEN ${x} < 1 THEN ${NAN} ELSE acosh(${x}) END`),
  f64(
    "atanh",
    ["atanh(0)", 0],
    (x) => `CASE WHEN abs(${x}) > 1 THEN ${NAN} WHEN abs(${x}) = 1 THEN ${x} * ${INF} ELSE atanh(${x}) END`,
  ),
  // A zero's sign does not count in Spark.
  fn("atan2", [double, double], DOUBLE, ["atan2(0, 0)", 0], ([y, x]) => `atan2(${y} + 0.0, ${x} + 0.0)`),
  fn("hypot", [double, double], DOUBLE, ["hypot(3, 4)", 5], ([a, b]) => {
    const most = `greatest(abs(${a}), abs(${b}))`;
    // The squares are exact, or nearly, where they neither overflow nor vanish.
    const plain = `WHEN ${most} BETWEEN 1e-100 AND 1e150 THEN sqrt(${a} * ${a} + ${b} * ${b})`;
    return `CASE WHEN ${a} IS NULL OR ${b} IS NULL THEN NULL WHEN isinf(${a}) OR isinf(${b}) THEN ${INF} WHEN ${most} = 0 OR isnan(${most}) THEN ${most} ${plain} ELSE ${most} * sqrt(pow(${a} / ${most}, 2) + pow(${b} / ${most}, 2)) END`;
  }),
  f64("degrees", ["degrees(pi())", 180]),
  f64("radians", ["radians(180)", Math.PI]),
  fn(
    "signum",
    [numericOrInterval],
    DOUBLE,
    ["signum(40)", 1],
    ([x], { args: [t] }) => {
      const n = t!.kind === "interval_day_time" ? `epoch_us(${x})` : x!;
      return t!.kind === "double" || t!.kind === "float"
        ? `CASE WHEN ${n} = 0 OR isnan(${n}) THEN CAST(${n} AS DOUBLE) ELSE CAST(sign(${n}) AS DOUBLE) END`
        : `CAST(sign(${n}) AS DOUBLE)`;
    },
    { aliases: ["sign"], nullable: "always" },
  ),
  f64("rint", ["rint(12.3456)", 12], (x) => `round_even(${x}, 0)`),
  fn("positive", [numericOrInterval], typeOf(0), ["positive(1)", 1], ([x]) => x!),
  fn("pi", [], DOUBLE, ["pi()", Math.PI], { nullable: "never" }),
  fn("e", [], DOUBLE, ["e()", Math.E], () => "CAST('2.718281828459045' AS DOUBLE)", { nullable: "never" }),
  fn(
    "factorial",
    [int],
    LONG,
    ["factorial(5)", 120n],
    ([n]) => `CASE WHEN ${n} BETWEEN 0 AND 20 THEN CAST(factorial(${n}) AS BIGINT) END`,
    { nullable: "always" },
  ),
  fn(
    "pmod",
    [any, any],
    ([a, b]) => {
      if (a?.kind !== "decimal" || b?.kind !== "decimal") return a!;
      const scale = Math.max(a.scale, b.scale);
      return boundedDecimal(Math.min(a.precision - a.scale, b.precision - b.scale) + scale, scale);
    },
    ["pmod(-10, 3)", 2],
    ([a, b], { result: r }) =>
      `CASE WHEN ${b} = 0 AND ${a} IS NOT NULL THEN ${remainderByZero} ELSE CAST(CASE WHEN ${a} % ${b} < 0 THEN (${a} % ${b} + ${b}) % ${b} ELSE ${a} % ${b} END AS ${sqlType(r)}) END`,
    { coerce: ([a, b], given) => numbers("pmod", a!, b!, given), nullable: "always" },
  ),
  fn(
    "bin",
    [long],
    STRING,
    ["bin(13)", "1101"],
    ([x]) => `CASE WHEN ${x} = 0 THEN '0' ELSE ltrim(CAST(CAST(${x} AS BIT) AS VARCHAR), '0') END`,
  ),
  fn(
    "conv",
    [string, int, int],
    STRING,
    ["conv('100', 2, 10)", "4"],
    ([s, from, to], _, native) =>
      native(
        conv,
        [
          { sql: s!, type: STRING },
          { sql: from!, type: INT },
          { sql: to!, type: INT },
        ],
        STRING,
      ),
    { nullable: "always" },
  ),
  attempt("try_add", "+", ["try_add(2147483647, 1)", null]),
  attempt("try_subtract", "-", ["try_subtract(-2147483648, 1)", null]),
  attempt("try_multiply", "*", ["try_multiply(2147483647, 2)", null]),
  attempt("try_divide", "/", ["try_divide(3, 0)", null]),
  attempt("try_mod", "%", ["try_mod(3, 0)", null]),
  fn(
    "width_bucket",
    [any, any, any, long],
    LONG,
    ["width_bucket(5.3, 0.2, 10.6, 5)", 3n],
    ([value, min, max, n], { args: [t] }) => {
      const [v, lo, hi] = [value, min, max].map((x) => measure(x!, t!));
      const at = (from: string, to: string): string => `CAST(floor(${n} * (${from}) / (${to})) AS BIGINT) + 1`;
      return `CASE WHEN ${n} > 0 AND ${lo} <> ${hi} AND NOT isnan(${v}) AND isfinite(${lo}) AND isfinite(${hi}) THEN CASE WHEN ${lo} < ${hi} THEN CASE WHEN ${v} < ${lo} THEN 0 WHEN ${v} >= ${hi} THEN ${n} + 1 ELSE ${at(`${v} - ${lo}`, `${hi} - ${lo}`)} END ELSE CASE WHEN ${v} > ${lo} THEN 0 WHEN ${v} <= ${hi} THEN ${n} + 1 ELSE ${at(`${lo} - ${v}`, `${lo} - ${hi}`)} END END END`;
    },
    {
      coerce: ([v, lo, hi]) =>
        isInterval(v!) && v.kind === lo!.kind && v.kind === hi!.kind
          ? [v, lo, hi, LONG]
          : [DOUBLE, DOUBLE, DOUBLE, LONG],
      nullable: "always",
    },
  ),
  fn(
    "bitmap_bit_position",
    [long],
    LONG,
    ["bitmap_bit_position(2)", 1n],
    ([x]) => `(CASE WHEN ${x} > 0 THEN (${x} - 1) % 32768 ELSE -(${x} % 32768) END)`,
  ),
  fn(
    "bitmap_bucket_number",
    [long],
    LONG,
    ["bitmap_bucket_number(32769)", 2n],
    ([x]) => `(CASE WHEN ${x} > 0 THEN 1 + (${x} - 1) // 32768 ELSE ${x} // 32768 END)`,
  ),
];
