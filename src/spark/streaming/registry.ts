import { create } from "@bufbuild/protobuf";
import type { Conf, StreamingQueryHandle } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import { systemClock } from "../../streaming/clock.ts";
import { streamConf } from "../../streaming/conf.ts";
import { ProgressLog } from "../../streaming/progress.ts";
import { restartPolicy } from "../../streaming/restart.ts";
import { decodeArrow } from "../arrow.ts";
import type { SparkConnectClient } from "../client/client.ts";
import * as pb from "../proto/spark-connect_pb.ts";
import type { SparkSessionParts } from "../session-parts.ts";
import { ServerQuery, type ServerQueryId } from "./messages.ts";
import { SparkStreamingQuery } from "./query.ts";
import { ServerRun } from "./run.ts";

/**
 * Spark Connect finds a query only from within the session that started it. So each query with a sink of Spark's own leaves a note on the
 * server: a global temporary view, which all sessions see, with its ids and its session. It goes away with the query, or when
 * somebody who looks finds the query gone, or with the server.
 */
const NOTE = "millrace_query_";

interface Note {
  readonly id: string;
  readonly run_id: string;
  readonly session: string;
  readonly name: string | null;
}

/** Leaves the note of a query that has started. */
export async function leaveNote(client: SparkConnectClient, query: ServerQueryId, name: string | null): Promise<void> {
  const note = [
    `${text(query.id)} AS id`,
    `${text(query.runId)} AS run_id`,
    `${text(client.sessionId)} AS session`,
    `${name === null ? "CAST(NULL AS STRING)" : text(name)} AS name`,
  ];
  await client.command(
    create(pb.CommandSchema, {
      commandType: {
        case: "createDataframeView",
        value: { input: sql(`SELECT ${note.join(", ")}`), name: nameOf(query.id), isGlobal: true, replace: true },
      },
    }),
  );
}

/** Takes the note away. A server that is gone has none. */
export async function dropNote(client: SparkConnectClient, id: string): Promise<void> {
  try {
    await rows(client, `DROP VIEW IF EXISTS global_temp.${nameOf(id)}`);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
  }
}

/** The running queries of other sessions on the server that left a note, as handles of their own: nothing of theirs ends with this session. */
export async function queriesOfOthers(
  session: SparkSessionParts,
  conf: Conf,
  id?: string,
): Promise<StreamingQueryHandle[]> {
  const client = await session.connected();
  const names = id === undefined ? `${NOTE}*` : nameOf(id).replace(/[^a-zA-Z0-9_]/g, "");
  const views = await rows(client, `SHOW VIEWS IN global_temp LIKE '${names}'`);
  const found: StreamingQueryHandle[] = [];
  for (const { viewName } of views) {
    const note = await readNote(client, String(viewName));
    if (note === undefined || note.session === client.sessionId) continue;
    const query = await attach(session, note, conf);
    if (query === undefined) await dropNote(client, note.id);
    else found.push(query);
  }
  return found;
}

/** Undefined for one that was taken away meanwhile. */
async function readNote(client: SparkConnectClient, view: string): Promise<Note | undefined> {
  try {
    return ((await rows(client, `SELECT * FROM global_temp.${view}`)) as unknown as Note[])[0];
  } catch (error) {
    if (error instanceof MillraceError && error.code === "TABLE_OR_VIEW_NOT_FOUND") return undefined;
    throw error;
  }
}

async function attach(session: SparkSessionParts, note: Note, conf: Conf): Promise<StreamingQueryHandle | undefined> {
  const client = await session.join(note.session);
  const query = new ServerQuery(client, { id: note.id, runId: note.run_id });
  try {
    const status = await query.status();
    if (!status.isActive) throw new MillraceError("STOPPED", "The query has ended.");
  } catch (error) {
    // to join a session that is gone makes a new one under its id, which knows no queries
    await client.close({ keepSession: !isUnknown(error) });
    if (error instanceof MillraceError) return undefined;
    throw error;
  }
  const log = new ProgressLog(streamConf(conf).recentProgressUpdates);
  const identity = { id: note.id, runId: note.run_id, name: note.name };
  const run = new ServerRun(query, {
    ...identity,
    trigger: { kind: "default" },
    log,
    sinks: [],
    bridged: undefined,
    // the session's own client has them
    events: false,
    lost: () => undefined,
  });
  await run.refresh();
  return new SparkStreamingQuery(
    {
      ...identity,
      clock: systemClock,
      log,
      restart: restartPolicy(conf),
      open: undefined,
      finish: () => client.close({ keepSession: true }),
      plan: "",
    },
    run,
  );
}

function isUnknown(error: unknown): boolean {
  return error instanceof MillraceError && error.code !== "STOPPED";
}

function nameOf(id: string): string {
  return `${NOTE}${id.replaceAll("-", "_")}`;
}

function text(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function sql(query: string): pb.Relation {
  return create(pb.RelationSchema, { relType: { case: "sql", value: { query } } });
}

async function rows(client: SparkConnectClient, query: string): Promise<Record<string, unknown>[]> {
  const plan = create(pb.PlanSchema, { opType: { case: "root", value: sql(query) } });
  const found: Record<string, unknown>[] = [];
  for await (const { responseType } of client.execute(plan)) {
    if (responseType.case === "arrowBatch" && responseType.value.rowCount > 0n) {
      found.push(...decodeArrow(responseType.value.data).rows);
    }
  }
  return found;
}
