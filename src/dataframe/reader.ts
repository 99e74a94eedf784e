import { MillraceError } from "../errors.ts";
import { kafkaParams } from "../plan/kafka-params.ts";
import { parseSchemaOrDdl } from "../plan/parse.ts";
import type { RelationNode } from "../plan/relation.ts";
import type { StructType } from "../types/data-type.ts";
import { type Infer, type SchemaLike, structOf } from "../types/schema.ts";
import type { SessionContext } from "./context.ts";
import { DataFrame } from "./dataframe.ts";
import type { WithReaderOptions } from "./deserializers.ts";
import { OptionsBase, type OptionValue } from "./options.ts";

/** Rows of a Kafka source without headers and deserializers. */
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
type RowOfFormat<F, O> =
  Lowercase<F & string> extends "kafka"
    ? WithReaderOptions<KafkaRow, O>
    : Lowercase<F & string> extends "rate"
      ? RateRow
      : any;
/** What an option may be: a deserializer of Kafka's also as the class or function of that name. */
export type ReaderOption = OptionValue | { readonly name: string };
type OptionsOf<N extends string, V> = string extends N ? unknown : { readonly [K in N]: V };

abstract class Reader<R, S extends boolean> extends OptionsBase {
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
  /** A deserializer may be given by its class, whose name counts; a function that has its name from the option itself has none of its own. */
  protected override setOption(name: string, value: ReaderOption): this {
    const named = typeof value === "function" && /\.deserializer$/i.test(name) ? (value as { name: string }).name : "";
    return super.setOption(name, named !== "" && named !== name ? named : (value as OptionValue));
  }
  protected setOptions(options: Readonly<Record<string, ReaderOption>>): this {
    for (const [name, value] of Object.entries(options)) this.setOption(name, value);
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
    const read = (options: Readonly<Record<string, string>>): RelationNode => ({
      kind: "read",
      format: this.#format ?? "parquet",
      ...(this.#schema && { schema: this.#schema }),
      options,
      paths: paths.length > 0 ? paths : path === undefined ? [] : [path],
      streaming: this.#streaming,
    });
    if (this.#format?.toLowerCase() !== "kafka") return new DataFrame<R>(this.#session, read(options));
    const kafka = kafkaParams(options, this.#streaming ? "stream" : "batch");
    const records = new DataFrame<R>(this.#session, read(kafka.options));
    if (kafka.columns.length === 0) return records;
    return new DataFrame<R>(this.#session, { kind: "with_columns", input: records.plan, columns: kafka.columns });
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
export class DataFrameReader<R = any, O = unknown> extends Reader<R, false> {
  constructor(session: SessionContext) {
    super(session, false);
  }
  /**
   * Sets an option; its name is matched without regard to case, the last value stands. A source of Kafka takes a consumer's own settings
   * too, such as `key.deserializer`, whose types the rows follow (docs/connectors.md). Throws INVALID_OPTION.
   */
  option<const N extends string, const V extends ReaderOption>(
    name: N,
    value: V,
  ): DataFrameReader<WithReaderOptions<R, OptionsOf<N, V>>, O & OptionsOf<N, V>> {
    return this.setOption(name, value) as DataFrameReader<any, any>;
  }
  /** Sets several options. */
  options<const P extends Readonly<Record<string, ReaderOption>>>(
    options: P,
  ): DataFrameReader<WithReaderOptions<R, P>, O & P> {
    return this.setOptions(options) as DataFrameReader<any, any>;
  }
  /** What to read: a name of docs/connectors.md, such as "delta". */
  format<const F extends string>(name: F): DataFrameReader<RowOfFormat<F, O>, O> {
    this.setFormat(name);
    return this as DataFrameReader<any>;
  }
  /** The schema to read with; the row type follows it. */
  schema<const S extends SchemaLike>(schema: S): DataFrameReader<Infer<S>, O>;
  schema(schema: string | StructType): DataFrameReader<any, O>;
  schema(schema: any): DataFrameReader<any, O> {
    this.setSchema(schema);
    return this;
  }
  /** As `format("delta").load(path)`. */
  delta(path: string): DataFrame<R> {
    return this.setFormat("delta").load(path);
  }
}

/** Reads a table that grows. */
export class DataStreamReader<R = any, O = unknown> extends Reader<R, true> {
  constructor(session: SessionContext) {
    super(session, true);
  }
  /**
   * Sets an option; its name is matched without regard to case, the last value stands. A source of Kafka takes a consumer's own settings
   * too, such as `key.deserializer`, whose types the rows follow (docs/connectors.md). Throws INVALID_OPTION.
   */
  option<const N extends string, const V extends ReaderOption>(
    name: N,
    value: V,
  ): DataStreamReader<WithReaderOptions<R, OptionsOf<N, V>>, O & OptionsOf<N, V>> {
    return this.setOption(name, value) as DataStreamReader<any, any>;
  }
  /** Sets several options. */
  options<const P extends Readonly<Record<string, ReaderOption>>>(
    options: P,
  ): DataStreamReader<WithReaderOptions<R, P>, O & P> {
    return this.setOptions(options) as DataStreamReader<any, any>;
  }
  /** What to read: a name of docs/connectors.md, such as "kafka", whose rows are then typed. */
  format<const F extends string>(name: F): DataStreamReader<RowOfFormat<F, O>, O> {
    this.setFormat(name);
    return this as DataStreamReader<any>;
  }
  /** The schema to read with; the row type follows it. Sources of files need one. */
  schema<const S extends SchemaLike>(schema: S): DataStreamReader<Infer<S>, O>;
  schema(schema: string | StructType): DataStreamReader<any, O>;
  schema(schema: any): DataStreamReader<any, O> {
    this.setSchema(schema);
    return this;
  }
}
