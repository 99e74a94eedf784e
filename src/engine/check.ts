import type { BatchTarget, Conf, StreamTarget } from "../backend.ts";
import { connectorFor, resolveOptions } from "../connectors/index.ts";
import { MillraceError } from "../errors.ts";
import { catalog } from "../functions/index.ts";
import { schemaOf } from "../plan/analyze.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { checkBatch, checkStreaming } from "../plan/streaming-rules.ts";
import { walkResolved } from "../plan/walk.ts";
import { durableSink, needsCheckpoint } from "../streaming/checkpoint.ts";
import { streamConf } from "../streaming/conf.ts";
import { checkOutput, checkSinkNames, type ResolvedSink, resolveSink } from "../streaming/sinks.ts";

/** What the embedded engine would say to a query. */
export interface EmbeddedCheck {
  readonly refusals: readonly unknown[];
  /** By the sink's name. */
  readonly guarantees: Readonly<Record<string, string>>;
}

/** Every check that `stream` makes before it opens anything, each on its own, so that all faults are told at once. Pure. */
export function checkStream(plan: ResolvedRelation, target: StreamTarget, conf: Conf): EmbeddedCheck {
  const refusals: unknown[] = [];
  const guarantees: Record<string, string> = {};
  const attempt = (f: () => void): void => {
    try {
      f();
    } catch (error) {
      refusals.push(error);
    }
  };
  attempt(() => checkStreaming(plan, target.outputMode, catalog));
  attempt(() => checkSources(plan));
  const schema = schemaOf(plan);
  attempt(() => checkSinkNames(target.sinks));
  attempt(() => checkOutput(schema));
  const sinks: ResolvedSink[] = [];
  for (const sink of target.sinks) {
    attempt(() => {
      const resolved = resolveSink(sink, target.outputMode, schema, connectorFor);
      sinks.push(resolved);
      guarantees[sink.name] = resolved.guarantee;
    });
  }
  attempt(() => {
    const durable = durableSink(sinks);
    const checkpoint = target.checkpointLocation ?? streamConf(conf).checkpointRoot;
    if (checkpoint === undefined && durable !== undefined) throw needsCheckpoint(durable);
  });
  return { refusals, guarantees };
}

/** The same for `write`. Pure. */
export function checkWrite(plan: ResolvedRelation, target: BatchTarget): EmbeddedCheck {
  try {
    checkBatch(plan, "'write' can not be called on a streaming DataFrame.");
    checkSources(plan);
    const connector = connectorFor(target.format);
    const options = resolveOptions(connector, target.options, "sink");
    if (connector.sink?.writeBatch === undefined) {
      throw new MillraceError("UNSUPPORTED_OPERATION", `Format \`${connector.name}\` cannot be written by df.write.`);
    }
    const { path, partitionBy } = target;
    connector.sink.validate?.({ options, path, partitionBy, schema: schemaOf(plan), outputMode: "append" });
    return { refusals: [], guarantees: {} };
  } catch (error) {
    return { refusals: [error], guarantees: {} };
  }
}

/** Formats and options of all sources. */
function checkSources(plan: ResolvedRelation): void {
  for (const node of walkResolved(plan)) {
    if (node.kind === "scan") resolveOptions(connectorFor(node.format), node.options, "source");
  }
}
