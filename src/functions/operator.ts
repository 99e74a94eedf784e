import { MillraceError } from "../errors.ts";
import { commonType, isIntegral, isInterval, isNumeric, isOrderable, sameType } from "../plan/coercion.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { orderKeys } from "../types/order-key.ts";
import {
  arithmeticConstant,
  comparisonConstant,
  logicalConstant,
  negativeConstant,
  unlessAnyNull,
} from "./constants.ts";
import {
  type Decimal,
  type DecimalOperator,
  decimalConstant,
  decimalResult,
  decimalSql,
  operandDecimal,
  wholeQuotient,
} from "./decimal-arithmetic.ts";
import { type FunctionDef, family, narrowed, type Options, type Result, raise } from "./define.ts";
import { temporalRule } from "./interval-arithmetic.ts";
import { overflow } from "./math-round.ts";
import { any, BOOLEAN, boolean, DOUBLE, LONG, numericOrInterval, typeOf } from "./params.ts";

const fn = family("operator");

function mismatch(name: string, a: DataType, b: DataType): MillraceError {
  return new MillraceError(
    "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
    `Cannot resolve "(a ${name} b)" due to data type mismatch: the left and right operands of the binary operator have incompatible types ("${sqlName(a)}" and "${sqlName(b)}").`,
    { parameters: { left: `"${sqlName(a)}"`, right: `"${sqlName(b)}"` } },
  );
}

/** Two operands of one type that the operator does not take. */
function wrongType(name: string, type: DataType): MillraceError {
  return new MillraceError(
    "DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE",
    `Cannot resolve "(a ${name} b)" due to data type mismatch: the binary operator does not take the type "${sqlName(type)}".`,
    { parameters: { actualDataType: `"${sqlName(type)}"` } },
  );
}

/** Casts of the two operands of an arithmetic operator. */
const arithmetic =
  (name: string): NonNullable<Options["coerce"]> =>
  ([a, b], given) => {
    const x = a!;
    const y = b!;
    const temporal = temporalRule(name, x, y);
    if (temporal) return temporal.casts;
    const type = commonType(x, y);
    if (type?.kind === "null") return [DOUBLE, DOUBLE];
    if (type !== undefined && !isNumeric(type) && sameType(x, y)) throw wrongType(name, type);
    if (type === undefined || !isNumeric(type)) throw mismatch(name, x, y);
    if (type.kind === "decimal") return [operandDecimal(given[0], x) ?? type, operandDecimal(given[1], y) ?? type];
    return name === "/" ? [DOUBLE, DOUBLE] : [type, type];
  };

const arithmeticResult =
  (name: string): Result =>
  ([a, b]) => {
    const x = a!;
    const y = b!;
    if (x.kind === "decimal" && y.kind === "decimal") return decimalResult(name as DecimalOperator, x, y);
    const temporal = temporalRule(name, x, y);
    if (temporal) return temporal.type;
    return x;
  };

const cast = (sql: string, type: DataType): string => `CAST(${sql} AS ${sqlType(type)})`;
const divideByZero = raise(
  "DIVIDE_BY_ZERO",
  "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.",
);
/** A null stays null, also over zero. */
const isZero = (a: string, b: string, then: string, otherwise: string): string =>
  `CASE WHEN ${b} = 0 AND ${a} IS NOT NULL THEN ${then} ELSE ${otherwise} END`;

const remainderByZero = raise(
  "REMAINDER_BY_ZERO",
  "Remainder by zero. Use `try_mod` to tolerate divisor being 0 and return NULL instead.",
);

/** A literal has the width of its type, so that it is there that it overflows. */
const binary =
  (op: string): NonNullable<FunctionDef["sql"]> =>
  (args, { result: r, literals }) => {
    const [a, b] = args.map((x, i) => (isIntegral(r) && literals?.[i] !== undefined ? cast(x, r) : x));
    return cast(`(${a} ${op} ${b})`, r);
  };

function unorderable(name: string, type: DataType): MillraceError {
  return new MillraceError(
    "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    `Cannot resolve "${name}" due to data type mismatch: it does not support ordering on the type "${sqlName(type)}".`,
    { parameters: { functionName: name, dataType: `"${sqlName(type)}"` } },
  );
}

/** AND and OR take conditions, and text that says one. */
const logical =
  (name: string): NonNullable<Options["coerce"]> =>
  ([a, b]) => {
    const isCondition = (t: DataType): boolean => ["boolean", "null", "string"].includes(t.kind);
    if (isCondition(a!) && isCondition(b!) && commonType(a!, b!)?.kind !== "string") return [BOOLEAN, BOOLEAN];
    throw sameType(a!, b!) ? wrongType(name, a!) : mismatch(name, a!, b!);
  };

/** Both operands of a comparison are cast to their common type, which must have an order. */
const comparison =
  (name: string): NonNullable<Options["coerce"]> =>
  ([a, b], given) => {
    // A literal beside a decimal takes no more digits than it has.
    const [x, y]: readonly (DataType | undefined)[] =
      a!.kind === "decimal" || b!.kind === "decimal"
        ? [operandDecimal(given[0], a!), operandDecimal(given[1], b!)]
        : [];
    const type = x && y ? commonType(x, y) : commonType(a!, b!);
    if (type !== undefined && !isOrderable(type)) throw unorderable(name, type);
    if (type === undefined) throw mismatch(name, a!, b!);
    return [type, type];
  };

/** Arithmetic beside a constant, which DuckDB would else solve for its operand, so that an overflow went unnoticed. */
const computed = (sql: string, other: Value | undefined): string =>
  other !== undefined && /^(?:CAST\()+\(/.test(sql) ? narrowed(sql) : sql;

const compare = (
  name: string,
  sqlOperator: string,
  example: readonly [string, unknown],
  o: Options = {},
): FunctionDef =>
  fn(
    name,
    [any, any],
    BOOLEAN,
    example,
    ([a, b], { args: [x, y], literals }) => {
      if (isIntegral(x!) && isIntegral(y!))
        return `(${computed(a!, literals?.[1])} ${sqlOperator} ${computed(b!, literals?.[0])})`;
      const [l, r] = /^[<>]=?$/.test(sqlOperator) ? orderKeys(a!, b!, x!, y!) : [a, b];
      return `(${l} ${sqlOperator} ${r})`;
    },
    { coerce: comparison(name), ...o },
  );

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
    (args, types, native) => {
      const [x, y] = types.args;
      const r = types.result;
      if (r.kind === "decimal" && x?.kind === "decimal" && y?.kind === "decimal") {
        const [a, b] = args as [string, string];
        const result = decimalSql(name as DecimalOperator, a, b, x, y, r, native);
        return name === "/" || name === "%"
          ? isZero(a, b, name === "/" ? divideByZero : remainderByZero, result)
          : result;
      }
      return temporalRule(name, x!, y!)?.sql(args[0]!, args[1]!, types) ?? sql(args, types, native);
    },
    {
      coerce: arithmetic(name),
      constant: arithmeticConstant(name, (a, b, r) => decimalConstant(name as DecimalOperator, a, b, r)),
      ...o,
    },
  );

export const operators: readonly FunctionDef[] = [
  arith("+", ["1 + 2", 3], binary("+")),
  arith("-", ["5 - 3", 2], binary("-")),
  arith("*", ["2 * 3", 6], binary("*")),
  arith("/", ["3 / 2", 1.5], ([a, b], { result: r }) => isZero(a!, b!, divideByZero, cast(`(${a} / ${b})`, r)), {
    nullable: ([a, b]) => a!.nullable || b!.nullable || temporalRule("/", a!.type, b!.type) === undefined,
  }),
  arith("%", ["7 % 3", 1], ([a, b], { result: r }) => isZero(a!, b!, remainderByZero, cast(`(${a} % ${b})`, r)), {
    aliases: ["mod"],
    nullable: "always",
  }),
  fn(
    "negative",
    [numericOrInterval],
    typeOf(0),
    ["negative(1)", -1],
    ([a], { result: r }) =>
      r.kind === "interval_day_time"
        ? `to_microseconds(-epoch_us(${a}))`
        : r.kind === "byte" || r.kind === "short"
          ? `CASE WHEN ${a} = ${r.kind === "byte" ? -128 : -32768} THEN ${overflow} ELSE ${cast(`-${cast(a!, { kind: "integer" })}`, r)} END`
          : isIntegral(r) || r.kind === "interval_year_month"
            ? `(${cast("0", r)} - ${cast(a!, r)})`
            : `(-${a})`,
    { constant: negativeConstant },
  ),
  compare("==", "=", ["2 == 2", true], { aliases: ["="], constant: comparisonConstant((o) => o === 0) }),
  compare("<=>", "IS NOT DISTINCT FROM", ["NULL <=> NULL", true], { nullable: "never" }),
  compare("<", "<", ["1 < 2", true], { constant: comparisonConstant((o) => o < 0) }),
  compare("<=", "<=", ["2 <= 2", true], { constant: comparisonConstant((o) => o <= 0) }),
  compare(">", ">", ["2 > 1", true], { constant: comparisonConstant((o) => o > 0) }),
  compare(">=", ">=", ["2 >= 1", true], { constant: comparisonConstant((o) => o >= 0) }),
  fn("and", [any, any], BOOLEAN, ["true and false", false], ([a, b]) => `(${a} AND ${b})`, {
    coerce: logical("and"),
    constant: logicalConstant(false),
  }),
  fn("or", [any, any], BOOLEAN, ["true or false", true], ([a, b]) => `(${a} OR ${b})`, {
    coerce: logical("or"),
    constant: logicalConstant(true),
  }),
  fn("not", [boolean], BOOLEAN, ["not true", false], ([a]) => `(NOT ${a})`, {
    aliases: ["!"],
    constant: unlessAnyNull(([a]) => a === false),
  }),
  fn("isnull", [any], BOOLEAN, ["isnull(1)", false], ([a]) => `(${a} IS NULL)`, {
    nullable: "never",
    constant: ([a]) => a === null,
  }),
  fn("isnotnull", [any], BOOLEAN, ["isnotnull(1)", true], ([a]) => `(${a} IS NOT NULL)`, {
    nullable: "never",
    constant: ([a]) => a !== null,
  }),
  fn(
    "div",
    [any, any],
    LONG,
    ["7 div 2", 3n],
    // Toward zero, as Java divides.
    ([a, b], { args: [x, y] }, native) => {
      if (isIntegral(x!)) return isZero(a!, b!, divideByZero, `(${a} // ${b})`);
      if (isInterval(x!)) {
        const n = (v: string): string => (x.kind === "interval_day_time" ? `epoch_us(${v})` : `CAST(${v} AS BIGINT)`);
        const byZero = raise(
          "INTERVAL_DIVIDED_BY_ZERO",
          "Division by zero. Use `try_divide` to tolerate divisor being 0.",
        );
        return isZero(n(a!), n(b!), byZero, `(${n(a!)} // ${n(b!)})`);
      }
      // The whole part of the exact quotient.
      const r = { kind: "decimal", precision: 38, scale: 0 } as const;
      return isZero(
        a!,
        b!,
        divideByZero,
        `CAST(${wholeQuotient(a!, b!, x as Decimal, y as Decimal, r, native)} AS BIGINT)`,
      );
    },
    {
      coerce: integralDivision,
      constant: arithmeticConstant("div"),
      nullable: "always",
      differences: [
        {
          reason:
            "A quotient of decimals that has no room in a long is an overflow; Spark cuts it to its lower 64 bits unseen.",
          when: ([x, y]) =>
            x?.type.kind === "decimal" &&
            y?.type.kind === "decimal" &&
            x.type.precision - x.type.scale + y.type.scale > 18,
        },
      ],
    },
  ),
];

function integralDivision(
  [a, b]: readonly DataType[],
  given: Parameters<NonNullable<Options["coerce"]>>[1],
): DataType[] {
  const type = commonType(a!, b!);
  if (type?.kind === "null") return [LONG, LONG];
  if (type !== undefined && isInterval(type)) return [type, type];
  if (type === undefined || (!isIntegral(type) && type.kind !== "decimal")) {
    throw sameType(a!, b!) ? wrongType("div", a!) : mismatch("div", a!, b!);
  }
  if (isIntegral(type)) return [LONG, LONG];
  return [operandDecimal(given[0], a!) ?? type, operandDecimal(given[1], b!) ?? type];
}
