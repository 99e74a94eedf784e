import { MillraceError } from "../errors.ts";
import { parseSchemaOrDdl } from "../plan/parse.ts";
import type { StructType } from "../types/data-type.ts";
import { type Infer, type SchemaLike, structOf } from "../types/schema.ts";
import type { SessionContext } from "./context.ts";
import { DataFrame } from "./dataframe.ts";
import { WithOptions } from "./options.ts";

/** Rows of a Kafka source without headers. */
export interface KafkaRow {
  key: Uint8Array | null;
  value: Uint8Array | null;
  topic: string;
  partition: number;
  offset: bigint;
  timestamp: Date;
  timestampType: number;
}
/** Rows of the rate source. */
export interface RateRow {
  timestamp: Date;
  value: bigint;
}
type RowOfFormat<F> =
  Lowercase<F & string> extends "kafka" ? KafkaRow : Lowercase<F & string> extends "rate" ? RateRow : any;

abstract class Reader<R, S extends boolean> extends WithOptions {
  readonly #session: SessionContext;
  readonly #streaming: S;
  #format: string | undefined;
  #schema: StructType | undefined;

  constructor(session: SessionContext, streaming: S) {
    super();
    this.#session = session;
    this.#streaming = streaming;
  }

  protected setFormat(name: string): this {
    this.#format = name;
    return this;
  }
  protected setSchema(schema: SchemaLike | string | StructType): void {
    this.#schema = typeof schema === "string" ? parseSchemaOrDdl(schema) : structOf(schema);
  }
  /** The rows of the source: a plan, nothing is read yet. */
  load(...paths: string[]): DataFrame<R> {
    if (this.#format === undefined && paths.length === 0 && this.given.path === undefined) {
      throw new MillraceError("MISSING_OPTION", "The reader has no format and no path.", {
        hint: 'Write .format("kafka").option(...).load(), or .format("parquet").load(path).',
      });
    }
    const { path, ...options } = this.given;
    return new DataFrame<R>(this.#session, {
      kind: "read",
      format: this.#format ?? "parquet",
      ...(this.#schema && { schema: this.#schema }),
      options,
      paths: paths.length > 0 ? paths : path === undefined ? [] : [path],
      streaming: this.#streaming,
    });
  }
  /** A table or view of the catalog: `table("flights")`, `table("db.flights")`. */
  table(name: string): DataFrame<R> {
    const { path: _, ...options } = this.given;
    return new DataFrame<R>(this.#session, { kind: "named_table", name, options, streaming: this.#streaming });
  }
  /** As `format("parquet").load(...paths)`. */
  parquet(...paths: string[]): DataFrame<R> {
    return this.setFormat("parquet").load(...paths);
  }
  /** As `format("json").load(...paths)`. */
  json(...paths: string[]): DataFrame<R> {
    return this.setFormat("json").load(...paths);
  }
  /** As `format("csv").load(...paths)`. */
  csv(...paths: string[]): DataFrame<R> {
    return this.setFormat("csv").load(...paths);
  }
}

/** Reads a table once. https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/io.html */
export class DataFrameReader<R = any> extends Reader<R, false> {
  constructor(session: SessionContext) {
    super(session, false);
  }
  /** What to read: a name of docs/connectors.md, such as "delta". */
  format<const F extends string>(name: F): DataFrameReader<RowOfFormat<F>> {
    this.setFormat(name);
    return this as DataFrameReader<any>;
  }
  /** The schema to read with; the row type follows it. */
  schema<const S extends SchemaLike>(schema: S): DataFrameReader<Infer<S>>;
  schema(schema: string | StructType): DataFrameReader<any>;
  schema(schema: any): DataFrameReader<any> {
    this.setSchema(schema);
    return this;
  }
  /** As `format("delta").load(path)`. */
  delta(path: string): DataFrame<R> {
    return this.setFormat("delta").load(path);
  }
}

/** Reads a table that grows. */
export class DataStreamReader<R = any> extends Reader<R, true> {
  constructor(session: SessionContext) {
    super(session, true);
  }
  /** What to read: a name of docs/connectors.md, such as "kafka", whose rows are then typed. */
  format<const F extends string>(name: F): DataStreamReader<RowOfFormat<F>> {
    this.setFormat(name);
    return this as DataStreamReader<any>;
  }
  /** The schema to read with; the row type follows it. Sources of files need one. */
  schema<const S extends SchemaLike>(schema: S): DataStreamReader<Infer<S>>;
  schema(schema: string | StructType): DataStreamReader<any>;
  schema(schema: any): DataStreamReader<any> {
    this.setSchema(schema);
    return this;
  }
}
