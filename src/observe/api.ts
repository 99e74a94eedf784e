import type { StreamingQueryProgress } from "../backend.ts";
import type { QueryFailure, QueryState } from "./query-log.ts";

/**
 * What the process tells about itself under `/api`: the shapes that the dashboard, `millrace status` and strangers read. Times are
 * milliseconds since 1970 unless they are event times, which are ISO text as in Spark's progress. What is not known is null, never NaN.
 */
export interface ProcessInfo {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly now: number;
  readonly servers: readonly ServerInfo[];
}

/** A server that the pipeline talks to; addresses are without passwords. */
export interface ServerInfo {
  readonly name: string;
  readonly address: string;
  /** `embedded`: runs in this process. `yours`: given from outside. */
  readonly owner: "embedded" | "yours";
}

/** One row of the list of queries. */
export interface QuerySummary {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  readonly state: QueryState;
  readonly startedAt: number;
  readonly lastBatchAt: number | null;
  readonly batchId: number | null;
  /** Over the last ten seconds of batches. */
  readonly inputRowsPerSecond: number | null;
  readonly outputRowsPerSecond: number | null;
  /** The last batch, and the median and 95th percentile of the kept ones. */
  readonly batchMs: number | null;
  readonly batchMsP50: number | null;
  readonly batchMsP95: number | null;
  /** Rows behind the newest, over all sources that tell; and whether that grows (`1`), shrinks (`-1`) or stays (`0`). */
  readonly lagRows: number | null;
  readonly lagTrend: -1 | 0 | 1 | null;
  /** Lag in rows by how fast rows are read now: when the query would have caught up. */
  readonly lagSeconds: number | null;
  readonly watermark: string | null;
  /** Clock minus watermark. */
  readonly watermarkDelaySeconds: number | null;
  readonly stateRows: number | null;
  readonly stateBytes: number | null;
  /** Since the process began. */
  readonly inputRows: number;
  readonly outputRows: number;
  readonly lateRows: number;
  readonly batches: number;
  readonly restarts: number;
  readonly lastError: QueryFailure | null;
  readonly sources: readonly { readonly description: string; readonly lagRows: number | null }[];
  readonly sinks: readonly { readonly name: string; readonly description: string; readonly guarantee: string | null }[];
}

/** A batch in the strip of a query. */
export interface BatchSummary {
  readonly batchId: number;
  /** Start, ISO. */
  readonly timestamp: string;
  readonly ms: number;
  readonly inputRows: number;
  readonly outputRows: number | null;
  readonly lateRows: number;
  readonly stateRows: number | null;
  readonly watermark: string | null;
  readonly phases: Readonly<Record<string, number>>;
}

/** `GET /api/queries/:id`. */
export interface QueryDetail extends QuerySummary {
  /** Oldest first. */
  readonly history: readonly BatchSummary[];
  readonly lastProgress: StreamingQueryProgress | null;
}

/** One message of `GET /api/stream`, by its event name. */
export interface StreamMessages {
  /** First message of a connection: the state of everything. */
  open: { readonly process: ProcessInfo; readonly queries: readonly QuerySummary[] };
  /** A query changed; `batch` when a batch of it ended. At most ten a second and query: the newest counts. */
  query: { readonly query: QuerySummary; readonly batch: BatchSummary | null };
  /** Every five seconds, changed or not: whoever misses two of them is looking at the past. */
  beat: { readonly now: number };
}

/** An answer that is no success. */
export interface ApiError {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null };
}
