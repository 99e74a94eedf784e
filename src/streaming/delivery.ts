import type { OutputMode } from "../connectors/connector.ts";
import type { Connection } from "../duckdb/duckdb.ts";
import { createSinkBatch } from "../duckdb/stored-batch.ts";
import { publish } from "../events.ts";
import type { StructType } from "../types/data-type.ts";
import type { OpenSink } from "./sinks.ts";

/** A sink that has taken a batch, and what it says of it. */
export interface Delivered {
  readonly sink: OpenSink;
  readonly metrics: Readonly<Record<string, string>> | undefined;
}

/** A batch, as its sinks know it again. */
export interface BatchIdentity {
  readonly id: number;
  /** SHA-256 of `offsets/N`. */
  readonly hash: string;
  readonly timestampMs: number;
}

/** Where the rows of a batch lie. */
export interface BatchRows {
  /** A table expression whose columns are the schema's names in order, the same rows in the same order each time. */
  readonly from: string;
  readonly rowCount: number | undefined;
}

/** Whose batches they are, and how stored rows are read. */
export interface DeliverySetup {
  readonly queryId: string;
  readonly schema: StructType;
  readonly outputMode: OutputMode;
  /** A connection to read on, for one reader at a time or the one that made TEMP tables. */
  readonly acquire: () => Promise<Connection> | Connection;
  readonly release: (connection: Connection) => void;
}

/**
 * Hands the rows of a batch to all sinks of a query, at the same time. Resolves when every sink has taken the batch; throws the first
 * failure once all have answered.
 */
export async function deliver(
  setup: DeliverySetup,
  sinks: readonly OpenSink[],
  batch: BatchIdentity,
  rows: BatchRows,
): Promise<readonly Delivered[]> {
  const results = await Promise.allSettled(sinks.map((sink) => toSink(setup, sink, batch, rows)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results.filter((result) => result.status === "fulfilled").map((result) => result.value);
}

async function toSink(setup: DeliverySetup, sink: OpenSink, batch: BatchIdentity, rows: BatchRows): Promise<Delivered> {
  const { queryId, schema, outputMode, acquire, release } = setup;
  publish("batch.step", { queryId, batchId: batch.id, step: "sink-before", sink: sink.name });
  const { metrics } = await sink.sink.addBatch(
    createSinkBatch({
      acquire,
      release,
      from: rows.from,
      schema,
      id: batch.id,
      queryId,
      sinkName: sink.name,
      offsetsHash: batch.hash,
      timestampMs: batch.timestampMs,
      outputMode,
      rowCount: rows.rowCount,
    }),
  );
  publish("batch.step", { queryId, batchId: batch.id, step: "sink-after", sink: sink.name });
  return { sink, metrics };
}
