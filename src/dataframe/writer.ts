import type { BatchTarget } from "../backend.ts";
import { MillraceError, nearest } from "../errors.ts";
import type { DataFrame } from "./dataframe.ts";
import { SinkOptions } from "./options.ts";
import { isStreaming } from "./relations.ts";

const MODES: Readonly<Record<string, BatchTarget["mode"]>> = {
  append: "append",
  overwrite: "overwrite",
  error: "error",
  errorifexists: "error",
  default: "error",
  ignore: "ignore",
};
/** What to do when there is something already. */
export type SaveMode = "append" | "overwrite" | "error" | "errorifexists" | "ignore";

/** Writes a batch DataFrame. https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/io.html */
export class DataFrameWriter<R> extends SinkOptions<keyof R & string> {
  readonly #df: DataFrame<R>;
  #mode: BatchTarget["mode"] = "error";

  constructor(df: DataFrame<R>) {
    super();
    this.#df = df;
  }

  /** What to do when there is something already: append, overwrite, error (default), ignore. */
  mode(mode: SaveMode): this {
    const known = MODES[mode.toLowerCase()];
    if (known === undefined) {
      const near = nearest(mode, Object.keys(MODES));
      throw new MillraceError("INVALID_ARGUMENT", `Unknown save mode "${mode}".`, {
        hint: near ? `Did you mean "${near}"?` : "Use append, overwrite, error or ignore.",
      });
    }
    this.#mode = known;
    return this;
  }

  /** Computes and writes the rows. */
  async save(path?: string): Promise<void> {
    if (isStreaming(this.#df.plan)) {
      throw new MillraceError("UNSUPPORTED_OPERATION", "'write' can not be called on streaming Dataset/DataFrame.", {
        hint: "Use writeStream...start().",
      });
    }
    const target: BatchTarget = {
      format: this.formatName ?? "parquet",
      options: this.given,
      path: path ?? this.given.path,
      mode: this.#mode,
      partitionBy: this.partitions,
    };
    await (await this.#df.session.backend()).write(this.#df.plan, target, this.#df.session.confValues());
  }
  /** As `format("parquet").save(path)`. */
  parquet(path: string): Promise<void> {
    return this.format("parquet").save(path);
  }
  /** As `format("json").save(path)`. */
  json(path: string): Promise<void> {
    return this.format("json").save(path);
  }
  /** As `format("csv").save(path)`. */
  csv(path: string): Promise<void> {
    return this.format("csv").save(path);
  }
  /** As `format("delta").save(path)`. */
  delta(path: string): Promise<void> {
    return this.format("delta").save(path);
  }
}
