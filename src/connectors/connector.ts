import type { AnyRow, StructType } from "../types/data-type.ts";

/**
 * The one extension point for the outside world. `readStream.format(name)`, `read.format(name)`, `writeStream.format(name)`,
 * the CLI's connector list and the dashboard are readers of this object. Registered by one line in `connectors/index.ts`.
 */
export interface Connector {
  /** The name given to `format(...)`, lower case. */
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** Every documented option. Anything else is refused with the nearest valid name. */
  readonly options: readonly OptionSpec[];
  /** Options with one of these prefixes are passed through, as Spark's `kafka.`. */
  readonly optionPrefixes?: readonly string[];
  readonly source?: SourceFactory;
  readonly sink?: SinkFactory;
}

export interface OptionSpec {
  /** Spark's spelling; matched without regard to case. */
  readonly name: string;
  readonly for: readonly ("source" | "sink")[];
  readonly type: "string" | "int" | "boolean" | "duration" | "json";
  readonly required?: boolean;
  readonly default?: string;
  /** An environment variable that supplies the default, such as MILLRACE_KAFKA. */
  readonly env?: string;
  /** Never printed: shown as *** in plans, logs and progress. */
  readonly secret?: boolean;
  readonly values?: readonly string[];
  readonly doc: string;
}

/** Options after validation: names in Spark's spelling, defaults filled in, pass-through options under their own names. */
export type Options = Readonly<Record<string, string>>;

/** JSON as it stands in `offsets/N`: Kafka's `{"topic":{"0":12}}`, the rate source's number. */
export type Offset = string | number | boolean | null | readonly Offset[] | { readonly [key: string]: Offset };

// ---------------------------------------------------------------------------------------------------------------- sources

export interface SourceFactory {
  /** The fixed schema, or the inferred one; undefined means that the user must give one. May do I/O (file formats). */
  schema(request: SourceRequest): StructType | undefined | Promise<StructType | undefined>;
  /** True when a user schema is an error, as for kafka and rate. */
  readonly fixedSchema: boolean;
  openBatch?(request: SourceRequest): Promise<BatchInput> | BatchInput;
  openStream?(request: StreamSourceRequest): Promise<StreamSource> | StreamSource;
}

export interface SourceRequest {
  readonly options: Options;
  readonly paths: readonly string[];
  readonly schema: StructType | undefined;
  /** Names of the top-level columns that the plan reads; a source may leave the others out (they are then null). Undefined: all. */
  readonly columns?: readonly string[];
}

export interface StreamSourceRequest extends SourceRequest {
  readonly queryId: string;
  /** `<checkpoint>/sources/<i>`, the source's private folder (created on first use by the source). */
  readonly metadataPath: string;
  /** A folder for temporary files of this query, emptied at start. */
  readonly temporaryPath: string;
}

/**
 * A replayable stream. Offsets are opaque to the engine; equal JSON means no new data. A batch is the range (start, end]
 * in Spark's words, [start, end) in Kafka's: `end` of one batch is `start` of the next.
 */
export interface StreamSource {
  /** As Spark prints it, such as `KafkaV2[Subscribe[flights]]`. */
  readonly description: string;
  /** Where a new query starts; asked once, before batch 0, and must give the same answer if asked again (the source stores it). */
  initialOffset(): Promise<Offset>;
  /** Where the next batch may end, at most `limit`. Equal to `start` when there is nothing new. Null `start` never happens. */
  latestOffset(start: Offset, limit: ReadLimit): Promise<OffsetAdvance>;
  /**
   * The rows of a range, the same rows each time it is asked. The engine calls `release` when the batch is committed.
   * `speculative`: the engine fetches ahead while the batch before is running; it may never use it.
   */
  read(start: Offset, end: Offset): Promise<BatchInput>;
  /** All up to `end` is processed and will not be asked again. */
  commit?(end: Offset): Promise<void>;
  /**
   * Resolves when there may be data after `start`, or after `timeoutMs`, or when the signal fires: a long poll, so that an idle
   * query reacts at once. A source without it is polled every 10 ms.
   */
  waitForData?(start: Offset, timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Freezes the end for AvailableNow: later `latestOffset` calls never go beyond what was there now. */
  prepareForAvailableNow?(): Promise<void>;
  /** Source metrics for the progress event, such as Kafka's maxOffsetsBehindLatest; values are strings, as in Spark. */
  metrics?(end: Offset): Record<string, string>;
  close(): Promise<void>;
}

/** `all` ignores the source's own limit options (Trigger.Once); `options` follows them. */
export type ReadLimit = "all" | "options";

export interface OffsetAdvance {
  readonly end: Offset;
  /** The true end of the source, for lag and progress; equals `end` when nothing was held back. */
  readonly latest: Offset;
}

/**
 * Rows handed to the engine. `sql` is a DuckDB table expression that yields the source's columns under their names with the
 * DuckDB types of `sqlType` (types/duckdb-types.ts): the fast path. `rows` is the simple path for everything else.
 */
export type BatchInput = {
  /** Known number of rows, if it costs nothing. */
  readonly rowCount?: number;
  release?(): void | Promise<void>;
} & (
  | { readonly kind: "sql"; readonly from: string }
  | { readonly kind: "rows"; readonly rows: Iterable<readonly AnyRow[]> | AsyncIterable<readonly AnyRow[]> }
);

// ------------------------------------------------------------------------------------------------------------------ sinks

/**
 * What a sink promises when a batch is delivered again after a crash. `exactly-once`: its rows appear once. `by-key`: they
 * overwrite the same keys, an observer may see a value twice but never a wrong one. `at-least-once`: they may appear again.
 */
export type Guarantee = "exactly-once" | "by-key" | "at-least-once";

export type OutputMode = "append" | "update" | "complete";

export interface SinkFactory {
  readonly outputModes: readonly OutputMode[];
  /** The promise for these options, shown by `plan` and the dashboard. */
  guarantee(options: Options, mode: OutputMode): Guarantee;
  /**
   * True when one batch lands in one atomic step together with its marker, so that a stateless query with this sole sink needs
   * no staging: the sink's own file or transaction is the stored output.
   */
  readonly atomic?: boolean;
  /**
   * Where the rows live. `durable` (default): they outlast the process, a query needs a checkpointLocation. `temporary`: nobody reads
   * them later (console, foreachBatch), a temporary checkpoint will do. `process`: they live in this process only (memory), so a
   * checkpoint with batches cannot be carried on by another process.
   */
  readonly durability?: "durable" | "temporary" | "process";
  /** Checks schema and options before anything runs; throws INVALID_OPTION, SINK_SCHEMA_MISMATCH or STREAMING_OUTPUT_MODE.*. Pure. */
  validate?(request: SinkRequest): void;
  openStream?(request: StreamSinkRequest): Promise<StreamSink> | StreamSink;
  /** `df.write.format(...)`. */
  writeBatch?(request: BatchWriteRequest): Promise<void>;
}

export interface SinkRequest {
  readonly options: Options;
  readonly path: string | undefined;
  readonly partitionBy: readonly string[];
  readonly schema: StructType;
  readonly outputMode: OutputMode;
}

export interface StreamSinkRequest extends SinkRequest {
  /** The persistent id of the query (checkpoint `metadata`). */
  readonly queryId: string;
  /** Unique within the query; the name of the format for a sole sink. */
  readonly sinkName: string;
  /** True when the query has this one sink (a sole Delta sink uses the query id alone as `txn.appId`, as Spark does). */
  readonly sole: boolean;
  readonly queryName: string | null;
  /** Folder for temporary files of this query, emptied at start. */
  readonly temporaryPath: string;
}

/** What a sink remembers of the last batch it holds. `hash` is the batch's `offsetsHash`; undefined where the sink cannot store one. */
export interface SinkMarker {
  readonly batchId: number;
  readonly hash?: string;
}

export interface StreamSink {
  /** As Spark prints it, such as `DeltaSink[/data/t]`. */
  readonly description: string;
  /** The last batch this sink holds of (queryId, sinkName); undefined when none or when it cannot know. Called once after open. */
  lastBatch(): Promise<SinkMarker | undefined>;
  /**
   * Delivers one batch. Called with rising ids, one at a time, and again with the same id and the same rows after a failure.
   * A sink that already holds `batch.id` with the same hash returns without effect; with another hash it throws
   * CHECKPOINT_DIVERGED. Resolves only when the batch is as durable as the sink promises.
   */
  addBatch(batch: SinkBatch): Promise<SinkResult>;
  /** The query stops; `error` when it failed. */
  close(error?: Error): Promise<void>;
}

export interface SinkResult {
  readonly metrics?: Record<string, string>;
}

/**
 * The committed rows of one batch, as a sink sees them. Every reading method may be called more than once and gives the same rows in
 * the same order. The engine makes it over stored rows; the bridge from Spark makes the same thing.
 */
export interface SinkBatch {
  readonly id: number;
  readonly queryId: string;
  readonly sinkName: string;
  /** SHA-256 (hex) of `offsets/N`: the same number with another hash is another batch. */
  readonly offsetsHash: string;
  readonly timestampMs: number;
  readonly schema: StructType;
  readonly outputMode: OutputMode;
  /** Undefined when counting would cost a pass over the data (a stateless plan that was not staged). */
  readonly rowCount: number | undefined;
  /** Rows as plain objects, in chunks of about 2,048. */
  rows(): AsyncIterable<readonly AnyRow[]>;
  /** Column vectors in chunks of at most 2,048 rows, values as `AnyRow` has them. `select` (default: all, in order) names the columns. */
  columns(select?: readonly string[]): AsyncIterable<ColumnChunk>;
  /**
   * The same rows after a SELECT over them (DuckDB SQL; the rows are the table `batch`). For a sink that wants the engine to cast,
   * aggregate or sort first. Values come as DuckDB gives them in `ColumnChunk`.
   */
  query(sql: string): AsyncIterable<ColumnChunk>;
  /** Writes Parquet files with DuckDB's COPY; returns what was written. Null when there were no rows. */
  writeFiles(request: WriteFilesRequest): Promise<readonly WrittenFile[]>;
}

export interface ColumnChunk {
  readonly rowCount: number;
  readonly names: readonly string[];
  /** One array per column, `rowCount` long. */
  readonly columns: readonly (readonly unknown[])[];
}

export interface WriteFilesRequest {
  readonly format: "parquet" | "json" | "csv";
  /** Existing or new folder; file names are unique and never reused. */
  readonly directory: string;
  /** Hive-style `col=value/` folders; these columns are left out of the files. */
  readonly partitionBy?: readonly string[];
  /** Parquet: snappy (default), zstd, gzip, uncompressed. */
  readonly compression?: string;
  /** Further options of COPY, such as `HEADER true`. */
  readonly copyOptions?: string;
  /** Collect min, max and null count of each top-level column (Parquet). */
  readonly statistics?: boolean;
}

export interface WrittenFile {
  /** Relative to `directory`. */
  readonly path: string;
  readonly bytes: number;
  readonly rowCount: number;
  /** Partition values as strings, null for null. */
  readonly partitionValues: Readonly<Record<string, string | null>>;
  /** Values as strings in the form Delta's statistics want (timestamps ISO with milliseconds, numbers plain), missing where unknown. */
  readonly statistics?: Readonly<
    Record<string, { readonly min?: unknown; readonly max?: unknown; readonly nullCount: number }>
  >;
}

export type SaveMode = "append" | "overwrite" | "error" | "ignore";

export interface BatchWriteRequest extends SinkRequest {
  readonly mode: SaveMode;
  readonly batch: SinkBatch;
}
