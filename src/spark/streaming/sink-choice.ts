import type { Conf, SinkTarget, StreamTarget } from "../../backend.ts";
import type { Connector, Guarantee, OutputMode } from "../../connectors/connector.ts";
import { lookupConnector } from "../../connectors/index.ts";
import { resolveOptions } from "../../connectors/options.ts";
import { type SparkFormat, sparkSink } from "../formats.ts";

/** Who writes a sink of a query on Spark, and what that promises. */
export interface SinkChoice {
  readonly name: string;
  readonly format: string;
  /** `spark`: Spark's own sink, on the cluster. `bridge`: the rows come to this process and go through our sink. */
  readonly by: "spark" | "bridge";
  /** Undefined for a format that only the server knows. */
  readonly guarantee: Guarantee | undefined;
  /** Why, as a clause: "Spark has no sink of that format". */
  readonly reason: string;
}

/** The choice for a whole query: one sink of Spark's own, or all of them behind the bridge. */
export interface SinkChoices {
  readonly by: "spark" | "bridge";
  readonly sinks: readonly SinkChoice[];
  /** The sink as Spark takes it, where `by` is `spark`. */
  readonly native: SparkFormat | undefined;
}

type Lookup = (format: string) => Connector | undefined;

/** What Spark's own sinks promise for a batch that is written again. */
const NATIVE: Readonly<Record<string, Guarantee>> = {
  avro: "exactly-once",
  csv: "exactly-once",
  delta: "exactly-once",
  json: "exactly-once",
  // Spark's producer is neither idempotent across restarts nor transactional
  kafka: "at-least-once",
  memory: "exactly-once",
  noop: "exactly-once",
  orc: "exactly-once",
  parquet: "exactly-once",
  text: "exactly-once",
};

const STRENGTH: Readonly<Record<Guarantee, number>> = { "at-least-once": 0, "by-key": 1, "exactly-once": 2 };

/**
 * Who writes the sinks of a streaming query on Spark. A sole sink that Spark has, with the same promise as ours, is Spark's: the rows stay on
 * the cluster and the query outlives this process. Everything else goes through the bridge. `spark.millrace.bridge.native` names formats,
 * separated by commas, that are left to Spark even so.
 *
 * @throws MillraceError UNKNOWN_OPTION, MISSING_OPTION, INVALID_OPTION, DATA_SOURCE_NOT_FOUND
 * @example
 * chooseSinks({ outputMode: "append", sinks: [{ name: "delta", format: "delta", ... }] }, {}).by // "spark"
 */
export function chooseSinks(
  target: Pick<StreamTarget, "sinks" | "outputMode">,
  conf: Conf,
  lookup: (format: string) => Connector | undefined = lookupConnector,
): SinkChoices {
  const { sinks, outputMode } = target;
  const [sole] = sinks;
  if (sole !== undefined && sinks.length === 1 && sole.foreachBatch === undefined) {
    const native = nativeSink(sole, outputMode, conf, lookup);
    if (typeof native === "object") return { by: "spark", sinks: [native.choice], native: native.format };
    return { by: "bridge", sinks: [bridged(sole, outputMode, native, lookup)], native: undefined };
  }
  const reason = (sink: SinkTarget): string =>
    sink.foreachBatch === undefined
      ? "a query on Spark has one sink, this one has several"
      : "the function runs in this process";
  return {
    by: "bridge",
    sinks: sinks.map((sink) => bridged(sink, outputMode, reason(sink), lookup)),
    native: undefined,
  };
}

/** Spark's own sink for this one, or why not. */
function nativeSink(
  sink: SinkTarget,
  outputMode: OutputMode,
  conf: Conf,
  lookup: Lookup,
): { readonly choice: SinkChoice; readonly format: SparkFormat } | string {
  const connector = lookup(sink.format);
  if (sink.table !== undefined) {
    const format = sparkSink(sink.format, sink.options, undefined) ?? { format: sink.format, options: {}, paths: [] };
    const guarantee = NATIVE[format.format.toLowerCase()];
    return {
      choice: { name: sink.name, format: format.format, by: "spark", guarantee, reason: "a table of the server's" },
      format,
    };
  }
  if (connector !== lookupConnector(sink.format)) return "Spark has no sink of that format";
  const name = connector?.name ?? sink.format;
  const wanted = (conf["spark.millrace.bridge.native"] ?? "").split(",").map((format) => format.trim().toLowerCase());
  const forced = wanted.includes(name.toLowerCase());
  if (name === "console" && !forced) return "it prints where the program runs, not in the server's log";
  const format = sparkSink(sink.format, sink.options, sink.path);
  if (format === undefined) {
    return name in NATIVE ? "Spark's sink does not know its options" : "Spark has no sink of that format";
  }
  const guarantee = NATIVE[name.toLowerCase()];
  const own = guaranteeOf(sink, outputMode, lookup);
  if (!forced && guarantee !== undefined && own !== undefined && STRENGTH[own] > STRENGTH[guarantee]) {
    return `Spark's own sink promises ${guarantee} only`;
  }
  const reason = forced
    ? "spark.millrace.bridge.native leaves it to Spark"
    : connector === undefined
      ? "a format of the server's"
      : "Spark's own sink promises the same";
  return { choice: { name: sink.name, format: name, by: "spark", guarantee, reason }, format };
}

function bridged(sink: SinkTarget, outputMode: OutputMode, reason: string, lookup: Lookup): SinkChoice {
  const format = sink.foreachBatch === undefined ? (lookup(sink.format)?.name ?? sink.format) : "foreachBatch";
  return { name: sink.name, format, by: "bridge", guarantee: guaranteeOf(sink, outputMode, lookup), reason };
}

function guaranteeOf(sink: SinkTarget, outputMode: OutputMode, lookup: Lookup): Guarantee | undefined {
  if (sink.foreachBatch !== undefined) return "at-least-once";
  const connector = lookup(sink.format);
  if (connector?.sink === undefined) return undefined;
  return connector.sink.guarantee(resolveOptions(connector, sink.options, "sink"), outputMode);
}
