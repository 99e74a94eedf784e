import { create } from "@bufbuild/protobuf";
import type {
  Backend,
  BackendCatalog,
  BatchTarget,
  Conf,
  ExplainMode,
  StreamingQueryHandle,
  StreamTarget,
} from "../backend.ts";
import { MillraceError } from "../errors.ts";
import type { Relation } from "../plan/relation.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { decodeArrow } from "./arrow.ts";
import { createSparkCatalog } from "./catalog.ts";
import { SparkConnectClient } from "./client/client.ts";
import { decodeSchema, encodeRelation, scriptRows } from "./encode.ts";
import type { EncodeContext } from "./encode-context.ts";
import { sparkSink } from "./formats.ts";
import { createFunctionShipper, type FunctionShipper } from "./functions/shipper.ts";
import { LocalCache } from "./local-cache.ts";
import { namingMissingPackage } from "./missing-package.ts";
import * as pb from "./proto/spark-connect_pb.ts";
import { SessionConf } from "./session-conf.ts";
import type { SparkSessionParts } from "./session-parts.ts";
import { analysedModes, withModes } from "./value-modes.ts";

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
  const connect = (): Promise<SparkConnectClient> => SparkConnectClient.connect(options.url);
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
  readonly connect?: () => Promise<SparkConnectClient>;
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
  readonly catalog: BackendCatalog = createSparkCatalog(this);
  readonly #parts: SparkBackendParts;
  #session: ServerSession;
  readonly #before: SparkConnectClient[] = [];
  /** The session is gone: whoever asks for a client next makes another. */
  #lost = false;
  #renewal: Promise<SparkConnectClient> | undefined;
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

  async #renew(): Promise<SparkConnectClient> {
    const client = await this.#parts.connect!();
    // other queries may not have noticed yet, and its server may be there still
    this.#before.push(this.#session.client);
    this.#session = new ServerSession(client, this.#parts);
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

  encode(plan: Relation, conf: Conf): Promise<pb.Relation> {
    const encoded = this.#turn.then(() => this.#encode(plan, conf));
    this.#turn = encoded.then(
      () => undefined,
      () => undefined,
    );
    return encoded;
  }

  async #encode(plan: Relation, conf: Conf): Promise<pb.Relation> {
    const { functions, conf: settings, local } = this.#session;
    await settings.apply({ ...functions?.conf(plan), ...conf });
    await local.prepare(plan);
    const context: EncodeContext = { cached: local, ...(functions && { functions }) };
    await functions?.prepare(plan, conf, (part) => this.#schemaOf(encodeRelation(part, context)));
    return encodeRelation(plan, context);
  }

  async schema(plan: Relation, conf: Conf): Promise<StructType> {
    return this.#schemaOf(await this.encode(plan, conf));
  }

  async #schemaOf(root: pb.Relation): Promise<StructType> {
    const answer = await this.#named(() =>
      this.client.analyze({ case: "schema", value: { plan: { opType: { case: "root", value: root } } } }),
    );
    if (answer.result.case !== "schema") throw noAnswer("schema");
    return decodeSchema(answer.result.value.schema);
  }

  async *run(plan: Relation, conf: Conf): AsyncGenerator<readonly AnyRow[], void, undefined> {
    const { plan: rows, modes } = scriptRows(plan);
    const analysed = modes ? await analysedModes(rows, conf, (leaf) => this.schema(leaf, conf)) : undefined;
    const root = await this.encode(rows, conf);
    let schema: StructType | undefined;
    let decoded: StructType | undefined;
    for await (const part of this.#arrow(root)) {
      if (part.schema !== schema) {
        schema = part.schema;
        decoded = schema && withModes(schema, analysed);
      }
      yield decodeArrow(part.data, decoded, { modes, rowCount: part.rowCount }).rows;
    }
  }

  /** The result's batches as Arrow IPC streams; the server is asked for more as they are taken. */
  async *#arrow(root: pb.Relation): AsyncGenerator<ArrowPart, void, undefined> {
    const plan = create(pb.PlanSchema, { opType: { case: "root", value: root } });
    let schema: StructType | undefined;
    try {
      for await (const response of this.client.execute(plan)) {
        if (response.schema !== undefined) schema = decodeSchema(response.schema);
        if (response.responseType.case !== "arrowBatch") continue;
        const { data, rowCount } = response.responseType.value;
        if (rowCount > 0n) yield { schema, data, rowCount: Number(rowCount) };
      }
    } catch (error) {
      throw namingMissingPackage(error, this.version);
    }
  }

  async #named<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw namingMissingPackage(error, this.version);
    }
  }

  async write(plan: Relation, target: BatchTarget, conf: Conf): Promise<void> {
    const sink = sparkSink(target.format, target.options, target.path);
    if (sink === undefined) {
      const { writeThroughOwnSink } = await import("./own-sink.ts");
      await writeThroughOwnSink(target, conf, async () => {
        const input = await this.encode(plan, conf);
        return { schema: await this.#schemaOf(input), batches: dataOf(this.#arrow(input)) };
      });
      return;
    }
    const input = await this.encode(plan, conf);
    const { path, ...options } = sink.options;
    const to = sink.paths[0] ?? path;
    const modes = pb.WriteOperation_SaveMode;
    const command = create(pb.CommandSchema, {
      commandType: {
        case: "writeOperation",
        value: {
          input,
          source: sink.format,
          ...(to !== undefined && { saveType: { case: "path", value: to } }),
          mode: {
            append: modes.APPEND,
            overwrite: modes.OVERWRITE,
            error: modes.ERROR_IF_EXISTS,
            ignore: modes.IGNORE,
          }[target.mode],
          partitioningColumns: [...target.partitionBy],
          options,
        },
      },
    });
    await this.#named(() => this.client.command(command));
  }

  async stream(plan: Relation, target: StreamTarget, conf: Conf): Promise<StreamingQueryHandle> {
    const { startStream } = await import("./streaming/start.ts");
    return startStream(this, plan, target, conf);
  }

  async explain(plan: Relation, mode: ExplainMode, conf: Conf): Promise<string> {
    const root = await this.encode(plan, conf);
    const modes = pb.AnalyzePlanRequest_Explain_ExplainMode;
    const answer = await this.#named(() =>
      this.client.analyze({
        case: "explain",
        value: {
          plan: { opType: { case: "root", value: root } },
          explainMode: { simple: modes.SIMPLE, extended: modes.EXTENDED, formatted: modes.FORMATTED }[mode],
        },
      }),
    );
    if (answer.result.case !== "explain") throw noAnswer("explain");
    return answer.result.value.explainString;
  }

  async close(): Promise<void> {
    await Promise.all([this.client, ...this.#before].map((client) => client.close()));
  }
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
