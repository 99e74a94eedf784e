import type { Relation } from "../plan/relation.ts";
import { parseQuery } from "../plan/sql/parse-query.ts";
import { relationInputs, relationSubqueries } from "../plan/walk.ts";

type Read = Extract<Relation, { kind: "read" }>;
type Named = Extract<Relation, { kind: "named_table" }>;
type Expanded = Extract<Relation, { kind: "named_table" | "sql" }>;

/** What the names and texts in a plan stand for, and the readers in all of it. */
export interface ExpandedPlan {
  readonly meaning: ReadonlyMap<Expanded, Relation>;
  readonly reads: ReadonlySet<Read>;
}

const parsed = new WeakMap<Relation, Relation>();

/** The plan of a node with SQL text, parsed once. */
export function queryOf(node: Extract<Relation, { kind: "sql" }>): Relation {
  let plan = parsed.get(node);
  if (plan === undefined) {
    plan = parseQuery(node.query, node.args);
    parsed.set(node, plan);
  }
  return plan;
}

/** Looks up all that a plan names, also in the plans of its views and subqueries. `lookup` gives undefined for a name that is not there. */
export async function expandPlan(
  plan: Relation,
  lookup: (table: Named) => Promise<Relation | undefined>,
): Promise<ExpandedPlan> {
  const meaning = new Map<Expanded, Relation>();
  const reads = new Set<Read>();
  const seen = new Set<Relation>();
  const pending = [plan];
  while (pending.length > 0) {
    const node = pending.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.kind === "read") reads.add(node);
    else if (node.kind === "sql" || node.kind === "named_table") {
      const meant = node.kind === "sql" ? queryOf(node) : await lookup(node);
      if (meant === undefined) continue;
      meaning.set(node, meant);
      pending.push(meant);
    } else pending.push(...relationInputs(node), ...relationSubqueries(node));
  }
  return { meaning, reads };
}
