import type { SinkProgress, StreamingQueryProgress } from "../../backend.ts";
import type { SinkChoice } from "./sink-choice.ts";

type Json = Record<string, unknown>;

/** Keys of a progress in Spark's order. */
const KEYS = [
  "id",
  "runId",
  "name",
  "timestamp",
  "batchId",
  "batchDuration",
  "numInputRows",
  "inputRowsPerSecond",
  "processedRowsPerSecond",
  "durationMs",
  "eventTime",
  "stateOperators",
  "sources",
  "sink",
  "observedMetrics",
];

export interface ProgressContext {
  /** The handle's, which stays the same while the server's changes with every restart. */
  readonly runId: string;
  readonly sinks: readonly SinkChoice[];
  /** What our own sinks said of the batch; undefined for a sink of Spark's. */
  readonly delivered: readonly SinkProgress[] | undefined;
}

/** Spark's progress as the embedded engine gives it: the same keys in the same order, our own sinks in the place of foreachBatch. */
export function progressOf(json: string, context: ProgressContext): StreamingQueryProgress {
  const given = JSON.parse(json) as Json;
  const shown: Json = {};
  for (const key of KEYS) if (!isEmpty(given[key])) shown[key] = given[key];
  shown.id = given.id;
  shown.runId = context.runId;
  shown.name = given.name ?? null;
  shown.stateOperators = given.stateOperators ?? [];
  shown.sources = ((given.sources ?? []) as Json[]).map((source) =>
    withoutEmpty({
      ...source,
      startOffset: offset(source.startOffset),
      endOffset: offset(source.endOffset),
      latestOffset: offset(source.latestOffset),
    }),
  );
  // Spark 4.2 leaves it out where nothing came in
  shown.numInputRows ??= (shown.sources as Json[]).reduce((sum, source) => sum + Number(source.numInputRows ?? 0), 0);
  const [first] = context.sinks;
  if (context.delivered === undefined) {
    const sink = given.sink as Json;
    shown.sink = withoutEmpty({ ...(first?.guarantee !== undefined && { guarantee: first.guarantee }), ...sink });
  } else {
    const several = context.sinks.length > 1;
    const sinks = context.delivered.map(({ name, ...sink }) => withoutEmpty({ ...(several && { name }), ...sink }));
    shown.sink = sinks[0];
    if (several) shown.sinks = sinks;
  }
  return inOrder(shown) as unknown as StreamingQueryProgress;
}

/** Spark nests offsets as JSON; what is no JSON of its own it gives as text. */
function offset(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Empty maps and numbers that are none are left out, as the embedded engine does. */
function withoutEmpty(map: Json): Json {
  const keep = (key: string, value: unknown): boolean => /Offset$/.test(key) || !isEmpty(value);
  return Object.fromEntries(Object.entries(map).filter(([key, value]) => keep(key, value)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "NaN" || value === "Infinity") return true;
  return typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0;
}

function inOrder(map: Json): Json {
  const order = (key: string): number => (key === "sinks" ? KEYS.indexOf("sink") + 0.5 : KEYS.indexOf(key));
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => order(a) - order(b)));
}
