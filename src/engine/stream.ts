import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Conf, StreamingQueryHandle, StreamTarget } from "../backend.ts";
import type { Connector } from "../connectors/connector.ts";
import { resolveOptions } from "../connectors/options.ts";
import type { DirectoryLock } from "../dir-lock.ts";
import type { Connection } from "../duckdb/duckdb.ts";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { catalog } from "../functions/index.ts";
import { schemaOf } from "../plan/analyze.ts";
import { queryPlan } from "../plan/query-plan.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { stateShape } from "../plan/state-shape.ts";
import { checkStreaming } from "../plan/streaming-rules.ts";
import { durableSink, lockCheckpoint, needsCheckpoint } from "../streaming/checkpoint.ts";
import { type Clock, systemClock } from "../streaming/clock.ts";
import { confBoolean, duckdbLimits, streamConf } from "../streaming/conf.ts";
import { iso, ProgressLog } from "../streaming/progress.ts";
import { restartPolicy } from "../streaming/restart.ts";
import { plannedSinks, type ResolvedSink, resolveSinks } from "../streaming/sinks.ts";
import { operatorKey, type RunnerParts } from "./batch-runner.ts";
import { Checkpoint } from "./checkpoint.ts";
import { StreamingQuery } from "./query-handle.ts";
import { QueryRun } from "./query-run.ts";
import type { QuerySetup } from "./query-setup.ts";
import { planStream, type StreamPlan } from "./stream-plan.ts";

/** What a streaming query needs of its surroundings. */
export interface StreamDeps {
  /** The connector of a format; throws DATA_SOURCE_NOT_FOUND. */
  connectorFor(format: string): Connector;
  /** Parts of the batch half of the engine for one database connection. `plan`: everything that will be compiled. */
  parts(connection: Connection, plan: StreamPlan, conf: Conf): Promise<RunnerParts> | RunnerParts;
  /** Text of the plan for `explain`. */
  explain?(plan: ResolvedRelation, extended: boolean): string;
  readonly clock?: Clock;
}

/**
 * Starts a streaming query from an analysed plan. Resolves when the query is open: its sources, sinks
 * and checkpoint are at hand, or one of them could not be reached and the query tries again. What can never work (options, schema,
 * another query's checkpoint, a checkpoint that does not fit together) is thrown here.
 *
 * @throws MillraceError CHECKPOINT_*, STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA, STREAMING_OUTPUT_MODE.*, DATA_SOURCE_NOT_FOUND,
 * UNKNOWN_OPTION, MISSING_OPTION, INVALID_OPTION, INVALID_ARGUMENT and what sources and sinks throw when they are opened
 */
export async function startStreamingQuery(
  plan: ResolvedRelation,
  target: StreamTarget,
  conf: Conf,
  deps: StreamDeps,
): Promise<StreamingQueryHandle> {
  const settings = streamConf(conf);
  if (confBoolean(conf, "spark.sql.streaming.unsupportedOperationCheck", true))
    checkStreaming(plan, target.outputMode, catalog);
  const schema = schemaOf(plan);
  const sinks = resolveSinks(target, schema, deps.connectorFor);
  const firstPlan = planStream(plan, target.outputMode);
  if (firstPlan.sources.length === 0) {
    throw new MillraceError("INVALID_ARGUMENT", "The query has no streaming source.", {
      hint: "Use df.write for static data, or start from spark.readStream.",
    });
  }
  const sourceConnectors = firstPlan.sources.map(({ scans }) => {
    const connector = deps.connectorFor(scans[0]!.format);
    if (connector.source?.openStream === undefined) {
      throw new MillraceError("UNSUPPORTED_FEATURE", `The format ${connector.name} cannot be read as a stream.`);
    }
    return { connector, options: resolveOptions(connector, scans[0]!.options, "source") };
  });

  const { path, temporary } = checkpointPath(target, settings.checkpointRoot, sinks);
  const checkpoint = new Checkpoint(path);
  let lock: DirectoryLock | undefined;
  const clock = deps.clock ?? systemClock;
  const log = new ProgressLog(settings.recentProgressUpdates);
  try {
    // the lock first: whoever holds it may be writing the files that `open` looks at
    lock = await lockCheckpoint(checkpoint.privatePath, checkpoint.path);
    const queryId = checkpoint.open();
    const runId = randomUUID();
    const setup: QuerySetup = {
      queryId,
      runId,
      name: target.queryName,
      target,
      schema,
      conf,
      settings,
      checkpoint,
      clock,
      log,
      sinks,
      sourceConnectors,
      shape: stateShape(plan).filter((line) => !/^(source|watermark)/.test(line)),
      plan: () => planStream(plan, target.outputMode),
      parts: (connection, streamPlan) => deps.parts(connection, streamPlan, conf),
      ...duckdbLimits(conf),
      engineVersion: ENGINE_VERSION,
    };
    const first = await openFirst(setup, restartPolicy(conf).enabled);
    const keys = new Map(firstPlan.operators.toReversed().map((op, i) => [op.node, operatorKey(i, op)]));
    publish("query.started", {
      id: queryId,
      runId,
      name: target.queryName,
      timestamp: iso(clock.now()),
      triggerMs: target.trigger.kind === "processing_time" ? target.trigger.intervalMs : 0,
      plan: async () => queryPlan(plan, target.outputMode, plannedSinks(target, sinks), (node) => keys.get(node)),
    });
    const held = lock;
    return new StreamingQuery(
      {
        id: queryId,
        runId,
        name: target.queryName,
        trigger: target.trigger,
        clock,
        log,
        restart: restartPolicy(conf),
        idleIntervalMs: settings.noDataProgressIntervalMs,
        pollingDelayMs: settings.pollingDelayMs,
        open: () => QueryRun.open(setup),
        async finish(error) {
          await held.release();
          if (temporary && error === undefined) rmSync(path, { recursive: true, force: true });
        },
        explain: (extended) => deps.explain?.(plan, extended) ?? describe(firstPlan),
      },
      first,
    );
  } catch (error) {
    await lock?.release();
    if (temporary) rmSync(path, { recursive: true, force: true });
    throw error;
  }
}

/** The layout of what DuckDB aggregates leave in state tables; changes with every incompatible change of the engine. */
const ENGINE_VERSION = "duckdb-1.5";

async function openFirst(setup: QuerySetup, restart: boolean): Promise<QueryRun | MillraceError> {
  try {
    return await QueryRun.open(setup);
  } catch (error) {
    if (restart && error instanceof MillraceError && error.retryable) return error;
    throw error;
  }
}

/** `checkpointLocation`, else a folder below `spark.sql.streaming.checkpointLocation`, else a temporary one where that will do. */
function checkpointPath(
  target: StreamTarget,
  root: string | undefined,
  sinks: readonly ResolvedSink[],
): { readonly path: string; readonly temporary: boolean } {
  if (target.checkpointLocation !== undefined) return { path: localPath(target.checkpointLocation), temporary: false };
  if (root !== undefined) return { path: join(localPath(root), target.queryName ?? randomUUID()), temporary: false };
  const durable = durableSink(sinks);
  if (durable === undefined) return { path: mkdtempSync(join(tmpdir(), "millrace-checkpoint-")), temporary: true };
  throw needsCheckpoint(durable);
}

function localPath(location: string): string {
  if (/^file:/i.test(location)) return resolve(decodeURIComponent(location.replace(/^file:(\/\/)?/i, "")));
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(location)) {
    throw new MillraceError("UNSUPPORTED_FEATURE", `The checkpointLocation ${location} is not a local path.`, {
      hint: "Keep checkpoints on a local disk.",
    });
  }
  return resolve(location);
}

function describe(plan: StreamPlan): string {
  const stages = plan.stages.map((stage) =>
    stage.kind === "operator"
      ? stage.operator.operatorName
      : stage.kind === "watermark"
        ? "eventTimeWatermark"
        : "mapRows",
  );
  return ["== Streaming Plan ==", ...plan.sources.map(({ scans }) => `source ${scans[0]!.format}`), ...stages].join(
    "\n",
  );
}
