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
  /** Memory that the process holds, with everything that is embedded in it. */
  readonly memoryBytes: number;
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
  /** Milliseconds between the starts of two batches, 0 when one starts as soon as there is data; null when the query does not tell. */
  readonly triggerMs: number | null;
  /** Where the time goes, in a sentence, while the query falls behind or stays behind; else null. */
  readonly bottleneck: string | null;
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
  /** Rows a second over each edge of the query's graph, by the edge's id; null where nobody counts. */
  readonly flows: Readonly<Record<string, number | null>>;
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

/** What a query does, step by step, with places for a drawing: pixels, origin at the top left. Sources are at the left. */
export interface QueryGraph {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export interface GraphNode {
  readonly id: string;
  readonly kind: "source" | "sql" | "watermark" | "state" | "typescript" | "sink";
  readonly title: string;
  readonly detail: string;
  /** Names of the TypeScript functions that the step calls. */
  readonly functions: readonly string[];
  /** Only for `state`: whether what is kept stays bounded, and by what. */
  readonly state: { readonly bounded: boolean; readonly reason: string } | null;
  /** Only for `sink`: what it promises for a batch that is delivered again. */
  readonly guarantee: string | null;
  /** Only for `state`: its position in `stateOperators` of progress and its name, the key of `late` and of metrics. */
  readonly operator: string | null;
  /** Only for `sink`: its name within the query. */
  readonly sink: string | null;
  /** Left, top. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface GraphEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** Corners of the line, from the first node's border to the second's. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** How far a source's partition was read; offsets are text. */
export interface PartitionLag {
  readonly source: string;
  readonly partition: string;
  readonly read: string;
  readonly latest: string;
  readonly lagRows: number;
  /** How long the partition would take to catch up at the rate at which it was read in the last ten seconds; null while it is not read. */
  readonly lagSeconds: number | null;
}

/** `GET /api/queries/:id`. */
export interface QueryDetail extends QuerySummary {
  /** Null when the query does not tell its plan. */
  readonly graph: QueryGraph | null;
  /** The plan as text, analysed; null when the query does not tell it. */
  readonly plan: string | null;
  readonly partitions: readonly PartitionLag[];
  /** The newest failures, newest first. */
  readonly failures: readonly QueryFailure[];
  /**
   * Rows that came behind the watermark: how many by operator, and the newest few, newest first, where the engine keeps samples. Of an
   * aggregation they are the groups that the rows would have gone into, with their number as `(rows)`.
   */
  readonly late: readonly {
    readonly operator: string;
    readonly rows: number;
    readonly samples: readonly Readonly<Record<string, unknown>>[];
  }[];
  /** Oldest first. */
  readonly history: readonly BatchSummary[];
  readonly lastProgress: StreamingQueryProgress | null;
}

/** `GET /api/queries/:id/batches/:batchId`: everything that is kept of one batch. */
export interface BatchDetail extends BatchSummary {
  readonly progress: StreamingQueryProgress;
  /**
   * Parts of the batch with their true times, in milliseconds from its start: phases, with `compute` and one `sink` for each sink in place of
   * `addBatch`. Empty where only durations are known (`phases`), as of queries on Spark.
   */
  readonly spans: readonly {
    readonly phase: string;
    readonly sink: string | null;
    readonly startMs: number;
    readonly ms: number;
  }[];
  /** What stateful operators counted; null where one does not count. */
  readonly operators: readonly {
    readonly operator: string;
    readonly inputRows: number | null;
    readonly outputRows: number | null;
    readonly lateSamples: readonly Readonly<Record<string, unknown>>[];
  }[];
}

/** `GET /api/explain`: what each number means in one sentence, by names such as `query.lagRows` (see observe/explain.ts). */
export type Explanations = Readonly<Record<string, string>>;

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
