import { MillraceError } from "../errors.ts";
import type { Builder } from "./analyze-base.ts";
import type { Scope } from "./analyze-scope.ts";
import { columnOf } from "./resolve-call.ts";
import type { NamedExpr, ResolvedExpr } from "./resolved.ts";
import type { Node } from "./scope.ts";
import { walkExpr } from "./walk.ts";

/** An item of a SELECT whose name the items after it may use where the input has no such column. */
export interface Aliased {
  readonly name: string;
  expr: ResolvedExpr;
  readonly alias?: boolean;
}

/**
 * What a name means among the items before it. One value has to stand in both places: an expression that gives another one each time is
 * computed once, below.
 */
export function lateralAlias(
  b: Builder,
  scope: Scope,
  items: readonly Aliased[],
  name: string,
): ResolvedExpr | undefined {
  const found = items.filter((i) => i.alias && b.same(i.name, name));
  const item = found[0];
  if (item === undefined) return undefined;
  if (found.length > 1) {
    throw new MillraceError(
      "AMBIGUOUS_LATERAL_COLUMN_ALIAS",
      `Lateral column alias \`${name}\` is ambiguous and has ${found.length} matches.`,
      { hint: "Give each of them a name of its own.", parameters: { name: `\`${name}\``, n: String(found.length) } },
    );
  }
  const parts = [...walkExpr(item.expr)];
  if (parts.some((e) => changes(b, e))) {
    const field = b.derived(item.name, item.expr);
    // Aggregates and windows have their values only when all of the SELECT is known.
    if (b.hasAggregate(item.expr) || parts.some((e) => e.kind === "over")) scope.once.push({ field, expr: item.expr });
    else scope.node = computed(b, scope.node, { field, expr: item.expr });
    item.expr = columnOf(field);
  }
  return item.expr;
}

/** The node with a further column, which no name leads to. */
function computed(b: Builder, node: Node, column: NamedExpr): Node {
  const all = node.rel.fields.map((f): NamedExpr => ({ field: f, expr: columnOf(f) }));
  return { ...node, rel: b.project(node, [...all, column]).rel };
}

/** The node with the columns that `scope.once` has kept for now. */
export function withOnce(b: Builder, node: Node, columns: readonly NamedExpr[]): Node {
  return columns.reduce((below, column) => computed(b, below, column), node);
}

/** Whether a part of an expression may have another value each time. */
function changes(b: Builder, e: ResolvedExpr): boolean {
  if (e.kind === "udf") return !e.fn.deterministic;
  return e.kind === "call" && b.env.catalog.lookup(e.name)?.nondeterministic === true;
}

/** Spark refuses an alias of the same SELECT in an aggregate and in a window. */
export function lateralIn(where: "AGGREGATE_FUNC" | "WINDOW", name: string): MillraceError {
  const text = where === "WINDOW" ? "a window expression" : "an aggregate function";
  return new MillraceError(
    "UNSUPPORTED_FEATURE",
    `Referencing a lateral column alias \`${name}\` in ${text} is not supported.`,
    { hint: "Select it first, and use it in a second select.", parameters: { lca: `\`${name}\`` } },
  );
}
