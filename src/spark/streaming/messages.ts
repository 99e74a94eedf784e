import { create } from "@bufbuild/protobuf";
import type { StreamTarget, Trigger } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import type { SparkConnectClient } from "../client/client.ts";
import type { SparkFormat } from "../formats.ts";
import * as pb from "../proto/spark-connect_pb.ts";

/** A query on the server: `id` is the checkpoint's, `runId` this start's. */
export interface ServerQueryId {
  readonly id: string;
  readonly runId: string;
}

/** Where a query on the server writes: a sink of Spark's own, or a Python function of ours. */
export type ServerSink =
  | { readonly kind: "native"; readonly format: SparkFormat; readonly partitionBy: readonly string[] }
  | { readonly kind: "function"; readonly command: Uint8Array; readonly pythonVersion: string };

/** Starts a query; resolves when the server has started it. */
export async function startOnServer(
  client: SparkConnectClient,
  input: pb.Relation,
  target: StreamTarget,
  sink: ServerSink,
  checkpointLocation: string | undefined,
): Promise<ServerQueryId> {
  const path = sink.kind === "native" ? (sink.format.paths[0] ?? sink.format.options.path) : undefined;
  const table = sink.kind === "native" ? target.sinks[0]?.table : undefined;
  const { path: _, ...options } = sink.kind === "native" ? sink.format.options : {};
  const responses = await client.command(
    create(pb.CommandSchema, {
      commandType: {
        case: "writeStreamOperationStart",
        value: {
          input,
          outputMode: target.outputMode,
          queryName: target.queryName ?? "",
          options: { ...options, ...(checkpointLocation !== undefined && { checkpointLocation }) },
          ...triggerOf(target.trigger),
          ...(sink.kind === "native" && {
            format: sink.format.format,
            partitioningColumnNames: [...sink.partitionBy],
            ...(table !== undefined
              ? { sinkDestination: { case: "tableName", value: table } as const }
              : path !== undefined && { sinkDestination: { case: "path", value: path } as const }),
          }),
          ...(sink.kind === "function" && {
            foreachBatch: {
              function: {
                case: "pythonFunction",
                value: { command: sink.command as Uint8Array<ArrayBuffer>, pythonVer: sink.pythonVersion },
              } as const,
            },
          }),
        },
      },
    }),
  );
  for (const { responseType } of responses) {
    if (responseType.case !== "writeStreamOperationStartResult") continue;
    const { queryId } = responseType.value;
    if (queryId !== undefined) return { id: queryId.id, runId: queryId.runId };
  }
  throw new MillraceError("SPARK_ERROR", "The server started the query without saying which.");
}

function triggerOf(trigger: Trigger): { trigger?: pb.WriteStreamOperationStart["trigger"] } {
  switch (trigger.kind) {
    case "default":
      return {};
    case "processing_time":
      return { trigger: { case: "processingTimeInterval", value: `${trigger.intervalMs} milliseconds` } };
    case "available_now":
      return { trigger: { case: "availableNow", value: true } };
    case "once":
      return { trigger: { case: "once", value: true } };
  }
}

type QueryCommand = Exclude<pb.StreamingQueryCommand["command"], { case: undefined }>;
type QueryResult = pb.StreamingQueryCommandResult["resultType"];

/** What a query on the server does and says. Every call is one trip to the server and throws what the client throws. */
export class ServerQuery {
  readonly client: SparkConnectClient;
  readonly query: ServerQueryId;

  constructor(client: SparkConnectClient, query: ServerQueryId) {
    this.client = client;
    this.query = query;
  }

  async status(signal?: AbortSignal): Promise<pb.StreamingQueryCommandResult_StatusResult> {
    const result = await this.#ask({ case: "status", value: true }, signal);
    if (result.case !== "status") throw noAnswer("status");
    return result.value;
  }

  /** Spark's JSON of the last progress events, oldest first. */
  async recentProgress(signal?: AbortSignal): Promise<readonly string[]> {
    const result = await this.#ask({ case: "recentProgress", value: true }, signal);
    return result.case === "recentProgress" ? result.value.recentProgressJson : [];
  }

  /** What the query failed with, or undefined. */
  async exception(signal?: AbortSignal): Promise<pb.StreamingQueryCommandResult_ExceptionResult | undefined> {
    const result = await this.#ask({ case: "exception", value: true }, signal);
    return result.case === "exception" && result.value.exceptionMessage !== undefined ? result.value : undefined;
  }

  async stop(signal?: AbortSignal): Promise<void> {
    await this.#ask({ case: "stop", value: true }, signal);
  }

  async processAllAvailable(signal?: AbortSignal): Promise<void> {
    await this.#ask({ case: "processAllAvailable", value: true }, signal);
  }

  async explain(extended: boolean): Promise<string> {
    const result = await this.#ask({
      case: "explain",
      value: create(pb.StreamingQueryCommand_ExplainCommandSchema, { extended }),
    });
    return result.case === "explain" ? result.value.result : "";
  }

  async #ask(command: QueryCommand, signal?: AbortSignal): Promise<QueryResult> {
    const responses = await this.client.command(
      create(pb.CommandSchema, {
        commandType: { case: "streamingQueryCommand", value: { queryId: { ...this.query }, command } },
      }),
      { signal },
    );
    for (const { responseType } of responses) {
      if (responseType.case === "streamingQueryCommandResult") return responseType.value.resultType;
    }
    return { case: undefined };
  }
}

function noAnswer(what: string): MillraceError {
  return new MillraceError("SPARK_ERROR", `The server gave no ${what} of the query.`);
}
