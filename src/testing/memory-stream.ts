import { MemoryBuffer } from "../connectors/memory-stream.ts";
import type { SessionContext } from "../dataframe/context.ts";
import type { DataFrame } from "../dataframe/dataframe.ts";
import { DataStreamReader } from "../dataframe/reader.ts";
import type { SparkSession } from "../session.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { type SchemaLike, structOf } from "../types/schema.ts";

/**
 * A stream whose rows a test adds by hand, Spark's MemoryStream.
 *
 * @example
 * const words = new MemoryStream(schema({ word: t.string }));
 * const query = await words.toDF(spark).groupBy("word").count().writeStream.format("memory").queryName("counts").outputMode("complete").start();
 * words.addData({ word: "a" }, { word: "b" });
 * await query.processAllAvailable();
 */
export class MemoryStream<R = any> {
  readonly #buffer: MemoryBuffer;

  constructor(schema: SchemaLike<R> | StructType) {
    this.#buffer = new MemoryBuffer(structOf(schema));
  }

  /** Adds rows as one step of the stream and gives its offset. */
  addData(...rows: readonly R[]): number {
    return this.#buffer.add(rows as readonly AnyRow[]);
  }

  /** The stream as a DataFrame. `maxBlocksPerTrigger`: the most `addData` calls that one batch takes. */
  toDF(session: SparkSession | SessionContext, options: { readonly maxBlocksPerTrigger?: number } = {}): DataFrame<R> {
    const from = "readStream" in session ? session.readStream : new DataStreamReader(session);
    const reader = from.format("memory-stream").option("id", this.#buffer.id);
    const { maxBlocksPerTrigger } = options;
    if (maxBlocksPerTrigger !== undefined) reader.option("maxBlocksPerTrigger", maxBlocksPerTrigger);
    return reader.load() as DataFrame<R>;
  }
}
