import { createServer, type Socket } from "node:net";
import { join, resolve } from "node:path";
import { lockDirectory } from "../dir-lock.ts";
import { publish } from "../events.ts";
import { listenError } from "../listen-error.ts";
import { Aof, type FsyncPolicy, recover } from "./aof.ts";
import { execute } from "./commands/index.ts";
import { PubSub } from "./pub-sub.ts";
import { CommandReader } from "./resp.ts";
import { type Server, Session, Watchers } from "./session.ts";
import { Store } from "./store.ts";

export interface CacheServerOptions {
  /** Where the append-only file lives; made when it is missing. */
  directory: string;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 6379; 0 takes any free one. */
  port?: number;
  /** When written data is forced to the disk; default `everysec`, as in Redis. */
  fsync?: FsyncPolicy;
  /** The file is rewritten when it has doubled and is larger than this, in bytes; default 16 MiB. */
  rewriteMinSize?: number;
  /** The clock in milliseconds since 1970, for tests of expiry. */
  now?: () => number;
}

export interface CacheServer {
  host: string;
  port: number;
  /** An address for any Redis client. */
  url: string;
  close(): Promise<void>;
}

/** Keys looked at per round of removing those whose time is over, and the time between rounds. */
const EXPIRE_LIMIT = 200;
const EXPIRE_EVERY_MS = 100;

/**
 * Starts the embedded cache: strings and hashes with expiry, spoken to in RESP2 or RESP3 by any Redis client, kept in an
 * append-only file (docs/embedded-servers.md lists the commands and what is promised).
 *
 * Throws `DIRECTORY_IN_USE`, `DIRECTORY_NOT_WRITABLE`, `PORT_IN_USE`, `REDIS_FAILED` (a damaged file).
 *
 * ```ts
 * const server = await startCacheServer({ directory: ".millrace/redis", port: 0 });
 * const client = new Redis(server.url);
 * ```
 */
export async function startCacheServer(options: CacheServerOptions): Promise<CacheServer> {
  const directory = resolve(options.directory);
  const host = options.host ?? "127.0.0.1";
  const wanted = options.port ?? 6379;
  const now = options.now ?? Date.now;
  const lock = await lockDirectory(directory);
  const watchers = new Watchers();
  let aof: Aof | undefined;
  const store = new Store({
    now,
    log: (db, operation) => aof?.log(db, operation),
    touched: (db, key) => watchers.touched(db, key),
  });
  try {
    const path = join(directory, "appendonly.aof");
    const { size } = await recover(path, store);
    aof = new Aof(
      { path, policy: options.fsync ?? "everysec", rewriteMinSize: options.rewriteMinSize ?? 16 * 1024 * 1024 },
      store,
      size,
    );
    const shared: Server = {
      store,
      pubSub: new PubSub(),
      sessions: new Map(),
      watchers,
      aof,
      info: { startedAt: now(), port: wanted, commands: 0, connections: 0 },
      now,
    };
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      serve(socket, shared);
    });
    const port = await new Promise<number>((done, fail) => {
      server.once("error", fail);
      server.listen({ host, port: wanted, exclusive: true }, () => {
        server.off("error", fail);
        server.on("error", (error) => publish("server.error", { server: "redis", error }));
        const address = server.address();
        done(typeof address === "object" && address !== null ? address.port : wanted);
      });
    });
    Object.assign(shared.info, { port });
    const expiry = setInterval(() => {
      if (store.expireSome(EXPIRE_LIMIT) > 0 && aof?.failed === undefined) aof?.flush();
    }, EXPIRE_EVERY_MS);
    expiry.unref();
    publish("server.listening", { server: "redis", host, port, wanted });
    let closing: Promise<void> | undefined;
    return {
      host,
      port,
      url: `redis://${host.includes(":") ? `[${host}]` : host}:${port}`,
      close() {
        closing ??= (async () => {
          clearInterval(expiry);
          const closed = new Promise((done) => server.close(done));
          for (const socket of sockets) socket.destroy();
          await closed;
          aof?.close();
          await lock.release();
        })();
        return closing;
      },
    };
  } catch (error) {
    aof?.close();
    await lock.release();
    throw listenError(error, host, wanted);
  }
}

let lastId = 0;

/** What a connection may leave unread before commands wait. */
const PAUSE_WRITING = 8 * 1024 * 1024;

function serve(socket: Socket, server: Server): void {
  let output = "";
  const flush = (): void => {
    if (output === "" || socket.destroyed) return;
    socket.write(output, "latin1");
    output = "";
    if (socket.writableLength > PAUSE_WRITING) socket.pause();
  };
  let serving = false;
  const session = new Session(++lastId, server, `${socket.remoteAddress}:${socket.remotePort}`, (bytes) => {
    output += bytes;
    // Messages of other connections' PUBLISH arrive between commands.
    if (!serving) flush();
  });
  server.sessions.set(session.id, session);
  server.info.connections++;
  const reader = new CommandReader();
  socket.on("data", (chunk: Buffer) => {
    if (socket.writableEnded) return;
    serving = true;
    for (const args of reader.push(chunk)) {
      const reply = execute(session, args);
      if (session.replies === "on") session.send(reply);
      else if (session.replies === "skip-next") session.replies = "skip";
      else if (session.replies === "skip") session.replies = "on";
      if (session.closeAfterReply) break;
    }
    if (reader.fault !== undefined) session.send({ error: `ERR Protocol error: ${reader.fault.message}` });
    serving = false;
    try {
      // Once it has failed, writes are refused with the reason and the file is tried again every second.
      if (server.aof?.failed === undefined) server.aof?.flush();
    } catch {
      // The failure is published; the commands were not kept, so their replies must not say so.
      socket.destroy();
      return;
    }
    flush();
    if (session.closeAfterReply || reader.fault !== undefined) socket.end();
  });
  socket.on("drain", () => socket.resume());
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    server.sessions.delete(session.id);
    session.endTransaction();
    server.pubSub.leave(session);
  });
}
