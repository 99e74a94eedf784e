import type { StreamTarget } from "../backend.ts";
import type { Connector, Guarantee, SinkFactory, StreamSink } from "../connectors/connector.ts";
import { foreachBatchFactory } from "../connectors/foreach-batch.ts";
import { resolveOptions } from "../connectors/options.ts";
import { MillraceError } from "../errors.ts";
import type { StructType } from "../types/data-type.ts";

/** A sink of a query after its options are checked. */
export interface ResolvedSink {
  readonly name: string;
  readonly format: string;
  readonly factory: SinkFactory;
  readonly options: Readonly<Record<string, string>>;
  readonly path: string | undefined;
  readonly partitionBy: readonly string[];
  readonly guarantee: Guarantee;
}

export interface OpenSink extends ResolvedSink {
  readonly sink: StreamSink;
}

/**
 * Checks the sinks of a query and its output schema against each other, before anything is opened.
 *
 * @throws MillraceError INVALID_ARGUMENT, COLUMN_ALREADY_EXISTS, UNSUPPORTED_FEATURE, STREAMING_OUTPUT_MODE.*, what `connectorFor` throws, and what
 * options and schema are refused with
 */
export function resolveSinks(
  target: StreamTarget,
  schema: StructType,
  connectorFor: (format: string) => Connector,
): ResolvedSink[] {
  if (target.sinks.length === 0) throw new MillraceError("INVALID_ARGUMENT", "The query has no sink.");
  const names = new Set<string>();
  const columns = new Set<string>();
  for (const { name } of schema.fields) {
    if (columns.has(name.toLowerCase())) {
      throw new MillraceError("COLUMN_ALREADY_EXISTS", `The column \`${name}\` already exists in the output.`, {
        hint: "Give each column of the result a name of its own.",
      });
    }
    columns.add(name.toLowerCase());
  }
  return target.sinks.map((sink) => {
    if (names.has(sink.name)) {
      throw new MillraceError("INVALID_ARGUMENT", `Two sinks of the query are named ${JSON.stringify(sink.name)}.`);
    }
    names.add(sink.name);
    let factory: SinkFactory | undefined;
    let options: Readonly<Record<string, string>> = {};
    let format = sink.format;
    if (sink.foreachBatch !== undefined) {
      factory = foreachBatchFactory(sink.foreachBatch);
    } else {
      const connector = connectorFor(sink.format);
      format = connector.name;
      factory = connector.sink;
      if (factory?.openStream === undefined) {
        throw new MillraceError("UNSUPPORTED_FEATURE", `The format ${connector.name} cannot be written as a stream.`);
      }
      options = resolveOptions(connector, sink.options, "sink");
    }
    if (!factory.outputModes.includes(target.outputMode)) {
      const outputMode = target.outputMode[0]!.toUpperCase() + target.outputMode.slice(1);
      throw new MillraceError(
        "STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE",
        `Data source ${format} does not support ${outputMode} output mode.`,
        {
          hint: `It takes ${factory.outputModes.join(", ")}.`,
          parameters: { className: format, outputMode },
        },
      );
    }
    const { path, partitionBy } = sink;
    factory.validate?.({ options, path, partitionBy, schema, outputMode: target.outputMode });
    const guarantee = factory.guarantee(options, target.outputMode);
    return { name: sink.name, format, factory, options, path, partitionBy, guarantee };
  });
}
