import type { SinkTarget, StreamTarget } from "../backend.ts";
import type { Connector, Guarantee, OutputMode, SinkFactory, StreamSink } from "../connectors/connector.ts";
import { foreachBatchFactory } from "../connectors/foreach-batch.ts";
import { resolveOptions } from "../connectors/options.ts";
import { MillraceError } from "../errors.ts";
import type { StructType } from "../types/data-type.ts";
import { repeatedColumn } from "../types/repeated-column.ts";
import { hidePasswords } from "../types/secrets.ts";

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
  checkSinkNames(target.sinks);
  checkOutput(schema);
  return target.sinks.map((sink) => resolveSink(sink, target.outputMode, schema, connectorFor));
}

/** Names of options that say where to, in the order in which they are looked for. */
const DESTINATIONS = ["path", "dbtable", "topic", "key", "table"];

/** Where a sink writes to, in a word for people: a folder, a table, a topic. Without secrets. */
export function destinationOf(sink: SinkTarget): string {
  const options = Object.fromEntries(Object.entries(sink.options).map(([name, value]) => [name.toLowerCase(), value]));
  const found = sink.path ?? DESTINATIONS.map((name) => options[name]).find((value) => value !== undefined) ?? "";
  return hidePasswords(found);
}

/** The sinks as a drawing of the query shows them. */
export function plannedSinks(
  target: StreamTarget,
  sinks: readonly { readonly name: string; readonly guarantee: Guarantee | undefined }[],
): {
  readonly name: string;
  readonly format: string;
  readonly destination: string;
  readonly guarantee: Guarantee | null;
}[] {
  return target.sinks.map((sink) => ({
    name: sink.name,
    format: sink.format,
    destination: destinationOf(sink),
    guarantee: sinks.find(({ name }) => name === sink.name)?.guarantee ?? null,
  }));
}

/** There is a sink, and no two have the same name. */
export function checkSinkNames(sinks: readonly SinkTarget[]): void {
  if (sinks.length === 0) throw new MillraceError("INVALID_ARGUMENT", "The query has no sink.");
  const names = new Set<string>();
  for (const { name } of sinks) {
    if (names.has(name)) {
      throw new MillraceError("INVALID_ARGUMENT", `Two sinks of the query are named ${JSON.stringify(name)}.`);
    }
    names.add(name);
  }
}

/** No two columns of the output have the same name. */
export function checkOutput(schema: StructType): void {
  const repeated = repeatedColumn(schema);
  if (repeated === undefined) return;
  throw new MillraceError("COLUMN_ALREADY_EXISTS", `The column \`${repeated}\` already exists in the output.`, {
    hint: "Give each column of the result a name of its own.",
  });
}

/** One sink against the output. */
export function resolveSink(
  sink: SinkTarget,
  outputMode: OutputMode,
  schema: StructType,
  connectorFor: (format: string) => Connector,
): ResolvedSink {
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
  if (!factory.outputModes.includes(outputMode)) {
    const shown = outputMode[0]!.toUpperCase() + outputMode.slice(1);
    throw new MillraceError(
      "STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE",
      `Data source ${format} does not support ${shown} output mode.`,
      {
        hint: `It takes ${factory.outputModes.join(", ")}.`,
        parameters: { className: format, outputMode: shown },
      },
    );
  }
  const { path, partitionBy } = sink;
  factory.validate?.({ options, path, partitionBy, schema, outputMode });
  return {
    name: sink.name,
    format,
    factory,
    options,
    path,
    partitionBy,
    guarantee: factory.guarantee(options, outputMode),
  };
}
