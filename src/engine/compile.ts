import { literalSql, structSql } from "../duckdb/literal.ts";
import { MillraceError } from "../errors.ts";
import type { Field, NamedExpr, ResolvedExpr, ResolvedRelation } from "../plan/resolved.ts";
import { walkExpr } from "../plan/walk.ts";
import { quoteIdentifier } from "../types/duckdb-types.ts";
import { groupKey, hasFloats } from "../types/group-key.ts";
import {
  bracket,
  type Call,
  type CompileContext,
  columnName,
  compileExpr,
  compileOverFirst,
  distinctArguments,
  FUNCTION_PREFIX,
  orderBy,
  typed,
} from "./compile-expr.ts";

export {
  type CompileContext,
  callTypes,
  columnName,
  compileExpr,
  functionOf,
} from "./compile-expr.ts";
export { requiredColumns } from "./required-columns.ts";

type Node<K extends ResolvedRelation["kind"]> = Extract<ResolvedRelation, { kind: K }>;

/**
 * DuckDB SQL of an analysed plan: a SELECT whose columns are `c<field id>`, in the order of the plan's fields. Names may repeat in
 * a plan and ids do not, so joins of equal names need no care.
 *
 * @throws MillraceError for what cannot be computed in one statement (INTERNAL: a leaf that the caller did not supply)
 */
export function compileRelation(plan: ResolvedRelation, ctx: CompileContext): string {
  const leaf = ctx.leaf?.(plan);
  if (leaf !== undefined) return `SELECT ${list(plan.fields)} FROM ${leaf}`;
  switch (plan.kind) {
    case "scan":
    case "map_rows":
    case "transform_with_state":
      throw new MillraceError("INTERNAL", `A ${plan.kind} node reached the compiler without its rows.`);
    case "local":
      return compileLocal(plan);
    case "range":
      return `SELECT range AS ${columnName(plan.fields[0]!.id)} FROM range(CAST(${plan.start} AS BIGINT), CAST(${plan.end} AS BIGINT), CAST(${plan.step} AS BIGINT))`;
    case "project":
      return `SELECT ${named(plan.exprs, ctx)} FROM ${sub(plan.input, ctx)}`;
    case "filter":
      return `SELECT ${list(plan.fields)} FROM ${sub(plan.input, ctx)} WHERE ${compileExpr(plan.condition, ctx)}`;
    case "aggregate":
      return compileAggregateNode(plan, ctx);
    case "time_window":
      return compileTimeWindow(plan, ctx);
    case "generate":
      return compileGenerate(plan, ctx);
    case "join":
      return compileJoin(plan, ctx);
    case "union":
      return plan.inputs
        .map((input) => `SELECT ${aligned(input, plan.fields)} FROM ${sub(input, ctx)}`)
        .join(" UNION ALL ");
    case "intersect":
    case "except": {
      const side = (input: ResolvedRelation): string => `SELECT ${aligned(input, plan.fields)} FROM ${sub(input, ctx)}`;
      const set = `(${side(plan.left)}) ${plan.kind.toUpperCase()}${plan.all ? " ALL" : ""} (${side(plan.right)})`;
      return `SELECT ${list(plan.fields)} FROM (${set})`;
    }
    case "sort":
      if (plan.order.length === 0) return compileRelation(plan.input, ctx);
      return `SELECT ${list(plan.fields)} FROM ${sub(plan.input, ctx)} ORDER BY ${orderBy(plan.order, ctx)}`;
    case "limit":
      return chosenRows(plan, `SELECT ${list(plan.fields)} FROM ${sub(plan.input, ctx)} LIMIT ${plan.limit}`);
    case "offset":
      return chosenRows(plan, `SELECT ${list(plan.fields)} FROM ${sub(plan.input, ctx)} OFFSET ${plan.offset}`);
    case "deduplicate":
      return compileDeduplicate(plan, ctx);
    case "watermark":
      return compileRelation(plan.input, ctx);
    case "sample":
      return compileSample(plan, ctx);
  }
}

/** `SELECT`s a plan's columns under their output names, with their exact types. Names that repeat stay repeated. */
export function outputSelect(plan: ResolvedRelation, sql: string): string {
  const columns = plan.fields.map((f) => `${typed(columnName(f.id), f.type)} AS ${quoteIdentifier(f.name)}`);
  return `SELECT ${columns.join(", ") || "1 AS none"} FROM (${sql})`;
}

/** A compiled plan in brackets, for FROM. */
function sub(plan: ResolvedRelation, ctx: CompileContext): string {
  return ctx.leaf?.(plan) ?? `(${compileRelation(plan, ctx)})`;
}

/**
 * Rows that a limit chose, made before anything looks at them. A join's filter on its other side's keys would go through a limit down to the
 * scan (DuckDB 1.5, https://github.com/duckdb/duckdb/pull/22963), and other rows would be the first ones.
 */
const chosenRows = (plan: ResolvedRelation, sql: string): string =>
  `WITH chosen AS MATERIALIZED (${sql}) SELECT ${list(plan.fields)} FROM chosen`;

// A plan may have no columns; SQL needs one.
function list(fields: readonly Field[]): string {
  return fields.length === 0 ? "1 AS none" : fields.map((f) => columnName(f.id)).join(", ");
}

function named(exprs: readonly NamedExpr[], ctx: CompileContext): string {
  if (exprs.length === 0) return "1 AS none";
  return exprs
    .map(({ field, expr }) => {
      if (expr.kind === "column")
        return expr.id === field.id ? columnName(expr.id) : `${columnName(expr.id)} AS ${columnName(field.id)}`;
      const sql = compileExpr(expr, ctx);
      return `${isCostly(expr) || sql.includes(FUNCTION_PREFIX) ? computedOnce(sql) : sql} AS ${columnName(field.id)}`;
    })
    .join(", ");
}

/** Calls that cost much more than reading their result. */
const COSTLY = new Set(["from_json", "schema_of_json", "get_json_object", "from_csv", "from_avro", "from_protobuf"]);

function isCostly(expr: ResolvedExpr): boolean {
  for (const e of walkExpr(expr)) if (e.kind === "udf" || (e.kind === "call" && COSTLY.has(e.name))) return true;
  return false;
}

/**
 * DuckDB pushes a filter below a projection by computing the projection's expressions again in the filter, each time they are named:
 * `dropna` over three fields of a parsed record would parse it four times. It does not do so with an expression that is random.
 */
function computedOnce(sql: string): string {
  return `CASE WHEN random() < 2 THEN ${sql} END`;
}

/** Columns as they are grouped by. */
function keyed(fields: readonly Field[]): string {
  if (!fields.some((f) => hasFloats(f.type))) return list(fields);
  return fields.map((f) => `${groupKey(columnName(f.id), f.type)} AS ${columnName(f.id)}`).join(", ");
}

/** The input's columns by position under other ids. */
function aligned(input: ResolvedRelation, fields: readonly Field[]): string {
  return fields.length === 0
    ? "1 AS none"
    : fields.map((f, i) => `${columnName(input.fields[i]!.id)} AS ${columnName(f.id)}`).join(", ");
}

function compileLocal(plan: Node<"local">): string {
  if (plan.fields.length === 0) return `SELECT 1 AS none FROM range(${plan.rows.length})`;
  if (plan.rows.length === 0) {
    return `SELECT ${plan.fields.map((f) => `${literalSql(null, f.type)} AS ${columnName(f.id)}`).join(", ")} WHERE false`;
  }
  const rows = plan.rows.map((row) => `(${plan.fields.map((f, i) => literalSql(row[i], f.type)).join(", ")})`);
  return `SELECT ${list(plan.fields)} FROM (VALUES ${rows.join(", ")}) t(${list(plan.fields)})`;
}

// ----------------------------------------------------------------------------------------------------------------- aggregates

function compileAggregateNode(plan: Node<"aggregate">, ctx: CompileContext): string {
  const { input, firsts } = markFirsts(plan, ctx);
  const calls = plan.calls.map(({ field, expr }) => {
    const first = firsts.get(expr);
    const sql =
      first === undefined
        ? aggregateCall(expr, plan, ctx)
        : compileOverFirst(expr as Call, first.args, first.column, ctx);
    return `${typed(sql, field.type)} AS ${columnName(field.id)}`;
  });
  if (plan.keys.length === 0) {
    if (calls.length === 0) return `SELECT 1 AS none FROM ${input} LIMIT 1`;
    return `SELECT ${calls.join(", ")} FROM ${input}`;
  }
  const keys = plan.keys.map(({ field, expr }) => ({
    field,
    sql: groupKey(compileExpr(expr, ctx), expr.type),
    window: windowOf(expr, plan.input),
  }));
  if (plan.sets === undefined) {
    if (calls.length === 0 && keys.every((k) => k.window === undefined)) {
      return `SELECT DISTINCT ${keys.map((k) => `${k.sql} AS ${columnName(k.field.id)}`).join(", ")} FROM ${input}`;
    }
    // A window is grouped by its start alone: comparing one integer is several times as fast as comparing a struct.
    const inner = keys.map(
      (k, i) => `${k.window === undefined ? k.sql : `struct_extract(${k.sql}, 'start')`} AS k${i}`,
    );
    const outer = keys.map((k, i) => {
      const value =
        k.window === undefined ? `k${i}` : windowStruct(`epoch_us(k${i})`, k.window.durationMicros, k.field);
      return `${value} AS ${columnName(k.field.id)}`;
    });
    const groups = keys.map((_, i) => i + 1).join(", ");
    const names = plan.calls.map(({ field }) => columnName(field.id));
    return `SELECT ${[...outer, ...names].join(", ")} FROM (SELECT ${[...inner, ...calls].join(", ")} FROM ${input} GROUP BY ${groups})`;
  }
  // The keys are computed below, so that GROUPING SETS can name them. Without rows Spark has no totals, DuckDB has one.
  const columns = keys.map((k) => `${k.sql} AS ${columnName(k.field.id)}`);
  const taken = new Set(keys.map((k) => k.field.id));
  const rest = plan.input.fields.filter((f) => !taken.has(f.id)).map((f) => columnName(f.id));
  const sets = plan.sets.map((set) => `(${set.map((i) => columnName(keys[i]!.field.id)).join(", ")})`);
  const keyNames = keys.map((k) => columnName(k.field.id));
  return `SELECT ${[...keyNames, ...calls].join(", ")} FROM (SELECT ${[...columns, ...rest].join(", ")} FROM ${input}) GROUP BY GROUPING SETS (${sets.join(", ")}) HAVING count(*) > 0`;
}

/**
 * For DISTINCT aggregates that DuckDB cannot do by itself: the input with a column that is true for the first row of each combination of
 * keys and arguments.
 */
function markFirsts(
  plan: Node<"aggregate">,
  ctx: CompileContext,
): {
  readonly input: string;
  readonly firsts: Map<ResolvedExpr, { readonly args: readonly string[]; readonly column: string }>;
} {
  const firsts = new Map<ResolvedExpr, { readonly args: readonly string[]; readonly column: string }>();
  const columns: string[] = [];
  for (const { expr } of plan.calls) {
    const args = distinctArguments(expr, ctx);
    if (args === undefined) continue;
    if (plan.sets !== undefined) {
      throw new MillraceError(
        "UNSUPPORTED_FEATURE",
        "This DISTINCT aggregate cannot be combined with rollup or cube.",
        {
          hint: "Remove the duplicates before, with `dropDuplicates`.",
        },
      );
    }
    const column = `first_${columns.length}`;
    const by = [...plan.keys.map((k) => compileExpr(k.expr, ctx)), ...args];
    columns.push(`row_number() OVER (PARTITION BY ${by.join(", ")}) = 1 AS ${column}`);
    firsts.set(expr, { args, column });
  }
  const input = sub(plan.input, ctx);
  return { input: columns.length === 0 ? input : `(SELECT *, ${columns.join(", ")} FROM ${input})`, firsts };
}

/** `grouping_id()` without arguments means all keys. */
function aggregateCall(expr: ResolvedExpr, plan: Node<"aggregate">, ctx: CompileContext): string {
  if (expr.kind === "call" && (expr.name === "grouping_id" || expr.name === "grouping")) {
    const keys = plan.keys.map((k) => columnName(k.field.id));
    const args =
      expr.args.length === 0
        ? keys
        : expr.args.map((a) => {
            const at = plan.keys.findIndex(
              (k) => sameColumn(k.expr, a) || (a.kind === "column" && a.id === k.field.id),
            );
            return at < 0 ? compileExpr(a, ctx) : keys[at]!;
          });
    return plan.sets === undefined ? "0" : `grouping(${args.join(", ")})`;
  }
  if (expr.kind === "call" && expr.name === "count" && expr.distinct && expr.args.length === 0) {
    // `count(DISTINCT *)` is over all columns.
    const args = plan.input.fields.map(
      (f): ResolvedExpr => ({ kind: "column", id: f.id, name: f.name, type: f.type, nullable: f.nullable }),
    );
    return compileExpr({ ...expr, args }, ctx);
  }
  return compileExpr(expr, ctx);
}

function sameColumn(a: ResolvedExpr, b: ResolvedExpr): boolean {
  return a.kind === "column" && b.kind === "column" && a.id === b.id;
}

/** The `time_window` node that made a column, when the expression is that very column. */
export function windowOf(expr: ResolvedExpr, input: ResolvedRelation): Node<"time_window"> | undefined {
  if (expr.kind !== "column") return undefined;
  let id = expr.id;
  let node: ResolvedRelation = input;
  for (;;) {
    switch (node.kind) {
      case "time_window":
        if (node.field.id === id) return node;
        node = node.input;
        break;
      case "filter":
      case "watermark":
      case "sort":
      case "limit":
      case "deduplicate":
      case "sample":
        node = node.input;
        break;
      case "project": {
        const found: NamedExpr | undefined = node.exprs.find((e) => e.field.id === id);
        if (found?.expr.kind !== "column") return undefined;
        id = found.expr.id;
        node = node.input;
        break;
      }
      default:
        return undefined;
    }
  }
}

// --------------------------------------------------------------------------------------------------------------- time windows

/** The window struct for the microseconds of its start. */
export function windowStruct(startMicros: string, durationMicros: bigint, field: Field): string {
  const end = field.type.kind === "struct" ? field.type.fields[0]?.type.kind : undefined;
  const make = end === "timestamp_ntz" ? "make_timestamp" : "make_timestamptz";
  return structSql([
    ["start", `${make}(${startMicros})`],
    ["end", `${make}(${startMicros} + ${durationMicros})`],
  ]);
}

/** Integer arithmetic on microseconds since the epoch; windows are aligned to it plus `startTime`, also before 1970. */
function compileTimeWindow(plan: Node<"time_window">, ctx: CompileContext): string {
  const time = compileExpr(plan.time, ctx);
  const others = plan.input.fields.map((f) => columnName(f.id));
  const { durationMicros: duration, slideMicros: slide, startMicros: offset } = plan;
  const shifted = offset === 0n ? "us" : `(us - ${offset})`;
  const lastStart = `us - ((${shifted} % ${slide}) + ${slide}) % ${slide}`;
  // The time is computed once, in a level of its own.
  const inner = `SELECT ${[...others, `epoch_us(${time}) AS us`].join(", ")} FROM ${sub(plan.input, ctx)} WHERE ${bracket(time)} IS NOT NULL`;
  const fields = plan.fields.map((f) =>
    f.id === plan.field.id ? `${windowStruct("ws", duration, plan.field)} AS ${columnName(f.id)}` : columnName(f.id),
  );
  if (slide === duration) {
    return `SELECT ${fields.join(", ")} FROM (SELECT ${[...others, `${lastStart} AS ws`].join(", ")} FROM (${inner}))`;
  }
  const copies = Number((duration + slide - 1n) / slide);
  const spread = `SELECT ${[...others, "us", `${lastStart} - i * ${slide} AS ws`].join(", ")} FROM (${inner}), range(${copies}) w(i)`;
  return `SELECT ${fields.join(", ")} FROM (${spread}) WHERE us < ws + ${duration}`;
}

// -------------------------------------------------------------------------------------------------------------------- others

/** The generator gives a list of structs, one for each row, its fields in the order of the outputs. */
function compileGenerate(plan: Node<"generate">, ctx: CompileContext): string {
  const others = plan.input.fields.map((f) => columnName(f.id));
  const rows = compileExpr(plan.generator, ctx);
  const inner = `SELECT ${[...others, `${rows} AS g`].join(", ")} FROM ${sub(plan.input, ctx)}`;
  const spread = plan.outer
    ? `SELECT ${[...others, "unnest(CASE WHEN g IS NULL OR len(g) = 0 THEN [NULL] ELSE g END) AS g"].join(", ")} FROM (${inner})`
    : `SELECT ${[...others, "unnest(g) AS g"].join(", ")} FROM (${inner})`;
  const generated = new Map(plan.outputs.map((f, i) => [f.id, i + 1]));
  const fields = plan.fields.map((f) => {
    const at = generated.get(f.id);
    return at === undefined
      ? columnName(f.id)
      : `${typed(`struct_extract_at(g, ${at})`, f.type)} AS ${columnName(f.id)}`;
  });
  return `SELECT ${fields.join(", ")} FROM (${spread})`;
}

const JOINS = {
  inner: "JOIN",
  left_outer: "LEFT JOIN",
  right_outer: "RIGHT JOIN",
  full_outer: "FULL JOIN",
  left_semi: "SEMI JOIN",
  left_anti: "ANTI JOIN",
  cross: "CROSS JOIN",
} as const;

function compileJoin(plan: Node<"join">, ctx: CompileContext): string {
  const left = sub(plan.left, ctx);
  const right = sub(plan.right, ctx);
  const lateral = plan.lateral ? "LATERAL " : "";
  if (plan.condition === undefined && (plan.type === "inner" || plan.type === "cross")) {
    return `SELECT ${list(plan.fields)} FROM ${left} l CROSS JOIN ${lateral}${right} r`;
  }
  const condition = plan.condition === undefined ? "true" : compileExpr(plan.condition, ctx);
  const kind = plan.type === "cross" ? "JOIN" : JOINS[plan.type];
  return `SELECT ${list(plan.fields)} FROM ${left} l ${kind} ${lateral}${right} r ON ${condition}`;
}

function compileDeduplicate(plan: Node<"deduplicate">, ctx: CompileContext): string {
  const input = sub(plan.input, ctx);
  if (plan.fields.every((f) => plan.keys.includes(f.id))) return `SELECT DISTINCT ${keyed(plan.fields)} FROM ${input}`;
  if (plan.keys.length === 0) return `SELECT ${list(plan.fields)} FROM ${input} LIMIT 1`;
  const keys = plan.fields.filter((f) => plan.keys.includes(f.id));
  const rest = plan.fields.filter((f) => !plan.keys.includes(f.id));
  const all = keys.some((f) => hasFloats(f.type))
    ? `(SELECT ${[keyed(keys), list(rest)].join(", ")} FROM ${input})`
    : input;
  return `SELECT DISTINCT ON (${plan.keys.map(columnName).join(", ")}) ${list(plan.fields)} FROM ${all}`;
}

function compileSample(plan: Node<"sample">, ctx: CompileContext): string {
  const input = sub(plan.input, ctx);
  // Not DuckDB's random(), whose seed belongs to the connection: a row's place decides, so that the same plan gives the same rows.
  const uniform = `(hash(rn, CAST(${BigInt.asIntN(64, plan.seed)} AS BIGINT)) / 18446744073709551616.0::DOUBLE)`;
  const numbered = `(SELECT *, row_number() OVER () AS rn FROM ${input})`;
  if (!plan.withReplacement) return `SELECT ${list(plan.fields)} FROM ${numbered} WHERE ${uniform} < ${plan.fraction}`;
  // Spark draws each row a number of times from a Poisson distribution.
  const steps: number[] = [];
  let term = Math.exp(-plan.fraction);
  let sum = term;
  for (let k = 1; k < 200 && 1 - sum > 1e-12; k++) {
    steps.push(sum);
    term *= plan.fraction / k;
    sum += term;
  }
  const copies = `len(list_filter([${steps.join(", ")}]::DOUBLE[], lambda x: x <= u))`;
  return `SELECT ${list(plan.fields)} FROM (SELECT *, unnest(range(${copies})) FROM (SELECT *, ${uniform} AS u FROM ${numbered}))`;
}
