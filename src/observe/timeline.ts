import type { BatchStep, Events } from "../events.ts";

/** A part of a batch with its true times, in milliseconds since 1970 with fractions. */
export interface BatchSpan {
  /** Spark's name of the phase, but for `addBatch`, which is `compute` and one `sink` for each sink. */
  readonly phase: string;
  /** Only for `sink`. */
  readonly sink: string | null;
  readonly startMs: number;
  readonly endMs: number;
}

interface Open {
  readonly batchId: number;
  /** When the last step that belongs to the batch as a whole was passed. */
  lastMs: number | undefined;
  readonly sinks: Map<string, number>;
  readonly spans: BatchSpan[];
}

/** The phase that ends at a step. */
const ENDS: Readonly<Partial<Record<BatchStep, string>>> = {
  planned: "latestOffset",
  "offsets-written": "walCommit",
  ingested: "getBatch",
  "state-committed": "compute",
  "commits-written": "commitOffsets",
};

/** Makes spans of the steps that batches pass; one batch of a query at a time. */
export class Timeline {
  readonly #open = new Map<string, Open>();

  step({ queryId, batchId, step, sink }: Events["batch.step"], nowMs: number): void {
    let open = this.#open.get(queryId);
    if (open === undefined || open.batchId !== batchId) {
      open = { batchId, lastMs: undefined, sinks: new Map(), spans: [] };
      this.#open.set(queryId, open);
    }
    if (step === "sink-before") {
      open.sinks.set(sink ?? "", nowMs);
      return;
    }
    if (step === "sink-after") {
      const startMs = open.sinks.get(sink ?? "");
      open.sinks.delete(sink ?? "");
      if (startMs !== undefined) open.spans.push({ phase: "sink", sink: sink ?? null, startMs, endMs: nowMs });
    } else {
      const phase = ENDS[step];
      if (phase !== undefined && open.lastMs !== undefined) {
        open.spans.push({ phase, sink: null, startMs: open.lastMs, endMs: nowMs });
      }
    }
    open.lastMs = nowMs;
  }

  /** The spans of a batch that ended, in the order of their ends; it began at `startMs`. */
  finish(queryId: string, batchId: number, startMs: number): readonly BatchSpan[] {
    const open = this.#open.get(queryId);
    this.#open.delete(queryId);
    if (open === undefined || open.batchId !== batchId) return [];
    const first = open.spans[0];
    // the first step has nothing before it to be measured from but the start of the batch
    if (first !== undefined && first.phase === "walCommit" && startMs < first.startMs) {
      return [{ phase: "latestOffset", sink: null, startMs, endMs: first.startMs }, ...open.spans];
    }
    return open.spans;
  }

  /** What is known of a batch that failed; undefined when none was under way. */
  abandon(queryId: string, nowMs: number): FailedBatch | undefined {
    const open = this.#open.get(queryId);
    this.#open.delete(queryId);
    if (open === undefined) return undefined;
    const waiting = [...open.sinks].map(
      ([sink, startMs]): BatchSpan => ({ phase: "sink", sink, startMs, endMs: nowMs }),
    );
    return { batchId: open.batchId, spans: open.spans, waiting };
  }
}

/** A batch that ended by a failure. */
export interface FailedBatch {
  readonly batchId: number;
  /** Parts that ended. */
  readonly spans: readonly BatchSpan[];
  /** Sinks that had not taken the batch, up to the failure. */
  readonly waiting: readonly BatchSpan[];
}
