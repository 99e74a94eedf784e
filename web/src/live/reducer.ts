import type { BatchSummary, ProcessInfo, QuerySummary, StreamMessages } from "../../../src/observe/api.ts";

/** Everything that is live, as one immutable value. */
export interface Live {
  readonly process: ProcessInfo | null;
  /** In the order of the process: running ones first. */
  readonly queries: readonly QuerySummary[];
  /** Batches by query, oldest first. */
  readonly batches: Readonly<Record<string, readonly BatchSummary[]>>;
  /** One point a second by query, oldest first. */
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
  /** The process's clock minus this machine's, in milliseconds. */
  readonly skew: number;
}

/** How a query was at a moment; `at` by the process's clock. */
export interface Sample {
  readonly at: number;
  /** Rows a second since the point before. */
  readonly input: number | null;
  readonly output: number | null;
  readonly lagRows: number | null;
  readonly stateRows: number | null;
  readonly stateBytes: number | null;
  /** Totals at the moment, from which the next point's rates follow; null for points made from batches. */
  readonly totals: { readonly input: number; readonly output: number } | null;
}

export const KEEP_BATCHES = 300;
export const KEEP_SAMPLES = 600;
const SAMPLE_MS = 1000;

export const NOTHING: Live = { process: null, queries: [], batches: {}, samples: {}, skew: 0 };

/** A connection's first message: the state of everything. Another process than before: the past is not its own. */
export function onOpen(live: Live, message: StreamMessages["open"], now: number): Live {
  const same = live.process !== null && sameProcess(live.process, message.process);
  const known = new Set(message.queries.map((q) => q.id));
  const keep = <T>(all: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
    same ? Object.fromEntries(Object.entries(all).filter(([id]) => known.has(id))) : {};
  const next: Live = {
    process: message.process,
    queries: message.queries,
    batches: keep(live.batches),
    samples: keep(live.samples),
    skew: message.process.now - now,
  };
  return tick(next, now);
}

/** A query changed, or is new. */
export function onQuery(live: Live, { query, batch }: StreamMessages["query"]): Live {
  const at = live.queries.findIndex((q) => q.id === query.id);
  const queries = at < 0 ? [...live.queries, query] : live.queries.with(at, query);
  if (batch === null) return { ...live, queries };
  return { ...live, queries, batches: { ...live.batches, [query.id]: withBatch(live.batches[query.id] ?? [], batch) } };
}

/** The batches as the process keeps them; those that came in the meantime stay. */
export function onHistory(live: Live, id: string, history: readonly BatchSummary[]): Live {
  const last = history.at(-1);
  const newer = (live.batches[id] ?? []).filter((b) => last === undefined || isAfter(b, last));
  const batches = [...history, ...newer].slice(-KEEP_BATCHES);
  const samples = live.samples[id] ?? [];
  const seeded = samples.some((s) => s.totals === null)
    ? samples
    : [...fromBatches(batches, samples[0]?.at), ...samples];
  return {
    ...live,
    batches: { ...live.batches, [id]: batches },
    samples: { ...live.samples, [id]: seeded.slice(-KEEP_SAMPLES) },
  };
}

export function onBeat(live: Live, message: StreamMessages["beat"], now: number): Live {
  return { ...live, skew: message.now - now };
}

/** Takes a point of every query; call it about once a second. */
export function tick(live: Live, now: number): Live {
  const at = now + live.skew;
  let samples = live.samples;
  for (const query of live.queries) {
    const before = samples[query.id] ?? [];
    const last = before.at(-1);
    if (last !== undefined && at - last.at < SAMPLE_MS * 0.9) continue;
    samples = { ...samples, [query.id]: [...before, sample(query, last, at)].slice(-KEEP_SAMPLES) };
  }
  return samples === live.samples ? live : { ...live, samples };
}

/** The process counts rates over this time. */
const RATE_MS = 10_000;

/**
 * A query as it is a while after it was last told of: what was counted over the last seconds is zero once they are over, and a watermark that
 * stands falls behind.
 */
export function aged(query: QuerySummary, now: number): QuerySummary {
  const { watermark, lastBatchAt, inputRowsPerSecond } = query;
  const silent = lastBatchAt !== null && inputRowsPerSecond !== null && now - lastBatchAt > RATE_MS;
  return {
    ...query,
    ...(watermark !== null && { watermarkDelaySeconds: (now - Date.parse(watermark)) / 1000 }),
    ...(silent && {
      inputRowsPerSecond: 0,
      outputRowsPerSecond: 0,
      flows: Object.fromEntries(Object.entries(query.flows).map(([edge, rows]) => [edge, rows === null ? null : 0])),
    }),
  };
}

export function sameProcess(a: ProcessInfo, b: ProcessInfo): boolean {
  return a.pid === b.pid && Math.abs(a.startedAt - b.startedAt) < 2000;
}

function sample(query: QuerySummary, last: Sample | undefined, at: number): Sample {
  const totals = { input: query.inputRows, output: query.outputRows };
  const before = last?.totals;
  const span = last === undefined ? 0 : (at - last.at) / 1000;
  // After a longer gap, as of a hidden tab, the mean over the gap says little; the server's own rate is of the last ten seconds.
  const delta = (now: number, then: number | undefined, told: number | null): number | null =>
    then === undefined || span <= 0 || span > 10 || now < then ? told : (now - then) / span;
  return {
    at,
    input: delta(totals.input, before?.input, query.inputRowsPerSecond),
    output: delta(totals.output, before?.output, query.outputRowsPerSecond),
    lagRows: query.lagRows,
    stateRows: query.stateRows,
    stateBytes: query.stateBytes,
    totals,
  };
}

/** Points from the batches that the process remembers, for the time before this page was opened. */
function fromBatches(batches: readonly BatchSummary[], before: number | undefined): Sample[] {
  const points = new Map<number, { input: number; output: number; stateRows: number | null }>();
  for (const batch of batches) {
    const second = Math.floor((Date.parse(batch.timestamp) + batch.ms) / SAMPLE_MS);
    if (before !== undefined && second * SAMPLE_MS >= before) break;
    const point = points.get(second) ?? { input: 0, output: 0, stateRows: null };
    point.input += batch.inputRows;
    point.output += batch.outputRows ?? 0;
    point.stateRows = batch.stateRows;
    points.set(second, point);
  }
  const seconds = [...points.keys()];
  if (seconds.length === 0) return [];
  const found: Sample[] = [];
  let stateRows: number | null = null;
  for (let second = Math.max(seconds[0]!, seconds.at(-1)! - KEEP_SAMPLES); second <= seconds.at(-1)!; second++) {
    const point = points.get(second);
    stateRows = point?.stateRows ?? stateRows;
    found.push({
      at: second * SAMPLE_MS,
      input: point?.input ?? 0,
      output: point?.output ?? 0,
      lagRows: null,
      stateRows,
      stateBytes: null,
      totals: null,
    });
  }
  return found;
}

function withBatch(batches: readonly BatchSummary[], batch: BatchSummary): readonly BatchSummary[] {
  const last = batches.at(-1);
  if (last !== undefined && !isAfter(batch, last)) {
    // Told twice, or a batch that was repeated after a failure.
    const at = batches.findIndex((b) => b.batchId === batch.batchId);
    return at < 0 ? batches : batches.with(at, batch);
  }
  return [...batches, batch].slice(-KEEP_BATCHES);
}

/** By time: a query whose checkpoint was removed begins again with batch 0. */
function isAfter(a: BatchSummary, b: BatchSummary): boolean {
  return a.batchId !== b.batchId && a.timestamp > b.timestamp;
}
