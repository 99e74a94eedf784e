import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Conf, StreamingQueryHandle, StreamTarget } from "../../backend.ts";
import type { Connector } from "../../connectors/connector.ts";
import { connectorFor, lookupConnector } from "../../connectors/index.ts";
import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import { writtenTree } from "../../plan/explain.ts";
import { type QueryPlan, queryPlan } from "../../plan/query-plan.ts";
import type { Relation } from "../../plan/relation.ts";
import type { ResolvedRelation } from "../../plan/resolved.ts";
import { isStateful } from "../../plan/streaming-rules.ts";
import { walkResolved } from "../../plan/walk.ts";
import { durableSink, lockCheckpoint, needsCheckpoint } from "../../streaming/checkpoint.ts";
import { systemClock } from "../../streaming/clock.ts";
import { streamConf } from "../../streaming/conf.ts";
import { iso, ProgressLog } from "../../streaming/progress.ts";
import { restartDelay, restartPolicy } from "../../streaming/restart.ts";
import { plannedSinks, resolveSinks } from "../../streaming/sinks.ts";
import type { StructType } from "../../types/data-type.ts";
import { bridgeAddress } from "../bridge/address.ts";
import { Bridge } from "../bridge/bridge.ts";
import { foreachBatchCommand } from "../bridge/command.ts";
import type { SparkConnectClient } from "../client/client.ts";
import { scriptRows } from "../encode.ts";
import { workerFacts } from "../functions/probe.ts";
import type { SparkSessionParts } from "../session-parts.ts";
import { analysedModes, withModes } from "../value-modes.ts";
import { ListenerBus } from "./listener-bus.ts";
import { ServerQuery, type ServerSink, startOnServer } from "./messages.ts";
import { SparkStreamingQuery } from "./query.ts";
import { dropNote, leaveNote } from "./registry.ts";
import { ServerRun } from "./run.ts";
import { chooseSinks, type SinkChoice } from "./sink-choice.ts";
import { withStatePartitions } from "./state-partitions.ts";

/**
 * Starts a streaming query on a Spark server. A sole sink that Spark has is Spark's own; the rows for all others come through the bridge to
 * this process (`chooseSinks`). Resolves when the query runs there and its sinks are open here, or one of them could not be reached and the
 * query starts again.
 *
 * @throws MillraceError Spark's own errors, SPARK_*, and what sinks, options and checkpoint are refused with, as embedded
 */
export async function startStream(
  session: SparkSessionParts,
  plan: Relation,
  target: StreamTarget,
  conf: Conf,
  lookup: (format: string) => Connector | undefined = lookupConnector,
): Promise<StreamingQueryHandle> {
  const restart = restartPolicy(conf);
  let deadline = Date.now() + SERVER_BACK_MS;
  for (let attempt = 1; ; attempt++) {
    const { client } = session;
    try {
      return await startOnce(session, plan, target, conf, lookup);
    } catch (error) {
      // a server that went away in the middle of it: what it had begun goes on from the checkpoint
      if (!(error instanceof MillraceError) || !isGone(error)) throw error;
      session.lost(client);
      // it is there again, without the session
      if (error.code === "SPARK_SESSION_LOST") deadline = Date.now() + SERVER_BACK_MS;
      const delayMs = restartDelay(restart, error, attempt);
      if (delayMs === undefined || Date.now() + delayMs > deadline) throw error;
      publish("warning", {
        code: error.code,
        message: `The query ${target.queryName ?? ""} is started again in ${delayMs / 1000} s after: ${error.message}`,
      });
      await systemClock.sleep(delayMs, new AbortController().signal);
    }
  }
}

async function startOnce(
  session: SparkSessionParts,
  plan: Relation,
  target: StreamTarget,
  conf: Conf,
  lookup: (format: string) => Connector | undefined,
): Promise<StreamingQueryHandle> {
  await session.connected();
  const settings = streamConf(conf);
  const restart = restartPolicy(conf);
  const choices = chooseSinks(target, conf, lookup);
  const { plan: rows } = scriptRows(plan);
  const checkpoint = await checkpointOf(session, target, conf);
  const bridge = choices.by === "spark" ? undefined : await openBridge(session, plan, target, conf, checkpoint, lookup);
  const log = new ProgressLog(settings.recentProgressUpdates);
  let identity: { readonly id: string; readonly runId: string } | undefined;

  const open = async (): Promise<ServerRun> => {
    const client = await session.connected();
    await ListenerBus.of(client).ready();
    const bridged = bridge?.begin();
    try {
      const sink: ServerSink =
        bridged === undefined
          ? { kind: "native", format: choices.native!, partitionBy: target.sinks[0]!.partitionBy }
          : {
              kind: "function",
              command: foreachBatchCommand(bridged.call),
              pythonVersion: (await workerFacts(client)).python,
            };
      const settings = await withStatePartitions(session, conf);
      const started = await startPatiently(() =>
        session.encoded(rows, settings, (input) => startOnServer(client, input, target, sink, checkpoint)),
      );
      identity ??= started;
      const query = new ServerQuery(client, started);
      if (bridged === undefined) await leaveNote(client, started, target.queryName);
      try {
        await bridged?.started(started.id);
      } catch (error) {
        await query.stop(AbortSignal.timeout(STOP_MS)).catch(() => undefined);
        throw error;
      }
      return new ServerRun(query, {
        id: identity.id,
        runId: identity.runId,
        name: target.queryName,
        trigger: target.trigger,
        log,
        sinks: choices.sinks,
        bridged,
        events: true,
        lost: () => session.lost(client),
      });
    } catch (error) {
      await bridged?.end(error as Error);
      if (error instanceof MillraceError && isGone(error)) session.lost(client);
      throw error;
    }
  };

  let first: ServerRun | MillraceError;
  try {
    try {
      first = await open();
    } catch (error) {
      // a query that has no id yet was never started: there is nothing to start again
      if (!restart.enabled || identity === undefined) throw error;
      if (!(error instanceof MillraceError) || !error.retryable) throw error;
      first = error;
    }
  } catch (error) {
    await bridge?.close();
    throw error;
  }
  const { id, runId } = identity!;
  publish("query.started", {
    id,
    runId,
    name: target.queryName,
    timestamp: iso(Date.now()),
    triggerMs: target.trigger.kind === "processing_time" ? target.trigger.intervalMs : 0,
    plan: () => planOf(session, rows, target, conf, choices.sinks),
  });
  return new SparkStreamingQuery(
    {
      id,
      runId,
      name: target.queryName,
      clock: systemClock,
      log,
      restart,
      // without a checkpoint a new start would begin again from the first record
      open: checkpoint === undefined ? undefined : open,
      finish: async () => {
        if (bridge === undefined) await dropNote(session.client, id);
        else await bridge.close();
      },
      plan: `== Parsed Logical Plan ==\n${writtenTree(plan)}`,
    },
    first,
  );
}

/** The query as a graph, by our own analysis; undefined where only the server knows what the plan means. */
async function planOf(
  session: SparkSessionParts,
  plan: Relation,
  target: StreamTarget,
  conf: Conf,
  sinks: readonly SinkChoice[],
): Promise<QueryPlan | undefined> {
  const resolved = await session.analyze(plan, conf);
  if (resolved === undefined) return undefined;
  // Spark lists its operators from the result down
  const stateful = [...walkResolved(resolved)].filter(isStateful);
  return queryPlan(resolved, target.outputMode, plannedSinks(target, sinks), (node) => {
    const i = stateful.indexOf(node);
    const name = sparkOperatorName(node);
    return i < 0 || name === undefined ? undefined : `${i} ${name}`;
  });
}

/** The operator's name in Spark's progress. */
function sparkOperatorName(node: ResolvedRelation): string | undefined {
  switch (node.kind) {
    case "aggregate":
      return "stateStoreSave";
    case "deduplicate":
      return node.withinWatermark ? "dedupeWithinWatermark" : "dedupe";
    case "transform_with_state":
      return "transformWithStateExec";
    case "join":
      return "symmetricHashJoin";
    case "limit":
      return "globalLimit";
    default:
      return undefined;
  }
}

const STOP_MS = 15_000;
/** How long a start waits for a server that has gone away in the middle of it. */
const SERVER_BACK_MS = 120_000;
const SLOW_START_MS = 180_000;

/**
 * A server that is busy may not get a Python process up within the ten seconds that Spark waits for it: nothing has begun then. The process
 * that came too late is still starting, so the next one is given more and more time.
 */
async function startPatiently<T>(start: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + SLOW_START_MS;
  for (let pauseMs = 2_000; ; pauseMs = Math.min(30_000, pauseMs * 2)) {
    try {
      return await start();
    } catch (error) {
      const slow = error instanceof MillraceError && /worker (failed )?to connect back/i.test(error.message);
      if (!slow) throw error;
      if (Date.now() + pauseMs > deadline) {
        throw new MillraceError(error.code, `The server could not start a Python process: ${error.message}`, {
          hint: "Spark waits ten seconds for it: the server has too much to do, or its Python takes too long to load.",
          cause: error,
          retryable: true,
        });
      }
      await systemClock.sleep(pauseMs, new AbortController().signal);
    }
  }
}

function isGone(error: MillraceError): boolean {
  return error.code === "SPARK_SESSION_LOST" || error.code === "SPARK_UNREACHABLE";
}

/** As Spark: `checkpointLocation`, else a folder below `spark.sql.streaming.checkpointLocation`, else a temporary one of the server's. */
async function checkpointOf(session: SparkSessionParts, target: StreamTarget, conf: Conf): Promise<string | undefined> {
  if (target.checkpointLocation !== undefined) return target.checkpointLocation;
  const name = "spark.sql.streaming.checkpointLocation";
  const root = conf[name] ?? (await session.client.conf.getOption(name));
  return root === undefined ? undefined : `${root.replace(/\/+$/, "")}/${target.queryName ?? randomUUID()}`;
}

async function openBridge(
  session: SparkSessionParts,
  plan: Relation,
  target: StreamTarget,
  conf: Conf,
  checkpoint: string | undefined,
  lookup: (format: string) => Connector | undefined,
): Promise<Bridge> {
  const schema = await schemaForSinks(session, plan, conf);
  const sinks = resolveSinks(target, schema, (format) => lookup(format) ?? connectorFor(format));
  const durable = durableSink(sinks);
  if (checkpoint === undefined && durable !== undefined) throw needsCheckpoint(durable);
  const { client } = session;
  const facts = await workerFacts(client);
  if (facts.pyarrow === null) {
    throw new MillraceError("DEPENDENCY_MISSING", "The Python of the Spark workers has no pyarrow.", {
      hint: `Install it on every worker (pip install pyarrow): the rows for ${sinks.map((sink) => sink.name).join(", ")} travel with it.`,
      parameters: { dependency: "pyarrow" },
    });
  }
  const address = await bridgeAddress(conf, client.authority);
  const temporary = checkpoint === undefined;
  const folder = temporary
    ? mkdtempSync(join(tmpdir(), "millrace-bridge-"))
    : join(resolve(conf["spark.millrace.bridge.dir"] ?? ".millrace/bridge"), folderName(client, checkpoint));
  const lock = await lockCheckpoint(folder, checkpoint);
  try {
    return await Bridge.open({
      sinks,
      schema,
      outputMode: target.outputMode,
      queryName: target.queryName,
      checkpoint: checkpoint ?? null,
      conf,
      address,
      folder,
      leave: async () => {
        await lock.release();
        if (temporary) rmSync(folder, { recursive: true, force: true });
      },
    });
  } catch (error) {
    await lock.release();
    if (temporary) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The schema of the rows that come here; a lone function of the user's gets values in the forms that its schema asks for. */
async function schemaForSinks(session: SparkSessionParts, plan: Relation, conf: Conf): Promise<StructType> {
  const { plan: rows, modes } = scriptRows(plan);
  const schema = await session.schema(rows, conf);
  if (!modes) return schema;
  return withModes(schema, await analysedModes(rows, conf, (leaf) => session.schema(leaf, conf)));
}

/** One folder for each checkpoint. A path without a scheme is one of the server's. */
function folderName(client: SparkConnectClient, checkpoint: string): string {
  const own = !/^[a-z][a-z0-9+.-]*:/i.test(checkpoint) || /^file:/i.test(checkpoint);
  const place = own ? `${client.authority} ${checkpoint}` : checkpoint;
  const readable = checkpoint
    .replace(/[^A-Za-z0-9]+/g, "-")
    .slice(-40)
    .replace(/^-+|-+$/g, "");
  return `${readable}-${createHash("sha256").update(place).digest("hex").slice(0, 12)}`;
}
