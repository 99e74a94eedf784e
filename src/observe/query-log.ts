import type { StreamingQueryProgress } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import { type Events, subscribe } from "../events.ts";
import { hidePasswords } from "../types/secrets.ts";
import { type BatchSpan, type FailedBatch, Timeline } from "./timeline.ts";
import { jsonValue } from "./to-json.ts";

/** What is remembered of one streaming query: its state, its last batches, and totals since the process began. */
export interface QueryRecord {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  readonly state: QueryState;
  /** Milliseconds since 1970; of the present run. */
  readonly startedAt: number;
  /** When the last batch ended, or null before the first one. */
  readonly lastBatchAt: number | null;
  /** The newest batches, oldest first; batches without data and without output are not among them. */
  readonly batches: readonly StreamingQueryProgress[];
  readonly totals: QueryTotals;
  /** What is known of the kept batches beside their progress, by batch number. */
  readonly extras: ReadonlyMap<number, BatchExtra>;
  /** The last failure; kept after the query has recovered. */
  readonly lastError: QueryFailure | null;
  /** The newest failures, oldest first. */
  readonly failures: readonly QueryFailure[];
  /** The newest late rows by operator, oldest first, as the engine kept them. */
  readonly lateSamples: ReadonlyMap<string, readonly LateSample[]>;
  /** Bytes of the state's files; null where the engine does not tell. */
  readonly stateBytes: number | null;
  /** Milliseconds between the starts of two batches, 0 for none; null where the engine does not tell. */
  readonly triggerMs: number | null;
  /** Works out the query's plan (`QueryPlan`); null where the engine does not tell. */
  readonly plan: (() => Promise<unknown>) | null;
}

/** A batch beside its progress. */
export interface BatchExtra {
  /** In the order in which they ended; empty where only durations are known. */
  readonly spans: readonly BatchSpan[];
  readonly operators: Events["batch.measured"]["operators"];
}

/** A row that came too late, as JSON shows it. */
export interface LateSample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly row: Readonly<Record<string, unknown>>;
}

/** `idle`: nothing new to read; `ended`: stopped or done; `failed`: ended by an error. */
export type QueryState = "running" | "idle" | "restarting" | "ended" | "failed";

export interface QueryFailure {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly code: string;
  readonly message: string;
  /** What to do. */
  readonly hint: string | null;
  /** What lies behind it, where that says more, such as the server's own words. */
  readonly cause: string | null;
}

/** Counted since the process began, over restarts of the query. Seconds, rows. */
export interface QueryTotals {
  readonly batches: number;
  readonly restarts: number;
  /** By the source's description. */
  readonly inputRows: ReadonlyMap<string, number>;
  /** By the sink's name; only sinks that count. */
  readonly outputRows: ReadonlyMap<string, number>;
  /** By the operator's position and name, such as `0 stateStoreSave`. */
  readonly lateRows: ReadonlyMap<string, number>;
  /** Batches that a sink failed to take, by its name. */
  readonly sinkRetries: ReadonlyMap<string, number>;
  /** By the phase of a batch, such as `addBatch`. */
  readonly phaseSeconds: ReadonlyMap<string, number>;
  /** By error code. */
  readonly failures: ReadonlyMap<string, number>;
  /** Batches by how long they took: `counts[i]` took at most `BATCH_SECONDS[i]`, the last one has no bound. */
  readonly durations: { readonly counts: readonly number[]; readonly sum: number };
}

/** A record that could not be used. */
export interface BadRecord {
  readonly at: number;
  readonly source: string;
  readonly partition: string | null;
  readonly offset: string | null;
  readonly reason: string;
  /** The record itself, cut off; null where it was not given. */
  readonly sample: string | null;
}

/** Bounds of the histogram of batch durations, in seconds. */
export const BATCH_SECONDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface QueryLogOptions {
  /** Batches kept of each query; default 300. */
  readonly keepBatches?: number;
  /** Ended queries kept; default 50. */
  readonly keepEnded?: number;
  /** Bad records kept; default 100. */
  readonly keepBadRecords?: number;
  /** Failures kept of each query; default 20. */
  readonly keepFailures?: number;
  /** Milliseconds since 1970, for tests. */
  readonly now?: () => number;
}

type Changed = (query: QueryRecord) => void;
type Failed = (query: QueryRecord, failure: QueryFailure, batch: FailedBatch | undefined) => void;
type BatchEnded = (query: QueryRecord, progress: StreamingQueryProgress, extra: BatchExtra) => void;

/** Late rows kept of each operator. */
const KEEP_LATE = 5;
/** Characters of a bad record that are kept. */
const KEEP_SAMPLE = 500;
const NOTHING: BatchExtra = { spans: [], operators: [] };

interface Entry {
  id: string;
  runId: string;
  name: string | null;
  state: QueryState;
  startedAt: number;
  lastBatchAt: number | null;
  batches: StreamingQueryProgress[];
  totals: {
    batches: number;
    restarts: number;
    inputRows: Map<string, number>;
    outputRows: Map<string, number>;
    lateRows: Map<string, number>;
    sinkRetries: Map<string, number>;
    phaseSeconds: Map<string, number>;
    failures: Map<string, number>;
    durations: { counts: number[]; sum: number };
  };
  extras: Map<number, BatchExtra>;
  lastError: QueryFailure | null;
  failures: QueryFailure[];
  lateSamples: Map<string, LateSample[]>;
  stateBytes: number | null;
  triggerMs: number | null;
  plan: (() => Promise<unknown>) | null;
}

/**
 * Listens to what the queries of this process tell and remembers it for those who come later: metrics, dashboard, command line.
 * Memory is bounded by the options.
 *
 * ```ts
 * const log = new QueryLog();
 * for (const query of log.queries()) console.log(query.name, query.state, query.totals.batches);
 * log.close();
 * ```
 */
export class QueryLog {
  readonly #entries = new Map<string, Entry>();
  readonly #bad: BadRecord[] = [];
  #badTotal = new Map<string, number>();
  readonly #listeners = new Set<Changed>();
  readonly #batchListeners = new Set<BatchEnded>();
  readonly #failureListeners = new Set<Failed>();
  readonly #timeline = new Timeline();
  /** What a batch counted, until its progress comes. */
  readonly #measured = new Map<string, Events["batch.measured"]>();
  readonly #off: readonly (() => void)[];
  readonly #keepBatches: number;
  readonly #keepEnded: number;
  readonly #keepBad: number;
  readonly #keepFailures: number;
  readonly #now: () => number;

  constructor(options: QueryLogOptions = {}) {
    this.#keepBatches = options.keepBatches ?? 300;
    this.#keepEnded = options.keepEnded ?? 50;
    this.#keepBad = options.keepBadRecords ?? 100;
    this.#keepFailures = options.keepFailures ?? 20;
    this.#now = options.now ?? Date.now;
    this.#off = [
      subscribe("query.started", (e) => this.#started(e)),
      subscribe("query.progress", (e) => this.#progress(this.#of(e), e.progress as StreamingQueryProgress)),
      subscribe("batch.step", (e) => this.#timeline.step(e, clockMs())),
      subscribe("batch.measured", (e) => this.#measured.set(e.queryId, e)),
      subscribe("query.idle", (e) => this.#idle(e)),
      subscribe("query.restarting", (e) => this.#restarting(this.#of({ name: null, ...e }), e.error)),
      subscribe("query.terminated", (e) => this.#terminated(this.#of(e), e.error)),
      subscribe("record.bad", (e) => this.#badRecord(e)),
    ];
  }

  /** All queries known, those that run first, then the latest ended ones. */
  queries(): readonly QueryRecord[] {
    const over = (q: Entry): boolean => q.state === "ended" || q.state === "failed";
    return [...this.#entries.values()].sort((a, b) => Number(over(a)) - Number(over(b)) || a.startedAt - b.startedAt);
  }
  /** The query of that id or name, or undefined. */
  query(idOrName: string): QueryRecord | undefined {
    return this.#entries.get(idOrName) ?? this.queries().find((q) => q.name === idOrName);
  }
  /** The newest records that could not be used, oldest first. */
  badRecords(): readonly BadRecord[] {
    return this.#bad;
  }
  /** Records that could not be used since the process began, by source. */
  badRecordTotals(): ReadonlyMap<string, number> {
    return this.#badTotal;
  }
  /** Calls `listener` whenever a query changed; returns what stops that. */
  onChange(listener: Changed): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  /** Calls `listener` whenever a batch ended; returns what stops that. */
  onBatch(listener: BatchEnded): () => void {
    this.#batchListeners.add(listener);
    return () => this.#batchListeners.delete(listener);
  }
  /** Calls `listener` whenever a query failed, with the batch that was under way; returns what stops that. */
  onFailure(listener: Failed): () => void {
    this.#failureListeners.add(listener);
    return () => this.#failureListeners.delete(listener);
  }
  /** Stops listening. */
  close(): void {
    for (const off of this.#off) off();
    this.#listeners.clear();
    this.#batchListeners.clear();
    this.#failureListeners.clear();
  }

  #of(e: { id: string; runId: string; name: string | null }): Entry {
    let entry = this.#entries.get(e.id);
    if (entry === undefined) {
      entry = {
        id: e.id,
        runId: e.runId,
        name: e.name,
        state: "running",
        startedAt: this.#now(),
        lastBatchAt: null,
        batches: [],
        totals: {
          batches: 0,
          restarts: 0,
          inputRows: new Map(),
          outputRows: new Map(),
          lateRows: new Map(),
          sinkRetries: new Map(),
          phaseSeconds: new Map(),
          failures: new Map(),
          durations: { counts: new Array<number>(BATCH_SECONDS.length + 1).fill(0), sum: 0 },
        },
        extras: new Map(),
        lastError: null,
        failures: [],
        lateSamples: new Map(),
        stateBytes: null,
        triggerMs: null,
        plan: null,
      };
      this.#entries.set(e.id, entry);
    }
    entry.runId = e.runId;
    entry.name ??= e.name;
    return entry;
  }

  #started(e: Events["query.started"]): void {
    const entry = this.#of(e);
    entry.state = "running";
    entry.startedAt = this.#now();
    entry.plan = e.plan ?? null;
    entry.triggerMs = e.triggerMs ?? null;
    this.#changed(entry);
  }

  #progress(entry: Entry, p: StreamingQueryProgress): void {
    const { totals } = entry;
    entry.state = "running";
    // A trigger without data repeats the number of the batch before it; it is a sign of life and no batch.
    if (p.durationMs.addBatch === undefined && p.numInputRows === 0) {
      this.#changed(entry);
      return;
    }
    entry.lastBatchAt = this.#now();
    entry.batches.push(p);
    const extra = this.#extra(entry, p);
    if (entry.batches.length > this.#keepBatches) {
      const { batchId } = entry.batches.shift()!;
      // a batch that was delivered again has its number twice
      if (!entry.batches.some((b) => b.batchId === batchId)) entry.extras.delete(batchId);
    }
    totals.batches++;
    for (const source of p.sources) add(totals.inputRows, source.description, source.numInputRows);
    for (const sink of p.sinks ?? [p.sink]) {
      // progress of a query with one sink does not name it
      const name = sink.name ?? extra.spans.find((s) => s.sink !== null)?.sink ?? sink.description;
      add(totals.sinkRetries, name, 0);
      if (sink.numOutputRows >= 0) add(totals.outputRows, name, sink.numOutputRows);
    }
    p.stateOperators.forEach((op, i) => {
      add(totals.lateRows, `${i} ${op.operatorName}`, op.numRowsDroppedByWatermark);
    });
    for (const [phase, ms] of Object.entries(p.durationMs)) {
      if (phase !== "triggerExecution") add(totals.phaseSeconds, phase, ms / 1000);
    }
    const seconds = p.batchDuration / 1000;
    const bucket = BATCH_SECONDS.findIndex((bound) => seconds <= bound);
    totals.durations.counts[bucket < 0 ? BATCH_SECONDS.length : bucket]!++;
    totals.durations.sum += seconds;
    this.#changed(entry);
    for (const listener of this.#batchListeners) listener(entry, p, extra);
  }

  /** Takes in what was told of the batch before its progress. */
  #extra(entry: Entry, p: StreamingQueryProgress): BatchExtra {
    const measured = this.#measured.get(entry.id);
    this.#measured.delete(entry.id);
    const spans = this.#timeline.finish(entry.id, p.batchId, Date.parse(p.timestamp));
    const isOurs = measured?.batchId === p.batchId;
    if (!isOurs && spans.length === 0) return NOTHING;
    const operators = (isOurs ? measured.operators : []).map((operator) => ({
      ...operator,
      // kept for as long as the batch: what is large is cut off now
      lateSamples: operator.lateSamples.map((row) => jsonValue(row) as Record<string, unknown>),
    }));
    const extra: BatchExtra = { spans, operators };
    entry.extras.set(p.batchId, extra);
    if (isOurs) entry.stateBytes = measured.stateBytes;
    for (const { operator, lateSamples } of operators) {
      if (lateSamples.length === 0) continue;
      const at = this.#now();
      const kept = [...(entry.lateSamples.get(operator) ?? []), ...lateSamples.map((row) => ({ at, row }))];
      entry.lateSamples.set(operator, kept.slice(-KEEP_LATE));
    }
    return extra;
  }

  #idle(e: Events["query.idle"]): void {
    const entry = this.#entries.get(e.id);
    if (entry === undefined || entry.state === "idle") return;
    entry.state = "idle";
    this.#changed(entry);
  }

  #restarting(entry: Entry, error: Error): void {
    entry.state = "restarting";
    entry.totals.restarts++;
    const batch = this.#timeline.abandon(entry.id, clockMs());
    for (const { sink } of batch?.waiting ?? []) add(entry.totals.sinkRetries, sink ?? "", 1);
    this.#failed(entry, error, batch);
    this.#changed(entry);
  }

  #terminated(entry: Entry, error: Error | null): void {
    entry.state = error === null ? "ended" : "failed";
    const batch = this.#timeline.abandon(entry.id, clockMs());
    if (error !== null) this.#failed(entry, error, batch);
    this.#measured.delete(entry.id);
    this.#changed(entry);
    const ended = this.queries().filter((q) => q.state === "ended" || q.state === "failed");
    for (const q of ended.slice(0, Math.max(0, ended.length - this.#keepEnded))) this.#entries.delete(q.id);
  }

  #failed(entry: Entry, error: Error, batch: FailedBatch | undefined): void {
    const cause = rootOf(error);
    const code = cause instanceof MillraceError ? cause.code : cause.name;
    add(entry.totals.failures, code, 1);
    entry.lastError = {
      at: this.#now(),
      code,
      message: hidePasswords(cause instanceof MillraceError ? cause.reason : cause.message),
      hint: cause instanceof MillraceError ? (cause.hint ?? null) : null,
      cause: cause.cause instanceof Error ? hidePasswords(cause.cause.message) : null,
    };
    entry.failures.push(entry.lastError);
    if (entry.failures.length > this.#keepFailures) entry.failures.shift();
    for (const listener of this.#failureListeners) listener(entry, entry.lastError, batch);
  }

  #badRecord(e: Events["record.bad"]): void {
    add(this.#badTotal, e.source, 1);
    this.#bad.push({
      at: this.#now(),
      source: e.source,
      partition: e.partition ?? null,
      offset: e.offset ?? null,
      reason: e.reason,
      sample: e.sample?.slice(0, KEEP_SAMPLE) ?? null,
    });
    if (this.#bad.length > this.#keepBad) this.#bad.shift();
  }

  #changed(entry: Entry): void {
    for (const listener of this.#listeners) listener(entry);
  }
}

/** The clock with fractions of a millisecond. */
function clockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** STREAM_FAILED only says that the query failed; what the reader needs is why. */
function rootOf(error: Error): Error {
  return error instanceof MillraceError && error.code === "STREAM_FAILED" && error.cause instanceof Error
    ? error.cause
    : error;
}

function add(totals: Map<string, number>, key: string, n: number): void {
  totals.set(key, (totals.get(key) ?? 0) + n);
}
