import { MillraceError } from "../errors.ts";
import { boundedDecimal, commonType, decimalOf, isIntegral, isNumeric, isOrderable } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type FunctionDef, family, type Options, type Result, raise } from "./define.ts";
import { temporalRule } from "./interval-arithmetic.ts";
import { any, BOOLEAN, boolean, DOUBLE, LONG, numericOrInterval, typeOf } from "./params.ts";

const fn = family("operator");

type Decimal = Extract<DataType, { kind: "decimal" }>;
type DecimalRule = (a: Decimal, b: Decimal) => Decimal;

/** Spark's result types of decimal arithmetic, https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html */
const DECIMAL: Record<string, DecimalRule> = {
  "+": (a, b) => {
    const s = Math.max(a.scale, b.scale);
    return boundedDecimal(Math.max(a.precision - a.scale, b.precision - b.scale) + s + 1, s);
  },
  "*": (a, b) => boundedDecimal(a.precision + b.precision + 1, a.scale + b.scale),
  "/": (a, b) => {
    const s = Math.max(6, a.scale + b.precision + 1);
    return boundedDecimal(a.precision - a.scale + b.scale + s, s);
  },
  "%": (a, b) => {
    const s = Math.max(a.scale, b.scale);
    return boundedDecimal(Math.min(a.precision - a.scale, b.precision - b.scale) + s, s);
  },
};
DECIMAL["-"] = DECIMAL["+"]!;

function mismatch(name: string, a: DataType, b: DataType): MillraceError {
  return new MillraceError(
    "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
    `Cannot resolve "(a ${name} b)" due to data type mismatch: the left and right operands of the binary operator have incompatible types ("${sqlName(a)}" and "${sqlName(b)}").`,
    { parameters: { left: `"${sqlName(a)}"`, right: `"${sqlName(b)}"` } },
  );
}

/** Casts of the two operands of an arithmetic operator. */
const arithmetic =
  (name: string): NonNullable<Options["coerce"]> =>
  ([a, b]) => {
    const x = a!;
    const y = b!;
    const temporal = temporalRule(name, x, y);
    if (temporal) return temporal.casts;
    const type = commonType(x, y);
    if (type?.kind === "null") return [DOUBLE, DOUBLE];
    if (type === undefined || !isNumeric(type)) throw mismatch(name, x, y);
    if (type.kind === "decimal") return [decimalOf(x) ?? type, decimalOf(y) ?? type];
    return name === "/" ? [DOUBLE, DOUBLE] : [type, type];
  };

const arithmeticResult =
  (name: string): Result =>
  ([a, b]) => {
    const x = a!;
    const y = b!;
    if (x.kind === "decimal" && y.kind === "decimal") return DECIMAL[name]!(x, y);
    const temporal = temporalRule(name, x, y);
    if (temporal) return temporal.type;
    return x;
  };

const cast = (sql: string, type: DataType): string => `CAST(${sql} AS ${sqlType(type)})`;
const divideByZero = raise(
  "DIVIDE_BY_ZERO",
  "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.",
);
const isZero = (b: string, then: string, otherwise: string): string =>
  `CASE WHEN ${b} = 0 THEN ${then} ELSE ${otherwise} END`;

/** Both operands of a comparison are cast to their common type, which must have an order. */
const comparison =
  (name: string): NonNullable<Options["coerce"]> =>
  ([a, b]) => {
    const type = commonType(a!, b!);
    if (type === undefined || !isOrderable(type)) throw mismatch(name, a!, b!);
    return [type, type];
  };

const compare = (
  name: string,
  sqlOperator: string,
  example: readonly [string, unknown],
  o: Options = {},
): FunctionDef =>
  fn(name, [any, any], BOOLEAN, example, ([a, b]) => `(${a} ${sqlOperator} ${b})`, { coerce: comparison(name), ...o });

const arith = (
  name: string,
  example: readonly [string, unknown],
  sql: NonNullable<FunctionDef["sql"]>,
  o: Options = {},
): FunctionDef =>
  fn(
    name,
    [any, any],
    arithmeticResult(name),
    example,
    (args, types, native) =>
      temporalRule(name, types.args[0]!, types.args[1]!)?.sql(args[0]!, args[1]!, types) ?? sql(args, types, native),
    { coerce: arithmetic(name), ...o },
  );

export const operators: readonly FunctionDef[] = [
  arith("+", ["1 + 2", 3], ([a, b], { result: r }) => cast(`(${a} + ${b})`, r)),
  arith("-", ["5 - 3", 2], ([a, b], { result: r }) => cast(`(${a} - ${b})`, r)),
  arith("*", ["2 * 3", 6], ([a, b], { result: r }) => cast(`(${a} * ${b})`, r)),
  arith("/", ["3 / 2", 1.5], ([a, b], { result: r }) => isZero(b!, divideByZero, cast(`(${a} / ${b})`, r)), {
    nullable: "args",
  }),
  arith("%", ["7 % 3", 1], ([a, b], { result: r }) => isZero(b!, divideByZero, cast(`(${a} % ${b})`, r)), {
    aliases: ["mod"],
  }),
  fn("negative", [numericOrInterval], typeOf(0), ["negative(1)", -1], ([a], { result: r }) =>
    r.kind === "interval_day_time"
      ? `to_microseconds(-epoch_us(${a}))`
      : isIntegral(r) || r.kind === "interval_year_month"
        ? `(${cast("0", r)} - ${cast(a!, r)})`
        : `(-${a})`,
  ),
  compare("==", "=", ["2 == 2", true], { aliases: ["="] }),
  compare("<=>", "IS NOT DISTINCT FROM", ["NULL <=> NULL", true], { nullable: "never" }),
  compare("<", "<", ["1 < 2", true]),
  compare("<=", "<=", ["2 <= 2", true]),
  compare(">", ">", ["2 > 1", true]),
  compare(">=", ">=", ["2 >= 1", true]),
  fn("and", [boolean, boolean], BOOLEAN, ["true and false", false], ([a, b]) => `(${a} AND ${b})`),
  fn("or", [boolean, boolean], BOOLEAN, ["true or false", true], ([a, b]) => `(${a} OR ${b})`),
  fn("not", [boolean], BOOLEAN, ["not true", false], ([a]) => `(NOT ${a})`, { aliases: ["!"] }),
  fn("isnull", [any], BOOLEAN, ["isnull(1)", false], ([a]) => `(${a} IS NULL)`, { nullable: "never" }),
  fn("isnotnull", [any], BOOLEAN, ["isnotnull(1)", true], ([a]) => `(${a} IS NOT NULL)`, { nullable: "never" }),
  fn(
    "div",
    [any, any],
    LONG,
    ["7 div 2", 3n],
    // Toward zero, as Java divides.
    ([a, b], { args: [t] }) =>
      isZero(b!, divideByZero, isIntegral(t!) ? `(${a} // ${b})` : `CAST(trunc(${a} / ${b}) AS BIGINT)`),
    { coerce: integralDivision },
  ),
];

function integralDivision([a, b]: readonly DataType[]): DataType[] {
  const type = commonType(a!, b!);
  if (type === undefined || !isNumeric(type)) throw mismatch("div", a!, b!);
  return isIntegral(type) ? [LONG, LONG] : [type, type];
}
