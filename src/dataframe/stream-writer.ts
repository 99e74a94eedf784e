import type { SinkTarget, StreamingQueryHandle, Trigger as TriggerSpec } from "../backend.ts";
import type { OutputMode } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";
import { parseIntervalMicros } from "../plan/interval.ts";
import { fromCall } from "../plan/site.ts";
import type { DataFrame } from "./dataframe.ts";
import { type OptionValue, SinkOptions } from "./options.ts";
import { isStreaming } from "./relations.ts";
import { forScript } from "./value-modes.ts";

/** Triggers by their names in Scala; the same as the objects, `trigger({ processingTime: "2 seconds" })`. */
export const Trigger = Object.freeze({
  ProcessingTime: (interval: string | number): TriggerOptions => ({ processingTime: interval }),
  AvailableNow: (): TriggerOptions => ({ availableNow: true }),
  Once: (): TriggerOptions => ({ once: true }),
});

/** A sink of several, `sink("db", (s) => s.format("postgres").option("dbtable", "delays"))`. */
export class SinkBuilder extends SinkOptions<string> {
  "~build"(name: string): SinkTarget {
    const { path, ...options } = this.given;
    return { name, format: this.formatName ?? name, options, path, partitionBy: this.partitions };
  }
}

/** When batches run; an interval is text ("10 seconds") or milliseconds. */
export type TriggerOptions =
  | { readonly processingTime: string | number }
  | { readonly availableNow: true }
  | { readonly once: true };

/**
 * Starts a streaming query. https://spark.apache.org/docs/latest/api/python/reference/pyspark.ss/api/pyspark.sql.streaming.DataStreamWriter.html
 *
 * One query may have several sinks, `.sink("db", "postgres", {...}).sink("cache", "redis", {...})`: each batch goes to all of them.
 */
export class DataStreamWriter<R> extends SinkOptions<keyof R & string> {
  readonly #df: DataFrame<R>;
  #outputMode: OutputMode = "append";
  #trigger: TriggerSpec = { kind: "default" };
  #queryName: string | null = null;
  #foreachBatch: SinkTarget["foreachBatch"];
  readonly #sinks: SinkTarget[] = [];

  constructor(df: DataFrame<R>) {
    super();
    this.#df = df;
  }

  /** append: rows that are final (default); update: rows that changed; complete: the whole result, each batch. */
  outputMode(mode: OutputMode): this {
    const m = String(mode).toLowerCase();
    if (m !== "append" && m !== "update" && m !== "complete") {
      throw new MillraceError("STREAMING_OUTPUT_MODE.INVALID", `Invalid streaming output mode: ${mode}.`, {
        hint: "Use append, update or complete.",
        parameters: { outputMode: String(mode) },
      });
    }
    this.#outputMode = m;
    return this;
  }
  /** When batches run: as soon as there is data (default), at an interval, or once over what is there (`availableNow`). */
  trigger(trigger: TriggerOptions): this {
    this.#trigger = triggerOf(trigger);
    return this;
  }
  /** The query's name in progress events, in `spark.streams`, and of the table of the memory sink. */
  queryName(name: string): this {
    if (name.trim() === "") throw new MillraceError("INVALID_ARGUMENT", "The name of a query cannot be empty.");
    this.#queryName = name;
    return this;
  }

  /**
   * Adds a sink with a name of its own, by which it remembers its batches: `sink("db", "postgres", { dbtable: "delays" })`, or
   * `sink("db", (s) => s.format("postgres").option("dbtable", "delays"))`. The format defaults to the name.
   */
  sink(name: string, format?: string, options?: Readonly<Record<string, OptionValue>>): this;
  sink(name: string, build: (sink: SinkBuilder) => SinkBuilder): this;
  sink(
    name: string,
    format: string | ((sink: SinkBuilder) => SinkBuilder) = name,
    options: Readonly<Record<string, OptionValue>> = {},
  ): this {
    if (this.#sinks.some((s) => s.name === name)) throw twoSinks(name);
    const empty = new SinkBuilder();
    const sink = typeof format === "function" ? format(empty) : empty.format(format).options(options);
    this.#sinks.push(sink["~build"](name));
    return this;
  }

  /**
   * Calls a function with each batch's rows and its id. After a failure the same batch comes again with the same rows and id: the
   * function must make writing twice harmless.
   */
  foreachBatch(fn: (rows: readonly R[], batchId: number) => unknown): this {
    if (typeof fn !== "function") {
      throw new MillraceError("INVALID_ARGUMENT", `foreachBatch needs a function, not ${typeof fn}.`);
    }
    this.#foreachBatch = fn as NonNullable<SinkTarget["foreachBatch"]>;
    this.formatName = "foreachBatch";
    return this;
  }

  /** Starts the query; resolves when it runs. */
  async start(path?: string): Promise<StreamingQueryHandle> {
    return fromCall(() => this.#start(path));
  }
  /** Starts the query into a table, which is made where it is not there: `format("delta").toTable("flights")`. */
  async toTable(name: string): Promise<StreamingQueryHandle> {
    return fromCall(() => this.#start(undefined, name));
  }

  async #start(path: string | undefined, table?: string): Promise<StreamingQueryHandle> {
    if (!isStreaming(this.#df.plan, this.#df.session.views)) {
      throw new MillraceError(
        "UNSUPPORTED_OPERATION",
        "'writeStream' can be called only on streaming Dataset/DataFrame.",
        {
          hint: "Start from spark.readStream, or use df.write.",
        },
      );
    }
    const { checkpointLocation, ...options } = this.#split();
    const sinks = [...this.#sinks];
    if (this.formatName !== undefined || sinks.length === 0) {
      const format = this.formatName ?? this.#df.session.confValues()["spark.sql.sources.default"] ?? "parquet";
      sinks.unshift({
        name: format,
        format,
        options: options.rest,
        path: path ?? options.path,
        partitionBy: this.partitions,
        ...(table !== undefined && { table }),
        ...(this.#foreachBatch && { foreachBatch: this.#foreachBatch }),
      });
      if (sinks.some((s, i) => i > 0 && s.name === format)) {
        throw twoSinks(format);
      }
    }
    const { session, plan } = this.#df;
    const backend = await session.backend();
    const query = await backend.stream(
      this.#foreachBatch && sinks.length === 1 ? forScript(plan, session.views) : plan,
      {
        queryName: this.#queryName,
        outputMode: this.#outputMode,
        trigger: this.#trigger,
        checkpointLocation,
        sinks,
      },
      session.confValues(),
    );
    session.register(query);
    return query;
  }

  #split(): { checkpointLocation: string | undefined; path: string | undefined; rest: Record<string, string> } {
    let checkpointLocation: string | undefined;
    let path: string | undefined;
    const rest: Record<string, string> = {};
    for (const [name, value] of Object.entries(this.given)) {
      if (name.toLowerCase() === "checkpointlocation") checkpointLocation = value;
      else if (name.toLowerCase() === "path") path = value;
      else rest[name] = value;
    }
    return { checkpointLocation, path, rest };
  }
}

function twoSinks(name: string): MillraceError {
  return new MillraceError("INVALID_ARGUMENT", `The query has two sinks with the name "${name}".`, {
    hint: "Give each sink a name of its own: the name is what it remembers its batches by.",
  });
}

function triggerOf(t: TriggerOptions): TriggerSpec {
  const given = Object.keys(t);
  if (given.length !== 1) {
    throw new MillraceError("INVALID_ARGUMENT", "A trigger is one of processingTime, availableNow, once.");
  }
  if ("processingTime" in t) {
    const intervalMs =
      typeof t.processingTime === "number"
        ? t.processingTime
        : Number(parseIntervalMicros(t.processingTime, "processing time of the trigger") / 1000n);
    if (!(intervalMs >= 0)) {
      throw new MillraceError(
        "INVALID_ARGUMENT",
        `The processing time of the trigger is negative: ${t.processingTime}.`,
      );
    }
    return intervalMs === 0 ? { kind: "default" } : { kind: "processing_time", intervalMs };
  }
  if ("availableNow" in t && t.availableNow === true) return { kind: "available_now" };
  if ("once" in t && t.once === true) return { kind: "once" };
  throw new MillraceError("INVALID_ARGUMENT", `Unknown trigger ${JSON.stringify(t)}.`, {
    hint: 'Write { processingTime: "10 seconds" }, { availableNow: true } or { once: true }.',
  });
}
