import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Connector, SinkBatch, SinkMarker, SinkResult, StreamSink } from "../connectors/connector.ts";
import { createFile } from "../durable-files.ts";
import { MillraceError } from "../errors.ts";

/** One batch as the ledger keeps it. Values as JSON has them: bigint as text, dates as ISO text, maps as lists of pairs. */
export interface LedgerBatch {
  readonly batchId: number;
  readonly hash: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/**
 * A sink for tests that outlives the process: every batch is one file below `path`, whole or not there. It keeps all the promises of a
 * sink, so what it holds after a crash is what the engine delivered.
 *
 * @example
 * startQuery(df.writeStream.format("ledger").start("/tmp/out"));
 * readLedger("/tmp/out").flatMap((batch) => batch.rows);
 */
export const ledger: Connector = {
  name: "ledger",
  summary: "One file for each batch, for tests of recovery.",
  options: [],
  sink: {
    outputModes: ["append", "update", "complete"],
    guarantee: () => "exactly-once",
    openStream: ({ path, sinkName }) => new LedgerSink(path, sinkName),
  },
};

/** The same sink with the promise that lets a query without state skip staging. */
export const atomicLedger: Connector = {
  ...ledger,
  name: "atomic-ledger",
  sink: { ...ledger.sink!, atomic: true },
};

/** The batches in a ledger, in order. */
export function readLedger(path: string): LedgerBatch[] {
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => /^\d+\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(join(path, name), "utf8")) as LedgerBatch)
    .sort((a, b) => a.batchId - b.batchId);
}

class LedgerSink implements StreamSink {
  readonly description: string;
  readonly #path: string;

  constructor(path: string | undefined, sinkName: string) {
    if (path === undefined) throw new MillraceError("MISSING_OPTION", "The ledger needs a path: start(path).");
    this.#path = path;
    this.description = `Ledger[${sinkName}]`;
    mkdirSync(path, { recursive: true });
  }

  async lastBatch(): Promise<SinkMarker | undefined> {
    const last = readLedger(this.#path).at(-1);
    return last && { batchId: last.batchId, hash: last.hash };
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    const rows: unknown[] = [];
    for await (const chunk of batch.rows()) rows.push(...chunk);
    const content: unknown = { batchId: batch.id, hash: batch.offsetsHash, rows };
    const file = join(this.#path, `${batch.id}.json`);
    if (createFile(file, JSON.stringify(content, plain))) return {};
    const held = JSON.parse(readFileSync(file, "utf8")) as LedgerBatch;
    if (held.hash !== batch.offsetsHash) {
      throw new MillraceError("CHECKPOINT_DIVERGED", `The ledger ${this.#path} holds another batch ${batch.id}.`);
    }
    return {};
  }

  async close(): Promise<void> {}
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Map) return [...value];
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return value;
}
