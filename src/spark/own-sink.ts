import { randomUUID } from "node:crypto";
import type { BatchTarget, Conf } from "../backend.ts";
import { connectorFor, resolveOptions } from "../connectors/index.ts";
import { type Connection, openDatabase } from "../duckdb/duckdb.ts";
import { createSinkBatch } from "../duckdb/stored-batch.ts";
import { MillraceError } from "../errors.ts";
import type { StructType } from "../types/data-type.ts";
import { refuseRepeatedColumns } from "../types/repeated-column.ts";
import { ArrowTable } from "./arrow-table.ts";

/** Rows on their way from the server: the schema once it is known, then Arrow IPC streams. */
export interface ArrowRows {
  readonly schema: StructType;
  readonly batches: AsyncIterable<Uint8Array>;
}

const TABLE = { name: "millrace_batch", temporary: true } as const;

/**
 * `df.write` to a sink that Spark has not: the rows come here, are stored in DuckDB and go through our own sink, as embedded.
 *
 * @throws MillraceError UNSUPPORTED_OPERATION, UNKNOWN_OPTION and what the sink throws
 */
export async function writeThroughOwnSink(
  target: BatchTarget,
  conf: Conf,
  rows: () => Promise<ArrowRows>,
): Promise<void> {
  const connector = connectorFor(target.format);
  const { sink } = connector;
  if (sink?.writeBatch === undefined) {
    throw new MillraceError("UNSUPPORTED_OPERATION", `Format \`${connector.name}\` cannot be written by df.write.`, {
      hint: sink === undefined ? undefined : "Use writeStream.",
    });
  }
  const options = resolveOptions(connector, target.options, "sink");
  const { schema, batches } = await rows();
  refuseRepeatedColumns(schema);
  const request = {
    options,
    path: target.path,
    partitionBy: target.partitionBy,
    schema,
    outputMode: "append" as const,
  };
  sink.validate?.(request);
  const memoryLimit = conf["millrace.engine.memoryLimit"];
  const database = await openDatabase(":memory:", {
    timeZone: conf["spark.sql.session.timeZone"] ?? "UTC",
    ...(memoryLimit !== undefined && { memoryLimit }),
  });
  try {
    const connection = await database.connect();
    const rowCount = await store(connection, schema, batches);
    await sink.writeBatch({
      ...request,
      mode: target.mode,
      batch: createSinkBatch({
        acquire: () => connection,
        from: `temp.main.${TABLE.name}`,
        schema,
        id: 0,
        queryId: randomUUID(),
        sinkName: connector.name,
        offsetsHash: "",
        timestampMs: Date.now(),
        outputMode: "append",
        rowCount,
      }),
    });
  } finally {
    database.close();
  }
}

async function store(connection: Connection, schema: StructType, batches: AsyncIterable<Uint8Array>): Promise<number> {
  const table = await ArrowTable.create(connection, TABLE, schema);
  try {
    for await (const bytes of batches) table.append(bytes);
  } catch (error) {
    table.abandon();
    throw error;
  }
  table.close();
  return table.rowCount;
}
