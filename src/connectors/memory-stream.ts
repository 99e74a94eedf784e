import { randomUUID } from "node:crypto";
import { MillraceError } from "../errors.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import type { BatchInput, Connector, Offset, OffsetAdvance, ReadLimit, StreamSource } from "./connector.ts";

const buffers = new Map<string, MemoryBuffer>();

/**
 * Rows that a test adds while a query reads them, Spark's MemoryStream. Offsets are Spark's: each `add` is one step, the first is 0, and
 * a query starts at -1. It can be read from the start by any number of queries, in this process only.
 */
export class MemoryBuffer {
  readonly id = randomUUID();
  readonly schema: StructType;
  readonly #blocks: (readonly AnyRow[])[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(schema: StructType) {
    this.schema = schema;
    buffers.set(this.id, this);
  }

  /** Adds rows and gives the offset that holds them. */
  add(rows: readonly AnyRow[]): number {
    this.#blocks.push([...rows]);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    return this.#blocks.length - 1;
  }

  /** The offset of the last `add`, -1 before the first. */
  get latest(): number {
    return this.#blocks.length - 1;
  }

  /** The rows after `start` up to and with `end`. */
  between(start: number, end: number): readonly (readonly AnyRow[])[] {
    return this.#blocks.slice(start + 1, end + 1);
  }

  /** Resolves with the next `add`. */
  next(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener("abort", done, { once: true });
      this.#waiting.add(done);
    });
  }
}

/** The source behind `MemoryStream` (millrace/testing). */
export const memoryStream: Connector = {
  name: "memory-stream",
  summary: "Rows added by a test while the query runs.",
  options: [
    { name: "id", for: ["source"], type: "string", required: true, doc: "The stream's id." },
    { name: "maxBlocksPerTrigger", for: ["source"], type: "int", doc: "The most `add`s that one batch takes." },
  ],
  source: {
    fixedSchema: true,
    schema: ({ options }) => bufferOf(options.id).schema,
    openStream: ({ options }) => {
      const max = options.maxBlocksPerTrigger;
      return new MemoryStreamSource(bufferOf(options.id), max === undefined ? Number.POSITIVE_INFINITY : Number(max));
    },
  },
};

function bufferOf(id: string | undefined): MemoryBuffer {
  const buffer = buffers.get(id ?? "");
  if (buffer === undefined) {
    throw new MillraceError("INVALID_OPTION", `There is no memory stream ${JSON.stringify(id)} in this process.`, {
      hint: "Make one with `new MemoryStream(...)` and read it with its toDF().",
    });
  }
  return buffer;
}

class MemoryStreamSource implements StreamSource {
  readonly description: string;
  readonly #buffer: MemoryBuffer;
  readonly #maxBlocks: number;
  #frozen: number | undefined;

  constructor(buffer: MemoryBuffer, maxBlocks: number) {
    this.#buffer = buffer;
    this.#maxBlocks = maxBlocks;
    this.description = `MemoryStream[${buffer.schema.fields.map((field) => field.name).join(",")}]`;
  }

  async initialOffset(): Promise<Offset> {
    return -1;
  }

  async latestOffset(start: Offset, limit: ReadLimit): Promise<OffsetAdvance> {
    const latest = Math.max(Number(start), this.#frozen ?? this.#buffer.latest);
    const end = limit === "all" ? latest : Math.min(latest, Number(start) + this.#maxBlocks);
    return { end, latest };
  }

  async read(start: Offset, end: Offset): Promise<BatchInput> {
    const blocks = this.#buffer.between(Number(start), Number(end));
    return { kind: "rows", rowCount: blocks.reduce((sum, block) => sum + block.length, 0), rows: blocks };
  }

  async waitForData(start: Offset, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || (this.#frozen === undefined && this.#buffer.latest > Number(start))) return;
    await this.#buffer.next(timeoutMs, signal);
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#frozen = this.#buffer.latest;
  }

  async close(): Promise<void> {}
}
