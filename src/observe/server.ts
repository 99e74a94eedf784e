import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { MillraceError } from "../errors.ts";
import { listenError } from "../listen-error.ts";
import { startNear } from "../start-near.ts";
import type { ServerInfo } from "./api.ts";
import { toProblem } from "./explore/problem.ts";
import { guard } from "./guard.ts";
import { QueryLog } from "./query-log.ts";
import { type Addresses, addressesOf, exploreRoutes } from "./routes/explore.ts";
import { healthRoutes } from "./routes/health.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { notFound, pageRoutes } from "./routes/pages.ts";
import { queryRoutes } from "./routes/queries.ts";
import { viewRoutes } from "./routes/views.ts";

/** What the routes stand on; one for each server. */
export interface ObserverParts {
  readonly log: QueryLog;
  readonly version: string;
  readonly startedAt: number;
  readonly servers: () => readonly ServerInfo[];
  readonly addresses: () => Addresses;
  /** Fires when the server closes: streams end. */
  readonly closing: AbortSignal;
}

export type App = Hono<{ Bindings: HttpBindings }>;

export interface ObserverOptions {
  /** Default 4040, as of Spark's own page; the next free one when it is taken, 0 any. */
  readonly port?: number;
  /** Default 127.0.0.1. Another address needs a token. */
  readonly host?: string;
  readonly token?: string;
  readonly allowedHosts?: readonly string[];
  readonly version?: string;
  /** The servers that the pipeline talks to. */
  readonly servers?: () => readonly ServerInfo[];
  /** Where topics, lake, database and cache are looked for; default: the environment (`MILLRACE_KAFKA`, ...). */
  readonly addresses?: () => Addresses;
  /** Folders with pages of your own, by the path where they are served, such as `{ "/map/": "examples/flights/page" }`. */
  readonly pages?: Readonly<Record<string, string>>;
  /** Remembers what queries do; default one of its own that begins now. */
  readonly log?: QueryLog;
}

/** The server that lets people and machines look into this process. It changes nothing. */
export interface Observer {
  readonly port: number;
  /** To open in a browser, with the token where there is one. */
  readonly url: string;
  readonly log: QueryLog;
  close(): Promise<void>;
}

const USUAL_PORT = 4040;

/**
 * Starts it: the dashboard at `/`, `/metrics` for Prometheus, `/healthz` and `/readyz`, `/api` with live messages. Throws PORT_IN_USE
 * when no port near is free, INVALID_ARGUMENT for an address that others reach without a token (`token: ""` makes one).
 *
 * ```ts
 * const observer = await startObserver({ port: 0 });
 * console.log(observer.url);
 * await observer.close();
 * ```
 */
export async function startObserver(options: ObserverOptions = {}): Promise<Observer> {
  const host = options.host ?? "127.0.0.1";
  const token = options.token === "" ? randomBytes(24).toString("base64url") : options.token;
  if (token === undefined && !["127.0.0.1", "::1", "localhost"].includes(host)) {
    throw new MillraceError("INVALID_ARGUMENT", `On ${host} others could read everything.`, {
      hint: 'Give a token, "" for a new one, or listen on 127.0.0.1.',
    });
  }
  const log = options.log ?? new QueryLog();
  const closing = new AbortController();
  const parts: ObserverParts = {
    log,
    version: options.version ?? "unknown",
    startedAt: Date.now() - Math.round(process.uptime() * 1000),
    servers: options.servers ?? (() => []),
    addresses: options.addresses ?? addressesOf,
    closing: closing.signal,
  };
  let port = 0;
  const app: App = new Hono();
  app.use(guard({ port: () => port, allowedHosts: options.allowedHosts ?? [], token }));
  app.route("/", healthRoutes(parts));
  app.route("/", metricsRoutes(parts));
  app.route("/api", queryRoutes(parts));
  app.route("/api", exploreRoutes(parts));
  app.route("/api/views", viewRoutes(parts));
  app.route("/", pageRoutes(options.pages));
  app.notFound(notFound);
  app.onError((error, c) => {
    const problem = toProblem(error);
    return c.json(problem.body, problem.status);
  });
  const server = createServer(getRequestListener(app.fetch));
  ({ port } = await startNear({ name: "dashboard", title: "the dashboard" }, options.port ?? USUAL_PORT, (at) =>
    listen(server, host, at),
  ));
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    port,
    url: `http://${name}:${port}/${token === undefined ? "" : `?token=${token}`}`,
    log,
    async close() {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      if (options.log === undefined) log.close();
    },
  };
}

/** Throws PORT_IN_USE. */
async function listen(server: Server, host: string, port: number): Promise<{ port: number }> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown): void => reject(listenError(error, host, port));
    server.once("error", fail);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", fail);
      resolve();
    });
  });
  return server.address() as AddressInfo;
}
