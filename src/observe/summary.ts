import type { StreamingQueryProgress } from "../backend.ts";
import type { BatchSummary, QueryDetail, QuerySummary } from "./api.ts";
import { lagOf } from "./lag.ts";
import type { QueryRecord } from "./query-log.ts";

/** Rates are of the batches that ended within this time. */
const RATE_MS = 10_000;
/** Batches over which the trend of the lag is taken. */
const TREND_BATCHES = 10;

/** A query in one row; pure. */
export function summarize(q: QueryRecord, now: number): QuerySummary {
  const last = q.batches.at(-1);
  const times = q.batches.map((p) => p.batchDuration).sort((a, b) => a - b);
  const inputRate = q.state === "running" || q.state === "idle" ? rate(q, now, (p) => p.numInputRows) : null;
  const lag = last === undefined ? null : lagOfBatch(last);
  const watermark = last?.eventTime?.watermark;
  const watermarkMs = watermark === undefined ? 0 : Date.parse(watermark);
  return {
    id: q.id,
    runId: q.runId,
    name: q.name,
    state: q.state,
    startedAt: q.startedAt,
    lastBatchAt: q.lastBatchAt,
    batchId: last?.batchId ?? null,
    inputRowsPerSecond: inputRate,
    outputRowsPerSecond: inputRate === null ? null : rate(q, now, (p) => outputRows(p) ?? 0),
    batchMs: last?.batchDuration ?? null,
    batchMsP50: percentile(times, 0.5),
    batchMsP95: percentile(times, 0.95),
    lagRows: lag,
    lagTrend: trend(q),
    lagSeconds: lag === null || inputRate === null ? null : lag === 0 ? 0 : inputRate > 0 ? lag / inputRate : null,
    watermark: watermarkMs > 0 ? watermark! : null,
    watermarkDelaySeconds: watermarkMs > 0 ? (now - watermarkMs) / 1000 : null,
    stateRows: stateSum(last, "numRowsTotal"),
    stateBytes: stateSum(last, "memoryUsedBytes"),
    inputRows: sum(q.totals.inputRows),
    outputRows: sum(q.totals.outputRows),
    lateRows: sum(q.totals.lateRows),
    batches: q.totals.batches,
    restarts: q.totals.restarts,
    lastError: q.lastError,
    flows: {},
    sources: (last?.sources ?? []).map((s) => ({ description: s.description, lagRows: lagOf(s) ?? null })),
    sinks: (last?.sinks ?? (last === undefined ? [] : [last.sink])).map((s) => ({
      name: s.name ?? s.description,
      description: s.description,
      guarantee: s.guarantee ?? null,
    })),
  };
}

/** A query with the history of its batches; pure. */
export function detail(q: QueryRecord, now: number): QueryDetail {
  return {
    ...summarize(q, now),
    graph: null,
    plan: null,
    partitions: [],
    failures: q.lastError === null ? [] : [q.lastError],
    late: [...q.totals.lateRows].map(([operator, rows]) => ({ operator, rows, samples: [] })),
    history: q.batches.map(batchSummary),
    lastProgress: q.batches.at(-1) ?? null,
  };
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
function rate(q: QueryRecord, now: number, rows: (p: StreamingQueryProgress) => number): number {
  const recent = q.batches.filter((p) => Date.parse(p.timestamp) + p.batchDuration >= now - RATE_MS);
  if (recent.length === 0) return 0;
  const span = Math.max(now - Date.parse(recent[0]!.timestamp), 1);
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
