import { create } from "@bufbuild/protobuf";
import type { Backend, BatchTarget, Conf, ExplainMode, StreamingQueryHandle, StreamTarget } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import type { Relation } from "../plan/relation.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { decodeArrow } from "./arrow.ts";
import { createSparkCatalog, type SparkCatalog } from "./catalog.ts";
import { SparkConnectClient } from "./client/client.ts";
import { decodeSchema, encodeRelation, scriptRows } from "./encode.ts";
import type { EncodeContext } from "./encode-context.ts";
import { sparkSink } from "./formats.ts";
import { createFunctionShipper, type FunctionShipper } from "./functions/shipper.ts";
import { LocalCache } from "./local-cache.ts";
import { namingMissingPackage } from "./missing-package.ts";
import * as pb from "./proto/spark-connect_pb.ts";
import { saveMode } from "./save-mode.ts";
import { SessionConf } from "./session-conf.ts";
import type { SparkSessionParts } from "./session-parts.ts";

export interface SparkBackendOptions {
  /** The server, `sc://host:15002/;token=...`. */
  readonly url: string;
  /** The settings that the session starts with. */
  readonly conf?: Conf;
}

/**
 * Apache Spark behind Spark Connect: plans run on the server, rows come back as Arrow.
 *
 * @throws MillraceError INVALID_OPTION, SPARK_UNREACHABLE, SPARK_AUTHENTICATION, SPARK_UNSUPPORTED_SERVER
 * @example
 * const backend = await createSparkBackend({ url: "sc://localhost:15002" });
 * for await (const rows of backend.run(plan, {})) console.log(rows);
 * await backend.close();
 */
export async function createSparkBackend(options: SparkBackendOptions): Promise<SparkBackend> {
  const connect = (sessionId?: string): Promise<SparkConnectClient> =>
    SparkConnectClient.connect(sessionId === undefined ? options.url : joining(options.url, sessionId));
  const client = await connect();
  const backend = new SparkBackend(client, { functions: createFunctionShipper, connect });
  try {
    await backend.applyConf(options.conf ?? {});
  } catch (error) {
    await client.close();
    throw error;
  }
  return backend;
}

/** What a backend takes besides its first client. */
export interface SparkBackendParts {
  /** How TypeScript functions travel over a client's session. */
  readonly functions?: (client: SparkConnectClient) => FunctionShipper;
  /** Makes another client when the session was lost. Without it streaming queries end with their server. */
  readonly connect?: (sessionId?: string) => Promise<SparkConnectClient>;
}

/** What lives as long as a session on the server. */
class ServerSession {
  readonly client: SparkConnectClient;
  readonly functions: FunctionShipper | undefined;
  readonly conf: SessionConf;
  readonly local: LocalCache;

  constructor(client: SparkConnectClient, parts: SparkBackendParts) {
    this.client = client;
    this.functions = parts.functions?.(client);
    this.conf = new SessionConf(client);
    this.local = new LocalCache(client);
  }
}

/** The `Backend` on a Spark server: of one session there, and of another when a streaming query has to outlive it. */
export class SparkBackend implements Backend, SparkSessionParts {
  readonly name = "spark";
  readonly catalog: SparkCatalog = createSparkCatalog(this);
  readonly #parts: SparkBackendParts;
  #session: ServerSession;
  readonly #before: SparkConnectClient[] = [];
  /** The session is gone: whoever asks for a client next makes another. */
  #lost = false;
  #renewal: Promise<SparkConnectClient> | undefined;
  /** Plans that the server has not read yet: until then the settings are theirs. */
  readonly #unread = new Set<Promise<void>>();
  /** Encoding goes one after the other: the session's settings are shared. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(client: SparkConnectClient, parts: SparkBackendParts = {}) {
    this.#parts = parts;
    this.#session = new ServerSession(client, parts);
  }

  get client(): SparkConnectClient {
    return this.#session.client;
  }

  get functions(): FunctionShipper | undefined {
    return this.#session.functions;
  }

  lost(client: SparkConnectClient): void {
    if (client === this.client && this.#parts.connect !== undefined) this.#lost = true;
  }

  async connected(): Promise<SparkConnectClient> {
    if (!this.#lost) return this.client;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async join(sessionId: string): Promise<SparkConnectClient> {
    const { connect } = this.#parts;
    if (connect === undefined) throw new MillraceError("INTERNAL", "This session cannot make another connection.");
    return connect(sessionId);
  }

  async #renew(): Promise<SparkConnectClient> {
    const client = await this.#parts.connect!();
    // other queries may not have noticed yet, and its server may be there still
    this.#before.push(this.#session.client);
    this.#session = new ServerSession(client, this.#parts);
    await this.catalog.restore(client, (plan, conf) => this.#encodeHere(plan, conf));
    this.#lost = false;
    return client;
  }

  /** The version of the server, such as `4.2.0`. */
  get version(): string {
    return this.client.serverVersion;
  }

  async applyConf(conf: Conf): Promise<void> {
    await this.#session.conf.apply(conf);
  }

  async encode(plan: Relation, conf: Conf): Promise<pb.Relation> {
    const { root, read } = await this.#send(plan, conf);
    read();
    return root;
  }

  async encoded<T>(plan: Relation, conf: Conf, use: (root: pb.Relation) => Promise<T>): Promise<T> {
    const { root, read } = await this.#send(plan, conf);
    return use(root).finally(read);
  }

  /** The plan as a message; `read` is called when the server has read it, and the settings may change. */
  #send(plan: Relation, conf: Conf): Promise<Sending> {
    const sending = this.#turn.then(async (): Promise<Sending> => {
      const root = await this.#encode(plan, conf);
      let done = (): void => {};
      const wait = new Promise<void>((resolve) => {
        done = resolve;
      });
      this.#unread.add(wait);
      return {
        root,
        read: () => {
          this.#unread.delete(wait);
          done();
        },
      };
    });
    this.#turn = sending.then(
      () => undefined,
      () => undefined,
    );
    return sending;
  }

  async #encode(plan: Relation, conf: Conf): Promise<pb.Relation> {
    await this.connected();
    return this.#encodeHere(plan, conf);
  }

  /** As the session that there is now takes it. */
  async #encodeHere(plan: Relation, conf: Conf): Promise<pb.Relation> {
    const { functions, conf: settings, local } = this.#session;
    await settings.apply({ ...functions?.conf(plan), ...conf }, () => Promise.all(this.#unread));
    await local.prepare(plan);
    const context: EncodeContext = { cached: local, ...(functions && { functions }) };
    await functions?.prepare(plan, conf, (part) => this.#schemaOf(encodeRelation(part, context)));
    return encodeRelation(plan, context);
  }

  async schema(plan: Relation, conf: Conf): Promise<StructType> {
    const { root, read } = await this.#send(plan, conf);
    return this.#schemaOf(root).finally(read);
  }

  async analyze(plan: Relation, conf: Conf): Promise<ResolvedRelation | undefined> {
    const { analysedPlan } = await import("./value-modes.ts");
    return analysedPlan(plan, conf, (leaf) => this.schema(leaf, conf));
  }

  async #schemaOf(root: pb.Relation): Promise<StructType> {
    const answer = await this.#named((client) =>
      client.analyze({ case: "schema", value: { plan: { opType: { case: "root", value: root } } } }),
    );
    if (answer.result.case !== "schema") throw noAnswer("schema");
    return decodeSchema(answer.result.value.schema);
  }

  async *run(plan: Relation, conf: Conf): AsyncGenerator<readonly AnyRow[], void, undefined> {
    const { plan: rows, modes } = scriptRows(plan);
    // Our own function table is loaded for such plans only.
    const forms = modes ? await import("./value-modes.ts") : undefined;
    const analysed = await forms?.analysedModes(rows, conf, (leaf) => this.schema(leaf, conf));
    const sending = await this.#send(rows, conf);
    let schema: StructType | undefined;
    let decoded: StructType | undefined;
    for await (const part of this.#arrow(sending)) {
      if (part.schema !== schema) {
        schema = part.schema;
        decoded = schema && forms ? forms.withModes(schema, analysed) : schema;
      }
      yield decodeArrow(part.data, decoded, { modes, rowCount: part.rowCount }).rows;
    }
  }

  /** The result's batches as Arrow IPC streams; the server is asked for more as they are taken. */
  async *#arrow({ root, read }: Sending): AsyncGenerator<ArrowPart, void, undefined> {
    const plan = create(pb.PlanSchema, { opType: { case: "root", value: root } });
    const { client } = this;
    let schema: StructType | undefined;
    try {
      for await (const response of client.execute(plan)) {
        read();
        if (response.schema !== undefined) schema = decodeSchema(response.schema);
        if (response.responseType.case !== "arrowBatch") continue;
        const { data, rowCount } = response.responseType.value;
        if (rowCount > 0n) yield { schema, data, rowCount: Number(rowCount) };
      }
    } catch (error) {
      throw this.#failure(error, client);
    } finally {
      read();
    }
  }

  async #named<T>(ask: (client: SparkConnectClient) => Promise<T>): Promise<T> {
    const { client } = this;
    try {
      return await ask(client);
    } catch (error) {
      throw this.#failure(error, client);
    }
  }

  /** A session that is gone fails this action; the next one gets another. */
  #failure(error: unknown, client: SparkConnectClient): unknown {
    if (error instanceof MillraceError && error.code === "SPARK_SESSION_LOST") this.lost(client);
    return namingMissingPackage(error, client.serverVersion);
  }

  async write(plan: Relation, target: BatchTarget, conf: Conf): Promise<void> {
    const sink = sparkSink(target.format, target.options, target.path);
    if (sink === undefined) {
      const { writeThroughOwnSink } = await import("./own-sink.ts");
      await writeThroughOwnSink(target, conf, async () => {
        const sending = await this.#send(plan, conf);
        try {
          return { schema: await this.#schemaOf(sending.root), batches: dataOf(this.#arrow(sending)) };
        } catch (error) {
          sending.read();
          throw error;
        }
      });
      return;
    }
    const { root: input, read } = await this.#send(plan, conf);
    const { path, ...options } = sink.options;
    const to = sink.paths[0] ?? path;
    const command = create(pb.CommandSchema, {
      commandType: {
        case: "writeOperation",
        value: {
          input,
          source: sink.format,
          ...(to !== undefined && { saveType: { case: "path", value: to } }),
          mode: saveMode(target.mode),
          partitioningColumns: [...target.partitionBy],
          options,
        },
      },
    });
    await this.#named((client) => client.command(command)).finally(read);
  }

  async stream(plan: Relation, target: StreamTarget, conf: Conf): Promise<StreamingQueryHandle> {
    const { startStream } = await import("./streaming/start.ts");
    return startStream(this, plan, target, conf);
  }

  async queries(conf: Conf, id?: string): Promise<readonly StreamingQueryHandle[]> {
    const { queriesOfOthers } = await import("./streaming/registry.ts");
    return queriesOfOthers(this, conf, id);
  }

  async explain(plan: Relation, mode: ExplainMode, conf: Conf): Promise<string> {
    const { root, read } = await this.#send(plan, conf);
    const modes = pb.AnalyzePlanRequest_Explain_ExplainMode;
    const answer = await this.#named((client) =>
      client.analyze({
        case: "explain",
        value: {
          plan: { opType: { case: "root", value: root } },
          explainMode: { simple: modes.SIMPLE, extended: modes.EXTENDED, formatted: modes.FORMATTED }[mode],
        },
      }),
    ).finally(read);
    if (answer.result.case !== "explain") throw noAnswer("explain");
    return answer.result.value.explainString;
  }

  async close(): Promise<void> {
    await Promise.all([this.client, ...this.#before].map((client) => client.close()));
  }
}

/** A plan on its way. */
interface Sending {
  readonly root: pb.Relation;
  readonly read: () => void;
}

/** The address with another session in it. */
function joining(url: string, sessionId: string): string {
  const own = url.replace(/;session_id=[^;]*/g, "").replace(/\/$/, "");
  return `${own.includes("/;") || /;/.test(own) ? own : `${own}/`};session_id=${sessionId}`;
}

interface ArrowPart {
  readonly schema: StructType | undefined;
  readonly data: Uint8Array;
  readonly rowCount: number;
}

async function* dataOf(parts: AsyncIterable<ArrowPart>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { data } of parts) yield data;
}

function noAnswer(what: string): MillraceError {
  return new MillraceError("SPARK_ERROR", `The server gave no answer to ${what}.`);
}
