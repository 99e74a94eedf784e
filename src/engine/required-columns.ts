import { outerReferences } from "../plan/analyze-subquery.ts";
import type { NamedExpr, ResolvedExpr, ResolvedRelation } from "../plan/resolved.ts";
import { resolvedSubqueries } from "../plan/walk.ts";

/**
 * The columns (by name) that a plan reads of each scan in it, so that a source lays out no more. Scans from which nothing is read
 * have an empty list (`count(*)`).
 */
export function requiredColumns(plan: ResolvedRelation): Map<ResolvedRelation, string[]> {
  const found = new Map<ResolvedRelation, Set<number>>();
  walk(plan, new Set(plan.fields.map((f) => f.id)), found);
  const result = new Map<ResolvedRelation, string[]>();
  for (const [scan, ids] of found) {
    result.set(
      scan,
      scan.fields.filter((f) => ids.has(f.id)).map((f) => f.name),
    );
  }
  return result;
}

function walk(node: ResolvedRelation, needed: ReadonlySet<number>, found: Map<ResolvedRelation, Set<number>>): void {
  for (const plan of resolvedSubqueries(node)) walk(plan, all(plan), found);
  switch (node.kind) {
    case "scan": {
      const before = found.get(node) ?? new Set<number>();
      for (const f of node.fields) if (needed.has(f.id)) before.add(f.id);
      found.set(node, before);
      return;
    }
    case "local":
    case "range":
      return;
    case "project":
      walk(node.input, of(node.exprs.filter((e) => needed.has(e.field.id))), found);
      return;
    case "filter":
      walk(node.input, plus(needed, [node.condition]), found);
      return;
    case "aggregate":
      // Keys decide the groups, so they are all needed; a call that nobody reads is not.
      walk(node.input, of([...node.keys, ...node.calls.filter((c) => needed.has(c.field.id))]), found);
      return;
    case "time_window":
      walk(node.input, plus(needed, [node.time]), found);
      return;
    case "generate":
      walk(node.input, plus(needed, [node.generator]), found);
      return;
    case "join": {
      const both = plus(needed, node.condition === undefined ? [] : [node.condition]);
      if (node.lateral) for (const c of outerReferences(node.right)) both.add(c.id);
      walk(node.left, both, found);
      walk(node.right, both, found);
      return;
    }
    case "union":
      for (const input of node.inputs) walk(input, byPosition(node, input, needed), found);
      return;
    case "intersect":
    case "except":
      walk(node.left, all(node.left), found);
      walk(node.right, all(node.right), found);
      return;
    case "sort":
      walk(
        node.input,
        plus(
          needed,
          node.order.map((o) => o.expr),
        ),
        found,
      );
      return;
    case "deduplicate":
      walk(node.input, new Set([...needed, ...node.keys]), found);
      return;
    case "watermark":
      walk(node.input, new Set([...needed, node.column]), found);
      return;
    case "limit":
    case "offset":
    case "sample":
      walk(node.input, needed, found);
      return;
    case "map_rows":
    case "transform_with_state":
      // A TypeScript function may look at any column.
      walk(node.input, all(node.input), found);
      return;
  }
}

function all(node: ResolvedRelation): Set<number> {
  return new Set(node.fields.map((f) => f.id));
}

function byPosition(node: ResolvedRelation, input: ResolvedRelation, needed: ReadonlySet<number>): Set<number> {
  const ids = new Set<number>();
  node.fields.forEach((f, i) => {
    if (needed.has(f.id)) ids.add(input.fields[i]!.id);
  });
  return ids;
}

function of(exprs: readonly NamedExpr[]): Set<number> {
  const ids = new Set<number>();
  for (const e of exprs) collect(e.expr, ids);
  return ids;
}

function plus(needed: ReadonlySet<number>, exprs: readonly ResolvedExpr[]): Set<number> {
  const ids = new Set(needed);
  for (const e of exprs) collect(e, ids);
  return ids;
}

/** Adds the ids of the columns that an expression reads. */
function collect(expr: ResolvedExpr, ids: Set<number>): void {
  switch (expr.kind) {
    case "column":
      ids.add(expr.id);
      return;
    case "literal":
    case "lambda_variable":
      return;
    case "call":
    case "udf":
      for (const a of expr.args) collect(a, ids);
      return;
    case "cast":
    case "get_field":
      collect(expr.child, ids);
      return;
    case "get_item":
      collect(expr.child, ids);
      collect(expr.key, ids);
      return;
    case "lambda":
      collect(expr.body, ids);
      return;
    case "subquery":
      for (const v of expr.values) collect(v, ids);
      for (const c of outerReferences(expr.plan)) ids.add(c.id);
      return;
    case "over":
      collect(expr.child, ids);
      for (const e of expr.partitionBy) collect(e, ids);
      for (const o of expr.orderBy) collect(o.expr, ids);
      return;
  }
}
