import { MillraceError } from "../errors.ts";
import type { Builder } from "./analyze-base.ts";
import { Scope } from "./analyze-scope.ts";
import { nameParts, quoted } from "./names.ts";
import type { Relation } from "./relation.ts";
import { columnOf, resolveCall } from "./resolve-expr.ts";
import type { Field, NamedExpr, ResolvedExpr } from "./resolved.ts";
import type { Node, ScopeColumn } from "./scope.ts";

type Join = Extract<Relation, { kind: "join" }>;

export function resolveJoin(b: Builder, left: Node, right: Node, r: Join): Node {
  const leftOptional = r.type === "right_outer" || r.type === "full_outer";
  const rightOptional = r.type === "left_outer" || r.type === "full_outer";
  const leftOnly = r.type === "left_semi" || r.type === "left_anti";
  const optional = (columns: readonly ScopeColumn[], yes: boolean): ScopeColumn[] =>
    columns.map((c) => ({
      ...c,
      field: yes && !c.field.nullable ? b.remember({ ...c.field, nullable: true }) : c.field,
    }));

  const plans = new Map(left.plans);
  for (const [id, fields] of right.plans) plans.set(id, [...(plans.get(id) ?? []), ...fields]);
  const both: Node = {
    rel: left.rel,
    columns: [...left.columns, ...right.columns],
    hidden: [],
    plans,
  };
  const names = r.natural
    ? left.columns.map((c) => c.field.name).filter((n) => right.columns.some((c) => b.same(c.field.name, n)))
    : r.using;
  const shared = names && names.length > 0 ? names : undefined;
  const condition = shared ? using(b, left, right, shared) : r.condition ? conditionOf(b, both, r) : undefined;
  const columns = leftOnly
    ? left.columns
    : [...optional(left.columns, leftOptional), ...optional(right.columns, rightOptional)];
  const fields = columns.map((c) => c.field);
  const joined: Node = {
    rel: {
      kind: "join",
      left: left.rel,
      right: right.rel,
      type: r.type === "cross" && condition ? "inner" : condition || leftOnly || r.type !== "inner" ? r.type : "cross",
      ...(condition && { condition }),
      ...(r.lateral && { lateral: true }),
      fields,
      streaming: left.rel.streaming || right.rel.streaming,
    },
    columns,
    hidden: [...left.hidden, ...(leftOnly ? [] : right.hidden)].filter((c) => c.joinKey),
    plans,
  };
  if (!shared || leftOnly) return joined;
  return projectUsing(b, joined, left, right, r.type, shared);
}

function conditionOf(b: Builder, both: Node, r: Join): ResolvedExpr {
  const condition = new Scope(b, both, { hidden: false }).exprs.condition(
    r.condition!,
    "JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE",
  );
  b.refuseAggregates(condition, r.condition!);
  return condition;
}

function using(b: Builder, left: Node, right: Node, names: readonly string[]): ResolvedExpr | undefined {
  const equals = b.env.catalog.lookup("==");
  const and = b.env.catalog.lookup("and");
  if (!equals || !and) throw new MillraceError("INTERNAL", "The function table has no == and AND.");
  for (const name of names) {
    for (const [side, node] of [
      ["left", left],
      ["right", right],
    ] as const) {
      if (node.columns.some((c) => b.same(c.field.name, nameParts(name).at(-1)!))) continue;
      throw new MillraceError(
        "UNRESOLVED_USING_COLUMN_FOR_JOIN",
        `USING column ${quoted(nameParts(name))} cannot be resolved on the ${side} side of the join. The ${side}-side columns: [${node.columns.map((c) => quoted(c.field.name)).join(", ")}].`,
        { parameters: { colName: quoted(nameParts(name)), side } },
      );
    }
  }
  return names
    .map((name) =>
      resolveCall(equals, [{ expr: columnOf(b.column(left, name)) }, { expr: columnOf(b.column(right, name)) }], false),
    )
    .reduce<ResolvedExpr | undefined>(
      (all, c) => (all ? resolveCall(and, [{ expr: all }, { expr: c }], false) : c),
      undefined,
    );
}

/** A using join shows each join column once: the side that is always there, both sides merged in a full join. */
function projectUsing(
  b: Builder,
  joined: Node,
  left: Node,
  right: Node,
  type: Join["type"],
  names: readonly string[],
): Node {
  const field = (id: number): Field => joined.rel.fields.find((f) => f.id === id)!;
  const pairs = names.map((n) => ({ l: field(b.column(left, n).id), r: field(b.column(right, n).id) }));
  const joinedIds = new Set(pairs.flatMap((p) => [p.l.id, p.r.id]));
  const keys = pairs.map((p): NamedExpr => {
    if (type === "right_outer") return { field: p.r, expr: columnOf(p.r) };
    if (type !== "full_outer") return { field: p.l, expr: columnOf(p.l) };
    const merged = resolveCall(
      b.env.catalog.lookup("coalesce")!,
      [{ expr: columnOf(p.l) }, { expr: columnOf(p.r) }],
      false,
    );
    return { field: b.field(p.l.name, merged.type, merged.nullable), expr: merged };
  });
  const rest = joined.rel.fields
    .filter((f) => !joinedIds.has(f.id))
    .map((f): NamedExpr => ({ field: f, expr: columnOf(f) }));
  const node = b.project(joined, [...keys, ...rest]);
  return { ...node, hidden: node.hidden.map((c) => (joinedIds.has(c.field.id) ? { ...c, joinKey: true } : c)) };
}
