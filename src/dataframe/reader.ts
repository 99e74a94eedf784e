import { MillraceError } from "../errors.ts";
import { parseSchemaOrDdl } from "../plan/parse.ts";
import type { StructType } from "../types/data-type.ts";
import { type Infer, type SchemaLike, structOf } from "../types/schema.ts";
import type { SessionContext } from "./context.ts";
import { DataFrame } from "./dataframe.ts";
import { type OptionValue, withOption, withOptions } from "./options.ts";

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
export interface RateRow {
  timestamp: Date;
  value: bigint;
}
type RowOfFormat<F> =
  Lowercase<F & string> extends "kafka" ? KafkaRow : Lowercase<F & string> extends "rate" ? RateRow : any;

abstract class Reader<R, S extends boolean> {
  readonly #session: SessionContext;
  readonly #streaming: S;
  #format: string | undefined;
  #options: Readonly<Record<string, string>> = {};
  #schema: StructType | undefined;

  constructor(session: SessionContext, streaming: S) {
    this.#session = session;
    this.#streaming = streaming;
  }

  protected setFormat(name: string): void {
    this.#format = name;
  }
  protected setSchema(schema: SchemaLike | string | StructType): void {
    this.#schema = typeof schema === "string" ? parseSchemaOrDdl(schema) : structOf(schema);
  }
  option(name: string, value: OptionValue): this {
    this.#options = withOption(this.#options, name, value);
    return this;
  }
  options(options: Readonly<Record<string, OptionValue>>): this {
    this.#options = withOptions(this.#options, options);
    return this;
  }
  /** The rows of the source: a plan, nothing is read yet. */
  load(...paths: string[]): DataFrame<R> {
    if (this.#format === undefined && paths.length === 0 && this.#options.path === undefined) {
      throw new MillraceError("MISSING_OPTION", "The reader has no format and no path.", {
        hint: 'Write .format("kafka").option(...).load(), or .format("parquet").load(path).',
      });
    }
    const { path, ...options } = this.#options;
    return new DataFrame<R>(this.#session, {
      kind: "read",
      format: this.#format ?? "parquet",
      ...(this.#schema && { schema: this.#schema }),
      options,
      paths: paths.length > 0 ? paths : path === undefined ? [] : [path],
      streaming: this.#streaming,
    });
  }
}

/** Reads a table once. https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/io.html */
export class DataFrameReader<R = any> extends Reader<R, false> {
  constructor(session: SessionContext) {
    super(session, false);
  }
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
  parquet(...paths: string[]): DataFrame<R> {
    this.setFormat("parquet");
    return this.load(...paths);
  }
  json(...paths: string[]): DataFrame<R> {
    this.setFormat("json");
    return this.load(...paths);
  }
  csv(...paths: string[]): DataFrame<R> {
    this.setFormat("csv");
    return this.load(...paths);
  }
  delta(path: string): DataFrame<R> {
    this.setFormat("delta");
    return this.load(path);
  }
}

/** Reads a table that grows. */
export class DataStreamReader<R = any> extends Reader<R, true> {
  constructor(session: SessionContext) {
    super(session, true);
  }
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
  parquet(...paths: string[]): DataFrame<R> {
    this.setFormat("parquet");
    return this.load(...paths);
  }
  json(...paths: string[]): DataFrame<R> {
    this.setFormat("json");
    return this.load(...paths);
  }
  csv(...paths: string[]): DataFrame<R> {
    this.setFormat("csv");
    return this.load(...paths);
  }
}
