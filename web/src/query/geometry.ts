import type { QueryGraph } from "../../../src/observe/api.ts";

type Point = readonly [x: number, y: number];

/** A line through the corners, softened. */
export function roundedPath(points: readonly Point[], radius = 10): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  let path = `M${first[0]} ${first[1]}`;
  for (const [i, point] of rest.entries()) {
    const next = rest[i + 1];
    const before = points[i]!;
    if (next === undefined) {
      path += `L${point[0]} ${point[1]}`;
      break;
    }
    const a = toward(point, before, radius);
    const b = toward(point, next, radius);
    path += `L${a[0]} ${a[1]}Q${point[0]} ${point[1]} ${b[0]} ${b[1]}`;
  }
  return path;
}

function toward(from: Point, to: Point, most: number): Point {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const part = length === 0 ? 0 : Math.min(most, length / 2) / length;
  const at = (i: 0 | 1): number => Math.round((from[i] + (to[i] - from[i]) * part) * 10) / 10;
  return [at(0), at(1)];
}

/** The point half of the way along a line. */
export function middle(points: readonly Point[]): Point {
  const lengths = points.slice(1).map((p, i) => Math.hypot(p[0] - points[i]![0], p[1] - points[i]![1]));
  let left = lengths.reduce((a, b) => a + b, 0) / 2;
  for (const [i, length] of lengths.entries()) {
    if (left > length) {
      left -= length;
      continue;
    }
    const [a, b] = [points[i]!, points[i + 1]!];
    const part = length === 0 ? 0 : left / length;
    return [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part];
  }
  return points[0] ?? [0, 0];
}

/** Pixels in which a node and the number on a line can still be read. */
const NODE = 118;
const GAP = 56;

/** The drawing made narrower, as far as its text allows, so that it fits; what is still too wide scrolls. */
export function squeeze(graph: QueryGraph, room: number): QueryGraph {
  if (graph.width <= room) return graph;
  // Columns of nodes and what is between them shrink differently: numbers stand in the gaps.
  const edges = [...new Set(graph.nodes.flatMap((n) => [n.x, n.x + n.width]))].sort((a, b) => a - b);
  const pieces = edges.slice(1).map((to, i) => {
    const from = edges[i]!;
    const isNode = graph.nodes.some((n) => n.x < to && n.x + n.width > from);
    return { from, to, least: Math.min(to - from, isNode ? NODE : GAP) };
  });
  const wide = pieces.reduce((sum, p) => sum + p.to - p.from, 0);
  const least = pieces.reduce((sum, p) => sum + p.least, 0);
  const rest = graph.width - wide;
  // 1: all that can be taken away is.
  const part = wide === least ? 0 : Math.min(1, (graph.width - room) / (wide - least));
  const map = (x: number): number => {
    let gone = 0;
    for (const p of pieces) {
      const taken = (p.to - p.from - p.least) * part;
      gone += taken * Math.max(0, Math.min(1, (x - p.from) / (p.to - p.from)));
    }
    return x - gone;
  };
  return {
    width: rest + wide - (wide - least) * part,
    height: graph.height,
    nodes: graph.nodes.map((n) => ({ ...n, x: map(n.x), width: map(n.x + n.width) - map(n.x) })),
    edges: graph.edges.map((e) => ({ ...e, points: e.points.map(([x, y]) => [map(x), y] as const) })),
  };
}
