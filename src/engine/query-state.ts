import { existsSync, statSync } from "node:fs";
import { type Connection, type Database, openDatabase } from "../duckdb/duckdb.ts";
import { MillraceError } from "../errors.ts";
import { sqlString } from "../types/duckdb-types.ts";
import type { SavedWatermarks } from "./watermark.ts";

/** Version of the layout of the tables below. */
const FORMAT = 1;
/** After so much write-ahead log or so many batches it is written into the database file, which also gives the space of old rows back. */
const COMPACT_WAL_BYTES = 128 * 1024 * 1024;
const COMPACT_BATCHES = 500;
/** Batches up to this size, over state up to that size, are small: DuckDB would not find work for two threads in them. */
const SMALL_BATCH_ROWS = 20_000;
const SMALL_STATE_ROWS = 100_000;
/** So many small batches in a row before the other threads are given up. */
const SMALL_BATCHES = 3;

/**
 * The state database of one query: state tables of its operators, the output rows of the last batch (`output`) and, in table `batch`,
 * which batch they belong to. One DuckDB transaction changes all of it, so it always shows exactly one batch.
 */
export class QueryState {
  readonly database: Database;
  /** Runs the batches; TEMP tables live on it. */
  readonly connection: Connection;
  readonly #path: string | undefined;
  /** Batches since the write-ahead log was written into the database file. */
  #batches = 0;
  readonly #threads: number;
  #threadsNow: number;
  #small = 0;

  private constructor(database: Database, connection: Connection, path: string | undefined, threads: number) {
    this.database = database;
    this.connection = connection;
    this.#path = path;
    this.#threads = threads;
    this.#threadsNow = threads;
  }

  /** Bytes of the database on disk, write-ahead log included; 0 in memory. */
  get bytes(): number {
    if (this.#path === undefined) return 0;
    const of = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return of(this.#path) + of(`${this.#path}.wal`);
  }

  /** Opens or creates the database; a path of undefined makes one in memory, for plans that stage nothing. */
  static async open(path: string | undefined, options: QueryStateOptions): Promise<QueryState> {
    let database: Database;
    try {
      database = await openDatabase(path ?? ":memory:", {
        threads: options.threads,
        memoryLimit: options.memoryLimit,
        tempDirectory: options.temporaryPath,
        timeZone: options.timeZone,
        inUse: "CHECKPOINT_IN_USE",
      });
    } catch (error) {
      if (error instanceof MillraceError && error.message.includes("Failed to set config")) {
        throw new MillraceError(
          "INVALID_OPTION",
          `DuckDB refuses a setting: millrace.engine.memoryLimit is "${options.memoryLimit}", millrace.engine.threads is "${options.threads}".`,
          { cause: error, hint: "Write them as 512MiB or 2GB, and as a whole number from 1." },
        );
      }
      if (path !== undefined && error instanceof MillraceError && error.code === "ENGINE_FAILED") {
        throw new MillraceError("CHECKPOINT_CORRUPT", `The state database ${path} cannot be opened: ${error.message}`, {
          cause: error,
          hint: "Restore the checkpoint from a copy, or start with a new checkpointLocation.",
        });
      }
      throw error;
    }
    try {
      const connection = await database.connect();
      // automatic checkpoints would stop a batch in the middle of its transaction; `compact` does it between batches
      await connection.exec(`SET GLOBAL checkpoint_threshold = '16GB'; SET GLOBAL preserve_insertion_order = true`);
      const state = new QueryState(database, connection, path, options.threads);
      if (path !== undefined) await state.#prepare(options);
      return state;
    } catch (error) {
      database.close();
      throw damageOf(error, path);
    }
  }

  async #prepare({ queryId, shape, engineVersion }: QueryStateOptions): Promise<void> {
    const { connection } = this;
    const tables = await connection.query(
      "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND database_name = current_database() AND NOT temporary",
    );
    const names = new Set(tables.columns[0] as string[]);
    if (names.size === 0) {
      await connection.transaction(() =>
        connection.exec(`
          CREATE TABLE query(format INTEGER, id VARCHAR, shape VARCHAR, engine VARCHAR);
          INSERT INTO query VALUES (${FORMAT}, ${sqlString(queryId)}, ${sqlString(shape)}, ${sqlString(engineVersion)});
          CREATE TABLE batch(id BIGINT, offsets_hash VARCHAR, timestamp_ms BIGINT, late_ms BIGINT, watermarks VARCHAR, output_rows BIGINT);`),
      );
      return;
    }
    if (!names.has("query") || !names.has("batch")) throw this.#corrupt("its tables are missing");
    const found = (await connection.query("SELECT format, id, shape FROM query")).rows[0];
    if (found === undefined) throw this.#corrupt("it does not say whose it is");
    if (found.format !== FORMAT) {
      throw new MillraceError(
        "CHECKPOINT_INCOMPATIBLE",
        `The state database has format ${found.format}, not ${FORMAT}.`,
        {
          hint: "It was written by another version: go on with that version, or start with a new checkpointLocation.",
        },
      );
    }
    if (found.id !== queryId) {
      throw new MillraceError(
        "CHECKPOINT_DIVERGED",
        `The state database belongs to query ${found.id}, the checkpoint's metadata to query ${queryId}.`,
        { hint: "Restore all of the checkpoint from one moment, or start with a new checkpointLocation." },
      );
    }
    if (found.shape !== shape) {
      throw new MillraceError(
        "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
        `The state in ${this.#path} is of other stateful operators than the query has: it is another query's, or the query was changed. In the checkpoint: ${describeShape(String(found.shape))}; now: ${describeShape(shape)}.`,
        {
          hint: "State can only be carried on by the same grouping keys, aggregates and processors: start with a new checkpointLocation.",
        },
      );
    }
  }

  /** The batch that the database holds, or undefined before the first. */
  async current(): Promise<StoredBatch | undefined> {
    const result = await this.connection.query("SELECT * FROM batch").catch((error: unknown) => {
      throw damageOf(error, this.#path);
    });
    const row = result.rows[0];
    if (row === undefined) return undefined;
    return {
      batchId: Number(row.id),
      offsetsHash: String(row.offsets_hash),
      timestampMs: Number(row.timestamp_ms),
      lateMs: Number(row.late_ms),
      watermarks: JSON.parse(String(row.watermarks)) as SavedWatermarks,
      outputRows: Number(row.output_rows),
    };
  }

  /** The statements that make the database show `batch`, to run inside its transaction. */
  static markSql(batch: Omit<StoredBatch, "outputRows">): string {
    return `DELETE FROM batch; INSERT INTO batch VALUES (${batch.batchId}, ${sqlString(batch.offsetsHash)}, ${batch.timestampMs}, ${batch.lateMs}, ${sqlString(JSON.stringify(batch.watermarks))}, (SELECT count(*) FROM output))`;
  }

  /** Asks how many output rows the batch in the database has. */
  static readonly OUTPUT_ROWS: string = "SELECT output_rows FROM batch";

  /**
   * Called before each batch: small ones run on one thread. With more, DuckDB hands the few tasks of a statement from one to the other,
   * and whoever waits for a task spins, which on a busy machine doubles the processor time.
   */
  async fit(batchRows: number, stateRows: number): Promise<void> {
    this.#small = batchRows <= SMALL_BATCH_ROWS && stateRows <= SMALL_STATE_ROWS ? this.#small + 1 : 0;
    const threads = this.#small >= SMALL_BATCHES ? 1 : this.#small === 0 ? this.#threads : this.#threadsNow;
    if (threads === this.#threadsNow) return;
    await this.connection.exec(`SET GLOBAL threads = ${threads}`);
    this.#threadsNow = threads;
  }

  /** Called after each batch, when nothing reads: every now and then writes the write-ahead log into the database file. */
  async compact(): Promise<void> {
    if (this.#path === undefined) return;
    this.#batches++;
    if (this.#batches < COMPACT_BATCHES && this.walBytes() < COMPACT_WAL_BYTES) return;
    this.#batches = 0;
    await this.connection.exec("CHECKPOINT");
  }

  walBytes(): number {
    if (this.#path === undefined) return 0;
    return statSync(`${this.#path}.wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  close(): void {
    this.database.close();
  }

  #corrupt(what: string): MillraceError {
    return corrupt(this.#path, what);
  }
}

export interface QueryStateOptions {
  readonly queryId: string;
  /** What the state depends on: the stateful operators with their keys and columns, as JSON. */
  readonly shape: string;
  readonly engineVersion: string;
  readonly threads: number;
  readonly memoryLimit: string;
  readonly temporaryPath: string;
  readonly timeZone: string;
}

export interface StoredBatch {
  readonly batchId: number;
  readonly offsetsHash: string;
  readonly timestampMs: number;
  /** The watermark that the batch used, which is the next one's late watermark. */
  readonly lateMs: number;
  /** The watermarks after the batch. */
  readonly watermarks: SavedWatermarks;
  readonly outputRows: number;
}

function corrupt(path: string | undefined, what: string, cause?: unknown): MillraceError {
  return new MillraceError("CHECKPOINT_CORRUPT", `The state database ${path} cannot be used: ${what}.`, {
    cause,
    hint: "Restore the checkpoint from a copy, or start with a new checkpointLocation.",
  });
}

/** Blocks are read when they are needed, so damage may show only after the file was opened. */
function damageOf(error: unknown, path: string | undefined): unknown {
  if (path === undefined || !(error instanceof MillraceError) || error.code !== "ENGINE_FAILED") return error;
  const what = /(?:Could not read enough bytes|Corrupt database file|Failed to deserialize)[^\n]*/.exec(
    error.message,
  )?.[0];
  return what === undefined ? error : corrupt(path, what.trim(), error);
}

/** Whether a checkpoint has a state database already. */
export function stateExists(path: string): boolean {
  return existsSync(path);
}

function describeShape(shape: string): string {
  const parts = JSON.parse(shape) as readonly unknown[];
  return parts.length === 0
    ? "none"
    : parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join("; ");
}
