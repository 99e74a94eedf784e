import { accessSync, constants, mkdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { listenError } from "../listen-error.ts";
import { Connection } from "./connection.ts";
import { GroupCoordinator } from "./group/coordinator.ts";
import type { Broker } from "./handlers/broker.ts";
import { expireOffsets } from "./handlers/retention.ts";
import { OffsetStore } from "./log/offset-store.ts";
import { TopicStore } from "./log/topic-store.ts";

/** Everything decided: what `startKafkaServer` makes of its options. */
export interface BrokerServerOptions {
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  readonly numPartitions: number;
  readonly autoCreateTopics: boolean;
  readonly fsync: boolean;
  readonly flushIntervalMs: number;
}

/** How often old offsets are looked for. */
const SWEEP_MS = 600_000;

/** The broker itself, in whatever thread it is started: stores, listener, timers. */
export class BrokerServer {
  readonly port: number;
  readonly #server: Server;
  readonly #broker: Broker;
  readonly #connections: Set<Connection>;
  readonly #flushTimer: NodeJS.Timeout;
  readonly #sweepTimer: NodeJS.Timeout;
  #flushing: Promise<void> | undefined;
  #flushFailing = false;

  private constructor(server: Server, broker: Broker, connections: Set<Connection>, flushIntervalMs: number) {
    this.#server = server;
    this.#broker = broker;
    this.#connections = connections;
    this.port = broker.address.port;
    this.#flushTimer = setInterval(() => void this.#flush(), flushIntervalMs);
    this.#flushTimer.unref();
    this.#sweepTimer = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweepTimer.unref();
  }

  static async start(options: BrokerServerOptions): Promise<BrokerServer> {
    const { directory, host } = options;
    let topics: TopicStore;
    let offsets: OffsetStore;
    try {
      mkdirSync(directory, { recursive: true });
      accessSync(directory, constants.W_OK);
      topics = new TopicStore(directory, { syncEachAppend: options.fsync });
      offsets = new OffsetStore(join(directory, "offsets.journal"));
    } catch (error) {
      throw openError(directory, error);
    }
    const address = { host: isWildcard(host) ? undefined : host, port: options.port };
    const groups = new GroupCoordinator(offsets);
    const broker: Broker = { topics, offsets, groups, config: options, address };
    const connections = new Set<Connection>();
    const server = createServer((socket) => {
      const connection = new Connection(socket, broker, () => connections.delete(connection));
      connections.add(connection);
    });
    try {
      await listen(server, options);
    } catch (error) {
      await Promise.allSettled([topics.close(), offsets.close()]);
      throw error;
    }
    address.port = (server.address() as { port: number }).port;
    return new BrokerServer(server, broker, connections, options.flushIntervalMs);
  }

  /** Stops listening, drops the clients, puts everything on disk. */
  async close(): Promise<void> {
    clearInterval(this.#flushTimer);
    clearInterval(this.#sweepTimer);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.destroy();
    await closed;
    this.#broker.groups.close();
    await this.#flushing;
    const results = await Promise.allSettled([this.#broker.topics.close(), this.#broker.offsets.close()]);
    for (const r of results) if (r.status === "rejected") throw r.reason;
  }

  #sweep(): void {
    try {
      expireOffsets(this.#broker, Date.now());
    } catch (error) {
      publish("server.error", { server: "kafka", error: error as Error });
    }
  }

  /** Never rejects; a failure is reported, once until it is over, and the next interval tries again. */
  #flush(): Promise<void> {
    this.#flushing ??= Promise.all([this.#broker.topics.flush(), this.#broker.offsets.flush()])
      .then(
        () => {
          this.#flushFailing = false;
        },
        (error: Error) => {
          if (!this.#flushFailing) publish("server.error", { server: "kafka", error });
          this.#flushFailing = true;
        },
      )
      .finally(() => {
        this.#flushing = undefined;
      });
    return this.#flushing;
  }
}

function listen(server: Server, { host, port }: BrokerServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const told = listenError(error, host, port);
      reject(
        told instanceof MillraceError
          ? told
          : new MillraceError(
              "INVALID_OPTION",
              `The broker cannot listen on ${host}:${port} (${error.code ?? error}).`,
              {
                cause: error,
              },
            ),
      );
    });
    server.listen({ host, port }, () => resolve());
  });
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "";
}

function openError(directory: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  if (reason === "ENOSPC" || reason === "EDQUOT") {
    return new MillraceError("DISK_FULL", `No space is left for the Kafka log in ${directory}.`, { cause: error });
  }
  return new MillraceError("DIRECTORY_NOT_WRITABLE", `The directory ${directory} cannot be used (${reason}).`, {
    hint: "Give this user read and write permission there, or choose another directory.",
    cause: error,
    parameters: { directory },
  });
}
