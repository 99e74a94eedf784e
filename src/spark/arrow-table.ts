import type { DuckDBAppender } from "@duckdb/node-api";
import { type Connection, columnDefinitions } from "../duckdb/duckdb.ts";
import { toMillraceError } from "../duckdb/duckdb-error.ts";
import { CHUNK_ROWS, ChunkWriter } from "../duckdb/rows.ts";
import type { StructType } from "../types/data-type.ts";
import { quoteIdentifier, sqlType } from "../types/duckdb-types.ts";
import { decodeArrowColumns } from "./arrow.ts";

/** What a table is to be called, as `CREATE` and the appender want it. */
export interface TableName {
  readonly name: string;
  readonly schema?: string;
  readonly catalog?: string;
  /** A TEMP table: only its connection sees it. */
  readonly temporary?: boolean;
}

/**
 * A new DuckDB table that is filled from Arrow batches, microseconds kept. `close` ends it, also after an error.
 *
 * @example
 * const table = await ArrowTable.create(connection, { name: "batch", temporary: true }, schema);
 * for (const bytes of batches) table.append(bytes);
 * table.close();
 */
export class ArrowTable {
  readonly #schema: StructType;
  readonly #writer: ChunkWriter;
  readonly #appender: DuckDBAppender;
  #rowCount = 0;

  private constructor(schema: StructType, appender: DuckDBAppender) {
    this.#schema = schema;
    // Nullability is what the server says of its own rows.
    this.#writer = new ChunkWriter(schema, false, "micros");
    this.#appender = appender;
  }

  /** Makes the table, in place of one of that name. */
  static async create(connection: Connection, table: TableName, schema: StructType): Promise<ArrowTable> {
    const place = [table.catalog, table.schema, table.name].filter((p) => p !== undefined).map(quoteIdentifier);
    const kind = table.temporary ? "TEMP TABLE" : "TABLE";
    const columns = columnDefinitions(schema, (f) => sqlType(f.type));
    await connection.exec(`CREATE OR REPLACE ${kind} ${place.join(".")} (${columns})`);
    return new ArrowTable(schema, await connection.appender(table.name, table.schema, table.catalog));
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Appends the rows of one Arrow IPC stream; gives their number. */
  append(bytes: Uint8Array): number {
    let appended = 0;
    try {
      for (const { columns, rowCount } of decodeArrowColumns(bytes, this.#schema, { timestamps: "micros" }).batches) {
        for (let start = 0; start < rowCount; start += CHUNK_ROWS) {
          const end = Math.min(rowCount, start + CHUNK_ROWS);
          const part = rowCount <= CHUNK_ROWS ? columns : columns.map((c) => c.slice(start, end));
          this.#appender.appendDataChunk(this.#writer.fromColumns(part, end - start));
        }
        appended += rowCount;
      }
    } catch (error) {
      throw toMillraceError(error);
    }
    this.#rowCount += appended;
    return appended;
  }

  /** Ends appending; the rows are then in the table. */
  close(): void {
    try {
      this.#appender.flushSync();
    } catch (error) {
      this.#appender.clear();
      throw toMillraceError(error);
    } finally {
      this.#appender.closeSync();
    }
  }

  /** Ends appending without the rows that were not written yet. */
  abandon(): void {
    this.#appender.clear();
    this.#appender.closeSync();
  }
}
