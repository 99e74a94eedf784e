import { readFileSync } from "node:fs";
import type pg from "pg";
import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import type { Options } from "../connector.ts";

/** An address without its secrets, and what `pg` needs to connect. */
export interface PostgresAddress {
  /** `host:port/database`, fit for messages. */
  readonly label: string;
  readonly config: pg.ClientConfig;
}

/**
 * Reads `url`, `user`, `password`, `sslmode` and `sslrootcert`. Takes `postgres://`, `postgresql://` and, for options copied from a
 * Spark job, `jdbc:postgresql://`; explicit options win over the URL's parts.
 *
 * @throws MillraceError INVALID_OPTION (the password is never part of the message)
 */
export function addressOf(options: Options): PostgresAddress {
  const given = (options.url ?? "").replace(/^jdbc:/, "");
  let url: URL;
  try {
    url = new URL(given);
    if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") throw new Error("protocol");
  } catch {
    throw new MillraceError("INVALID_OPTION", "The option url is not a PostgreSQL address.", {
      hint: "Give it as postgres://user:password@host:5432/database.",
      parameters: { option: "url" },
    });
  }
  const user = options.user ?? (decodeURIComponent(url.username) || url.searchParams.get("user") || undefined);
  const password =
    options.password ?? (decodeURIComponent(url.password) || url.searchParams.get("password") || undefined);
  const socket = url.searchParams.get("host");
  const host = socket ?? (url.hostname.replace(/^\[|\]$/g, "") || "localhost");
  const port = url.port === "" ? 5432 : Number(url.port);
  const database = decodeURIComponent(url.pathname.slice(1)) || user || "postgres";
  const ssl = sslOf(
    options.sslmode ?? url.searchParams.get("sslmode") ?? "disable",
    options.sslrootcert ?? url.searchParams.get("sslrootcert") ?? undefined,
  );
  return {
    label: `${host}:${port}/${database}`,
    config: {
      host,
      port,
      database,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      ssl,
      application_name: url.searchParams.get("application_name") ?? "millrace",
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    },
  };
}

function sslOf(mode: string, rootCertificate: string | undefined): pg.ClientConfig["ssl"] {
  const ca = rootCertificate === undefined ? {} : { ca: readCertificate(rootCertificate) };
  switch (mode) {
    case "disable":
    case "allow":
    case "prefer":
      return false;
    case "require":
      // libpq's meaning: encrypted, but the server's name is proven only when there is a root certificate.
      return rootCertificate === undefined
        ? { rejectUnauthorized: false }
        : { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case "verify-ca":
      return { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case "verify-full":
      return { ...ca, rejectUnauthorized: true };
    default:
      throw new MillraceError("INVALID_OPTION", `The option sslmode is ${JSON.stringify(mode)}.`, {
        hint: "Valid values are disable, require, verify-ca and verify-full.",
        parameters: { option: "sslmode" },
      });
  }
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new MillraceError("INVALID_OPTION", `The option sslrootcert names ${path}, which cannot be read.`, { cause });
  }
}

/** Connects. @throws MillraceError POSTGRES_UNREACHABLE (retryable), POSTGRES_FAILED */
export async function connect(address: PostgresAddress): Promise<pg.Client> {
  // Loaded on first use: a pipeline without PostgreSQL starts faster.
  const { Client } = (await import("pg")).default;
  const client = new Client(address.config);
  // Without a listener a connection that breaks while idle would end the process.
  client.on("error", (error) => publish("client.error", { client: `postgres ${address.label}`, error }));
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw translate(error, address, "connect");
  }
}

const TRANSIENT_SOCKET = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  "ENOTFOUND",
  "ENOENT",
]);

/** SQLSTATEs after which the same transaction may succeed: the server goes away, is full, or chose this one to give way. */
const TRANSIENT_STATE = /^(08|57P0|53300|40001|40P01|55P03|25006|25P03)/;

/** An error of `pg` as one of ours: says whether to try again, names the table, and gives the next step. */
export function translate(error: unknown, address: PostgresAddress, doing: string, table?: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const e = error as Partial<pg.DatabaseError> & NodeJS.ErrnoException & { errors?: unknown[] };
  // Node gives an AggregateError when several addresses of one name were tried.
  const code = e.code ?? (e.errors?.[0] as NodeJS.ErrnoException | undefined)?.code;
  const text = (e.message || String((e.errors?.[0] as Error | undefined)?.message ?? error)).replace(/\.$/, "");
  const where = `${table === undefined ? "" : `table ${table}, `}${address.label}`;
  const isSqlState = code !== undefined && /^[0-9A-Z]{5}$/.test(code) && e.severity !== undefined;
  const isTransient = isSqlState
    ? TRANSIENT_STATE.test(code)
    : (code !== undefined && TRANSIENT_SOCKET.has(code)) ||
      /Connection terminated|timeout expired|Client has encountered a connection error|not queryable|Client was closed/i.test(
        text,
      );
  if (isTransient) {
    return new MillraceError("POSTGRES_UNREACHABLE", `PostgreSQL at ${where}: could not ${doing}: ${text}.`, {
      retryable: true,
      hint: isSqlState ? undefined : "Check that the server runs and that url is right.",
      cause: error,
      parameters: { state: code ?? "" },
    });
  }
  if (code === "53100") {
    return new MillraceError("DISK_FULL", `PostgreSQL at ${where}: could not ${doing}: ${text}.`, {
      hint: "Make room on the database server.",
      cause: error,
    });
  }
  const detail = e.detail === undefined ? "" : ` (${e.detail.replace(/\.$/, "")})`;
  return new MillraceError("POSTGRES_FAILED", `PostgreSQL at ${where}: could not ${doing}: ${text}${detail}.`, {
    hint: hintFor(code),
    cause: error,
    parameters: { state: code ?? "", ...(table === undefined ? {} : { table }) },
  });
}

function hintFor(state: string | undefined): string | undefined {
  switch (state) {
    case "28P01":
    case "28000":
      return "Check user and password.";
    case "3D000":
      return "Create the database, or correct the last part of url.";
    case "3F000":
      return "Create the schema, or correct dbtable.";
    case "42P01":
      return "Create the table, or set createTable to true.";
    case "42501":
      return "Grant INSERT, UPDATE, DELETE and SELECT on the table and on millrace_commits, and CREATE on the schema if they do not exist yet.";
    case "23502":
      return "Filter the rows that have no value there, for instance with na.drop, or allow null in the table.";
    case "23505":
      return "Give the option key so that rows are updated, or remove the duplicates.";
    case "23503":
    case "23514":
      return "Filter the rows that break the constraint, or relax it.";
    case "22021":
    case "22P05":
      return "PostgreSQL's text cannot hold the character U+0000: remove it with translate or regexp_replace.";
    case "22003":
    case "22001":
      return "A value does not fit its column: widen the column or cast in the query.";
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "Give the root certificate that signed the server's in sslrootcert.";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "Connect by a name that is in the certificate, or set sslmode to verify-ca.";
    default:
      return undefined;
  }
}
