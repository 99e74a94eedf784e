import type { StreamingQueryProgress } from "../backend.ts";
import type { BatchDetail, BatchSummary, PartitionLag, QueryDetail, QuerySummary } from "./api.ts";
import { bottleneck } from "./bottleneck.ts";
import { type Counter, counted } from "./flows.ts";
import { type DrawnPlan, drawingNow } from "./graph.ts";
import { lagOf, partitionsOf } from "./lag.ts";
import type { QueryRecord } from "./query-log.ts";
import type { BatchSpan } from "./timeline.ts";

/** Rates are of the batches that ended within this time. */
const RATE_MS = 10_000;
/** Batches over which the trend of the lag is taken. */
const TREND_BATCHES = 10;

/** A lag that would take longer than this to read is one that the query does not keep up with. */
const BEHIND_SECONDS = 10;

/** A query in one row. */
export function summarize(q: QueryRecord, now: number): QuerySummary {
  const last = q.batches.at(-1);
  const times = q.batches.map((p) => p.batchDuration).sort((a, b) => a - b);
  const recent = recentBatches(q, now);
  const inputRate = q.state === "running" || q.state === "idle" ? rate(recent, now, (p) => p.numInputRows) : null;
  const lag = last === undefined ? null : lagOfBatch(last);
  const watermark = last?.eventTime?.watermark;
  const watermarkMs = watermark === undefined ? 0 : Date.parse(watermark);
  const lagSeconds = lag === null || inputRate === null ? null : lag === 0 ? 0 : inputRate > 0 ? lag / inputRate : null;
  const lagTrend = trend(q);
  const isBehind =
    lag !== null && lag > 0 && (lagTrend === 1 || (lagTrend === 0 && (lagSeconds ?? 0) > BEHIND_SECONDS));
  return {
    id: q.id,
    runId: q.runId,
    name: q.name,
    state: q.state,
    startedAt: q.startedAt,
    lastBatchAt: q.lastBatchAt,
    batchId: last?.batchId ?? null,
    inputRowsPerSecond: inputRate,
    outputRowsPerSecond: inputRate === null ? null : rate(recent, now, (p) => outputRows(p) ?? 0),
    batchMs: last?.batchDuration ?? null,
    batchMsP50: percentile(times, 0.5),
    batchMsP95: percentile(times, 0.95),
    lagRows: lag,
    lagTrend,
    lagSeconds,
    triggerMs: q.triggerMs,
    bottleneck: isBehind ? bottleneck(q) : null,
    watermark: watermarkMs > 0 ? watermark! : null,
    watermarkDelaySeconds: watermarkMs > 0 ? (now - watermarkMs) / 1000 : null,
    stateRows: stateSum(last, "numRowsTotal"),
    stateBytes: stateBytes(q),
    inputRows: sum(q.totals.inputRows),
    outputRows: sum(q.totals.outputRows),
    lateRows: sum(q.totals.lateRows),
    batches: q.totals.batches,
    restarts: q.totals.restarts,
    lastError: q.lastError,
    flows: flows(q, recent, now),
    sources: (last?.sources ?? []).map((s) => ({ description: s.description, lagRows: lagOf(s) ?? null })),
    sinks: (last?.sinks ?? (last === undefined ? [] : [last.sink])).map((s) => ({
      name: s.name ?? soleSink(q) ?? s.description,
      description: s.description,
      guarantee: s.guarantee ?? null,
    })),
  };
}

/** A query with its graph and the history of its batches. */
export function detail(q: QueryRecord, drawing: DrawnPlan | null, now: number): QueryDetail {
  return {
    ...summarize(q, now),
    graph: drawing?.graph ?? null,
    plan: drawing?.text ?? null,
    partitions: partitions(q, now).map(({ topic: _t, number: _n, ...partition }) => partition),
    failures: q.failures.toReversed(),
    late: [...q.totals.lateRows].map(([operator, rows]) => ({
      operator,
      rows,
      samples: (q.lateSamples.get(operator) ?? []).toReversed().map(({ row }) => row),
    })),
    history: q.batches.map(batchSummary),
    lastProgress: q.batches.at(-1) ?? null,
  };
}

/** Everything that is kept of a batch; undefined when it is not kept. */
export function batchDetail(q: QueryRecord, batchId: number): BatchDetail | undefined {
  const progress = q.batches.findLast((p) => p.batchId === batchId);
  if (progress === undefined) return undefined;
  const startMs = Date.parse(progress.timestamp);
  const { spans, operators } = q.extras.get(batchId) ?? { spans: [], operators: [] };
  return {
    ...batchSummary(progress),
    progress,
    spans: spans.map(({ phase, sink, ...span }: BatchSpan) => ({
      phase,
      sink,
      // Progress has whole milliseconds only.
      startMs: Math.max(0, round(span.startMs - startMs)),
      ms: round(span.endMs - span.startMs),
    })),
    operators: operators.map(({ operator, inputRows = null, outputRows = null, lateSamples }) => ({
      operator,
      inputRows,
      outputRows,
      lateSamples,
    })),
  };
}

const round = (ms: number): number => Math.round(ms * 100) / 100;

/** A partition of a source, with the topic that it is one of. */
export interface ReadPartition extends PartitionLag {
  readonly topic: string;
  readonly number: number;
}

/** How far each partition was read at the last batch. */
export function partitions(q: QueryRecord, now: number): readonly ReadPartition[] {
  const recent = recentBatches(q, now);
  const [first] = recent;
  return (q.batches.at(-1)?.sources ?? []).flatMap((source, i) => {
    const before = first?.sources[i];
    const starts = before === undefined ? [] : partitionsOf({ ...before, endOffset: before.startOffset });
    const spanMs = first === undefined ? 0 : now - Date.parse(first.timestamp);
    return partitionsOf(source).map((p): ReadPartition => {
      const start = starts.find(({ partition }) => partition === p.partition);
      const rate = start === undefined || spanMs <= 0 ? 0 : ((Number(p.read) - Number(start.read)) * 1000) / spanMs;
      const lagSeconds = p.lagRows === 0 ? 0 : rate > 0 ? p.lagRows / rate : null;
      return { source: source.description, ...p, lagSeconds };
    });
  });
}

/** Bytes of the state: what Spark reports, or else the files of the embedded engine. */
export function stateBytes(q: QueryRecord): number | null {
  const reported = stateSum(q.batches.at(-1), "memoryUsedBytes");
  return reported !== null && reported > 0 ? reported : q.stateBytes;
}

function flows(
  q: QueryRecord,
  recent: readonly StreamingQueryProgress[],
  now: number,
): Readonly<Record<string, number | null>> {
  const drawing = drawingNow(q);
  if (drawing === undefined) return {};
  const span = recent[0] === undefined ? 1 : Math.max(now - Date.parse(recent[0].timestamp), 1);
  const perSecond = (counter: Counter | undefined): number | null => {
    if (counter === undefined || q.batches.length === 0) return null;
    let rows = 0;
    for (const p of recent) {
      const n = counted(counter, p, q.extras.get(p.batchId));
      if (n === null) return null;
      rows += n;
    }
    return (rows * 1000) / span;
  };
  return Object.fromEntries(drawing.graph.edges.map(({ id }) => [id, perSecond(drawing.counters.get(id))]));
}

/** The name of a query's one sink, which progress does not have. */
function soleSink(q: QueryRecord): string | undefined {
  const { batchId } = q.batches.at(-1)!;
  return q.extras.get(batchId)?.spans.find((span) => span.sink !== null)?.sink ?? undefined;
}

/** The batches that ended within the last seconds. */
function recentBatches(q: QueryRecord, now: number): readonly StreamingQueryProgress[] {
  const from = now - RATE_MS;
  let first = q.batches.length;
  while (first > 0 && endOf(q.batches[first - 1]!) >= from) first--;
  return q.batches.slice(first);
}

const ends = new WeakMap<StreamingQueryProgress, number>();

/** When a batch ended, read from its text once: with small batches a page asks hundreds of them ten times a second. */
function endOf(p: StreamingQueryProgress): number {
  let end = ends.get(p);
  if (end === undefined) {
    end = Date.parse(p.timestamp) + p.batchDuration;
    ends.set(p, end);
  }
  return end;
}

/** A batch in one row; pure. */
export function batchSummary(p: StreamingQueryProgress): BatchSummary {
  const { triggerExecution: _, ...phases } = p.durationMs;
  return {
    batchId: p.batchId,
    timestamp: p.timestamp,
    ms: p.batchDuration,
    inputRows: p.numInputRows,
    outputRows: outputRows(p),
    lateRows: p.stateOperators.reduce((n, op) => n + op.numRowsDroppedByWatermark, 0),
    stateRows: stateSum(p, "numRowsTotal"),
    watermark: p.eventTime?.watermark ?? null,
    phases,
  };
}

/** Rows of a batch's result; null where no sink counts. With several sinks each gets all of them. */
function outputRows(p: StreamingQueryProgress): number | null {
  const counted = (p.sinks ?? [p.sink]).map((s) => s.numOutputRows).filter((n) => n >= 0);
  return counted.length === 0 ? null : Math.max(...counted);
}

function lagOfBatch(p: StreamingQueryProgress): number | null {
  const lags = p.sources.map(lagOf).filter((lag) => lag !== undefined);
  return lags.length === 0 ? null : lags.reduce((a, b) => a + b, 0);
}

/** Rows a second over the last seconds; a batch longer than that counts with its own time. */
function rate(
  recent: readonly StreamingQueryProgress[],
  now: number,
  rows: (p: StreamingQueryProgress) => number,
): number {
  const [first] = recent;
  if (first === undefined) return 0;
  const span = Math.max(now - Date.parse(first.timestamp), 1);
  return (recent.reduce((n, p) => n + rows(p), 0) * 1000) / span;
}

function trend(q: QueryRecord): -1 | 0 | 1 | null {
  const lags = q.batches
    .slice(-TREND_BATCHES)
    .map(lagOfBatch)
    .filter((lag) => lag !== null);
  if (lags.length < 2) return null;
  const change = lags.at(-1)! - lags[0]!;
  // A tenth up or down is noise.
  return Math.abs(change) <= Math.max(...lags) / 10 ? 0 : change > 0 ? 1 : -1;
}

function stateSum(p: StreamingQueryProgress | undefined, key: "numRowsTotal" | "memoryUsedBytes"): number | null {
  if (p === undefined || p.stateOperators.length === 0) return null;
  return p.stateOperators.reduce((n, op) => n + op[key], 0);
}

function sum(map: ReadonlyMap<string, number>): number {
  let n = 0;
  for (const value of map.values()) n += value;
  return n;
}

function percentile(sorted: readonly number[], p: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)] ?? null;
}
