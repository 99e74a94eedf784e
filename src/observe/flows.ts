import type { StreamingQueryProgress } from "../backend.ts";
import type { PlanNode, QueryPlan } from "../plan/query-plan.ts";
import type { BatchExtra } from "./query-log.ts";

/** Whose count says how many rows went over an edge; a list is their sum. */
export type Counter =
  | { readonly kind: "source"; readonly source: number }
  | { readonly kind: "into" | "out of"; readonly operator: string }
  | { readonly kind: "sink" }
  | readonly Counter[];

/** A sum of more parts than this is not worth its time, ten times a second. */
const MAX_PARTS = 64;

/** The id of an edge: there is one at most between two nodes. */
export function edgeId(edge: { readonly from: string; readonly to: string }): string {
  return `${edge.from}-${edge.to}`;
}

/**
 * Who counts the rows of each edge: sources, stateful operators and sinks count, and what they say holds beyond nodes that pass every row
 * on. Edges that nobody speaks for are left out: nothing is guessed. Pure.
 */
export function edgeCounters(plan: QueryPlan): ReadonlyMap<string, Counter> {
  const nodes = new Map(plan.nodes.map((node) => [node.id, node]));
  const inputs = (id: string): PlanNode[] =>
    plan.edges.filter((edge) => edge.to === id).map(({ from }) => nodes.get(from)!);
  const readers = (id: string): PlanNode[] =>
    plan.edges.filter((edge) => edge.from === id).map(({ to }) => nodes.get(to)!);

  /** The count of the rows that come out of a node, looking towards the sources. */
  const upstream = (node: PlanNode): Counter | undefined => {
    if (node.source !== undefined) return { kind: "source", source: node.source };
    if (node.operator !== undefined) return { kind: "out of", operator: node.operator };
    if (!node.passes) return undefined;
    const parts = inputs(node.id).map(output);
    if (parts.length === 0 || !parts.every((part) => part !== undefined)) return undefined;
    const sum = parts.flat();
    return sum.length > MAX_PARTS ? undefined : sum.length === 1 ? sum[0] : sum;
  };
  /** The same, looking towards the sinks: whoever reads nothing else says what came in. */
  const downstream = (node: PlanNode): Counter | undefined => {
    for (const reader of readers(node.id)) {
      if (inputs(reader.id).length !== 1) continue;
      if (reader.kind === "sink") return { kind: "sink" };
      if (reader.operator !== undefined) return { kind: "into", operator: reader.operator };
      const beyond = reader.passes ? downstream(reader) : undefined;
      if (beyond !== undefined) return beyond;
    }
    return undefined;
  };
  const known = new Map<PlanNode, Counter | undefined>();
  const output = (node: PlanNode): Counter | undefined => {
    if (!known.has(node)) {
      const source = node.source === undefined ? undefined : upstream(node);
      known.set(node, source ?? downstream(node) ?? upstream(node));
    }
    return known.get(node);
  };

  const counters = new Map<string, Counter>();
  for (const edge of plan.edges) {
    const counter = output(nodes.get(edge.from)!);
    if (counter !== undefined) counters.set(edgeId(edge), counter);
  }
  return counters;
}

/** What a counter says of a batch; null when it did not count. Pure. */
export function counted(
  counter: Counter,
  progress: StreamingQueryProgress,
  extra: BatchExtra | undefined,
): number | null {
  if (isList(counter)) {
    let sum = 0;
    for (const part of counter) {
      const rows = counted(part, progress, extra);
      if (rows === null) return null;
      sum += rows;
    }
    return sum;
  }
  switch (counter.kind) {
    case "source":
      return progress.sources[counter.source]?.numInputRows ?? null;
    case "sink": {
      // each sink gets all rows
      const rows = (progress.sinks ?? [progress.sink]).map((s) => s.numOutputRows).filter((n) => n >= 0);
      return rows.length === 0 ? null : Math.max(...rows);
    }
    default: {
      const operator = extra?.operators.find((o) => o.operator === counter.operator);
      return (counter.kind === "into" ? operator?.inputRows : operator?.outputRows) ?? null;
    }
  }
}

function isList(counter: Counter): counter is readonly Counter[] {
  return Array.isArray(counter);
}
