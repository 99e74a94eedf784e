import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MillraceError } from "../../errors.ts";
import {
  type AnalyzePlanRequestSchema,
  type AnalyzePlanResponse,
  type Command,
  type ConfigRequest_OperationSchema,
  type ConfigResponse,
  type ExecutePlanResponse,
  InterruptRequest_InterruptType,
  type Plan,
  PlanSchema,
} from "../proto/spark-connect_pb.ts";
import { type ArtifactData, Artifacts } from "./artifacts.ts";
import { Channel, type TlsOptions } from "./channel.ts";
import { type ExecuteOptions, execute } from "./execute.ts";
import { DEFAULT_RETRY, type RetryClock, type RetryPolicy, SYSTEM_CLOCK } from "./retry.ts";
import { parseConnectUrl } from "./url.ts";

export type { ArtifactData } from "./artifacts.ts";
export type { ExecuteOptions, ExecutionProgress } from "./execute.ts";
export type { RetryClock, RetryPolicy } from "./retry.ts";

export interface SparkConnectOptions {
  /** Goes before our own in the user agent that the server's log shows. */
  readonly userAgent?: string;
  readonly tls?: TlsOptions;
  /** Headers of every request, besides those of the address. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly retry?: Partial<RetryPolicy>;
  readonly clock?: RetryClock;
  /** How long a server may take to be reached at first; its first answer may take three times as long. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** After so long without a call the session is kept alive by a small one; 0 for never. Default 300,000: a server ends idle sessions after an hour. */
  readonly keepAliveMs?: number;
  /** A result stream that is silent for longer is attached again. Default 180,000. */
  readonly silenceMs?: number;
}

/** What is to be interrupted. */
export type InterruptTarget = "all" | { readonly tag: string } | { readonly operationId: string };

type AnalyzeInit = NonNullable<MessageInitShape<typeof AnalyzePlanRequestSchema>["analyze"]>;
type ConfigInit = NonNullable<MessageInitShape<typeof ConfigRequest_OperationSchema>["opType"]>;

/** The session's settings on the server. */
export interface SessionConf {
  /** Throws when there is no such setting and Spark knows no default. */
  get(key: string): Promise<string>;
  /** Undefined when it is not set and has no default. */
  getOption(key: string): Promise<string | undefined>;
  getAll(prefix?: string): Promise<Record<string, string>>;
  /** Gives the server's warnings. */
  set(settings: Readonly<Record<string, string>>): Promise<readonly string[]>;
  unset(...keys: string[]): Promise<void>;
  isModifiable(key: string): Promise<boolean>;
}

/**
 * A session on a Spark Connect server, Spark 4.0 and later.
 *
 * ```ts
 * const client = await SparkConnectClient.connect("sc://localhost:15002");
 * for await (const response of client.execute(plan)) ...
 * await client.close();
 * ```
 */
export class SparkConnectClient {
  readonly #channel: Channel;
  readonly #artifacts: Artifacts;
  readonly #silenceMs: number;
  #keepAlive: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  /** For example "4.2.0". */
  readonly serverVersion: string;
  readonly conf: SessionConf;

  private constructor(channel: Channel, serverVersion: string, options: SparkConnectOptions) {
    this.#channel = channel;
    this.#artifacts = new Artifacts(channel);
    this.#silenceMs = options.silenceMs ?? 180_000;
    this.serverVersion = serverVersion;
    this.conf = sessionConf((operation) => this.#config(operation));
    this.#keepSession(options.keepAliveMs ?? 300_000);
  }

  /**
   * Connects, and asks for the server's version. Throws INVALID_OPTION for an address that is none, SPARK_UNREACHABLE,
   * SPARK_AUTHENTICATION, and SPARK_UNSUPPORTED_SERVER below Spark 4.0.
   */
  static async connect(url: string, options: SparkConnectOptions = {}): Promise<SparkConnectClient> {
    const parsed = parseConnectUrl(url);
    const address = { ...parsed, headers: { ...parsed.headers, ...options.headers } };
    const channel = new Channel({
      address,
      userAgent: userAgent(options.userAgent ?? parsed.userAgent),
      retry: { ...DEFAULT_RETRY, ...options.retry },
      clock: options.clock ?? SYSTEM_CLOCK,
      tls: options.tls,
    });
    try {
      const withinMs = options.connectTimeoutMs ?? 10_000;
      const response = await channel.unary(
        (head, signal) =>
          channel.stub.analyzePlan(
            { ...head, analyze: { case: "sparkVersion", value: {} } },
            { ...(signal && { signal }) },
          ),
        { withinMs },
      );
      const version = response.result.case === "sparkVersion" ? response.result.value.version : "";
      const major = Number(/^(\d+)\./.exec(version)?.[1]);
      if (!(major >= 4)) {
        throw new MillraceError(
          "SPARK_UNSUPPORTED_SERVER",
          `The server at ${address.authority} is Spark ${version || "of no version"}.`,
          {
            hint: "Spark 4.0 or later is needed.",
          },
        );
      }
      return new SparkConnectClient(channel, version, options);
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  get sessionId(): string {
    return this.#channel.sessionId;
  }

  /** `host:port` of the server. */
  get authority(): string {
    return this.#channel.address.authority;
  }

  /** Whether the server is of this version or later. */
  isAtLeast(major: number, minor: number): boolean {
    const [a = 0, b = 0] = this.serverVersion.split(".").map((part) => Number.parseInt(part, 10));
    return a > major || (a === major && b >= minor);
  }

  /**
   * Runs a plan. Gives the server's responses in order, each once, over broken connections and streams that the server ends early.
   * Throws a MillraceError: Spark's own error, SPARK_SESSION_LOST, SPARK_UNREACHABLE, or STOPPED by `signal`. To stop early is to
   * leave the loop: the server then ends the operation.
   */
  execute(plan: Plan, options: ExecuteOptions = {}): AsyncIterable<ExecutePlanResponse> {
    return execute(this.#channel, plan, options, { chunking: this.isAtLeast(4, 1), silenceMs: this.#silenceMs });
  }

  /** Runs a command to its end. */
  async command(command: Command, options: ExecuteOptions = {}): Promise<ExecutePlanResponse[]> {
    const plan = create(PlanSchema, { opType: { case: "command", value: command } });
    const responses: ExecutePlanResponse[] = [];
    for await (const response of this.execute(plan, options)) responses.push(response);
    return responses;
  }

  /** One question about a plan: `analyze({ case: "schema", value: { plan } })`. */
  async analyze(analyze: AnalyzeInit, options: { readonly signal?: AbortSignal } = {}): Promise<AnalyzePlanResponse> {
    return await this.#channel.unary(
      (head, signal) => this.#channel.stub.analyzePlan({ ...head, analyze }, { ...(signal && { signal }) }),
      options,
    );
  }

  /**
   * Sends a file to the session. The name says where it goes: `jars/`, `classes/`, `files/`, `archives/`, `pyfiles/` or `cache/<SHA-256>`.
   * What was sent before is not sent again; other content under the same name is an error.
   */
  async addArtifact(name: string, data: ArtifactData): Promise<void> {
    await this.#artifacts.add(name, data);
  }

  /** Which of these artifacts the session has. */
  async artifactExists(names: readonly string[]): Promise<Map<string, boolean>> {
    return await this.#artifacts.exist(names);
  }

  /** Interrupts running operations of this session; gives the ids of those that it found. */
  async interrupt(target: InterruptTarget): Promise<string[]> {
    const what =
      target === "all"
        ? { interruptType: InterruptRequest_InterruptType.ALL }
        : "tag" in target
          ? {
              interruptType: InterruptRequest_InterruptType.TAG,
              interrupt: { case: "operationTag", value: target.tag } as const,
            }
          : {
              interruptType: InterruptRequest_InterruptType.OPERATION_ID,
              interrupt: { case: "operationId", value: target.operationId } as const,
            };
    const response = await this.#channel.unary((head, signal) =>
      this.#channel.stub.interrupt({ ...head, ...what }, { ...(signal && { signal }) }),
    );
    return response.interruptedIds;
  }

  /**
   * Ends the session on the server, its streaming queries too. With `keepSession` only the connection ends: running queries go on, and the
   * session can be joined again by its id.
   */
  async close(options: { readonly keepSession?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.keepSession ?? false);
    await this.#closing;
  }

  async #close(keepSession: boolean): Promise<void> {
    clearInterval(this.#keepAlive);
    const channel = this.#channel;
    try {
      // What is still to be released; a server that does not answer is not waited for.
      await Promise.race([channel.drain(), pause(2_000, undefined, { ref: false })]);
      if (!keepSession) {
        const { clientObservedServerSideSessionId: _, ...head } = channel.head();
        await channel.stub.releaseSession({ ...head, allowReconnect: false }, { timeoutMs: 5_000 });
      }
    } catch {
      // A server that cannot be told ends the session when it has been idle for long enough.
    } finally {
      channel.close();
      await channel.drain();
    }
  }

  async #config(operation: ConfigInit): Promise<ConfigResponse> {
    return await this.#channel.unary((head, signal) =>
      this.#channel.stub.config({ ...head, operation: { opType: operation } }, { ...(signal && { signal }) }),
    );
  }

  #keepSession(everyMs: number): void {
    if (everyMs <= 0) return;
    this.#keepAlive = setInterval(() => {
      if (this.#channel.idleMs < everyMs) return;
      // What goes wrong here, the next call says.
      this.#channel.inBackground(
        this.#config({ case: "getOption", value: { keys: ["spark.app.id"] } }).then(
          () => undefined,
          () => undefined,
        ),
      );
    }, everyMs);
    this.#keepAlive.unref();
  }
}

function sessionConf(config: (operation: ConfigInit) => Promise<ConfigResponse>): SessionConf {
  return {
    async get(key) {
      const { pairs } = await config({ case: "get", value: { keys: [key] } });
      return pairs[0]?.value ?? "";
    },
    async getOption(key) {
      const { pairs } = await config({ case: "getOption", value: { keys: [key] } });
      return pairs[0]?.value;
    },
    async getAll(prefix) {
      const { pairs } = await config({ case: "getAll", value: prefix === undefined ? {} : { prefix } });
      return Object.fromEntries(pairs.map(({ key, value }) => [key, value ?? ""]));
    },
    async set(settings) {
      const pairs = Object.entries(settings).map(([key, value]) => ({ key, value }));
      return (await config({ case: "set", value: { pairs } })).warnings;
    },
    async unset(...keys) {
      await config({ case: "unset", value: { keys } });
    },
    async isModifiable(key) {
      const { pairs } = await config({ case: "isModifiable", value: { keys: [key] } });
      return pairs[0]?.value === "true";
    },
  };
}

/** A server cuts or refuses what is longer than 2,048 letters. */
function userAgent(custom: string | undefined): string {
  const own = `millrace/${version()} node/${process.versions.node} os/${process.platform}`;
  return (custom === undefined ? own : `${custom} ${own}`).slice(0, 2048);
}

/** Ours, from the package's own package.json: one folder nearer once it is built. */
function version(): string {
  for (const path of ["../../../package.json", "../../package.json"]) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as Record<string, unknown>;
      if (manifest.name === "millrace") return String(manifest.version);
    } catch {
      // not there: the other place
    }
  }
  return "unknown";
}
