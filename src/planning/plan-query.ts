import type { BatchTarget, Conf, SinkTarget, StreamTarget, Trigger } from "../backend.ts";
import type { EmbeddedEngine } from "../engine/backend.ts";
import { checkStream, checkWrite } from "../engine/check.ts";
import { MillraceError } from "../errors.ts";
import { schemaOf } from "../plan/analyze.ts";
import { outline } from "../plan/outline.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { checkOnSpark } from "../spark/check.ts";
import { hidePasswords } from "../types/secrets.ts";
import type { RecordedQuery } from "./recorder.ts";
import type { EngineReport, QueryReport, Refusal, SinkReport } from "./report.ts";

/** Looks at one query from every side, without data and without a server. */
export async function planQuery(query: RecordedQuery, engine: EmbeddedEngine, index: number): Promise<QueryReport> {
  const { target } = query;
  const sinks = query.kind === "stream" ? query.target.sinks : [writeSink(query.target)];
  const outputMode = query.kind === "stream" ? query.target.outputMode : "append";
  const about = {
    name:
      (query.kind === "stream" ? query.target.queryName : undefined) ?? `${sinks[0]?.name ?? query.kind} ${index + 1}`,
    kind: query.kind,
    outputMode,
    trigger: query.kind === "stream" ? triggerText(query.target.trigger) : "",
    checkpointLocation: query.kind === "stream" ? checkpointOf(query.target, query.conf) : null,
    sinks: sinks.map(sinkReport),
  };
  let resolved: ResolvedRelation;
  try {
    resolved = await engine.analyze(query.plan, query.conf);
  } catch (error) {
    // A wrong name or type is wrong on every engine.
    const refused: EngineReport = { refusals: [refusal(error)], notes: [], guarantees: {} };
    return { ...about, schema: null, steps: [], engines: { embedded: refused, spark: refused } };
  }
  const embedded =
    query.kind === "stream"
      ? checkStream(resolved, query.target, query.conf)
      : checkWrite(resolved, target as BatchTarget);
  const steps = outline(resolved, outputMode);
  const spark = await checkOnSpark(query.plan, query.kind === "stream" ? query.target : undefined, query.conf);
  // The rules of streaming are Spark's own: what they refuse, Spark refuses as well, except for what only the embedded engine lacks.
  const shared = embedded.refusals.filter(
    (e) =>
      e instanceof MillraceError && (e.code.startsWith("STREAMING_OUTPUT_MODE") || e.code === "UNSUPPORTED_OPERATION"),
  );
  return {
    ...about,
    schema: schemaOf(resolved),
    steps,
    engines: {
      embedded: { refusals: embedded.refusals.map(refusal), notes: [], guarantees: embedded.guarantees },
      spark: { ...spark, refusals: dedupe([...shared.map(refusal), ...spark.refusals.map(refusal)]) },
    },
  };
}

/** As the engines choose it; a query without a name has another folder at each start. */
function checkpointOf(target: StreamTarget, conf: Conf): string | null {
  if (target.checkpointLocation !== undefined) return target.checkpointLocation;
  const root = conf["spark.sql.streaming.checkpointLocation"];
  return root === undefined ? null : `${root.replace(/\/+$/, "")}/${target.queryName ?? "<new at each start>"}`;
}

function writeSink(target: BatchTarget): SinkTarget {
  const { format, options, path, partitionBy } = target;
  return { name: format, format, options, path, partitionBy };
}

/** Names of options that say where to, in the order in which they are looked for. */
const DESTINATIONS = ["path", "dbtable", "topic", "key", "table"];

function sinkReport(sink: SinkTarget): SinkReport {
  const options = Object.fromEntries(Object.entries(sink.options).map(([name, value]) => [name.toLowerCase(), value]));
  const destination = sink.path ?? DESTINATIONS.map((name) => options[name]).find((value) => value !== undefined) ?? "";
  return { name: sink.name, format: sink.format, destination: hidePasswords(destination) };
}

function triggerText(trigger: Trigger): string {
  switch (trigger.kind) {
    case "default":
      return "as soon as there is data";
    case "processing_time":
      return trigger.intervalMs % 1_000 === 0
        ? `every ${trigger.intervalMs / 1_000} seconds`
        : `every ${trigger.intervalMs} ms`;
    case "available_now":
      return "once over what is there, in batches";
    case "once":
      return "once, in one batch";
  }
}

function refusal(error: unknown): Refusal {
  if (!(error instanceof MillraceError)) throw error;
  return { code: error.code, message: error.reason, hint: error.hint ?? null };
}

function dedupe(refusals: readonly Refusal[]): Refusal[] {
  return [...new Map(refusals.map((r) => [`${r.code} ${r.message}`, r])).values()];
}
