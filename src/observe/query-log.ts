import type { StreamingQueryProgress } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import { type Events, subscribe } from "../events.ts";

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
  /** The last failure; kept after the query has recovered. */
  readonly lastError: QueryFailure | null;
}

/** `idle`: nothing new to read; `ended`: stopped or done; `failed`: ended by an error. */
export type QueryState = "running" | "idle" | "restarting" | "ended" | "failed";

export interface QueryFailure {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
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
  /** Milliseconds since 1970, for tests. */
  readonly now?: () => number;
}

type Changed = (query: QueryRecord) => void;

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
    phaseSeconds: Map<string, number>;
    failures: Map<string, number>;
    durations: { counts: number[]; sum: number };
  };
  lastError: QueryFailure | null;
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
  readonly #off: readonly (() => void)[];
  readonly #keepBatches: number;
  readonly #keepEnded: number;
  readonly #keepBad: number;
  readonly #now: () => number;

  constructor(options: QueryLogOptions = {}) {
    this.#keepBatches = options.keepBatches ?? 300;
    this.#keepEnded = options.keepEnded ?? 50;
    this.#keepBad = options.keepBadRecords ?? 100;
    this.#now = options.now ?? Date.now;
    this.#off = [
      subscribe("query.started", (e) => this.#started(e)),
      subscribe("query.progress", (e) => this.#progress(this.#of(e), e.progress as StreamingQueryProgress)),
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
  /** Stops listening. */
  close(): void {
    for (const off of this.#off) off();
    this.#listeners.clear();
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
          phaseSeconds: new Map(),
          failures: new Map(),
          durations: { counts: new Array<number>(BATCH_SECONDS.length + 1).fill(0), sum: 0 },
        },
        lastError: null,
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
    if (entry.batches.length > this.#keepBatches) entry.batches.shift();
    totals.batches++;
    for (const source of p.sources) add(totals.inputRows, source.description, source.numInputRows);
    for (const sink of p.sinks ?? [p.sink]) {
      if (sink.numOutputRows >= 0) add(totals.outputRows, sink.name ?? sink.description, sink.numOutputRows);
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
    this.#failed(entry, error);
    this.#changed(entry);
  }

  #terminated(entry: Entry, error: Error | null): void {
    entry.state = error === null ? "ended" : "failed";
    if (error !== null) this.#failed(entry, error);
    this.#changed(entry);
    const ended = this.queries().filter((q) => q.state === "ended" || q.state === "failed");
    for (const q of ended.slice(0, Math.max(0, ended.length - this.#keepEnded))) this.#entries.delete(q.id);
  }

  #failed(entry: Entry, error: Error): void {
    const cause = rootOf(error);
    const code = cause instanceof MillraceError ? cause.code : cause.name;
    add(entry.totals.failures, code, 1);
    entry.lastError = {
      at: this.#now(),
      code,
      message: cause.message,
      hint: cause instanceof MillraceError ? (cause.hint ?? null) : null,
    };
  }

  #badRecord(e: Events["record.bad"]): void {
    add(this.#badTotal, e.source, 1);
    this.#bad.push({
      at: this.#now(),
      source: e.source,
      partition: e.partition ?? null,
      offset: e.offset ?? null,
      reason: e.reason,
    });
    if (this.#bad.length > this.#keepBad) this.#bad.shift();
  }

  #changed(entry: Entry): void {
    for (const listener of this.#listeners) listener(entry);
  }
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
