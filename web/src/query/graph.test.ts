import { describe, expect, test } from "vitest";
import type { GraphNode, QueryGraph } from "../../../src/observe/api.ts";
import { middle, roundedPath, squeeze } from "./geometry.ts";

const node = (id: string, x: number): GraphNode => ({
  id,
  kind: "sql",
  title: id,
  detail: "",
  functions: [],
  state: null,
  guarantee: null,
  operator: null,
  sink: null,
  x,
  y: 10,
  width: 220,
  height: 76,
});
const graph: QueryGraph = {
  width: 12 + 220 + 84 + 220 + 84 + 220 + 12,
  height: 100,
  nodes: [node("a", 12), node("b", 316), node("c", 620)],
  edges: [
    {
      id: "a-b",
      from: "a",
      to: "b",
      points: [
        [232, 48],
        [274, 48],
        [316, 48],
      ],
    },
    {
      id: "b-c",
      from: "b",
      to: "c",
      points: [
        [536, 48],
        [620, 48],
      ],
    },
  ],
};

describe("a graph that is made to fit", () => {
  test("where there is room nothing changes", () => {
    expect(squeeze(graph, 2000)).toBe(graph);
  });

  test("it becomes as wide as the room, its lines still end at the nodes", () => {
    const small = squeeze(graph, 700);
    expect(small.width).toBeCloseTo(700);
    for (const edge of small.edges) {
      const from = small.nodes.find((n) => n.id === edge.from)!;
      const to = small.nodes.find((n) => n.id === edge.to)!;
      expect(edge.points[0]![0]).toBeCloseTo(from.x + from.width);
      expect(edge.points.at(-1)![0]).toBeCloseTo(to.x);
    }
  });

  test("never narrower than can be read", () => {
    const small = squeeze(graph, 100);
    for (const { width } of small.nodes) expect(width).toBeCloseTo(118);
    expect(small.width).toBeCloseTo(24 + 3 * 118 + 2 * 56);
  });
});

test("lines", () => {
  expect(
    middle([
      [0, 0],
      [10, 0],
      [10, 10],
    ]),
  ).toEqual([10, 0]);
  expect(
    middle([
      [0, 0],
      [4, 0],
    ]),
  ).toEqual([2, 0]);
  expect(
    roundedPath([
      [0, 0],
      [100, 0],
      [100, 100],
    ]),
  ).toBe("M0 0L90 0Q100 0 100 10L100 100");
  expect(roundedPath([])).toBe("");
});
