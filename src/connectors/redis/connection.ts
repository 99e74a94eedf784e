import type { Redis } from "iovalkey";
import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import type { Options } from "../connector.ts";

export interface RedisAddress {
  /** `host:port/database`, fit for messages. */
  readonly label: string;
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}

/** Reads `url`, `username` and `password`. @throws MillraceError INVALID_OPTION (never showing the password) */
export function addressOf(options: Options): RedisAddress {
  let url: URL;
  try {
    url = new URL(options.url ?? "");
    if (!/^(redis|rediss|valkey|valkeys):$/.test(url.protocol) || !/^\/?\d*$/.test(url.pathname))
      throw new Error("form");
  } catch {
    throw new MillraceError("INVALID_OPTION", "The option url is not a Redis address.", {
      hint: "Give it as redis://user:password@host:6379/0, or rediss:// for TLS.",
      parameters: { option: "url" },
    });
  }
  const host = url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1";
  const port = url.port === "" ? 6379 : Number(url.port);
  const database = Number(url.pathname.slice(1) || "0");
  return {
    label: `${host}:${port}/${database}`,
    host,
    port,
    database,
    username: options.username ?? (decodeURIComponent(url.username) || undefined),
    password: options.password ?? (decodeURIComponent(url.password) || undefined),
    tls: url.protocol === "rediss:" || url.protocol === "valkeys:",
  };
}

/** Connects; the client never reconnects by itself, the caller decides. @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED */
export async function connect(address: RedisAddress): Promise<Redis> {
  let cause: Error | undefined;
  // Loaded on first use: a pipeline without a cache starts faster.
  const { Redis } = await import("iovalkey");
  const client = new Redis({
    host: address.host,
    port: address.port,
    db: address.database,
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(address.tls ? { tls: { servername: address.host } } : {}),
    connectionName: "millrace",
    lazyConnect: true,
    connectTimeout: 10_000,
    commandTimeout: 30_000,
    keepAlive: 10_000,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  client.on("error", (error: Error) => {
    cause = error;
    publish("client.error", { client: `redis ${address.label}`, error });
  });
  try {
    await client.connect();
    // AUTH and SELECT go out with the connection, but only a reply to a command says whether they were accepted.
    await client.ping();
    return client;
  } catch (error) {
    client.disconnect();
    // The client says "Connection is closed."; the socket's own error says why.
    throw translate(isClosed(error) ? (cause ?? error) : error, address, "connect");
  }
}

const TRANSIENT_REPLY = /^(LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY|NOREPLICAS)\b/;

/** An error of the client as one of ours. */
export function translate(error: unknown, address: RedisAddress, doing: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const e = error as Error & { code?: string };
  const text = e.message.replace(/\.$/, "");
  const isReply = e.name === "ReplyError" || /^[A-Z]+ /.test(text);
  const message = `Redis at ${address.label}: could not ${doing}: ${text}.`;
  if (isReply && !TRANSIENT_REPLY.test(text)) {
    return new MillraceError("REDIS_FAILED", message, { hint: hintFor(text), cause: error });
  }
  return new MillraceError("REDIS_UNREACHABLE", message, {
    retryable: true,
    hint: isReply ? undefined : "Check that the server runs and that url is right.",
    cause: error,
  });
}

function isClosed(error: unknown): boolean {
  return /Connection is closed|max retries per request/i.test((error as Error).message);
}

function hintFor(reply: string): string | undefined {
  switch (/^[A-Z]+/.exec(reply)?.[0]) {
    case "NOAUTH":
    case "WRONGPASS":
      return "Check username and password.";
    case "NOPERM":
      return "Let the user run WATCH, MULTI, EXEC, HSET, HGET, HDEL, SET, GET, DEL and PEXPIRE on these keys.";
    case "WRONGTYPE":
      return "A key holds something else: choose another key template, or delete it.";
    case "OOM":
      return "The server is full: raise maxmemory, choose an eviction policy, or set ttl.";
    case "MOVED":
    case "ASK":
    case "CROSSSLOT":
      return "Redis Cluster is not supported: give the address of a single server.";
    case "MISCONF":
      return "The server refuses writes because it cannot save its data: see its log.";
    default:
      return undefined;
  }
}
