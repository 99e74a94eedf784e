import { resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { lockDirectory } from "../dir-lock.ts";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { BrokerServer, type BrokerServerOptions } from "./broker-server.ts";
import { type FromBroker, unpackError } from "./server-messages.ts";

export interface KafkaServerOptions {
  /** Where topics, logs and committed offsets are kept; made when it is missing. One broker at a time. */
  readonly directory: string;
  /** Address to listen on, and the one clients are told. Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 9092; 0 takes any free port. */
  readonly port?: number | undefined;
  /** Partitions of a topic that is made without saying how many. Default 4. */
  readonly numPartitions?: number | undefined;
  /** Whether asking for a topic that does not exist makes it. Default true. */
  readonly autoCreateTopics?: boolean | undefined;
  /** Acknowledge, and show to consumers, only what is on disk for certain. Default false: see docs/kafka.md. */
  readonly fsync?: boolean | undefined;
  /** How often everything is put on disk, in milliseconds. Default 5000. */
  readonly flushIntervalMs?: number | undefined;
  /** Run in the calling thread instead of a thread of its own. Default false. */
  readonly inProcess?: boolean | undefined;
}

export interface KafkaServer {
  readonly host: string;
  /** The port it listens on, also when 0 was asked for. */
  readonly port: number;
  /** Drops the clients, puts everything on disk and gives the directory free. */
  close(): Promise<void>;
}

/**
 * Starts a single-node broker that speaks Kafka's protocol; `docs/kafka.md` says how much of it. It runs in a thread of its own. What was
 * acknowledged survives the end of the process in any manner.
 *
 * Throws `PORT_IN_USE`, `DIRECTORY_IN_USE`, `DIRECTORY_NOT_WRITABLE`, `DISK_FULL`, `KAFKA_LOG_CORRUPT` and `INVALID_OPTION`. Later trouble
 * is reported by the events `server.error` and `warning`.
 *
 * ```ts
 * const kafka = await startKafkaServer({ directory: ".millrace/kafka", port: 0 });
 * // kcat -b 127.0.0.1:<kafka.port> -L
 * await kafka.close();
 * ```
 */
export async function startKafkaServer(options: KafkaServerOptions): Promise<KafkaServer> {
  const host = options.host ?? "127.0.0.1";
  const wanted = integer("port", options.port ?? 9092, 0, 65535);
  const decided: BrokerServerOptions = {
    directory: resolve(options.directory),
    host,
    port: wanted,
    numPartitions: integer("numPartitions", options.numPartitions ?? 4, 1, 10_000),
    autoCreateTopics: options.autoCreateTopics ?? true,
    fsync: options.fsync ?? false,
    flushIntervalMs: integer("flushIntervalMs", options.flushIntervalMs ?? 5000, 1, 86_400_000),
  };
  const lock = await lockDirectory(decided.directory);
  let running: { port: number; close(): Promise<void> };
  try {
    running = options.inProcess ? await BrokerServer.start(decided) : await startWorker(decided);
  } catch (error) {
    await lock.release();
    throw error;
  }
  publish("server.listening", { server: "kafka", host, port: running.port, wanted });
  let closing: Promise<void> | undefined;
  return {
    host,
    port: running.port,
    close() {
      closing ??= running.close().finally(() => lock.release());
      return closing;
    },
  };
}

function startWorker(options: BrokerServerOptions): Promise<{ port: number; close(): Promise<void> }> {
  const worker = new Worker(new URL("./server-worker.ts", import.meta.url), {
    name: "millrace-kafka",
    workerData: options,
    execArgv: [],
  });
  return new Promise((resolveStart, rejectStart) => {
    let started = false;
    let gone = false;
    let closed: ((error?: Error) => void) | undefined;
    worker.on("message", (message: FromBroker) => {
      switch (message.type) {
        case "listening":
          started = true;
          resolveStart({
            port: message.port,
            close: () =>
              new Promise((resolveClose, rejectClose) => {
                if (gone) return resolveClose();
                closed = (error) => {
                  closed = undefined;
                  worker
                    .terminate()
                    .then(() => (error === undefined ? resolveClose() : rejectClose(error)), rejectClose);
                };
                worker.postMessage("close");
              }),
          });
          break;
        case "failed":
          worker.terminate().then(() => rejectStart(unpackError(message.error)), rejectStart);
          break;
        case "closed":
          closed?.(message.error && unpackError(message.error));
          break;
        case "server.error":
          publish("server.error", { server: "kafka", error: unpackError(message.error) });
          break;
        case "warning": {
          const { type: _, ...warning } = message;
          publish("warning", warning);
        }
      }
    });
    // The thread broke down: a fault of ours, or no memory left.
    worker.on("error", (cause) => {
      const error = new MillraceError("INTERNAL", `The Kafka broker stopped: ${(cause as Error).message}.`, { cause });
      if (!started) rejectStart(error);
      else publish("server.error", { server: "kafka", error });
    });
    worker.on("exit", () => {
      gone = true;
      closed?.();
    });
  });
}

function integer(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new MillraceError("INVALID_OPTION", `${name} must be a whole number from ${min} to ${max}, not ${value}.`);
}
