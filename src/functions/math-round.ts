import { MillraceError } from "../errors.ts";
import { boundedDecimal, decimalOf, isIntegral } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type FunctionDef, family, type NativeCall, nativeFunction, type Result, raise } from "./define.ts";
import { constant, int, LONG, numeric, opt, STRING } from "./params.ts";

/** round, bround, ceil and floor. Spark rounds a double in its shortest decimal form, as Java's BigDecimal does: 2.675 to 2.68. */

const fn = family("math");

export const overflow = raise(
  "ARITHMETIC_OVERFLOW",
  "The result does not fit its type. Use the `try_` form to get null instead.",
);

/** The literal scale; Spark wants one, too. */
function scaleOf(args: readonly ArgumentType[], name: string): number | null {
  const given = args[1];
  if (given === undefined) return 0;
  if (given.literal === undefined && given.type.kind !== "null") {
    throw new MillraceError(
      "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
      `The scale of \`${name}\` must be a constant, not a column.`,
    );
  }
  if (given.literal === null || given.type.kind === "null") return null;
  const n = Number(given.literal);
  if (Number.isInteger(n)) return n;
  throw new MillraceError(
    "CAST_INVALID_INPUT",
    `The value '${given.literal}' of the type "STRING" cannot be cast to "INT" because it is malformed.`,
  );
}

/** ceil and floor want an int that is a constant and no null. */
function intScale(name: string, { type, literal }: ArgumentType): number {
  if (type.kind === "integer" && typeof literal === "number") return literal;
  throw new MillraceError(
    "NON_FOLDABLE_ARGUMENT",
    `The function \`${name}\` requires the parameter \`scale\` to be a constant of the type "INT".`,
    { parameters: { funcName: `\`${name}\``, paramName: "`scale`", paramType: '"INT"' } },
  );
}

/** The type of a rounded decimal: one digit more before the point, and only the decimals that were asked for. */
function roundedType(t: Extract<DataType, { kind: "decimal" }>, n: number): DataType {
  const whole = t.precision - t.scale + 1;
  if (n < 0) return { kind: "decimal", precision: Math.min(38, Math.max(whole, -n + 1)), scale: 0 };
  const scale = Math.min(t.scale, n);
  return { kind: "decimal", precision: Math.min(38, whole + scale), scale };
}

const rounded =
  (name: string): Result =>
  ([t], args) => {
    const n = scaleOf(args, name) ?? 0;
    return t!.kind === "decimal" ? roundedType(t!, n) : t!;
  };

type Mode = "half_up" | "half_even" | "ceiling" | "floor";

/** A decimal number as text, rounded to so many decimals. */
function roundText(text: string, n: number, mode: Mode): string {
  const m = /^(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text);
  if (m === null) return text;
  const exponent = Number(m[4] ?? 0) - m[3]!.length;
  const digits = BigInt(m[2]! + m[3]!);
  // The value is digits * 10^exponent; what stays is a multiple of 10^-n.
  const drop = -n - exponent;
  if (drop <= 0) return text;
  if (drop > 400) return mode === "ceiling" && digits > 0n && m[1] === "" ? `1e${-n}` : "0";
  const unit = 10n ** BigInt(drop);
  const negative = m[1] === "-";
  let quotient = digits / unit;
  const rest = digits % unit;
  const up =
    mode === "half_up"
      ? rest * 2n >= unit
      : mode === "half_even"
        ? rest * 2n > unit || (rest * 2n === unit && quotient % 2n === 1n)
        : rest > 0n && (mode === "ceiling") !== negative;
  if (up) quotient += 1n;
  return `${negative && quotient > 0n ? "-" : ""}${quotient}e${-n}`;
}

/** The last argument is how many digits the result has room for. */
const roundNative = nativeFunction("round", (text: string, n: number, mode: Mode, room: number) => {
  const result = plain(roundText(text, n, mode));
  if (result.replace(/^-|\..*$/g, "").length <= room) return result;
  throw new MillraceError(
    "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
    `${text} has more than ${room} digits before the decimal point.`,
  );
});
const roundDouble = nativeFunction("round", (x: number, n: number, mode: Mode) =>
  Number.isFinite(x) ? Number(roundText(String(x), n, mode)) + 0 : x,
);

/** Without an exponent, which a DECIMAL of DuckDB does not read in every form. */
function plain(text: string): string {
  const m = /^(-?)(\d+)(?:\.(\d*))?[eE]([+-]?\d+)$/.exec(text);
  if (m === null) return text;
  if (m[3]) return plain(`${m[1]}${m[2]}${m[3]}e${Number(m[4]) - m[3].length}`);
  const e = Number(m[4]);
  if (e >= 0) return `${m[1]}${m[2]}${"0".repeat(e)}`;
  const digits = m[2]!.padStart(-e + 1, "0");
  return `${m[1]}${digits.slice(0, e)}.${digits.slice(e)}`;
}

/** Digits before the point. */
const room = (t: DataType): number => (t.kind === "decimal" ? t.precision - t.scale : 38);

const LIMITS: Readonly<Record<string, readonly [string, string]>> = {
  byte: ["-128", "127"],
  short: ["-32768", "32767"],
  integer: ["-2147483648", "2147483647"],
  long: ["-9223372036854775808", "9223372036854775807"],
};

/** A whole number rounded to tens, hundreds...; one that grows out of its type fails. */
function roundInteger(x: string, n: number, type: DataType, mode: Mode): string {
  if (n >= 0) return x;
  const k = Math.min(-n, 20);
  const unit = 10n ** BigInt(k);
  const wide = `CAST(${x} AS HUGEINT)`;
  const half =
    mode === "half_even"
      ? `(CASE WHEN abs(${wide}) % ${unit} * 2 = ${unit} AND abs(${wide}) // ${unit} % 2 = 0 THEN 0 ELSE ${unit / 2n} END)`
      : `${unit / 2n}`;
  const result = `sign(${x}) * ((abs(${wide}) + ${half}) // ${unit} * ${unit})`;
  const [min, max] = LIMITS[type.kind]!;
  return `CASE WHEN ${result} NOT BETWEEN ${min} AND ${max} THEN ${overflow} ELSE CAST(${result} AS ${sqlType(type)}) END`;
}

function roundSql(x: string, n: number, type: DataType, result: DataType, mode: Mode, native: NativeCall): string {
  if (isIntegral(type)) return roundInteger(x, n, type, mode);
  const number = (value: number): { sql: string; type: DataType } => ({
    sql: String(value),
    type: { kind: "integer" },
  });
  const word = { sql: `'${mode}'`, type: STRING };
  if (type.kind === "decimal") {
    if (mode === "half_up" && n >= 0) return `CAST(round(${x}, ${Math.min(n, type.scale)}) AS ${sqlType(result)})`;
    const text = native(
      roundNative,
      [{ sql: `CAST(${x} AS VARCHAR)`, type: STRING }, number(n), word, number(room(result))],
      STRING,
    );
    return `CAST(${text} AS ${sqlType(result)})`;
  }
  if (mode === "half_up" && n >= 0 && n <= 22) {
    // Beyond 10^15 a double has less than one digit after the point.
    const text = `CAST(CAST(${x} AS DOUBLE) AS VARCHAR)`;
    return `CASE WHEN abs(${x}) < 1e15 THEN CAST(CAST(CAST(${text} AS DECIMAL(38,${n})) AS VARCHAR) AS ${sqlType(type)}) ELSE ${x} END`;
  }
  return `CAST(${native(roundDouble, [{ sql: `CAST(${x} AS DOUBLE)`, type: { kind: "double" } }, number(n), word], { kind: "double" })} AS ${sqlType(type)})`;
}

const rounding = (name: string, mode: Mode, example: readonly [string, unknown]): FunctionDef =>
  fn(
    name,
    [numeric, opt(constant(int))],
    rounded(name),
    example,
    ([x, n], { args: [t], result, literals }, native) => {
      if (n !== undefined && literals?.[1] == null) return `CAST(NULL AS ${sqlType(result)})`;
      return roundSql(x!, n === undefined ? 0 : Number(literals?.[1]), t!, result, mode, native);
    },
    { nullable: "always" },
  );

/** ceil and floor: long of a double, a decimal of a decimal; with a scale a decimal of anything. */
const whole = (
  name: string,
  mode: "ceiling" | "floor",
  aliases: string[],
  example: readonly [string, unknown],
): FunctionDef =>
  fn(
    name,
    [numeric, opt(constant(int))],
    ([t], args) => {
      if (args.length > 1) {
        const decimal = decimalOf(t!) ?? {
          kind: "decimal",
          precision: t!.kind === "float" ? 14 : 30,
          scale: t!.kind === "float" ? 7 : 15,
        };
        return roundedType(decimal, intScale(name, args[1]!));
      }
      if (t!.kind !== "decimal") return LONG;
      return t!.scale === 0 ? t! : boundedDecimal(t!.precision - t!.scale + 1, 0);
    },
    example,
    ([x, n], { args: [t], result, literals }, native) => {
      if (n !== undefined) {
        // What is not finite is no decimal.
        const finite = decimalOf(t!) ? x! : `CASE WHEN isfinite(${x}) THEN ${x} END`;
        const args = [
          { sql: `CAST(${finite} AS VARCHAR)`, type: STRING },
          { sql: String(literals![1]), type: { kind: "integer" } as DataType },
          { sql: `'${mode}'`, type: STRING },
          { sql: String(room(result)), type: { kind: "integer" } as DataType },
        ];
        return `CAST(${native(roundNative, args, STRING)} AS ${sqlType(result)})`;
      }
      if (t!.kind === "decimal") return `CAST(${name}(${x}) AS ${sqlType(result)})`;
      if (isIntegral(t!)) return `CAST(${x} AS BIGINT)`;
      return javaLong(`${name}(CAST(${x} AS DOUBLE))`);
    },
    { aliases, nullable: "always" },
  );

/** A long of a double as Java casts: NaN is 0, and what is too large is the largest. */
export const javaLong = (x: string): string =>
  `CASE WHEN isnan(${x}) THEN 0 WHEN ${x} >= 9223372036854775807 THEN 9223372036854775807 WHEN ${x} <= -9223372036854775808 THEN -9223372036854775808 ELSE CAST(${x} AS BIGINT) END`;

export const roundingFunctions: readonly FunctionDef[] = [
  rounding("round", "half_up", ["round(2.5, 0)", "3"]),
  rounding("bround", "half_even", ["bround(2.5, 0)", "2"]),
  whole("ceil", "ceiling", ["ceiling"], ["ceil(-0.1)", "0"]),
  whole("floor", "floor", [], ["floor(-0.1)", "-1"]),
];
