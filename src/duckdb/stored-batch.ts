import type { ColumnChunk, OutputMode, SinkBatch, WriteFilesRequest, WrittenFile } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { quoteIdentifier } from "../types/duckdb-types.ts";
import { copyToFiles } from "./copy-files.ts";
import type { Connection } from "./duckdb.ts";
import { toRows } from "./rows.ts";

/** What `createSinkBatch` needs. */
export interface SinkBatchRequest {
  /**
   * Gives the connection to read on. A batch stored in a committed table is read on a connection of its own (`release` closes it); one in a
   * TEMP table only on the connection that made it. Every reading method asks once and releases at its end.
   */
  readonly acquire: () => Promise<Connection> | Connection;
  readonly release?: (connection: Connection) => void | Promise<void>;
  /** A SQL table expression whose columns are the schema's names in order, giving the same rows in the same order each time. */
  readonly from: string;
  readonly schema: StructType;
  readonly id: number;
  readonly queryId: string;
  readonly sinkName: string;
  readonly offsetsHash: string;
  readonly timestampMs: number;
  readonly outputMode: OutputMode;
  readonly rowCount: number | undefined;
}

/** The rows of a batch as a sink sees them (`SinkBatch`), read by DuckDB from where they are stored. */
export function createSinkBatch(request: SinkBatchRequest): SinkBatch {
  return new StoredBatch(request);
}

/** Results of batches up to this size are read at once. */
const AT_ONCE_ROWS = 10_000;

class StoredBatch implements SinkBatch {
  readonly id: number;
  readonly queryId: string;
  readonly sinkName: string;
  readonly offsetsHash: string;
  readonly timestampMs: number;
  readonly schema: StructType;
  readonly outputMode: OutputMode;
  readonly rowCount: number | undefined;
  readonly #request: SinkBatchRequest;

  constructor(request: SinkBatchRequest) {
    this.#request = request;
    this.id = request.id;
    this.queryId = request.queryId;
    this.sinkName = request.sinkName;
    this.offsetsHash = request.offsetsHash;
    this.timestampMs = request.timestampMs;
    this.schema = request.schema;
    this.outputMode = request.outputMode;
    this.rowCount = request.rowCount;
  }

  async *rows(): AsyncGenerator<readonly AnyRow[], void, undefined> {
    for await (const chunk of this.columns()) yield toRows(chunk.names, chunk.columns, chunk.rowCount);
  }

  columns(select?: readonly string[]): AsyncGenerator<ColumnChunk, void, undefined> {
    const names = select ?? this.schema.fields.map((f) => f.name);
    for (const name of names) {
      if (!this.schema.fields.some((f) => f.name === name)) {
        throw new MillraceError("INTERNAL", `The batch has no column \`${name}\`.`);
      }
    }
    const list = names.length === 0 ? "1 AS none" : names.map(quoteIdentifier).join(", ");
    return this.#stream(`SELECT ${list} FROM ${this.#request.from}`);
  }

  query(sql: string): AsyncGenerator<ColumnChunk, void, undefined> {
    const batch = `WITH batch AS (FROM ${this.#request.from})`;
    const own = /^\s*WITH\s+/i.exec(sql);
    return this.#stream(own === null ? `${batch} ${sql}` : `${batch}, ${sql.slice(own[0].length)}`);
  }

  async writeFiles(request: WriteFilesRequest): Promise<readonly WrittenFile[]> {
    const connection = await this.#request.acquire();
    try {
      return await copyToFiles(connection, this.#request.from, this.schema, request);
    } finally {
      await this.#request.release?.(connection);
    }
  }

  async *#stream(sql: string): AsyncGenerator<ColumnChunk, void, undefined> {
    const connection = await this.#request.acquire();
    try {
      // a small result in one piece costs one trip to DuckDB's thread, a stream five
      yield* (this.rowCount ?? Number.POSITIVE_INFINITY) <= AT_ONCE_ROWS
        ? connection.read(sql)
        : connection.stream(sql);
    } finally {
      await this.#request.release?.(connection);
    }
  }
}
