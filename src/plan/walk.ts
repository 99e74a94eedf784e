import type { Relation } from "./relation.ts";
import type { NamedExpr, ResolvedExpr, ResolvedRelation, SortKey } from "./resolved.ts";

/** Children of each kind of node, in one place: everything that walks a plan stands on these. */

export function relationInputs(r: Relation): readonly Relation[] {
  switch (r.kind) {
    case "read":
    case "named_table":
    case "sql":
    case "local":
    case "range":
    case "inline_table":
      return [];
    case "join":
    case "set_op":
      return [r.left, r.right];
    default:
      return [r.input];
  }
}

/** The queries that stand in a node's expressions. */
export function relationSubqueries(r: Relation): readonly Relation[] {
  const found: Relation[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value)) return;
    const node = value as { readonly kind?: unknown; readonly plan?: Relation; readonly values?: unknown };
    if (node.kind === "subquery" && node.plan !== undefined) {
      found.push(node.plan);
      look(node.values);
    } else for (const child of Object.values(value)) look(child);
  };
  if (r.kind === "read" || r.kind === "local" || r.kind === "sql") return found;
  for (const [key, value] of Object.entries(r)) {
    if (key !== "input" && key !== "left" && key !== "right" && key !== "schema" && key !== "processor") look(value);
  }
  return found;
}

export function resolvedExprChildren(e: ResolvedExpr): readonly ResolvedExpr[] {
  switch (e.kind) {
    case "literal":
    case "column":
    case "lambda_variable":
      return [];
    case "call":
    case "udf":
      return e.args;
    case "cast":
    case "get_field":
      return [e.child];
    case "get_item":
      return [e.child, e.key];
    case "lambda":
      return [e.body];
    case "over":
      return [e.child, ...e.partitionBy, ...e.orderBy.map((k) => k.expr)];
    case "subquery":
      return e.values;
  }
}

/** The same expression over other children; the same object when none changed. */
export function mapResolvedExpr(e: ResolvedExpr, f: (child: ResolvedExpr) => ResolvedExpr): ResolvedExpr {
  const all = (list: readonly ResolvedExpr[]): readonly ResolvedExpr[] => {
    const mapped = list.map(f);
    return mapped.every((m, i) => m === list[i]) ? list : mapped;
  };
  switch (e.kind) {
    case "literal":
    case "column":
    case "lambda_variable":
      return e;
    case "call":
    case "udf": {
      const args = all(e.args);
      return args === e.args ? e : { ...e, args };
    }
    case "cast":
    case "get_field": {
      const child = f(e.child);
      return child === e.child ? e : { ...e, child };
    }
    case "get_item": {
      const child = f(e.child);
      const key = f(e.key);
      return child === e.child && key === e.key ? e : { ...e, child, key };
    }
    case "lambda": {
      const body = f(e.body);
      return body === e.body ? e : { ...e, body };
    }
    case "subquery": {
      const values = all(e.values);
      return values === e.values ? e : { ...e, values };
    }
    case "over":
      return {
        ...e,
        child: f(e.child),
        partitionBy: all(e.partitionBy),
        orderBy: e.orderBy.map((k): SortKey => ({ ...k, expr: f(k.expr) })),
      };
  }
}

export function resolvedInputs(r: ResolvedRelation): readonly ResolvedRelation[] {
  switch (r.kind) {
    case "scan":
    case "local":
    case "range":
      return [];
    case "join":
    case "intersect":
    case "except":
      return [r.left, r.right];
    case "union":
      return r.inputs;
    default:
      return [r.input];
  }
}

/** The expressions that stand directly in a node. */
export function resolvedExprs(r: ResolvedRelation): readonly ResolvedExpr[] {
  const of = (list: readonly NamedExpr[]): ResolvedExpr[] => list.map((n) => n.expr);
  switch (r.kind) {
    case "project":
      return of(r.exprs);
    case "filter":
      return [r.condition];
    case "aggregate":
      return [...of(r.keys), ...of(r.calls)];
    case "time_window":
      return [r.time];
    case "generate":
      return [r.generator];
    case "join":
      return r.condition ? [r.condition] : [];
    case "sort":
      return r.order.map((k) => k.expr);
    case "transform_with_state":
      return r.orderBy.map((k) => k.expr);
    default:
      return [];
  }
}

/** The queries that stand in a node's expressions. */
export function* resolvedSubqueries(r: ResolvedRelation): Generator<ResolvedRelation> {
  for (const root of resolvedExprs(r)) {
    for (const e of walkExpr(root)) if (e.kind === "subquery") yield e.plan;
  }
}

/** Every relation of a plan, parents before children, left to right; those of subqueries too. */
export function* walkResolved(r: ResolvedRelation): Generator<ResolvedRelation> {
  yield r;
  for (const plan of resolvedSubqueries(r)) yield* walkResolved(plan);
  for (const input of resolvedInputs(r)) yield* walkResolved(input);
}

/** Every sub-expression, parents first. */
export function* walkExpr(e: ResolvedExpr): Generator<ResolvedExpr> {
  yield e;
  for (const child of resolvedExprChildren(e)) yield* walkExpr(child);
}

/** Equal text for equal expressions: ids of columns count, names of lambda parameters do too. */
export function exprKey(e: ResolvedExpr): string {
  return JSON.stringify(e, (key, value) => {
    if (key === "nullable" || key === "containsNull" || key === "metadata") return undefined;
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "function") return functionId(value);
    if (value instanceof Map) return [...value];
    return value;
  });
}

const functionIds = new WeakMap<Function, number>();
let lastFunctionId = 0;
function functionId(f: Function): number {
  const known = functionIds.get(f);
  if (known !== undefined) return known;
  functionIds.set(f, ++lastFunctionId);
  return lastFunctionId;
}
