import { join, resolve } from "node:path";
import { lockDirectory } from "../dir-lock.ts";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { listenError } from "../listen-error.ts";
import { Backend } from "./backend.ts";
import { Front } from "./front.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { startMaintenance } from "./maintenance.ts";

export interface PostgresServerOptions extends Partial<Limits> {
  /** Where the database lives; made when it is missing. */
  directory: string;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 5432; 0 takes any free one. */
  port?: number;
}

export interface PostgresServer {
  host: string;
  port: number;
  /** A connection string for any PostgreSQL client. */
  url: string;
  /** The database has started. Clients may connect before that; they are served from then on. */
  ready: Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the embedded PostgreSQL: PGlite in a thread of its own, behind a wire front that many clients may use at once,
 * one transaction at a time (docs/embedded-servers.md says what is promised). Resolves as soon as clients may connect;
 * the database itself needs some 0.3 s more, on an empty directory 2 s.
 *
 * Throws `DIRECTORY_IN_USE`, `DIRECTORY_NOT_WRITABLE`, `PORT_IN_USE`.
 *
 * ```ts
 * const server = await startPostgresServer({ directory: ".millrace/postgres", port: 0 });
 * const client = new pg.Client(server.url);
 * ```
 */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const directory = resolve(options.directory);
  const host = options.host ?? "127.0.0.1";
  const wanted = options.port ?? 5432;
  const lock = await lockDirectory(directory);
  const data = join(directory, "data");
  const backend = new Backend(data);
  const front = new Front(backend, {
    idleInTransactionMs: options.idleInTransactionMs ?? DEFAULT_LIMITS.idleInTransactionMs,
    stalledWriteMs: options.stalledWriteMs ?? DEFAULT_LIMITS.stalledWriteMs,
    cancelGraceMs: options.cancelGraceMs ?? DEFAULT_LIMITS.cancelGraceMs,
  });
  let port: number;
  try {
    port = await front.listen(host, wanted);
  } catch (error) {
    await lock.release();
    throw listenError(error, host, wanted);
  }
  publish("server.listening", { server: "postgres", host, port, wanted });
  let isUp = false;
  let closing: Promise<void> | undefined;
  let stopMaintenance = (): void => {};
  const started = backend.start().then(
    async () => {
      isUp = true;
      await front.started();
      stopMaintenance = startMaintenance(front);
    },
    (cause: Error) => {
      if (closing !== undefined) throw new MillraceError("STOPPED", "The database was stopped before it had started.");
      const error = new MillraceError("POSTGRES_FAILED", `The database in ${data} does not start: ${cause.message}.`, {
        hint: "Its directory may be damaged; move it away to start with an empty database.",
        cause,
      });
      publish("server.error", { server: "postgres", error });
      front.failed(error);
      throw error;
    },
  );
  started.catch(() => {});
  return {
    host,
    port,
    url: `postgres://postgres@${host.includes(":") ? `[${host}]` : host}:${port}/postgres`,
    ready: started,
    close() {
      closing ??= (async () => {
        // A start takes its time and can be cut short without harm.
        if (isUp) await started.catch(() => {});
        else await backend.kill();
        stopMaintenance();
        await front.close();
        await backend.stop();
        await lock.release();
      })();
      return closing;
    },
  };
}
