import { literalSql } from "../duckdb/literal.ts";
import { MillraceError, nearest } from "../errors.ts";
import type { FunctionDef, SqlTypes } from "../functions/index.ts";
import { functions } from "../functions/index.ts";
import type { FrameBound, UserFunction, WindowFrame } from "../plan/expr.ts";
import type { ResolvedExpr, ResolvedRelation, SortKey } from "../plan/resolved.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlString, sqlType } from "../types/duckdb-types.ts";
import { groupKey } from "../types/group-key.ts";
import { orderKey } from "../types/order-key.ts";
import { castSql } from "./cast.ts";
import { compileSubquery } from "./compile-subquery.ts";
import { toLocal } from "./local-time.ts";

export { FUNCTION_PREFIX } from "../functions/index.ts";

/** What compiling needs to know beside the plan. */
export interface CompileContext {
  /**
   * SQL (a table expression with columns `c<id>`) of a node that somebody else computes: scans, stateful operators, TypeScript
   * functions over rows. Undefined: the compiler compiles the node itself.
   */
  leaf?(node: ResolvedRelation): string | undefined;
  /** The batch's time: `current_timestamp` and its like, so that a batch that runs again gives the same rows. */
  readonly timestampMs: number;
  /** Spark's `spark.sql.session.timeZone`. */
  readonly timeZone: string;
  /** The SQL call of a TypeScript function (engine/udf.ts registers it). */
  udf(fn: UserFunction, args: readonly { readonly sql: string; readonly type: DataType }[], type: DataType): string;
}

/** The SQL name of a column. */
export function columnName(id: number): string {
  return `c${id}`;
}

/** DuckDB SQL of a scalar, aggregate or window expression over columns `c<id>`; its type is `sqlType(expr.type)`. */
export function compileExpr(expr: ResolvedExpr, ctx: CompileContext): string {
  switch (expr.kind) {
    case "literal":
      return literalSql(expr.value, expr.type);
    case "column":
      return columnName(expr.id);
    case "call":
      return compileCall(expr, ctx);
    case "cast": {
      if (expr.child.kind === "literal" && expr.child.value === null) return literalSql(null, expr.type);
      const child = bracket(compileExpr(expr.child, ctx));
      return castSql(child, expr.child.type, expr.type, expr.mode, ctx.timeZone, currentDate(ctx));
    }
    case "get_field": {
      const child = compileExpr(expr.child, ctx);
      const name = sqlString(expr.name);
      // A field of an array of structs is the array of that field.
      if (expr.child.type.kind === "array") return `list_transform(${child}, lambda e: struct_extract(e, ${name}))`;
      return `struct_extract(${child}, ${name})`;
    }
    case "get_item": {
      const child = compileExpr(expr.child, ctx);
      const key = compileExpr(expr.key, ctx);
      if (expr.child.type.kind === "map") return `map_extract_value(${child}, ${key})`;
      if (expr.key.kind === "literal" && typeof expr.key.value === "number" && expr.key.value >= 0) {
        return `list_extract(${child}, ${expr.key.value + 1})`;
      }
      // DuckDB counts negative positions from the end.
      return `CASE WHEN ${bracket(key)} >= 0 THEN list_extract(${child}, CAST(${key} AS BIGINT) + 1) END`;
    }
    case "lambda":
      return `lambda ${expr.params.map((p) => lambdaName(p.name)).join(", ")}: ${compileExpr(expr.body, ctx)}`;
    case "lambda_variable":
      return lambdaName(expr.name);
    case "over":
      return attachOver(compileExpr(expr.child, ctx), overClause(expr, ctx));
    case "subquery":
      return compileSubquery(expr, ctx);
    case "udf":
      return ctx.udf(
        expr.fn,
        expr.args.map((a) => ({ sql: compileExpr(a, ctx), type: a.type })),
        expr.type,
      );
  }
}

// A prefix keeps lambda parameters apart from columns (`c5`) and SQL words.
function lambdaName(name: string): string {
  return `"p_${name.replaceAll('"', '""')}"`;
}

/** Brackets around everything but names, numbers and calls. */
export function bracket(sql: string): string {
  return /^(?:[A-Za-z_]\w*|\d+|"(?:[^"]|"")*"|'(?:[^']|'')*')$/.test(sql) || isOneCall(sql) ? sql : `(${sql})`;
}

/** Whether the text is `name(...)` or `(...)`, the bracket closing at the end. */
function isOneCall(sql: string): boolean {
  const open = /^[A-Za-z_]*\(/.exec(sql);
  return open !== null && closing(sql, open[0].length - 1) === sql.length - 1;
}

/** The position of the bracket that closes the one at `open`. */
function closing(sql: string, open: number): number {
  let depth = 0;
  for (let i = open; i < sql.length; i++) {
    const c = sql[i];
    if (c === "'" || c === '"') {
      i = sql.indexOf(c, i + 1);
      if (i < 0) return -1;
    } else if (c === "(") depth++;
    else if (c === ")" && --depth === 0) return i;
  }
  return -1;
}

/** The row of the function table, which the analyser has found before. */
export function functionOf(name: string): FunctionDef {
  const def = functions.get(name);
  if (def === undefined) {
    const near = nearest(name, functions.keys());
    throw new MillraceError("UNRESOLVED_ROUTINE", `Cannot resolve routine \`${name}\`.`, {
      hint: near === undefined ? undefined : `Did you mean \`${near}\`?`,
    });
  }
  return def;
}

/** Types of a call for the function table's SQL. */
export function callTypes(
  expr: { readonly args: readonly ResolvedExpr[]; readonly type: DataType },
  timeZone?: string,
): SqlTypes {
  return {
    args: expr.args.map((a) => a.type),
    result: expr.type,
    literals: expr.args.map(literalOf),
    ...(timeZone !== undefined && { timeZone }),
  };
}

function literalOf(expr: ResolvedExpr): Value | undefined {
  return expr.kind === "literal" ? expr.value : expr.kind === "cast" ? literalOf(expr.child) : undefined;
}

export type Call = Extract<ResolvedExpr, { kind: "call" }>;

function compileCall(expr: Call, ctx: CompileContext): string {
  const now = batchTime(expr, ctx);
  if (now !== undefined) return now;
  const def = functionOf(expr.name);
  const args = expr.args.map((a) => (a.kind === "lambda" ? compileExpr(a, ctx) : bracket(compileExpr(a, ctx))));
  if (def.kind === "aggregate") return compileAggregate(def, args, expr, ctx);
  const types = callTypes(expr, ctx.timeZone);
  if (def.sql !== undefined) {
    const sql = def.sql(args, types, ctx.udf);
    return sql === "NULL" ? literalSql(null, expr.type) : sql;
  }
  return `${def.name}(${args.join(", ")})`;
}

const currentDate = (ctx: CompileContext): string =>
  `CAST(${toLocal(`make_timestamptz(${ctx.timestampMs}000)`, ctx.timeZone)} AS DATE)`;

/** Functions of the clock and the session take the batch's time, not the machine's. */
function batchTime(expr: Call, ctx: CompileContext): string | undefined {
  if (expr.args.length > 0) return undefined;
  const instant = `make_timestamptz(${ctx.timestampMs}000)`;
  switch (expr.name) {
    case "current_timestamp":
    case "now":
      return instant;
    case "current_date":
      return currentDate(ctx);
    case "localtimestamp":
      return toLocal(instant, ctx.timeZone);
    case "unix_timestamp":
      return `CAST(${Math.floor(ctx.timestampMs / 1000)} AS BIGINT)`;
    case "current_timezone":
      return sqlString(ctx.timeZone);
    default:
      return undefined;
  }
}

/** An aggregate in one go: `final(partial(args))`. */
function compileAggregate(def: FunctionDef, args: string[], expr: Call, ctx: CompileContext): string {
  if (!expr.distinct || args.length === 0 || IGNORES_DUPLICATES.has(def.name)) return whole(def, args, expr, ctx);
  const distinct = distinctInPlace(def, args, expr, ctx);
  if (distinct !== undefined) return distinct;
  throw new MillraceError("UNSUPPORTED_FEATURE", `\`${def.name}\` does not take DISTINCT here.`, {
    hint: "Remove the duplicates before, with `dropDuplicates`.",
  });
}

const IGNORES_DUPLICATES = new Set(["min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "approx_count_distinct"]);

function whole(def: FunctionDef, args: string[], expr: Call, ctx: CompileContext): string {
  const types = callTypes(expr, ctx.timeZone);
  if (def.aggregate !== undefined) return def.aggregate.final(def.aggregate.partial(args, types), types);
  return def.sql !== undefined ? def.sql(args, types, ctx.udf) : `${def.name}(${args.join(", ")})`;
}

/**
 * DISTINCT inside DuckDB's aggregate, where the argument is all of its argument (but for a cast, which may go inside). Undefined where
 * the function's SQL uses its argument in another way.
 */
function distinctInPlace(def: FunctionDef, args: string[], expr: Call, ctx: CompileContext): string | undefined {
  if (args.length > 1 && def.name !== "count") return undefined;
  // `count(DISTINCT a, b)` counts the combinations without nulls.
  const one =
    args.length === 1
      ? args[0]!
      : `CASE WHEN ${args.map((a) => `${a} IS NOT NULL`).join(" AND ")} THEN row(${args.join(", ")}) END`;
  const text = whole(def, ["\u0001"], expr, ctx)
    .replace(/(\w+)\(\u0001\)/g, (all, name) => (OVER_TARGET.test(name) ? `${name}(DISTINCT ${one})` : all))
    .replace(/(\w+)\(CAST\(\u0001 AS ([A-Z0-9 (),]+?)\)\)/g, (all, name, type) =>
      OVER_TARGET.test(name) ? `${name}(DISTINCT CAST(${one} AS ${type}))` : all,
    );
  return text.includes("\u0001") ? undefined : text;
}

/**
 * The arguments by which rows have to be told apart before a DISTINCT aggregate can run over them, or undefined where the aggregate does it
 * itself.
 */
export function distinctArguments(expr: ResolvedExpr, ctx: CompileContext): readonly string[] | undefined {
  if (expr.kind !== "call" || !expr.distinct || expr.args.length === 0 || IGNORES_DUPLICATES.has(expr.name))
    return undefined;
  const args = expr.args.map((a) => bracket(compileExpr(a, ctx)));
  return distinctInPlace(functionOf(expr.name), args, expr, ctx) === undefined ? args : undefined;
}

/** A DISTINCT aggregate over rows of which the first of each combination has `first`; the others give it nulls, which it skips. */
export function compileOverFirst(expr: Call, args: readonly string[], first: string, ctx: CompileContext): string {
  const given = args.map((a, i) => (literalOf(expr.args[i]!) === undefined ? `CASE WHEN ${first} THEN ${a} END` : a));
  return whole(functionOf(expr.name), given, expr, ctx);
}

// --------------------------------------------------------------------------------------------------------------- windows, order

/** `ORDER BY` items; nulls first or last as Spark says. */
export function orderBy(keys: readonly SortKey[], ctx: CompileContext): string {
  return keys
    .flatMap((k) => orderItems(bracket(compileExpr(k.expr, ctx)), k.expr.type, k.direction, k.nulls))
    .join(", ");
}

/** A struct is sorted by its fields: within it a null comes before all else, where DuckDB puts it behind. */
function orderItems(sql: string, type: DataType, direction: SortKey["direction"], nulls: SortKey["nulls"]): string[] {
  if (type.kind !== "struct")
    return [`${orderKey(groupKey(sql, type), type)} ${direction.toUpperCase()} NULLS ${nulls.toUpperCase()}`];
  const within = direction === "asc" ? "first" : "last";
  return [
    `(${sql} IS NULL) ${nulls === "first" ? "DESC" : "ASC"}`,
    ...type.fields.flatMap((f) =>
      orderItems(`struct_extract(${sql}, ${sqlString(f.name)})`, f.type, direction, within),
    ),
  ];
}

type Over = Extract<ResolvedExpr, { kind: "over" }>;

function overClause(expr: Over, ctx: CompileContext): string {
  const parts: string[] = [];
  if (expr.partitionBy.length > 0) {
    parts.push(`PARTITION BY ${expr.partitionBy.map((e) => groupKey(compileExpr(e, ctx), e.type)).join(", ")}`);
  }
  if (expr.orderBy.length > 0) parts.push(`ORDER BY ${orderBy(expr.orderBy, ctx)}`);
  if (expr.frame !== undefined && !isRanking(expr.child)) {
    parts.push(frameSql(expr.frame, expr.orderBy[0]?.expr.type.kind));
  }
  return `OVER (${parts.join(" ")})`;
}

/** Functions over the whole partition take no frame; Spark writes one nevertheless. */
function isRanking(expr: ResolvedExpr): boolean {
  return expr.kind === "call" && expr.name !== "nth_value" && functionOf(expr.name).kind === "window";
}

/** `by`: the type that is ordered by, whose unit a range is in: microseconds of a time, days of a date. */
function frameSql(frame: WindowFrame, by: DataType["kind"] | undefined): string {
  const range = (n: number | bigint): string => {
    if (frame.type === "row") return String(n);
    if (by === "date") return typeof n === "bigint" ? `to_microseconds(${n})` : `to_days(${n})`;
    return by === "timestamp" || by === "timestamp_ntz" ? `to_microseconds(${n})` : String(n);
  };
  const bound = (b: FrameBound, side: "PRECEDING" | "FOLLOWING"): string => {
    if (b === "unbounded") return `UNBOUNDED ${side}`;
    if (b === "current_row" || Number(b) === 0) return "CURRENT ROW";
    return b < 0 ? `${range(-b)} PRECEDING` : `${range(b)} FOLLOWING`;
  };
  return `${frame.type === "row" ? "ROWS" : "RANGE"} BETWEEN ${bound(frame.lower, "PRECEDING")} AND ${bound(frame.upper, "FOLLOWING")}`;
}

/** Names of DuckDB's aggregates and window functions that the function table uses. */
const OVER_TARGET =
  /^(?:sum|count|avg|min|max|list|first|last|any_value|arg_min|arg_max|arg_min_null|arg_max_null|min_by|max_by|median|mode|quantile_cont|quantile_disc|approx_quantile|approx_count_distinct|stddev_samp|stddev_pop|var_samp|var_pop|covar_samp|covar_pop|corr|skewness|kurtosis|kurtosis_pop|regr_\w+|bool_and|bool_or|bit_and|bit_or|bit_xor|string_agg|product|histogram|count_if|countif|fsum|row_number|rank|dense_rank|percent_rank|cume_dist|ntile|lag|lead|first_value|last_value|nth_value)$/i;

/** Puts the OVER clause behind each aggregate in the text: `CAST(sum(x) AS BIGINT)` becomes `CAST(sum(x) OVER (...) AS BIGINT)`. */
function attachOver(sql: string, over: string): string {
  let out = "";
  let i = 0;
  while (i < sql.length) {
    const c = sql[i]!;
    if (c === "'" || c === '"') {
      const end = sql.indexOf(c, i + 1);
      out += sql.slice(i, end + 1);
      i = end + 1;
      continue;
    }
    const word = /^[A-Za-z_]\w*/.exec(sql.slice(i));
    if (word === null) {
      out += c;
      i++;
      continue;
    }
    const after = i + word[0].length;
    if (sql[after] === "(" && OVER_TARGET.test(word[0])) {
      let end = closing(sql, after) + 1;
      const filter = /^\s*FILTER\s*\(/i.exec(sql.slice(end));
      if (filter !== null) end = closing(sql, end + filter[0].length - 1) + 1;
      out += `${ignoringNulls(sql.slice(i, end))} ${over}`;
      i = end;
    } else {
      out += word[0];
      i = after;
    }
  }
  return out;
}

/** `first(x) FILTER (x IS NOT NULL)` as a window function, which takes no FILTER. */
function ignoringNulls(call: string): string {
  const m =
    /^(first|last|any_value|first_value|last_value)\(([\s\S]*)\)\s*FILTER\s*\((?:WHERE\s+)?([\s\S]*) IS NOT NULL\)$/i.exec(
      call,
    );
  if (m === null || m[2] !== m[3]!.trim()) return call;
  return `${/^last/i.test(m[1]!) ? "last_value" : "first_value"}(${m[2]} IGNORE NULLS)`;
}

/** Casts a SQL expression to the DuckDB type of a Spark type; free where it has that type. */
export function typed(sql: string, type: DataType): string {
  return `CAST(${sql} AS ${sqlType(type)})`;
}
