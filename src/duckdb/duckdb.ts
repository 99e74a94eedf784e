import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BLOB,
  type DuckDBAppender,
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  DuckDBScalarFunction,
  DuckDBTimestampTZValue,
  type DuckDBType,
  type DuckDBValue,
  VARCHAR,
} from "@duckdb/node-api";
import type { ColumnChunk } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";
import { fromDuckDBType } from "../formats/from-duckdb-type.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { quoteIdentifier, sqlString } from "../types/duckdb-types.ts";
import { toMillraceError } from "./duckdb-error.ts";
import { CHUNK_ROWS, ChunkWriter, readChunk, toRows } from "./rows.ts";

/** Settings of a database; the defaults are DuckDB's unless said. */
export interface DatabaseOptions {
  readonly threads?: number;
  /** Such as `2GB`. */
  readonly memoryLimit?: string;
  /** Where DuckDB spills to; by default beside the database, and in the system's temporary folder for `:memory:`. */
  readonly tempDirectory?: string;
  /** Spark's `spark.sql.session.timeZone`; default UTC. */
  readonly timeZone?: string;
  /** The code of the error when another process holds the file. */
  readonly inUse?: "CHECKPOINT_IN_USE" | "DIRECTORY_IN_USE";
}

/** An open DuckDB database. */
export interface Database {
  readonly path: string;
  /** A new connection. TEMP tables are visible to their own connection only. */
  connect(): Promise<Connection>;
  /** Closes all connections and the database. */
  close(): void;
}

/** A result read to its end. */
export interface QueryResult {
  readonly names: readonly string[];
  readonly types: readonly DuckDBType[];
  readonly rowCount: number;
  /** One array per column. */
  readonly columns: readonly (readonly unknown[])[];
  /** Row objects, made on first use. */
  readonly rows: readonly AnyRow[];
}

/**
 * One DuckDB connection. A stream ends when another statement runs on its connection (DuckDB then drops the rest in silence), so
 * while a stream is open every other call is refused with ENGINE_FAILED.
 */
export interface Connection {
  readonly native: DuckDBConnection;
  readonly database: Database;
  /** Runs one or several statements. */
  exec(sql: string): Promise<void>;
  query(sql: string, params?: readonly unknown[]): Promise<QueryResult>;
  /** Chunks of at most 2,048 rows, computed as they are read. */
  stream(sql: string): AsyncGenerator<ColumnChunk, void, undefined>;
  /** Chunks of a result that was computed to its end before: other statements may run between them. */
  read(sql: string): AsyncGenerator<ColumnChunk, void, undefined>;
  /**
   * Keeps statements whose result nobody needs until the next call, which carries them along: in a small batch, going to DuckDB's
   * thread and back costs as much as what is done there. They fail where that call fails.
   */
  later(sql: string): void;
  /** Runs `fn` between BEGIN and COMMIT; ROLLBACK when it throws. */
  transaction<T>(fn: () => Promise<T>): Promise<T>;
  /** Like `transaction`; `last` is a SELECT that is asked just before COMMIT. */
  transactionWith<T>(fn: () => Promise<T>, last: string): Promise<{ readonly value: T; readonly last: QueryResult }>;
  /** Columns of a query: names and Spark types, without running it. */
  describe(sql: string): Promise<StructType>;
  appender(table: string, schema?: string, catalog?: string): Promise<DuckDBAppender>;
  interrupt(): void;
  close(): void;
}

/**
 * Opens a database file, or `:memory:`. Extensions are never downloaded or loaded on their own.
 *
 * @throws MillraceError CHECKPOINT_IN_USE or DIRECTORY_IN_USE when another process holds the file, DISK_FULL, ENGINE_FAILED
 * @example
 * const database = await openDatabase(":memory:", { threads: 2 });
 * const connection = await database.connect();
 * (await connection.query("select 42 as answer")).rows // [{ answer: 42 }]
 */
export async function openDatabase(path: string, options: DatabaseOptions = {}): Promise<Database> {
  const config: Record<string, string> = {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  };
  if (options.threads !== undefined) config.threads = String(options.threads);
  if (options.memoryLimit !== undefined) config.memory_limit = options.memoryLimit;
  // DuckDB's own default for a database in memory is a folder in the working directory.
  const temporary =
    options.tempDirectory ?? (path === ":memory:" ? join(tmpdir(), `millrace-${process.pid}`) : undefined);
  if (temporary !== undefined) config.temp_directory = temporary;
  let instance: DuckDBInstance;
  try {
    instance = await DuckDBInstance.create(path, config);
  } catch (error) {
    throw toMillraceError(error, undefined, options.inUse ?? "CHECKPOINT_IN_USE");
  }
  const connections = new Set<DuckDBConnection>();
  const database: Database = {
    path,
    async connect() {
      const native = await instance.connect();
      connections.add(native);
      return new DuckDBConnectionWrapper(native, database, () => connections.delete(native));
    },
    close() {
      for (const c of connections) c.closeSync();
      connections.clear();
      instance.closeSync();
    },
  };
  try {
    const native = await instance.connect();
    try {
      native.registerScalarFunction(utf8Repair());
      // With DuckDB's default of 100 a write to more partitions than that closes and opens files in turn and leaves many small ones.
      await native.run("SET GLOBAL partitioned_write_max_open_files = 500");
      await native.run(`SET GLOBAL TimeZone = ${sqlString(options.timeZone ?? "UTC")}`);
    } finally {
      native.closeSync();
    }
  } catch (error) {
    database.close();
    throw toMillraceError(error);
  }
  return database;
}

/** The name of the SQL function that reads bytes as UTF-8 with U+FFFD for what is not; the compiler calls it for such values only. */
export const UTF8_REPAIR = "millrace_utf8";

/** The chunks of a result that is there already: no trip to another thread for each. */
function chunksOf(result: { readonly chunkCount: number; getChunk(i: number): DuckDBDataChunk }): DuckDBDataChunk[] {
  return Array.from({ length: result.chunkCount }, (_, i) => result.getChunk(i)).filter((chunk) => chunk.rowCount > 0);
}

function utf8Repair(): DuckDBScalarFunction {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return DuckDBScalarFunction.create({
    name: UTF8_REPAIR,
    parameterTypes: [BLOB],
    returnType: VARCHAR,
    mainFunction: (_info, input, output) => {
      const bytes = input.getColumnVector(0) as unknown as { getItem(i: number): { bytes: Uint8Array } | null };
      const out = output as unknown as { setItem(i: number, v: string | null): void; flush(): void };
      for (let i = 0, n = input.rowCount; i < n; i++) {
        const item = bytes.getItem(i);
        out.setItem(i, item === null ? null : decoder.decode(item.bytes));
      }
      out.flush();
    },
  });
}

class DuckDBConnectionWrapper implements Connection {
  readonly native: DuckDBConnection;
  readonly database: Database;
  readonly #onClose: () => void;
  #streaming: string | undefined;
  /** What `later` was given. */
  #kept: string[] = [];
  #closed = false;

  constructor(native: DuckDBConnection, database: Database, onClose: () => void) {
    this.native = native;
    this.database = database;
    this.#onClose = onClose;
  }

  async exec(sql: string): Promise<void> {
    this.#check(sql);
    const text = this.#withKept(sql);
    try {
      await this.native.run(text);
    } catch (error) {
      throw toMillraceError(error, text);
    }
  }

  later(sql: string): void {
    this.#check(sql);
    this.#kept.push(sql);
  }

  /** Takes what was kept, with `sql` behind it. */
  #withKept(sql: string): string {
    if (this.#kept.length === 0) return sql;
    const text = [...this.#kept, sql].join(";\n");
    this.#kept = [];
    return text;
  }

  async #runKept(): Promise<void> {
    if (this.#kept.length === 0) return;
    const last = this.#kept.pop()!;
    await this.exec(last);
  }

  async query(sql: string, params?: readonly unknown[]): Promise<QueryResult> {
    this.#check(sql);
    // of several statements DuckDB gives the result of the first SELECT; a statement of another kind has to be alone
    if (params !== undefined || !/^\s*SELECT\b/i.test(sql)) await this.#runKept();
    return await this.#ask(this.#withKept(sql), params);
  }

  async #ask(sql: string, params?: readonly unknown[]): Promise<QueryResult> {
    try {
      const result =
        params === undefined ? await this.native.run(sql) : await this.native.run(sql, params.map(parameter));
      const names = result.columnNames();
      const chunks = chunksOf(result);
      let columns: unknown[][];
      let rowCount = 0;
      if (chunks.length === 1) {
        columns = readChunk(chunks[0]!);
        rowCount = chunks[0]!.rowCount;
      } else {
        columns = names.map(() => []);
        for (const chunk of chunks) {
          const part = readChunk(chunk);
          for (let k = 0; k < columns.length; k++) {
            const column = columns[k]!;
            for (const value of part[k]!) column.push(value);
          }
          rowCount += chunk.rowCount;
        }
      }
      let rows: AnyRow[] | undefined;
      return {
        names,
        types: result.columnTypes(),
        rowCount,
        columns,
        get rows() {
          rows ??= toRows(names, columns, rowCount);
          return rows;
        },
      };
    } catch (error) {
      throw toMillraceError(error, sql);
    }
  }

  async *stream(sql: string): AsyncGenerator<ColumnChunk, void, undefined> {
    this.#check(sql);
    await this.#runKept();
    this.#streaming = sql;
    try {
      const result = await this.native.stream(sql);
      const names = result.columnNames();
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return;
        yield { rowCount: chunk.rowCount, names, columns: readChunk(chunk) };
      }
    } catch (error) {
      throw toMillraceError(error, sql);
    } finally {
      this.#streaming = undefined;
    }
  }

  async *read(sql: string): AsyncGenerator<ColumnChunk, void, undefined> {
    this.#check(sql);
    await this.#runKept();
    try {
      const result = await this.native.run(sql);
      const names = result.columnNames();
      for (let i = 0; i < result.chunkCount; i++) {
        const chunk = result.getChunk(i);
        if (chunk.rowCount > 0) yield { rowCount: chunk.rowCount, names, columns: readChunk(chunk) };
      }
    } catch (error) {
      throw toMillraceError(error, sql);
    }
  }

  async transaction<T>(fn: () => Promise<T>): Promise<T> {
    return this.#between(fn, async (value) => {
      await this.exec("COMMIT");
      return value;
    });
  }

  async transactionWith<T>(fn: () => Promise<T>, last: string): Promise<{ value: T; last: QueryResult }> {
    return this.#between(fn, async (value) => {
      this.#check(last);
      return { value, last: await this.#ask(`${this.#withKept(last)};\nCOMMIT`) };
    });
  }

  async #between<T, R>(fn: () => Promise<T>, commit: (value: T) => Promise<R>): Promise<R> {
    const begin = "BEGIN TRANSACTION";
    this.later(begin);
    try {
      return await commit(await fn());
    } catch (error) {
      const begun = !this.#kept.includes(begin);
      this.#kept = [];
      // The first failure is the one to report; a failed ROLLBACK means that DuckDB has rolled back by itself.
      if (begun) await this.native.run("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  async describe(sql: string): Promise<StructType> {
    this.#check(sql);
    await this.#runKept();
    try {
      const prepared = await this.native.prepare(`SELECT * FROM (${sql}) LIMIT 0`);
      try {
        const result = await prepared.run();
        const names = result.columnNames();
        return {
          kind: "struct",
          fields: result
            .columnTypes()
            .map((type, i) => ({ name: names[i]!, type: fromDuckDBType(type), nullable: true })),
        };
      } finally {
        prepared.destroySync();
      }
    } catch (error) {
      throw toMillraceError(error, sql);
    }
  }

  async appender(table: string, schema?: string, catalog?: string): Promise<DuckDBAppender> {
    this.#check(`append to ${table}`);
    await this.#runKept();
    try {
      return await this.native.createAppender(table, schema ?? null, catalog ?? null);
    } catch (error) {
      throw toMillraceError(error);
    }
  }

  interrupt(): void {
    this.native.interrupt();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    this.native.closeSync();
  }

  #check(sql: string): void {
    if (this.#closed) throw new MillraceError("ENGINE_FAILED", "The connection to the engine is closed.");
    if (this.#streaming !== undefined) {
      throw new MillraceError(
        "ENGINE_FAILED",
        `A result is still being read on this connection, which running "${sql.slice(0, 80)}" would cut off.`,
        { hint: "Read it to its end first, or use a connection of its own." },
      );
    }
  }
}

function parameter(value: unknown): DuckDBValue {
  if (value instanceof Date) return new DuckDBTimestampTZValue(BigInt(value.getTime()) * 1000n);
  return (value === undefined ? null : value) as DuckDBValue;
}

/**
 * Appends rows to a table; the schema's fields are the table's columns in order.
 *
 * @throws MillraceError INVALID_VALUE naming the column and the value
 */
export async function insertRows(
  connection: Connection,
  table: string | { readonly name: string; readonly schema?: string; readonly catalog?: string },
  schema: StructType,
  rows: readonly AnyRow[] | readonly (readonly unknown[])[],
): Promise<void> {
  if (rows.length === 0) return;
  const writer = new ChunkWriter(schema);
  const target = typeof table === "string" ? { name: table } : table;
  const appender = await connection.appender(target.name, target.schema, target.catalog);
  let failed = true;
  try {
    for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
      const part = rows.slice(start, start + CHUNK_ROWS);
      const chunk = Array.isArray(part[0])
        ? writer.fromArrays(part as readonly (readonly unknown[])[])
        : writer.fromObjects(part as readonly AnyRow[]);
      appender.appendDataChunk(chunk);
    }
    appender.flushSync();
    failed = false;
  } catch (error) {
    throw toMillraceError(error);
  } finally {
    if (failed) appender.clear();
    appender.closeSync();
  }
}

/** `CREATE TABLE` column list of a schema. */
export function columnDefinitions(schema: StructType, typeOf: (field: StructType["fields"][number]) => string): string {
  return schema.fields.map((f) => `${quoteIdentifier(f.name)} ${typeOf(f)}`).join(", ");
}
