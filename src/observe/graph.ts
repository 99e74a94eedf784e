import type { PlanNode, QueryPlan } from "../plan/query-plan.ts";
import type { GraphNode, QueryGraph } from "./api.ts";
import { type Counter, edgeCounters, edgeId } from "./flows.ts";
import type { QueryRecord } from "./query-log.ts";

/** A query's plan, drawn. */
export interface DrawnPlan {
  readonly graph: QueryGraph;
  readonly text: string;
  /** Who counts what goes over an edge, by the edge's id. */
  readonly counters: ReadonlyMap<string, Counter>;
}

/** Pixels. Titles and details are cut off by whoever draws them. */
const NODE = { width: 220, height: 76 } as const;
const GAP = { between: 28, ranks: 84, margin: 12 } as const;

/** After a plan that could not be told, until it is asked for again. */
const AGAIN_MS = 30_000;

type Telling = NonNullable<QueryRecord["plan"]>;
const drawn = new WeakMap<Telling, Promise<DrawnPlan | null>>();
const ready = new WeakMap<Telling, DrawnPlan>();

/** The drawing of a query's plan, made at the first call; null when the query does not tell its plan, or cannot now. */
export async function drawingOf(query: QueryRecord): Promise<DrawnPlan | null> {
  const { plan } = query;
  if (plan === null) return null;
  let drawing = drawn.get(plan);
  if (drawing === undefined) {
    drawing = draw(plan);
    drawn.set(plan, drawing);
    // a Spark server that does not answer now may do so later
    drawing.catch(() => setTimeout(() => drawn.delete(plan), AGAIN_MS).unref());
  }
  return drawing.catch(() => null);
}

/** The drawing if it has been made. */
export function drawingNow(query: QueryRecord): DrawnPlan | undefined {
  return query.plan === null ? undefined : ready.get(query.plan);
}

async function draw(tell: Telling): Promise<DrawnPlan | null> {
  const plan = (await tell()) as QueryPlan | undefined;
  if (plan === undefined) return null;
  const drawing = { graph: await layOut(plan), text: plan.text, counters: edgeCounters(plan) };
  ready.set(tell, drawing);
  return drawing;
}

/** Places for nodes and lines, sources at the left. */
export async function layOut(plan: QueryPlan): Promise<QueryGraph> {
  const dagre = await import("@dagrejs/dagre");
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({
    rankdir: "LR",
    nodesep: GAP.between,
    ranksep: GAP.ranks,
    marginx: GAP.margin,
    marginy: GAP.margin,
  });
  for (const node of plan.nodes) graph.setNode(node.id, { ...NODE });
  for (const { from, to } of plan.edges) graph.setEdge(from, to, {});
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    width: Math.ceil(width),
    height: Math.ceil(height),
    nodes: plan.nodes.map((node) => {
      const { x, y } = graph.node(node.id) as { x: number; y: number };
      return { ...toNode(node), x: Math.round(x - NODE.width / 2), y: Math.round(y - NODE.height / 2), ...NODE };
    }),
    edges: plan.edges.map((edge) => {
      const { points } = graph.edge(edge.from, edge.to) as { points: readonly { x: number; y: number }[] };
      return { id: edgeId(edge), ...edge, points: points.map(({ x, y }) => [Math.round(x), Math.round(y)] as const) };
    }),
  };
}

function toNode(node: PlanNode): Omit<GraphNode, "x" | "y" | "width" | "height"> {
  const { id, kind, title, detail, functions, state = null, guarantee = null, operator = null, sink = null } = node;
  return { id, kind, title, detail, functions, state, guarantee, operator, sink };
}
