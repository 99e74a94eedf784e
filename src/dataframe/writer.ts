import type { BatchTarget, TableTarget } from "../backend.ts";
import { MillraceError, nearest } from "../errors.ts";
import { fromCall } from "../plan/site.ts";
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
    refuseStream(this.#df);
    const target: BatchTarget = {
      format: this.formatName ?? "parquet",
      options: this.given,
      path: path ?? this.given.path,
      mode: this.#mode,
      partitionBy: this.partitions,
    };
    const { session, plan } = this.#df;
    await fromCall(async () => (await session.backend()).write(plan, target, session.confValues()));
  }
  /**
   * Computes the rows and writes them as a table, matched by name where it is there already (append). Its format is the one given, or
   * `spark.sql.sources.default` (parquet); with the option `path` the table is external: dropping it leaves its files.
   * Throws TABLE_OR_VIEW_ALREADY_EXISTS.
   */
  async saveAsTable(name: string): Promise<void> {
    await this.#table(name, "save_as_table", this.#mode);
  }
  /** Adds the rows to a table by position; `mode("overwrite")`, or `true`, puts them in the place of its rows. Throws TABLE_OR_VIEW_NOT_FOUND. */
  async insertInto(name: string, overwrite?: boolean): Promise<void> {
    const replace = overwrite ?? this.#mode === "overwrite";
    await this.#table(name, "insert_into", replace ? "overwrite" : "append");
  }
  async #table(name: string, method: TableTarget["method"], mode: BatchTarget["mode"]): Promise<void> {
    refuseStream(this.#df);
    const { path, ...options } = this.given;
    const { session, plan } = this.#df;
    const table = { name, method, mode, format: this.formatName, path, options, partitionBy: this.partitions };
    await fromCall(async () => (await session.backend()).catalog.writeTable(plan, table, session.confValues()));
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

/** Writes to a table by what is to become of it. https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/api/pyspark.sql.DataFrameWriterV2.html */
export class DataFrameWriterV2<R> {
  readonly #df: DataFrame<R>;
  readonly #name: string;
  #format: string | undefined;
  #options: Record<string, string> = {};
  #partitions: string[] = [];

  constructor(df: DataFrame<R>, name: string) {
    this.#df = df;
    this.#name = name;
  }

  /** The format of a new table. */
  using(provider: string): this {
    this.#format = provider;
    return this;
  }
  /** An option of the format. */
  option(name: string, value: string | number | boolean): this {
    this.#options[name] = String(value);
    return this;
  }
  /** Several options. */
  options(options: Readonly<Record<string, string | number | boolean>>): this {
    for (const [name, value] of Object.entries(options)) this.option(name, value);
    return this;
  }
  /** The columns that a new table is partitioned by. */
  partitionedBy(...columns: (keyof R & string)[]): this {
    this.#partitions = columns;
    return this;
  }

  /** Makes the table of these rows. Throws TABLE_OR_VIEW_ALREADY_EXISTS. */
  create(): Promise<void> {
    return this.#write("error");
  }
  /** Puts these rows, with their columns, in the place of the table. Throws TABLE_OR_VIEW_NOT_FOUND. */
  async replace(): Promise<void> {
    await this.#there();
    await this.#write("overwrite");
  }
  /** `create`, or `replace` where the table is there. */
  createOrReplace(): Promise<void> {
    return this.#write("overwrite");
  }
  /** Adds these rows, matched by name. Throws TABLE_OR_VIEW_NOT_FOUND. */
  async append(): Promise<void> {
    await this.#there();
    await this.#write("append");
  }

  async #there(): Promise<void> {
    const { session } = this.#df;
    const conf = session.confValues();
    await session.command((engine) => engine.catalog.ask({ kind: "getTable", tableName: this.#name }, conf));
  }

  async #write(mode: BatchTarget["mode"]): Promise<void> {
    refuseStream(this.#df);
    const { session, plan } = this.#df;
    const { path, ...options } = this.#options;
    await (await session.backend()).catalog.writeTable(
      plan,
      {
        name: this.#name,
        method: "save_as_table",
        mode,
        format: this.#format,
        path,
        options,
        partitionBy: this.#partitions,
      },
      session.confValues(),
    );
  }
}

function refuseStream(df: DataFrame<any>): void {
  if (!isStreaming(df.plan, df.session.views)) return;
  throw new MillraceError("UNSUPPORTED_OPERATION", "'write' can not be called on streaming Dataset/DataFrame.", {
    hint: "Use writeStream...start().",
  });
}
