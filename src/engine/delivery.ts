import type { StreamSink } from "../connectors/connector.ts";
import type { Connection } from "../duckdb/duckdb.ts";
import { createSinkBatch } from "../duckdb/stored-batch.ts";
import { publish } from "../events.ts";
import type { BatchOutcome } from "./batch-runner.ts";
import type { QuerySetup, ResolvedSink } from "./query-setup.ts";
import type { QueryState } from "./query-state.ts";

export interface OpenSink extends ResolvedSink {
  readonly sink: StreamSink;
}

/** A sink that has taken a batch, and what it says of it. */
export interface Delivered {
  readonly sink: OpenSink;
  readonly metrics: Readonly<Record<string, string>> | undefined;
}

/** Hands the rows of a batch to all sinks of a query, at the same time. */
export class Delivery {
  readonly #setup: QuerySetup;
  readonly #sinks: readonly OpenSink[];
  readonly #state: QueryState;
  readonly #staged: boolean;
  /** Connections that read stored rows, for the next to ask. */
  readonly #readers: Connection[] = [];

  constructor(setup: QuerySetup, sinks: readonly OpenSink[], state: QueryState, staged: boolean) {
    this.#setup = setup;
    this.#sinks = sinks;
    this.#state = state;
    this.#staged = staged;
  }

  /** Resolves when every sink has taken the batch; throws the first failure once all have answered. */
  async deliver(batch: BatchIdentity, outcome: BatchOutcome): Promise<readonly Delivered[]> {
    const results = await Promise.allSettled(this.#sinks.map((sink) => this.#toSink(sink, batch, outcome)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return results.filter((result) => result.status === "fulfilled").map((result) => result.value);
  }

  async #toSink(sink: OpenSink, batch: BatchIdentity, outcome: BatchOutcome): Promise<Delivered> {
    const { queryId, schema, target } = this.#setup;
    publish("batch.step", { queryId, batchId: batch.id, step: "sink-before", sink: sink.name });
    const { metrics } = await sink.sink.addBatch(
      createSinkBatch({
        // rows in TEMP tables are only seen by the connection that made them; stored rows are read beside it
        acquire: async () =>
          this.#staged ? (this.#readers.pop() ?? (await this.#state.database.connect())) : this.#state.connection,
        release: (reader) => {
          if (this.#staged) this.#readers.push(reader);
        },
        from: outcome.outputSql === undefined ? "output" : `(${outcome.outputSql})`,
        schema,
        id: batch.id,
        queryId,
        sinkName: sink.name,
        offsetsHash: batch.hash,
        timestampMs: batch.timestampMs,
        outputMode: target.outputMode,
        rowCount: outcome.outputRows,
      }),
    );
    publish("batch.step", { queryId, batchId: batch.id, step: "sink-after", sink: sink.name });
    return { sink, metrics };
  }
}

export interface BatchIdentity {
  readonly id: number;
  /** SHA-256 of `offsets/N`. */
  readonly hash: string;
  readonly timestampMs: number;
}
