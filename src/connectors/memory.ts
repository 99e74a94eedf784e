import { MillraceError } from "../errors.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import type { Connector, SinkBatch, SinkMarker, SinkResult, StreamSink, StreamSinkRequest } from "./connector.ts";

/** The rows that a query with the memory sink has delivered so far. */
export interface MemoryTable {
  readonly name: string;
  readonly schema: StructType;
  readonly rows: readonly AnyRow[];
}

interface StoredTable extends MemoryTable {
  readonly queryId: string;
  marker: SinkMarker | undefined;
  rows: AnyRow[];
}

const tables = new Map<string, StoredTable>();

/**
 * The table of the memory sink of the query named `name` (Spark's `spark.table(name)` for such a query), or undefined.
 *
 * @example memoryTable("counts")?.rows // [{ word: "a", count: 2n }]
 */
export function memoryTable(name: string): MemoryTable | undefined {
  return tables.get(name);
}

/** Forgets a table, as `DROP VIEW` would. */
export function dropMemoryTable(name: string): void {
  tables.delete(name);
}

/**
 * Spark's `memory` sink: keeps the rows in this process, as a table named like the query. In complete mode each batch replaces the
 * table, else it is added.
 */
export const memory: Connector = {
  name: "memory",
  summary: "Keeps rows in this process as a table named like the query, for tests and trying things out.",
  options: [],
  sink: {
    outputModes: ["append", "update", "complete"],
    guarantee: () => "exactly-once",
    durability: "process",
    openStream: (request) => new MemorySink(request),
  },
};

class MemorySink implements StreamSink {
  readonly description = "MemorySink";
  readonly #table: StoredTable;
  readonly #replace: boolean;

  constructor(request: StreamSinkRequest) {
    const name = request.sole ? request.queryName : request.queryName && `${request.queryName}_${request.sinkName}`;
    if (name === null || name === "") {
      throw new MillraceError("MISSING_OPTION", "The memory sink needs a query name: it is the name of its table.", {
        hint: 'Call .queryName("...") before .start().',
      });
    }
    this.#replace = request.outputMode === "complete";
    const known = tables.get(name);
    if (known !== undefined && known.queryId === request.queryId) {
      this.#table = known;
      return;
    }
    this.#table = { name, queryId: request.queryId, schema: request.schema, rows: [], marker: undefined };
    tables.set(name, this.#table);
  }

  async lastBatch(): Promise<SinkMarker | undefined> {
    return this.#table.marker;
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    const { marker } = this.#table;
    if (marker !== undefined && batch.id <= marker.batchId) {
      if (batch.id === marker.batchId && marker.hash !== batch.offsetsHash) {
        throw new MillraceError(
          "CHECKPOINT_DIVERGED",
          `The memory table ${this.#table.name} holds another batch ${batch.id} of this query.`,
        );
      }
      return {};
    }
    const rows: AnyRow[] = [];
    for await (const chunk of batch.rows()) rows.push(...chunk);
    // one step without an await: a reader never sees half a batch
    if (this.#replace) this.#table.rows = rows;
    else this.#table.rows = this.#table.rows.concat(rows);
    this.#table.marker = { batchId: batch.id, hash: batch.offsetsHash };
    return {};
  }

  async close(): Promise<void> {}
}
