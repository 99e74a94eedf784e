import { MillraceError } from "../errors.ts";
import type { AnyRow } from "../types/data-type.ts";
import type { SinkBatch, SinkFactory, SinkResult, StreamSink } from "./connector.ts";

/**
 * Spark's `foreachBatch`: a function of the user's gets the rows of every batch and the batch's number. At least once: after a crash it
 * may get a batch again, with the same number and the same rows.
 */
export function foreachBatchFactory(fn: (rows: readonly AnyRow[], batchId: number) => unknown): SinkFactory {
  return {
    outputModes: ["append", "update", "complete"],
    guarantee: () => "at-least-once",
    durability: "temporary",
    openStream: () => new ForeachBatchSink(fn),
  };
}

class ForeachBatchSink implements StreamSink {
  readonly description = "ForeachBatchSink";
  readonly #fn: (rows: readonly AnyRow[], batchId: number) => unknown;

  constructor(fn: (rows: readonly AnyRow[], batchId: number) => unknown) {
    this.#fn = fn;
  }

  async lastBatch(): Promise<undefined> {
    return undefined;
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    const rows: AnyRow[] = [];
    for await (const chunk of batch.rows()) rows.push(...chunk);
    try {
      await this.#fn(rows, batch.id);
    } catch (error) {
      // an error of ours says itself whether trying again may help
      if (error instanceof MillraceError) throw error;
      throw new MillraceError(
        "USER_FUNCTION_FAILED",
        `The function given to foreachBatch failed for batch ${batch.id}: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
    return {};
  }

  async close(): Promise<void> {}
}
