import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { intervalText } from "../types/interval-type.ts";
import { doubleText, floatText } from "../types/number-text.ts";
import { filterText } from "./aggregate-text.ts";
import { callText, formText, VARIABLE } from "./call-text.ts";
import type { Expr } from "./expr.ts";
import { nameParts } from "./names.ts";
import { timestampText } from "./timestamp-text.ts";
import { windowText } from "./window-text.ts";

/** What is known of an expression that is named: Spark's names depend on it here and there. */
export interface NameContext {
  /** The type that a part of the expression was found to have. */
  readonly typeOf: (e: Expr) => DataType | undefined;
  /** The session's time zone, in which Spark prints timestamps. */
  readonly timeZone: string;
  /** What a dotted name led to, as it is printed inside of an expression. */
  readonly path?: (e: Expr) => string | undefined;
  /** Names of the columns that a star stands for. */
  readonly star?: (e: Extract<Expr, { kind: "star" }>) => readonly string[];
}

/** Of an expression that is not resolved, as in messages. */
const UNRESOLVED: NameContext = { typeOf: () => undefined, timeZone: "UTC" };

/** The name that Spark gives to the column of an expression without alias: `avg(delay)`, `(a + 1)`, `upper(origin)`. */
export function exprName(expr: Expr, context: NameContext = UNRESOLVED): string {
  if (expr.kind === "alias") return expr.name;
  if (expr.kind === "attribute") return nameParts(expr.name).at(-1)!;
  // A cast of a plain column keeps the column's name.
  if (expr.kind === "cast" && (expr.child.kind === "attribute" || expr.child.kind === "alias"))
    return exprName(expr.child, context);
  if (expr.kind === "cast" && expr.child.kind === "extract") return exprName(expr.child, context);
  return exprText(expr, context);
}

/** An expression as Spark prints it in column names and messages. */
export function exprText(expr: Expr, context: NameContext = UNRESOLVED): string {
  const text = (e: Expr): string => exprText(e, context);
  switch (expr.kind) {
    case "literal":
      return literalText(expr.value, expr.type, context.timeZone);
    case "attribute":
      return context.path?.(expr) ?? nameParts(expr.name).at(-1)!;
    case "star":
      return expr.target === undefined ? "*" : `${expr.target}.*`;
    case "alias":
      return `${text(expr.child)} AS ${quotedIfNeeded(expr.name)}`;
    case "call":
      if (expr.form === "filter") return filterText(expr, text);
      if (expr.form !== undefined) return formText(expr.form, expr.args, text);
      return callText(expr.name, expr.args, argumentTexts(expr, text, context), expr.distinct === true, context.typeOf);
    case "cast":
      // A cast that brings parts of other types along is not told.
      if (expr.type.kind === "array" || expr.type.kind === "map" || expr.type.kind === "struct") {
        return text(expr.child);
      }
      if (expr.typed && expr.child.kind === "literal")
        return typedText(String(expr.child.value), expr.type, context.timeZone);
      return `${expr.mode === "try" ? "TRY_CAST" : "CAST"}(${text(expr.child)} AS ${sqlName(expr.type)})`;
    case "sort_order":
      return `${text(expr.child)} ${expr.direction.toUpperCase()} NULLS ${expr.nulls.toUpperCase()}`;
    case "extract":
      // Struct fields are named behind a dot, in lists of structs as well; a map's key stands in brackets.
      return expr.extraction.kind === "literal" &&
        typeof expr.extraction.value === "string" &&
        context.typeOf(expr.child)?.kind !== "map"
        ? `${text(expr.child)}.${expr.extraction.value}`
        : `${text(expr.child)}[${text(expr.extraction)}]`;
    case "lambda":
      return `lambdafunction(${[text(expr.body), ...expr.params.map(() => VARIABLE)].join(", ")})`;
    case "lambda_variable":
      return VARIABLE;
    case "window":
      return windowText(expr, text, context.typeOf);
    case "subquery":
      return expr.type === "scalar"
        ? "scalarsubquery()"
        : expr.type === "exists"
          ? "exists()"
          : `(${(expr.values ?? []).map(text).join(", ")} IN (listquery()))`;
    case "udf":
      return `${expr.fn.name}(${expr.args.map(text).join(", ")})`;
  }
}

/** A star is the columns that it stands for, but for the one of `count(*)`. */
function argumentTexts(
  { name, args, distinct }: Extract<Expr, { kind: "call" }>,
  text: (e: Expr) => string,
  { star }: NameContext,
): string[] {
  if (star === undefined || (name.toLowerCase() === "count" && distinct !== true && args.length === 1)) {
    return args.map(text);
  }
  return args.flatMap((e) => (e.kind === "star" ? star(e) : [text(e)]));
}

/** `TIMESTAMP '2020-01-01 00:00:00'`: as the value is printed, whatever its form was. */
function typedText(text: string, type: DataType, timeZone: string): string {
  const value = timestampText(text.trim(), type, timeZone) ?? text.trim();
  return `${sqlName(type)} '${value}'`;
}

function literalText(value: Value, type: DataType, timeZone: string): string {
  if (value === null) return "NULL";
  if (value instanceof Date) {
    return typedText(type.kind === "date" ? value.toISOString().slice(0, 10) : value.toISOString(), type, timeZone);
  }
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString("hex").toUpperCase()}'`;
  if (typeof value === "number" && type.kind === "double") return doubleText(value);
  if (typeof value === "number" && type.kind === "float") return floatText(value);
  if (typeof value === "string" && type.kind === "decimal") return decimalText(value);
  if (type.kind === "interval_day_time" || type.kind === "interval_year_month")
    return intervalText(value as bigint | number, type);
  if (Array.isArray(value))
    return `ARRAY(${value.map((v) => literalText(v, { kind: "string" }, timeZone)).join(", ")})`;
  return String(value);
}

/** A decimal as Java prints it: with an exponent where it would begin with more than five zeros. */
function decimalText(text: string): string {
  const m = /^(-?)0\.(0{6,})([1-9]\d*)$/.exec(text);
  if (m === null) {
    const zero = /^-?0\.(0{7,})$/.exec(text);
    return zero === null ? text : `0E-${zero[1]!.length}`;
  }
  const [, sign, zeros, digits] = m as unknown as [string, string, string, string];
  const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
  return `${sign}${mantissa}E-${zeros.length + 1}`;
}

function quotedIfNeeded(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `\`${name.replaceAll("`", "``")}\``;
}
