import { operatorText, resolvedTree } from "./explain.ts";
import { type OutlineStep, stepOf } from "./outline.ts";
import type { ResolvedRelation } from "./resolved.ts";
import { resolvedInputs, resolvedSubqueries } from "./walk.ts";

/** What a streaming query does, as a graph from its sources to its sinks, for those who want to see it. */
export interface QueryPlan {
  /** Inputs before those that read them; sinks last. */
  readonly nodes: readonly PlanNode[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
  /** The analysed plan as text; nothing secret is in it. */
  readonly text: string;
}

export interface PlanNode {
  readonly id: string;
  readonly kind: OutlineStep["kind"] | "sink";
  /** One or a few words, such as `Filter, Project` or `kafka`. */
  readonly title: string;
  /** What exactly: the topic, the condition, the keys. One line for each operator of a `sql` step. */
  readonly detail: string;
  readonly functions: readonly string[];
  readonly state?: OutlineStep["state"];
  readonly guarantee?: string;
  /** Only for streaming sources: the position in the `sources` of progress. */
  readonly source?: number;
  /** Only for stateful operators: the position in the `stateOperators` of progress and the name, as `0 stateStoreSave`. */
  readonly operator?: string;
  /** Only for sinks: the name within the query. */
  readonly sink?: string;
  /** Every row of the inputs comes out, one for one: what is counted on one side holds on the other. */
  readonly passes: boolean;
}

/** A sink of the query in words. */
export interface PlannedSink {
  readonly name: string;
  readonly format: string;
  readonly destination: string;
  /** Null where only a Spark server knows. */
  readonly guarantee: string | null;
}

/** Longest text of one operator. */
const DETAIL = 300;

/**
 * The graph of a plan. Neighbouring operators that an engine computes as one piece of SQL are one node, unless another branch reads what lies
 * between them. `operatorKey` gives the key of a stateful node in progress. Pure.
 */
export function queryPlan(
  plan: ResolvedRelation,
  outputMode: "append" | "update" | "complete",
  sinks: readonly PlannedSink[],
  operatorKey: (node: ResolvedRelation) => string | undefined,
): QueryPlan {
  const nodes: PlanNode[] = [];
  const edges: { from: string; to: string }[] = [];
  const readers = countReaders(plan);
  const done = new Map<ResolvedRelation, string>();
  const bySource = new Map<number, string>();

  const add = (node: Omit<PlanNode, "id">, inputs: readonly string[]): string => {
    const id = `n${nodes.length}`;
    const once = new Set(inputs);
    // a union of a relation with itself gives each row twice, over one line
    nodes.push({ id, ...node, passes: node.passes && once.size === inputs.length });
    for (const from of once) edges.push({ from, to: id });
    return id;
  };

  const visit = (relation: ResolvedRelation): string => {
    const before = done.get(relation) ?? bySource.get(sourceOf(relation) ?? -1);
    if (before !== undefined) return before;
    const below = inputsOf(relation);
    const inputs = below.map(visit);
    const node = nodeOf(relation, outputMode, operatorKey);
    const at = nodes.findIndex((n) => n.id === inputs[0]);
    const under = nodes[at];
    let id: string;
    if (node.kind === "sql" && inputs.length === 1 && under?.kind === "sql" && readers.get(below[0]!) === 1) {
      nodes[at] = merged(under, node);
      id = under.id;
    } else id = add(node, inputs);
    done.set(relation, id);
    if (node.source !== undefined) bySource.set(node.source, id);
    return id;
  };

  const root = visit(plan);
  for (const { name, format, destination, guarantee } of sinks) {
    const title = name === format ? format : `${name} (${format})`;
    const promise = guarantee === null ? {} : { guarantee };
    add({ kind: "sink", title, detail: destination, functions: [], ...promise, sink: name, passes: true }, [root]);
  }
  return { nodes, edges, text: resolvedTree(plan) };
}

const inputsOf = (relation: ResolvedRelation): ResolvedRelation[] => [
  ...resolvedInputs(relation),
  ...resolvedSubqueries(relation),
];

function sourceOf(relation: ResolvedRelation): number | undefined {
  return relation.kind === "scan" ? relation.sourceIndex : undefined;
}

/** How many operators read each one. */
function countReaders(plan: ResolvedRelation): ReadonlyMap<ResolvedRelation, number> {
  const readers = new Map<ResolvedRelation, number>();
  const seen = new Set<ResolvedRelation>();
  const visit = (relation: ResolvedRelation): void => {
    if (seen.has(relation)) return;
    seen.add(relation);
    for (const input of inputsOf(relation)) {
      readers.set(input, (readers.get(input) ?? 0) + 1);
      visit(input);
    }
  };
  visit(plan);
  return readers;
}

function nodeOf(
  relation: ResolvedRelation,
  outputMode: "append" | "update" | "complete",
  operatorKey: (node: ResolvedRelation) => string | undefined,
): Omit<PlanNode, "id"> {
  const { kind, operator, detail, functions, state } = stepOf(relation, outputMode);
  const source = sourceOf(relation);
  const key = kind === "state" ? operatorKey(relation) : undefined;
  const isScan = relation.kind === "scan";
  return {
    kind,
    title: isScan ? relation.format : operator,
    detail: short(kind === "sql" ? operatorText(relation) : isScan ? detail.slice(relation.format.length + 1) : detail),
    functions,
    ...(state !== undefined && { state }),
    ...(source !== undefined && { source }),
    ...(key !== undefined && { operator: key }),
    passes:
      relation.kind === "project" ||
      relation.kind === "watermark" ||
      relation.kind === "union" ||
      (relation.kind === "map_rows" && relation.op === "map"),
  };
}

function merged(under: PlanNode, over: Omit<PlanNode, "id">): PlanNode {
  const titles = under.title.split(", ");
  return {
    ...under,
    title: titles.includes(over.title) ? under.title : `${under.title}, ${over.title}`,
    detail: `${under.detail}\n${over.detail}`,
    functions: [...new Set([...under.functions, ...over.functions])],
    passes: under.passes && over.passes,
  };
}

function short(text: string): string {
  return text.length <= DETAIL ? text : `${text.slice(0, DETAIL)}…`;
}
