import { randomUUID } from "node:crypto";
import type { OutputMode, SinkBatch } from "../../src/connectors/connector.ts";
import { type Database, openDatabase } from "../../src/duckdb/duckdb.ts";
import { createSinkBatch } from "../../src/duckdb/stored-batch.ts";
import type { StructType } from "../../src/types/data-type.ts";

/** A batch whose rows are a SELECT, stored as the engine stores them, for tests of sinks alone. */
export interface LocalBatchSpec {
  readonly id?: number;
  readonly hash?: string;
  readonly queryId?: string;
  readonly sinkName?: string;
  readonly outputMode?: OutputMode;
  readonly schema: StructType;
  /** Yields the schema's columns in DuckDB's types. */
  readonly sql: string;
  /** Leave the number of rows unknown, as for a plan that was not staged. */
  readonly uncounted?: boolean;
  /** Called before `writeFiles` and `query`, to break a batch halfway. */
  readonly before?: (what: "files" | "query") => void | Promise<void>;
}

let shared: Promise<Database> | undefined;

export async function localBatch(spec: LocalBatchSpec): Promise<SinkBatch> {
  shared ??= openDatabase(":memory:", { threads: 2 });
  const database = await shared;
  const table = `b_${randomUUID().replaceAll("-", "")}`;
  const connection = await database.connect();
  await connection.exec(`CREATE TABLE ${table} AS ${spec.sql}`);
  const counted = await connection.query(`SELECT count(*) FROM ${table}`);
  connection.close();
  const batch = createSinkBatch({
    acquire: () => database.connect(),
    release: (c) => c.close(),
    from: table,
    schema: spec.schema,
    id: spec.id ?? 0,
    queryId: spec.queryId ?? "11111111-2222-3333-4444-555555555555",
    sinkName: spec.sinkName ?? "sink",
    offsetsHash: spec.hash ?? `hash-${spec.id ?? 0}`,
    timestampMs: Date.UTC(2024, 0, 1),
    outputMode: spec.outputMode ?? "append",
    rowCount: spec.uncounted ? undefined : Number(counted.columns[0]![0]),
  });
  const { before } = spec;
  if (before !== undefined) {
    const { query, writeFiles } = batch;
    batch.query = async function* (sql) {
      await before("query");
      yield* query.call(batch, sql);
    };
    batch.writeFiles = async (request) => {
      await before("files");
      return await writeFiles.call(batch, request);
    };
  }
  return batch;
}
