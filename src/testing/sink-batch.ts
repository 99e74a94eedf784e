import type { OutputMode, SinkBatch } from "../connectors/connector.ts";
import { columnDefinitions, insertRows, openDatabase } from "../duckdb/duckdb.ts";
import { createSinkBatch } from "../duckdb/stored-batch.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";

export interface SinkBatchOptions {
  readonly id: number;
  readonly schema: StructType;
  readonly rows: readonly AnyRow[];
  /** Default: made from the id. */
  readonly offsetsHash?: string;
  readonly queryId?: string;
  readonly sinkName?: string;
  readonly outputMode?: OutputMode;
  /** Whether the engine counted the rows; default true. */
  readonly counted?: boolean;
}

/**
 * A batch as the engine hands it to a sink, over rows given here. Close it when the sink is done with it.
 *
 * @example
 * await using batch = await sinkBatch({ id: 0, schema, rows: [{ word: "a" }] });
 * await sink.addBatch(batch);
 */
export async function sinkBatch(options: SinkBatchOptions): Promise<SinkBatch & AsyncDisposable> {
  const database = await openDatabase(":memory:", { threads: 1 });
  const connection = await database.connect();
  await connection.exec(`CREATE TABLE rows(${columnDefinitions(options.schema, (field) => sqlType(field.type))})`);
  await insertRows(connection, "rows", options.schema, options.rows);
  const batch = createSinkBatch({
    acquire: () => database.connect(),
    release: (reader) => reader.close(),
    from: "rows",
    schema: options.schema,
    id: options.id,
    queryId: options.queryId ?? "00000000-0000-4000-8000-000000000000",
    sinkName: options.sinkName ?? "sink",
    offsetsHash: options.offsetsHash ?? `hash of batch ${options.id}`,
    timestampMs: 1_700_000_000_000 + options.id,
    outputMode: options.outputMode ?? "append",
    rowCount: options.counted === false ? undefined : options.rows.length,
  });
  return Object.assign(batch, {
    async [Symbol.asyncDispose]() {
      database.close();
    },
  });
}
