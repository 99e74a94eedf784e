import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema, RetryInfoSchema } from "../../src/spark/proto/google-rpc_pb.ts";
import {
  type AddArtifactsRequest,
  type ExecutePlanRequest,
  type ExecutePlanResponse,
  ExecutePlanResponseSchema,
  type FetchErrorDetailsResponseSchema,
  SparkConnectService,
} from "../../src/spark/proto/spark-connect_pb.ts";

/** What happens to one stream of results. */
export interface StreamFault {
  /** After how many responses. For a call that starts an operation, -1 is before the operation is known. */
  readonly after: number;
  /**
   * `end`: the server ends the stream in good order, without result_complete. `reset`: the connection is destroyed. Others are statuses:
   * UNAVAILABLE; INTERNAL with INVALID_CURSOR.DISCONNECTED; one that only RetryInfo makes worth a retry.
   */
  readonly how: "end" | "reset" | "unavailable" | "disconnected" | "retry-info";
}

export interface ServerScript {
  /** The responses of every operation, without result_complete; ids are given by the server. */
  readonly responses?: readonly MessageInitShape<typeof ExecutePlanResponseSchema>[];
  /** One each for the streams in the order in which they are opened; later ones have none. */
  readonly faults?: readonly StreamFault[];
  /** An operation that fails at its end. */
  readonly failure?: () => ConnectError;
  readonly details?: MessageInitShape<typeof FetchErrorDetailsResponseSchema>;
  readonly version?: string;
  /** Faults of calls with one answer. */
  readonly unary?: (method: string, call: number) => ConnectError | undefined;
  /** So many streams, the first ones, hold open when they have given what they had. */
  readonly silent?: number;
}

interface Operation {
  readonly responses: ExecutePlanResponse[];
  released: number;
}

/**
 * A gRPC server in this process that keeps operations as Spark's does: responses stay until they are released, a stream can be attached
 * again behind any that is not, an operation starts once.
 */
export class ConnectServer {
  readonly operations = new Map<string, Operation>();
  readonly requests: ExecutePlanRequest[] = [];
  readonly artifacts: AddArtifactsRequest[] = [];
  readonly headers: Headers[] = [];
  readonly interrupted: string[] = [];
  readonly releasedSessions: string[] = [];
  /** How many operations were started, and how many streams were opened. */
  started = 0;
  streams = 0;
  /** What the server calls the session; another one after a restart. */
  serverSession = "first";
  script: ServerScript;
  readonly #http: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #calls = new Map<string, number>();

  private constructor(script: ServerScript) {
    this.script = script;
    this.#http = createServer(connectNodeAdapter({ routes: (router) => this.#routes(router) }));
    this.#http.on("session", (session) => {
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
      session.on("error", () => {}); // the client went away
    });
  }

  static async start(script: ServerScript = {}): Promise<ConnectServer> {
    const server = new ConnectServer(script);
    await new Promise<void>((resolve) => server.#http.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `sc://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.cutConnections();
    await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }

  cutConnections(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #routes(router: ConnectRouter): void {
    const session = () => ({ sessionId: "", serverSideSessionId: this.serverSession });
    router.service(SparkConnectService, {
      analyzePlan: (_request, context) => {
        this.headers.push(context.requestHeader);
        this.#unary("analyzePlan");
        const version = this.script.version ?? "4.2.0";
        return { ...session(), result: { case: "sparkVersion" as const, value: { version } } };
      },
      config: (request) => {
        this.#unary("config");
        const operation = request.operation?.opType;
        const pairs = operation?.case === "getOption" ? operation.value.keys.map((key) => ({ key, value: "set" })) : [];
        return { ...session(), pairs };
      },
      executePlan: (request) => this.#execute(request),
      reattachExecute: (request) => this.#attach(request.operationId, request.lastResponseId),
      releaseExecute: (request) => {
        this.#unary("releaseExecute");
        const operation = this.operations.get(request.operationId);
        if (request.release.case === "releaseAll") this.operations.delete(request.operationId);
        else if (operation !== undefined && request.release.case === "releaseUntil") {
          operation.released = Math.max(operation.released, Number(request.release.value.responseId.split("-")[1]) + 1);
        }
        return session();
      },
      interrupt: (request) => {
        if (request.interrupt.case === "operationId") this.interrupted.push(request.interrupt.value);
        return { ...session(), interruptedIds: this.interrupted };
      },
      releaseSession: (request) => {
        this.releasedSessions.push(request.sessionId);
        return session();
      },
      fetchErrorDetails: () => {
        if (this.script.details === undefined) throw new ConnectError("no details", Code.NotFound);
        return { ...session(), ...this.script.details };
      },
      artifactStatus: (request) => ({
        ...session(),
        statuses: Object.fromEntries(request.names.map((name) => [name, { exists: false }])),
      }),
      addArtifacts: async (requests) => {
        for await (const request of requests) this.artifacts.push(request);
        this.#unary("addArtifacts");
        return session();
      },
    });
  }

  #unary(method: string): void {
    const call = this.#calls.get(method) ?? 0;
    this.#calls.set(method, call + 1);
    const fault = this.script.unary?.(method, call);
    if (fault !== undefined) throw fault;
  }

  async *#execute(request: ExecutePlanRequest): AsyncGenerator<ExecutePlanResponse> {
    if (request.clientObservedServerSideSessionId && request.clientObservedServerSideSessionId !== this.serverSession) {
      throw handle("SESSION_CHANGED");
    }
    const fault = this.script.faults?.[this.streams];
    if (fault?.after === -1) {
      this.streams++;
      await this.#fail(fault);
      return;
    }
    if (this.operations.has(request.operationId!)) throw handle("OPERATION_ALREADY_EXISTS");
    this.started++;
    this.requests.push(request);
    const responses = (this.script.responses ?? []).map((response, i) =>
      create(ExecutePlanResponseSchema, { ...response, responseId: `r-${i}` } as typeof response),
    );
    if (this.script.failure === undefined) {
      responses.push(
        create(ExecutePlanResponseSchema, {
          responseId: `r-${responses.length}`,
          responseType: { case: "resultComplete", value: {} },
        }),
      );
    }
    this.operations.set(request.operationId!, { responses, released: 0 });
    yield* this.#attach(request.operationId!, undefined);
  }

  async *#attach(operationId: string, last: string | undefined): AsyncGenerator<ExecutePlanResponse> {
    const stream = this.streams++;
    const fault = this.script.faults?.[stream];
    const operation = this.operations.get(operationId);
    if (operation === undefined) throw handle("OPERATION_NOT_FOUND");
    const from = last === undefined ? 0 : Number(last.split("-")[1]) + 1;
    if (from < operation.released) throw new ConnectError("[INVALID_CURSOR.POSITION_NOT_AVAILABLE]", Code.Internal);
    let sent = 0;
    if (stream < (this.script.silent ?? 0)) {
      for (const response of operation.responses.slice(from, -1)) {
        yield { ...response, operationId, serverSideSessionId: this.serverSession };
      }
      await new Promise(() => {});
    }
    for (const response of operation.responses.slice(from)) {
      if (fault !== undefined && sent >= fault.after) {
        await this.#fail(fault);
        return;
      }
      yield { ...response, operationId, serverSideSessionId: this.serverSession };
      sent++;
    }
    if (this.script.failure !== undefined) throw this.script.failure();
  }

  async #fail(fault: StreamFault): Promise<void> {
    switch (fault.how) {
      case "end":
        return;
      case "reset":
        // What was sent before must be on its way first.
        await turn();
        this.cutConnections();
        throw new ConnectError("cut", Code.Unavailable);
      case "unavailable":
        throw new ConnectError("going away", Code.Unavailable);
      case "disconnected":
        throw new ConnectError("[INVALID_CURSOR.DISCONNECTED] another client took over", Code.Internal);
      case "retry-info":
        throw new ConnectError("busy", Code.ResourceExhausted, undefined, [
          { desc: RetryInfoSchema, value: { retryDelay: { seconds: 3n, nanos: 0 } } },
        ]);
    }
  }
}

export function handle(what: string): ConnectError {
  return new ConnectError(`[INVALID_HANDLE.${what}] The handle is invalid. SQLSTATE: HY000`, Code.Internal);
}

/** A status as Spark makes it for a failed query. */
export function sparkStatus(metadata: Record<string, string>, message: string): ConnectError {
  return new ConnectError(message, Code.Internal, undefined, [
    {
      desc: ErrorInfoSchema,
      value: { reason: "org.apache.spark.SparkException", domain: "org.apache.spark", metadata },
    },
  ]);
}
