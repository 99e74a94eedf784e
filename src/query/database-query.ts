import type { ResolvedExpr } from "../plan/resolved.ts";
import { quoteIdentifier } from "../types/duckdb-types.ts";
import type { ConstantTimes } from "./constant-times.ts";
import { comparisonOf, type ScanNeeds, unwidened } from "./scan-needs.ts";

const SIGNS: Readonly<Record<string, string>> = {
  "==": "=",
  "<=>": "IS NOT DISTINCT FROM",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

/**
 * A query of PostgreSQL that gives of a table what is wanted: rows for which a condition is true there are those for which it is true
 * here, and the first rows there are the first ones here. What PostgreSQL may see in another way (other orders of text, numerics of any size)
 * is not asked of it. Undefined where all rows are wanted.
 */
export function databaseQuery(table: string, needs: ScanNeeds, times: ConstantTimes): string | undefined {
  const toSql = new Conditions(times);
  const conditions = needs.conditions.map((c) => toSql.condition(c));
  const where = conditions.filter((sql) => sql !== undefined);
  const order = needs.order.map(({ expr, direction, nulls }) => {
    const key = sortKey(expr);
    return key && `${key} ${direction.toUpperCase()} NULLS ${nulls.toUpperCase()}`;
  });
  // The first rows of too many are other rows.
  const isExact = where.length === conditions.length && order.every((key) => key !== undefined);
  const limit = isExact ? needs.limit : undefined;
  if (where.length === 0 && limit === undefined) return undefined;
  const parts = [`SELECT * FROM ${table}`];
  if (where.length > 0) parts.push(`WHERE ${where.join(" AND ")}`);
  if (limit !== undefined && order.length > 0) parts.push(`ORDER BY ${order.join(", ")}`);
  if (limit !== undefined) parts.push(`LIMIT ${limit}`);
  return parts.join(" ");
}

class Conditions {
  readonly #times: ConstantTimes;

  constructor(times: ConstantTimes) {
    this.#times = times;
  }

  /** SQL with the same answer for every row; undefined where that is not certain. */
  condition(expr: ResolvedExpr): string | undefined {
    if (expr.kind === "column") return expr.type.kind === "boolean" ? quoteIdentifier(expr.name) : undefined;
    if (expr.kind !== "call") return undefined;
    const [first, ...rest] = expr.args;
    switch (expr.name) {
      case "and":
      case "or": {
        const sides = expr.args.map((a) => this.condition(a));
        return sides.includes(undefined) ? undefined : `(${sides.join(` ${expr.name.toUpperCase()} `)})`;
      }
      case "not": {
        const inner = this.condition(first!);
        return inner && `(NOT ${inner})`;
      }
      case "isnull":
      case "isnotnull": {
        const column = unwidened(first!);
        // IS NULL is true of a row type of nulls as well.
        const is = expr.name === "isnull" ? "IS NOT DISTINCT FROM NULL" : "IS DISTINCT FROM NULL";
        return column.kind === "column" ? `(${quoteIdentifier(column.name)} ${is})` : undefined;
      }
      case "in": {
        const column = unwidened(first!);
        const name = column.kind === "column" ? compared(column, "==") : undefined;
        const values = rest.map((value) => this.#constant(value, column));
        return name === undefined || values.includes(undefined) ? undefined : `(${name} IN (${values.join(", ")}))`;
      }
    }
    const comparison = comparisonOf(expr);
    if (comparison === undefined) return undefined;
    const column = compared(comparison.column, comparison.sign);
    const constant = this.#constant(comparison.constant, comparison.column);
    return column && constant && `(${column} ${SIGNS[comparison.sign]} ${constant})`;
  }

  #constant(expr: ResolvedExpr, column: ResolvedExpr): string | undefined {
    const micros = this.#times.micros(expr);
    if (micros !== undefined) return column.type.kind === "timestamp" ? timestamp(micros) : undefined;
    const time = this.#times.text(expr);
    if (time !== undefined) return column.type.kind === expr.type.kind ? dayOrTime(time, expr.type.kind) : undefined;
    if (expr.kind !== "literal" || expr.value === null) return undefined;
    const { value } = expr;
    switch (column.type.kind) {
      case "short":
      case "integer":
      case "long":
        return typeof value === "bigint" || Number.isSafeInteger(value) ? `(${value})` : undefined;
      case "double":
        return typeof value === "number" && Number.isFinite(value) ? `'${value}'::float8` : undefined;
      case "boolean":
        return typeof value === "boolean" ? String(value).toUpperCase() : undefined;
      case "date":
        return value instanceof Date ? dayOrTime(value.toISOString().slice(0, 10), "date") : undefined;
      case "string":
        // Other letters may be none of the server's.
        return typeof value === "string" && /^[\x20-\x7e]*$/.test(value)
          ? `E'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`
          : undefined;
      default:
        return undefined;
    }
  }
}

/** A column in a comparison, of the types that both compare in the same way. */
function compared({ name, type }: Extract<ResolvedExpr, { kind: "column" }>, sign: string): string | undefined {
  const column = quoteIdentifier(name);
  switch (type.kind) {
    case "long":
      // Also what has a sense of its own for signs, as oid.
      return `${column}::bigint`;
    case "short":
    case "integer":
    case "double":
    case "boolean":
    case "date":
    case "timestamp":
    case "timestamp_ntz":
      return column;
    case "string":
      // The text that is read, by its bytes: a collation may take different texts for equal.
      return sign === "==" || sign === "<=>" ? `${column}::text COLLATE "C"` : undefined;
    default:
      return undefined;
  }
}

function sortKey(expr: ResolvedExpr): string | undefined {
  if (expr.kind !== "column") return undefined;
  // Text has the order of its bytes in UTF-8.
  if (expr.type.kind === "string") return `convert_to(${quoteIdentifier(expr.name)}::text, 'UTF8')`;
  return compared(expr, "<");
}

/** Years of four digits only: others are written in different ways. */
function dayOrTime(text: string, kind: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?)?$/.test(text) || text.startsWith("0000")) return undefined;
  return `${kind === "date" ? "DATE" : "TIMESTAMP"} '${text}'`;
}

function timestamp(micros: bigint): string | undefined {
  const below = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = Number((micros - below) / 1_000_000n);
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1 || date.getUTCFullYear() > 9999) return undefined;
  return `TIMESTAMPTZ '${date.toISOString().slice(0, 19).replace("T", " ")}.${String(below).padStart(6, "0")}+00'`;
}
