import type { OutputMode } from "./connectors/connector.ts";
import type { Relation } from "./plan/relation.ts";
import type { AnyRow, StructType, Value } from "./types/data-type.ts";

/**
 * The seam between the API and an engine. `engine/` (DuckDB, embedded) and `spark/` (Spark Connect) implement it and never see each
 * other. Everything it takes is data, but for TypeScript functions inside plans and foreachBatch.
 */
export interface Backend {
  readonly name: string;
  /** Schema of a plan; throws Spark's analysis errors. May do I/O to infer a file's schema. */
  schema(plan: Relation, conf: Conf): Promise<StructType>;
  /** Rows of a batch plan, in chunks. */
  run(plan: Relation, conf: Conf): AsyncIterable<readonly AnyRow[]>;
  write(plan: Relation, target: BatchTarget, conf: Conf): Promise<void>;
  /** Starts a streaming query; resolves once it is running, after `onQueryStarted`. */
  stream(plan: Relation, target: StreamTarget, conf: Conf): Promise<StreamingQueryHandle>;
  /** Streaming queries that run on the engine and were started by others than this session; an engine of this process alone has none. `id`: only that one. */
  queries?(conf: Conf, id?: string): Promise<readonly StreamingQueryHandle[]>;
  explain(plan: Relation, mode: ExplainMode, conf: Conf): Promise<string>;
  /** The session's tables and views. */
  readonly catalog: BackendCatalog;
  close(): Promise<void>;
}

/** Tables, views and commands of one session. Plans are named by `named_table` relations. */
export interface BackendCatalog {
  /** Runs a command in SQL, as `CREATE TABLE` is one; gives the rows that Spark shows for it. */
  command(sql: Extract<Relation, { kind: "sql" }>, conf: Conf): Promise<CommandResult>;
  /** Names a plan for this session, or as `global_temp.name` for all of them. */
  createView(plan: Relation, view: ViewTarget, conf: Conf): Promise<void>;
  writeTable(plan: Relation, target: TableTarget, conf: Conf): Promise<void>;
  /** What `spark.catalog` asks and does. The rows are Spark's: one of one column for a single answer, none for a deed. */
  ask(question: CatalogQuestion, conf: Conf): Promise<readonly AnyRow[]>;
}

export interface CommandResult {
  readonly schema: StructType;
  readonly rows: readonly (readonly Value[])[];
}

export interface ViewTarget {
  readonly name: string;
  readonly global: boolean;
  readonly replace: boolean;
}

/** `saveAsTable` (columns by name, makes the table) and `insertInto` (by position, into one that is there). */
export interface TableTarget extends Omit<BatchTarget, "format" | "path"> {
  readonly name: string;
  readonly method: "save_as_table" | "insert_into";
  /** Undefined: `spark.sql.sources.default`. */
  readonly format: string | undefined;
  /** Where the files of an external table lie. */
  readonly path: string | undefined;
}

/** Spark Connect's catalog messages (`spark/connect/catalog.proto`) as data. */
export type CatalogQuestion =
  | { readonly kind: "currentDatabase" | "currentCatalog" | "clearCache" }
  | { readonly kind: "setCurrentDatabase" | "getDatabase" | "databaseExists"; readonly dbName: string }
  | { readonly kind: "setCurrentCatalog"; readonly catalogName: string }
  | { readonly kind: "listDatabases" | "listCatalogs"; readonly pattern?: string }
  | { readonly kind: "listTables" | "listFunctions"; readonly dbName?: string; readonly pattern?: string }
  | { readonly kind: "listColumns" | "getTable" | "tableExists"; readonly tableName: string; readonly dbName?: string }
  | { readonly kind: "getFunction" | "functionExists"; readonly functionName: string; readonly dbName?: string }
  | {
      readonly kind: "createTable";
      readonly tableName: string;
      readonly path?: string;
      readonly source?: string;
      readonly description?: string;
      readonly schema?: StructType;
      readonly options: Readonly<Record<string, string>>;
    }
  | { readonly kind: "dropTempView" | "dropGlobalTempView"; readonly viewName: string }
  | {
      readonly kind: "recoverPartitions" | "isCached" | "cacheTable" | "uncacheTable" | "refreshTable";
      readonly tableName: string;
    }
  | { readonly kind: "refreshByPath"; readonly path: string };

/** `spark.conf`: names and values as in Spark. */
export type Conf = Readonly<Record<string, string>>;
export type ExplainMode = "simple" | "extended" | "formatted";

export interface BatchTarget {
  readonly format: string;
  readonly options: Readonly<Record<string, string>>;
  readonly path: string | undefined;
  readonly mode: "append" | "overwrite" | "error" | "ignore";
  readonly partitionBy: readonly string[];
}

export type Trigger =
  | { readonly kind: "default" }
  | { readonly kind: "processing_time"; readonly intervalMs: number }
  | { readonly kind: "available_now" }
  | { readonly kind: "once" };

/** One sink of a streaming query. */
export interface SinkTarget {
  /** Unique within the query. */
  readonly name: string;
  readonly format: string;
  readonly options: Readonly<Record<string, string>>;
  readonly path: string | undefined;
  readonly partitionBy: readonly string[];
  /** A table of the catalog, made where it is not there: `toTable`. It decides format and path then. */
  readonly table?: string;
  /** Only for format `foreachBatch`: gets the rows as plain objects and the batch id. */
  readonly foreachBatch?: (rows: readonly AnyRow[], batchId: number) => unknown;
}

/** How a streaming query is to run. */
export interface StreamTarget {
  readonly queryName: string | null;
  readonly outputMode: OutputMode;
  readonly trigger: Trigger;
  readonly checkpointLocation: string | undefined;
  readonly sinks: readonly SinkTarget[];
}

/** Spark's StreamingQuery. https://spark.apache.org/docs/latest/api/scala/org/apache/spark/sql/streaming/StreamingQuery.html */
export interface StreamingQueryHandle {
  /** Stays with the checkpoint. */
  readonly id: string;
  /** Another one at each start. */
  readonly runId: string;
  /** What `queryName` gave it. */
  readonly name: string | null;
  /** Whether it has not ended. */
  readonly isActive: boolean;
  /** What it is doing at the moment. */
  readonly status: StreamingQueryStatus;
  /** The record of the newest batch, or null before the first. */
  readonly lastProgress: StreamingQueryProgress | null;
  /** The records of the newest batches, the oldest first (`spark.sql.streaming.numRecentProgressUpdates`). */
  readonly recentProgress: readonly StreamingQueryProgress[];
  /** The failure that ended the query (STREAM_FAILED with its cause), or null. */
  readonly exception: Error | null;
  /** Resolves when all data available at the call is processed and delivered; throws the failure. */
  processAllAvailable(): Promise<void>;
  /** Resolves when the query has ended (true), or after the timeout (false); throws the failure. */
  awaitTermination(timeoutMs?: number): Promise<boolean>;
  /** Ends after the running batch. */
  stop(): Promise<void>;
  /** The query's plan as text; `extended` adds the analysed plan and the SQL. */
  explain(extended?: boolean): string;
}

/** What a query is doing at the moment, in Spark's words. */
export interface StreamingQueryStatus {
  readonly message: string;
  readonly isDataAvailable: boolean;
  readonly isTriggerActive: boolean;
}

/** Spark's StreamingQueryProgress, the same keys in the same order; maps sorted by key, empty maps and NaN left out. */
export interface StreamingQueryProgress {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  /** Start of the trigger, ISO in UTC with milliseconds. */
  readonly timestamp: string;
  /** The number of the batch; that of the next one while nothing is new. */
  readonly batchId: number;
  /** Milliseconds from the trigger to the commit. */
  readonly batchDuration: number;
  /** Rows read from all sources. */
  readonly numInputRows: number;
  /** Rows that came in each second since the batch before. */
  readonly inputRowsPerSecond?: number;
  /** Rows for each second that the batch took. */
  readonly processedRowsPerSecond?: number;
  /** Milliseconds by phase: `latestOffset`, `walCommit`, `getBatch`, `addBatch`, `commitOffsets`, and all of it as `triggerExecution`. */
  readonly durationMs: Readonly<Record<string, number>>;
  /** `min`, `max` and `avg` of the event times in the batch, and the `watermark` that it ran with; ISO in UTC. */
  readonly eventTime?: Readonly<Record<string, string>>;
  /** The steps that keep state. */
  readonly stateOperators: readonly StateOperatorProgress[];
  /** Offsets, rows and rates of each source. */
  readonly sources: readonly SourceProgress[];
  /** Spark has one sink; with several, `sink` is the first and `sinks` lists all. */
  readonly sink: SinkProgress;
  readonly sinks?: readonly SinkProgress[];
}

/** A stateful operator in a progress event: rows that it keeps, and what the batch did to them; times in milliseconds. */
export interface StateOperatorProgress {
  readonly operatorName: string;
  readonly numRowsTotal: number;
  readonly numRowsUpdated: number;
  readonly allUpdatesTimeMs: number;
  readonly numRowsRemoved: number;
  readonly allRemovalsTimeMs: number;
  readonly commitTimeMs: number;
  readonly memoryUsedBytes: number;
  readonly numRowsDroppedByWatermark: number;
  readonly numShufflePartitions: number;
  readonly numStateStoreInstances: number;
  readonly customMetrics?: Readonly<Record<string, number>>;
}

/** A source in a progress event: offsets as its own JSON, rows per second. */
export interface SourceProgress {
  readonly description: string;
  readonly startOffset: unknown;
  readonly endOffset: unknown;
  readonly latestOffset: unknown;
  readonly numInputRows: number;
  readonly inputRowsPerSecond?: number;
  readonly processedRowsPerSecond?: number;
  readonly metrics?: Readonly<Record<string, string>>;
}

/** A sink in a progress event, with what it promises for a batch that is delivered again. */
export interface SinkProgress {
  readonly name?: string;
  readonly guarantee?: string;
  readonly description: string;
  readonly numOutputRows: number;
  readonly metrics?: Readonly<Record<string, string>>;
}
