import fc from "fast-check";
import { expect, test } from "vitest";
import type { StreamingQueryProgress } from "../backend.ts";
import type { PlanNode, QueryPlan } from "../plan/query-plan.ts";
import { counted, edgeCounters, edgeId } from "./flows.ts";
import { layOut } from "./graph.ts";
import type { BatchExtra } from "./query-log.ts";

const node = (id: string, part: Partial<PlanNode>): PlanNode => ({
  id,
  kind: "sql",
  title: id,
  detail: "",
  functions: [],
  passes: false,
  ...part,
});
const plan = (nodes: readonly PlanNode[], ...edges: readonly string[]): QueryPlan => ({
  nodes,
  edges: edges.map((edge) => {
    const [from, to] = edge.split("-");
    return { from: from!, to: to! };
  }),
  text: "",
});
const progress = {
  sources: [{ numInputRows: 10 }, { numInputRows: 5 }],
  sink: { numOutputRows: 3 },
} as unknown as StreamingQueryProgress;
const extra: BatchExtra = {
  spans: [],
  operators: [{ operator: "0 dedupe", inputRows: 8, outputRows: 4, lateSamples: [] }],
};
const rows = (of: QueryPlan): Record<string, number | null> => {
  const counters = edgeCounters(of);
  return Object.fromEntries(
    of.edges.map((edge) => {
      const counter = counters.get(edgeId(edge));
      return [edgeId(edge), counter === undefined ? null : counted(counter, progress, extra)];
    }),
  );
};

test("a union has the sum of its inputs, a filter nobody's count, an operator its own", () => {
  const union = plan(
    [
      node("a", { kind: "source", source: 0 }),
      node("b", { kind: "source", source: 1 }),
      node("u", { passes: true }),
      node("f", {}),
      node("d", { kind: "state", operator: "0 dedupe" }),
      node("p", { passes: true }),
      node("s", { kind: "sink", passes: true }),
    ],
    "a-u",
    "b-u",
    "u-f",
    "f-d",
    "d-p",
    "p-s",
  );
  // what comes out of the operator is read off the sink, which counted last
  expect(rows(union)).toEqual({ "a-u": 10, "b-u": 5, "u-f": 15, "f-d": 8, "d-p": 3, "p-s": 3 });
});

test("many branches are no trouble", () => {
  const nodes = [node("n0", { kind: "source", source: 0 })];
  const edges: string[] = [];
  for (let i = 0; i < 60; i += 3) {
    nodes.push(...[1, 2, 3].map((k) => node(`n${i + k}`, { passes: true })));
    edges.push(`n${i}-n${i + 1}`, `n${i}-n${i + 2}`, `n${i + 1}-n${i + 3}`, `n${i + 2}-n${i + 3}`);
  }
  const found = rows(plan(nodes, ...edges));
  expect([found["n3-n4"], found["n6-n7"], found["n57-n58"]]).toEqual([20, 40, null]);
});

test("a join hides what is behind it; a static input is not counted", () => {
  const join = plan(
    [
      node("a", { kind: "source", source: 0 }),
      node("t", { kind: "source" }),
      node("j", {}),
      node("x", {}),
      node("s", { kind: "sink", passes: true }),
    ],
    "a-j",
    "t-j",
    "j-x",
    "x-s",
  );
  expect(rows(join)).toEqual({ "a-j": 10, "t-j": null, "j-x": null, "x-s": 3 });
});

test("any graph gets places: no two nodes overlap, sources lie left of what reads them", async () => {
  const graphs = fc.integer({ min: 1, max: 12 }).chain((size) =>
    fc.array(fc.tuple(fc.nat({ max: size - 1 }), fc.nat({ max: size - 1 })), { maxLength: 20 }).map((pairs) => {
      const edges = new Set(pairs.filter(([a, b]) => a < b).map(([a, b]) => `n${a}-n${b}`));
      return plan(
        Array.from({ length: size }, (_, i) => node(`n${i}`, { passes: i % 2 === 0, ...(i === 0 && { source: 0 }) })),
        ...edges,
      );
    }),
  );
  await fc.assert(
    fc.asyncProperty(graphs, async (graph) => {
      const drawn = await layOut(graph);
      const at = new Map(drawn.nodes.map((n) => [n.id, n]));
      for (const a of drawn.nodes) {
        expect(a.x).toBeGreaterThanOrEqual(0);
        expect(a.x + a.width).toBeLessThanOrEqual(drawn.width);
        expect(a.y + a.height).toBeLessThanOrEqual(drawn.height);
        for (const b of drawn.nodes) {
          if (a.id >= b.id) continue;
          const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
          expect(apart).toBe(true);
        }
      }
      for (const edge of drawn.edges) expect(at.get(edge.from)!.x).toBeLessThan(at.get(edge.to)!.x);
      // whatever the shape, counting comes to an end and gives numbers or nothing
      for (const n of Object.values(rows(graph))) expect(n === null || n >= 0).toBe(true);
    }),
    { numRuns: 60 },
  );
});
