import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { type DirectoryLock, lockDirectory } from "./dir-lock.ts";
import { MillraceError } from "./errors.ts";
import { publish } from "./events.ts";
import { startNear } from "./start-near.ts";
import { hidePasswords } from "./types/secrets.ts";

/** A layer that can be embedded. */
export type ServerName = "kafka" | "postgres" | "redis";

/** Where one layer is, to be shown to people. */
export interface StackLayer {
  readonly name: ServerName | "lake";
  /** The environment variable that carries it. */
  readonly variable: string;
  /** The address without its password. */
  readonly address: string;
  /** `embedded`: started here. `yours`: given from outside; nothing is ever cleared there. */
  readonly owner: "embedded" | "yours";
  /** The usual port, when an embedded server had to take another one. */
  readonly wanted?: number;
}

/** What to start, and where. */
export interface StackOptions<W extends ServerName = ServerName> {
  /** Where embedded servers keep their data; default `.millrace`. */
  directory?: string;
  /** Address that embedded servers listen on; default 127.0.0.1. */
  host?: string;
  /** The layers that the pipeline needs; default all. */
  want?: readonly W[];
  /** Where addresses are read and set; default `process.env`. */
  env?: NodeJS.ProcessEnv;
  /** Ports of embedded servers instead of the usual ones; 0 takes any free one. */
  ports?: Partial<Record<ServerName, number>>;
}

/** The servers that a pipeline talks to: embedded ones, and those given from outside. */
export interface Stack<W extends ServerName = ServerName> {
  readonly directory: string;
  /** Address of each layer as its clients take it: `host:port` of Kafka, URLs of PostgreSQL and Redis, the lake's folder. */
  readonly addresses: Readonly<Record<W | "lake", string>>;
  readonly layers: readonly StackLayer[];
  /** All embedded servers answer. Clients may connect before that. */
  readonly ready: Promise<void>;
  /** Stops the embedded servers, the last started first, and unsets what was set. */
  stop(): Promise<void>;
}

interface Running {
  port: number;
  url: string;
  ready?: Promise<void>;
  close(): Promise<void>;
}

interface ServerKind {
  readonly variable: string;
  readonly port: number;
  start(directory: string, host: string, port: number): Promise<Running>;
}

/** One row per layer; servers are loaded when they are started. */
const SERVERS: Readonly<Record<ServerName, ServerKind>> = {
  kafka: {
    variable: "MILLRACE_KAFKA",
    port: 9092,
    async start(directory, host, port) {
      const { startKafkaServer } = await import("./kafka/server.ts");
      const server = await startKafkaServer({ directory, host, port });
      return { port: server.port, url: `${bracketed(host)}:${server.port}`, close: () => server.close() };
    },
  },
  postgres: {
    variable: "MILLRACE_POSTGRES",
    port: 5432,
    async start(directory, host, port) {
      const { startPostgresServer } = await import("./database/server.ts");
      return startPostgresServer({ directory, host, port });
    },
  },
  redis: {
    variable: "MILLRACE_REDIS",
    port: 6379,
    async start(directory, host, port) {
      const { startCacheServer } = await import("./cache/server.ts");
      return startCacheServer({ directory, host, port });
    },
  },
};

const SERVER_NAMES = Object.keys(SERVERS) as ServerName[];
const LAKE = "MILLRACE_LAKE";

/**
 * Starts the embedded server of every layer whose address is not set (`MILLRACE_KAFKA`, `MILLRACE_POSTGRES`, `MILLRACE_REDIS`), all
 * at once, and sets those variables, so that the connectors of a pipeline find them. `MILLRACE_LAKE` becomes a folder.
 * A server whose usual port is taken gets the next free one, which its address and the warning `PORT_TAKEN` say.
 *
 * Throws `DIRECTORY_IN_USE`, `DIRECTORY_NOT_WRITABLE`, `PORT_IN_USE` (no free port near); what was started is stopped again.
 *
 * ```ts
 * const stack = await startStack({ directory: ".millrace" });
 * console.log(stack.addresses.kafka);
 * await stack.stop();
 * ```
 */
export async function startStack<const W extends ServerName = ServerName>(
  options: StackOptions<W> = {},
): Promise<Stack<W>> {
  const directory = resolve(options.directory ?? ".millrace");
  const host = options.host ?? "127.0.0.1";
  const env = options.env ?? process.env;
  const wanted: readonly ServerName[] = options.want ?? SERVER_NAMES;
  const embedded = wanted.filter((name) => !env[SERVERS[name].variable]);
  const needsFolder = embedded.length > 0 || !env[LAKE];
  const lock: DirectoryLock | undefined = needsFolder ? await lockDirectory(directory) : undefined;
  const running: [ServerName, Running][] = [];
  const set = new Map<string, string>();
  const stop = async (): Promise<void> => {
    const problems: unknown[] = [];
    for (const [, server] of running.reverse()) await server.close().catch((error: unknown) => problems.push(error));
    for (const [variable, value] of set) if (env[variable] === value) delete env[variable];
    await lock?.release();
    if (problems.length > 0) throw problems[0];
  };
  try {
    const results = await Promise.allSettled(
      embedded.map(async (name) => {
        const port = options.ports?.[name] ?? SERVERS[name].port;
        const data = join(directory, name);
        const server = await startNear({ name, title: name }, port, async (at, last) =>
          // Looking first spares opening the data for a port that is taken.
          last || (await isFree(host, at)) ? SERVERS[name].start(data, host, at) : undefined,
        );
        running.push([name, server]);
      }),
    );
    const failed = results.find((r) => r.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    const layers = wanted.map((name): StackLayer => {
      const { variable } = SERVERS[name];
      const server = running.find(([n]) => n === name)?.[1];
      if (server === undefined) return { name, variable, address: hidePasswords(env[variable]!), owner: "yours" };
      env[variable] = server.url;
      set.set(variable, server.url);
      const usual = options.ports?.[name] ?? SERVERS[name].port;
      const moved = usual !== 0 && usual !== server.port;
      return { name, variable, address: server.url, owner: "embedded", ...(moved && { wanted: usual }) };
    });
    layers.push(await lake(directory, env, set));
    const addresses = Object.fromEntries(layers.map((l) => [l.name, env[l.variable]!])) as Record<W | "lake", string>;
    const ready = Promise.all(running.map(([, server]) => server.ready)).then(() => {});
    // Who does not wait for it hears of a failure by the event server.error.
    ready.catch(() => {});
    return {
      directory,
      addresses,
      layers,
      ready,
      stop: once(stop),
    };
  } catch (error) {
    await stop().catch((problem: Error) => publish("server.error", { server: "stack", error: problem }));
    throw error;
  }
}

async function lake(directory: string, env: NodeJS.ProcessEnv, set: Map<string, string>): Promise<StackLayer> {
  const given = env[LAKE];
  if (given) return { name: "lake", variable: LAKE, address: hidePasswords(given), owner: "yours" };
  const folder = join(directory, "lake");
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new MillraceError("DIRECTORY_NOT_WRITABLE", `The directory ${folder} cannot be made.`, { cause });
  }
  env[LAKE] = folder;
  set.set(LAKE, folder);
  return { name: "lake", variable: LAKE, address: folder, owner: "embedded" };
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => done(error.code !== "EADDRINUSE"));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => done(true)));
  });
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function once(f: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= f();
    return done;
  };
}
