import { boundedDecimal, isIntegral } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type FunctionDef, family, type Options, type Result, raise } from "./define.ts";
import { any, DOUBLE, double, INT, int, LONG, long, numeric, opt, STRING, string, typeOf } from "./params.ts";

const fn = family("math");
const f64 = (
  name: string,
  example: readonly [string, unknown],
  sql?: (x: string) => string,
  o: Options = {},
): FunctionDef => fn(name, [double], DOUBLE, example, sql ? ([x]) => sql(x!) : ([x]) => `${name}(${x})`, o);

/** ceil and floor: long of a double, a decimal of a decimal; a scale keeps decimals. */
const whole: Result = ([t]) =>
  t!.kind === "decimal" ? boundedDecimal(Math.max(1, t!.precision - t!.scale + 1), 0) : LONG;

/** A long of a double, refusing what a long cannot hold, as ANSI mode does. */
const asLong = (sql: string): string => `CAST(${sql} AS BIGINT)`;

/** round of a decimal has the scale that was asked for. */
const rounded: Result = ([t], args) => {
  if (t!.kind !== "decimal") return t!;
  const n = args.length < 2 ? 0 : Number(args[1]!.literal ?? 0);
  const scale = Math.min(t!.scale, Math.max(0, n));
  return boundedDecimal(t!.precision - t!.scale + scale + (n < t!.scale ? 1 : 0), scale);
};

/** Half up, away from zero. A double is rounded in its shortest decimal form, as Java's BigDecimal does: 2.675 to 2.68. */
function round(x: string, n: string, type: DataType): string {
  if (type.kind === "double" || type.kind === "float") {
    return `CASE WHEN isfinite(${x}) THEN CAST(round(CAST(${x} AS DOUBLE) + sign(${x}) * abs(${x}) * 1e-15, ${n}) AS ${sqlType(type)}) ELSE ${x} END`;
  }
  return `round(${x}, ${n})`;
}

/** Half to even. */
function bround(x: string, n: string, type: DataType): string {
  return `CAST(round_even(CAST(${x} AS DOUBLE), ${n}) AS ${sqlType(type)})`;
}

export const mathFunctions: readonly FunctionDef[] = [
  fn("abs", [numeric], typeOf(0), ["abs(-1)", 1], ([x]) => `abs(${x})`),
  fn(
    "ceil",
    [numeric, opt(int)],
    (types, args) => (args.length > 1 ? rounded(types, args) : whole(types, args)) as DataType,
    ["ceil(-0.1)", "0"],
    ([x, n], { args: [t], result }) =>
      n === undefined
        ? t!.kind === "decimal"
          ? `CAST(ceil(${x}) AS ${sqlType(result)})`
          : isIntegral(t!)
            ? `CAST(${x} AS BIGINT)`
            : asLong(`ceil(${x})`)
        : `CAST(ceil(${x} * pow(10, ${n})) / pow(10, ${n}) AS ${sqlType(result)})`,
    { aliases: ["ceiling"] },
  ),
  fn(
    "floor",
    [numeric, opt(int)],
    (types, args) => (args.length > 1 ? rounded(types, args) : whole(types, args)) as DataType,
    ["floor(-0.1)", "-1"],
    ([x, n], { args: [t], result }) =>
      n === undefined
        ? t!.kind === "decimal"
          ? `CAST(floor(${x}) AS ${sqlType(result)})`
          : isIntegral(t!)
            ? `CAST(${x} AS BIGINT)`
            : asLong(`floor(${x})`)
        : `CAST(floor(${x} * pow(10, ${n})) / pow(10, ${n}) AS ${sqlType(result)})`,
  ),
  fn("round", [numeric, opt(int)], rounded, ["round(2.5, 0)", "3"], ([x, n], { args: [t], result }) =>
    t!.kind === "decimal" || isIntegral(t!)
      ? `CAST(round(${x}, ${n ?? 0}) AS ${sqlType(result)})`
      : round(x!, n ?? "0", t!),
  ),
  fn("bround", [numeric, opt(int)], rounded, ["bround(2.5, 0)", "2"], ([x, n], { result }) =>
    bround(x!, n ?? "0", result),
  ),
  f64("sqrt", ["sqrt(4)", 2], (x) => `CASE WHEN ${x} < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt(${x}) END`),
  // One Newton step makes cube roots of cubes exact.
  f64(
    "cbrt",
    ["cbrt(27.0)", 3],
    (x) =>
      `CASE WHEN ${x} = 0 OR NOT isfinite(${x}) THEN ${x} ELSE cbrt(${x}) - (pow(cbrt(${x}), 3) - ${x}) / (3 * pow(cbrt(${x}), 2)) END`,
  ),
  f64("exp", ["exp(0)", 1]),
  f64("expm1", ["expm1(0)", 0], (x) => `(exp(${x}) - 1)`),
  // Logarithms of what has none are null, as in Spark.
  f64("ln", ["ln(1)", 0], (x) => `CASE WHEN ${x} > 0 THEN ln(${x}) WHEN isnan(${x}) THEN ${x} END`, {
    nullable: "always",
  }),
  fn(
    "log",
    [double, opt(double)],
    DOUBLE,
    ["log(10, 100)", 2],
    ([a, b]) =>
      b === undefined
        ? `CASE WHEN ${a} > 0 THEN ln(${a}) END`
        : `CASE WHEN ${a} > 0 AND ${b} > 0 THEN ln(${b}) / ln(${a}) END`,
    { nullable: "always" },
  ),
  f64("log2", ["log2(2)", 1], (x) => `CASE WHEN ${x} > 0 THEN log2(${x}) END`, { nullable: "always" }),
  f64("log10", ["log10(10)", 1], (x) => `CASE WHEN ${x} > 0 THEN log10(${x}) END`, { nullable: "always" }),
  f64("log1p", ["log1p(0)", 0], (x) => `CASE WHEN ${x} > -1 THEN ln(1 + ${x}) END`, { nullable: "always" }),
  fn("pow", [double, double], DOUBLE, ["pow(2, 3)", 8], ([a, b]) => `pow(${a}, ${b})`, { aliases: ["power"] }),
  f64("sin", ["sin(0)", 0]),
  f64("cos", ["cos(0)", 1]),
  f64("tan", ["tan(0)", 0]),
  f64(
    "asin",
    ["asin(0)", 0],
    (x) => `CASE WHEN abs(${x}) <= 1 THEN asin(${x}) WHEN ${x} IS NOT NULL THEN CAST('nan' AS DOUBLE) END`,
  ),
  f64(
    "acos",
    ["acos(1)", 0],
    (x) => `CASE WHEN abs(${x}) <= 1 THEN acos(${x}) WHEN ${x} IS NOT NULL THEN CAST('nan' AS DOUBLE) END`,
  ),
  f64("atan", ["atan(0)", 0]),
  fn("atan2", [double, double], DOUBLE, ["atan2(0, 0)", 0]),
  f64("degrees", ["degrees(pi())", 180]),
  f64("radians", ["radians(180)", Math.PI]),
  f64("signum", ["signum(40)", 1], (x) => `CAST(sign(${x}) AS DOUBLE)`, { aliases: ["sign"] }),
  f64("rint", ["rint(12.3456)", 12], (x) => `round_even(${x}, 0)`),
  fn("pi", [], DOUBLE, ["pi()", Math.PI], { nullable: "never" }),
  fn("e", [], DOUBLE, ["e()", Math.E], () => "exp(1.0::DOUBLE)", { nullable: "never" }),
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
    [numeric, numeric],
    typeOf(0),
    ["pmod(-10, 3)", 2],
    ([a, b], { result: r }) =>
      `CASE WHEN ${b} = 0 THEN ${raise("DIVIDE_BY_ZERO", "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.")} ELSE CAST(((${a} % ${b}) + ${b}) % ${b} AS ${sqlType(r)}) END`,
    {
      coerce: ([a, b]) => {
        const t = isIntegral(a!) && isIntegral(b!) ? (a!.kind === "long" || b!.kind === "long" ? LONG : INT) : DOUBLE;
        return [t, t];
      },
    },
  ),
  fn("rand", [opt(long)], DOUBLE, ["rand(0) >= 0", true], () => "random()", {
    nullable: "never",
    nondeterministic: true,
    aliases: ["random"],
  }),
  fn(
    "conv",
    [string, int, int],
    STRING,
    ["conv('100', 2, 10)", "4"],
    ([s, from, to]) =>
      `CASE WHEN ${from} BETWEEN 2 AND 36 AND ${to} BETWEEN 2 AND 36 THEN upper(to_base(CAST(list_reduce(list_prepend(CAST(0 AS HUGEINT), list_transform(string_split(lower(${s}), ''), lambda d: CAST(instr('0123456789abcdefghijklmnopqrstuvwxyz', d) - 1 AS HUGEINT))), lambda acc, d: acc * ${from} + d) AS BIGINT), ${to})) END`,
    { nullable: "always" },
  ),
  fn(
    "try_divide",
    [any, any],
    (types) => (types[0]!.kind === "decimal" ? boundedDecimal(38, 6) : DOUBLE),
    ["try_divide(3, 0)", null],
    ([a, b]) => `CASE WHEN ${b} <> 0 THEN ${a} / ${b} END`,
    { coerce: () => [DOUBLE, DOUBLE], nullable: "always" },
  ),
  fn(
    "try_add",
    [numeric, numeric],
    typeOf(0),
    ["try_add(2147483647, 1)", null],
    ([a, b], { result: r }) => `TRY(CAST(${a} + ${b} AS ${sqlType(r)}))`,
    { coerce: sameNumber, nullable: "always" },
  ),
  fn(
    "try_subtract",
    [numeric, numeric],
    typeOf(0),
    ["try_subtract(-2147483648, 1)", null],
    ([a, b], { result: r }) => `TRY(CAST(${a} - ${b} AS ${sqlType(r)}))`,
    { coerce: sameNumber, nullable: "always" },
  ),
  fn(
    "try_multiply",
    [numeric, numeric],
    typeOf(0),
    ["try_multiply(2147483647, 2)", null],
    ([a, b], { result: r }) => `TRY(CAST(${a} * ${b} AS ${sqlType(r)}))`,
    { coerce: sameNumber, nullable: "always" },
  ),
  fn(
    "width_bucket",
    [double, double, double, long],
    LONG,
    ["width_bucket(5.3, 0.2, 10.6, 5)", 3n],
    ([v, lo, hi, n]) =>
      `CASE WHEN ${n} > 0 AND ${lo} <> ${hi} THEN CASE WHEN ${lo} < ${hi} THEN CASE WHEN ${v} < ${lo} THEN 0 WHEN ${v} >= ${hi} THEN ${n} + 1 ELSE CAST(floor((${v} - ${lo}) / (${hi} - ${lo}) * ${n}) AS BIGINT) + 1 END ELSE CASE WHEN ${v} > ${lo} THEN 0 WHEN ${v} <= ${hi} THEN ${n} + 1 ELSE CAST(floor((${lo} - ${v}) / (${lo} - ${hi}) * ${n}) AS BIGINT) + 1 END END END`,
    { nullable: "always" },
  ),
];

function sameNumber(types: readonly DataType[]): DataType[] {
  const [a, b] = types;
  const t = isIntegral(a!) && isIntegral(b!) ? (a!.kind === "long" || b!.kind === "long" ? LONG : INT) : DOUBLE;
  return [t, t];
}
