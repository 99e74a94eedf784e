/**
 * Live views as they travel: `GET /api/views`, `GET /api/views/:name`, `GET /api/views/stream?view=a&view=b`. `millrace/client` reads them.
 */

/** A row of `GET /api/views`. */
export interface ViewInfo {
  readonly name: string;
  /** Where the rows lie, such as `table delays` or `cache airport:*`. */
  readonly source: string;
  /** Names of the columns that identify a row. */
  readonly key: readonly string[];
  readonly columns: readonly ViewColumn[];
  /** Null while nobody has looked at it. */
  readonly rows: number | null;
  readonly clients: number;
}

/**
 * `type` is Spark's simple name, such as `bigint` or `array<timestamp>`. 64-bit integers and decimals travel as text, times as ISO text in UTC
 * without zeros at the end of the fraction, bytes as base64, NaN and infinities as text.
 */
export interface ViewColumn {
  readonly name: string;
  readonly type: string;
  /** How the value is to stand in TypeScript where it is not the default: `number` (then it travels as one) or `micros`. */
  readonly mode?: "number" | "micros";
}

/** Rows are shown in this order; nulls last. */
export interface ViewOrder {
  readonly column: string;
  readonly descending: boolean;
}

/** Rows are objects by column name. */
export type ViewRow = Readonly<Record<string, unknown>>;

/** `GET /api/views/:name`; its ETag is `"epoch.batch"`. */
export interface ViewSnapshot {
  readonly view: string;
  readonly epoch: string;
  readonly batch: number;
  /** Event time up to which the query has closed its results, ISO, or null. */
  readonly watermark: string | null;
  readonly key: readonly string[];
  readonly columns: readonly ViewColumn[];
  readonly orderBy: readonly ViewOrder[];
  readonly rows: readonly ViewRow[];
}

/**
 * Messages of the stream by event name; each names its view. The id of a message is `epoch.batch` of every view of the stream
 * (`delays=k3f.17,airports=k3f.9`); a reader that comes again with it as Last-Event-ID gets what changed since, or `reset` and a snapshot.
 */
export interface ViewMessages {
  /** First message of a view. */
  open: {
    readonly view: string;
    readonly epoch: string;
    readonly key: readonly string[];
    readonly columns: readonly ViewColumn[];
    readonly orderBy: readonly ViewOrder[];
  };
  /** A part of the rows; nothing is to be shown before `ready`. */
  snapshot: { readonly view: string; readonly part: number; readonly parts: number; readonly rows: readonly ViewRow[] };
  /** The snapshot is whole. */
  ready: { readonly view: string; readonly batch: number; readonly watermark: string | null };
  /** What a batch changed, or several of them for a reader that was slower; to be applied as a whole. */
  changes: {
    readonly view: string;
    readonly batch: number;
    readonly watermark: string | null;
    readonly upsert: readonly ViewRow[];
    /** Values of the key columns, in order. */
    readonly remove: readonly (readonly unknown[])[];
    /** Batches that were folded into this one for a slow reader. */
    readonly skipped: number;
  };
  /** Every five seconds, changed or not: whoever misses two of them is looking at the past. */
  beat: { readonly view: string; readonly batch: number; readonly watermark: string | null; readonly now: number };
  /** What was sent before does not hold any more; `open`, `snapshot` and `ready` follow. */
  reset: { readonly view: string; readonly reason: string };
  /** The view cannot be read now; it is tried again. */
  fail: { readonly view: string; readonly code: string; readonly message: string; readonly hint: string | null };
}
