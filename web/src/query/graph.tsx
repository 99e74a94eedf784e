import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { GraphEdge, GraphNode, QueryGraph } from "../../../src/observe/api.ts";
import * as f from "../format.ts";
import { link } from "../router.ts";
import { Scroll } from "../ui/scroll.tsx";
import { middle, roundedPath, squeeze } from "./geometry.ts";

const KINDS: Readonly<Record<GraphNode["kind"], string>> = {
  source: "source",
  sql: "rows",
  watermark: "watermark",
  state: "state",
  typescript: "TypeScript",
  sink: "sink",
};

/** The query as a drawing, with what flows over each edge. The places are the process's. */
export function Graph(props: {
  title: string;
  graph: QueryGraph;
  flows: Readonly<Record<string, number | null>>;
  live: boolean;
  chosen: string | null;
  choose: (id: string | null) => void;
}) {
  const { flows, chosen, choose } = props;
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(Number.POSITIVE_INFINITY);
  useLayoutEffect(() => {
    const parent = box.current?.parentElement;
    if (parent == null) return;
    const watch = new ResizeObserver(() => setRoom(parent.clientWidth));
    watch.observe(parent);
    return () => watch.disconnect();
  }, []);
  const graph = squeeze(props.graph, room);
  const most = Math.max(1, ...graph.edges.map((e) => flows[e.id] ?? 0));
  const size = { width: graph.width, height: graph.height, viewBox: `0 0 ${graph.width} ${graph.height}` };
  return (
    <Scroll class="graph" label={`Steps of ${props.title}`}>
      <div class="graph-inner" ref={box} style={{ width: `${graph.width}px`, height: `${graph.height}px` }}>
        <svg {...size} aria-hidden="true">
          {graph.edges.map((edge) => (
            <Edge key={edge.id} edge={edge} flow={flows[edge.id] ?? null} most={most} live={props.live} />
          ))}
        </svg>
        <ol aria-label={`Steps of ${props.title}, sources first`}>
          {graph.nodes.map((node) => (
            <li
              key={node.id}
              style={{ left: `${node.x}px`, top: `${node.y}px`, width: `${node.width}px`, height: `${node.height}px` }}
            >
              <button
                type="button"
                class={`node ${node.kind}`}
                aria-pressed={chosen === node.id}
                onClick={() => choose(chosen === node.id ? null : node.id)}
              >
                <span class="node-kind">
                  {KINDS[node.kind]}
                  {node.state !== null && !node.state.bounded && <span class="node-warn"> · grows without end</span>}
                </span>
                <span class="node-title">{breakable(node.title)}</span>
                {node.detail !== "" && <span class="node-detail">{node.detail}</span>}
                <span class="sr">{flowInto(node, graph, flows)}</span>
              </button>
            </li>
          ))}
        </ol>
        <svg {...size} aria-hidden="true" class="graph-flows">
          {graph.edges.map((edge) => (
            <Flow key={edge.id} edge={edge} flow={flows[edge.id] ?? null} />
          ))}
        </svg>
      </div>
    </Scroll>
  );
}

/** Long names may break where a word begins. */
function breakable(title: string): string {
  return title.replace(/([a-z])([A-Z])/g, "$1\u200b$2");
}

function flowInto(node: GraphNode, graph: QueryGraph, flows: Readonly<Record<string, number | null>>): string {
  const into = graph.edges.filter((e) => e.to === node.id).map((e) => flows[e.id] ?? null);
  return into.length === 0 || into.includes(null) ? "" : `, ${f.rate(into.reduce<number>((a, b) => a + b!, 0))} in`;
}

function Edge({ edge, flow, most, live }: { edge: GraphEdge; flow: number | null; most: number; live: boolean }) {
  const moves = live && flow !== null && flow > 0;
  const width = flow === null || flow <= 0 ? 1.4 : 1.4 + 2.2 * (Math.log10(1 + flow) / Math.log10(1 + most));
  const path = roundedPath(edge.points);
  return (
    <>
      <path class="edge" d={path} stroke-width={width} />
      {moves && <path class="edge-flow" d={path} stroke-width={width} />}
    </>
  );
}

function Flow({ edge, flow }: { edge: GraphEdge; flow: number | null }) {
  if (flow === null || edge.points.length < 2) return null;
  const [x, y] = middle(edge.points);
  return (
    <g class="flow">
      <text x={x} y={y - 6} text-anchor="middle">
        {f.rate(flow, "").replace(" /s", "/s")}
      </text>
    </g>
  );
}

/** What is known of the chosen step. */
export function NodeDetail({ node, close }: { node: GraphNode; close: () => void }) {
  const topic = node.kind === "source" ? /Subscribe\[([^\],]+)\]/.exec(`${node.title} ${node.detail}`)?.[1] : undefined;
  return (
    <aside class={`node-panel ${node.kind}`} aria-label={`Step ${node.title}`}>
      <div class="title-line">
        <h3>{node.title}</h3>
        <button type="button" class="button small" onClick={close}>
          Close
        </button>
      </div>
      {node.detail !== "" && <p class="wrap">{node.detail}</p>}
      {node.state !== null && (
        <p>
          <strong>{node.state.bounded ? "Its state stays bounded." : "Its state may grow without end."}</strong>{" "}
          {node.state.reason}
        </p>
      )}
      {node.guarantee !== null && (
        <p>
          <strong>Guarantee:</strong> {node.guarantee}
        </p>
      )}
      {node.functions.length > 0 && (
        <p>
          <strong>TypeScript:</strong> <code>{node.functions.join(", ")}</code>
        </p>
      )}
      {topic !== undefined && <a href={link("topic", topic)}>Messages of {topic}</a>}
    </aside>
  );
}
