import { userInfo } from "node:os";
import { MillraceError, nearest } from "../../errors.ts";

/** Where a Spark Connect server is and how to talk to it: a connection string, taken apart. */
export interface ConnectAddress {
  /** `host:port`, as messages name it. */
  readonly authority: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly token: string | undefined;
  readonly userId: string;
  readonly userAgent: string | undefined;
  /** A session to join; a new one when undefined. */
  readonly sessionId: string | undefined;
  /** Bytes of one message in either direction. */
  readonly maxMessageSize: number;
  /** Sent with every request: the keys that are not Spark's own. */
  readonly headers: Readonly<Record<string, string>>;
}

const DEFAULT_PORT = 15002;
const DEFAULT_MAX_MESSAGE_SIZE = 128 << 20;
const KEYS = ["token", "use_ssl", "user_id", "user_agent", "session_id", "grpc_max_message_size"];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Takes a Spark Connect connection string apart: `sc://host[:15002]/;key=value;...`, values percent-encoded. Keys are those of Spark's
 * documentation of the connection string: `token` (sent as a bearer token; implies TLS, except to this machine), `use_ssl`, `user_id`,
 * `user_agent`, `session_id` (a UUID: joins that session) and `grpc_max_message_size` (bytes). Any other key is a header of every
 * request. Without `token` the variable SPARK_CONNECT_AUTHENTICATE_TOKEN holds, without `user_id` SPARK_USER or the account's name.
 *
 * ```ts
 * parseConnectUrl("sc://spark.example:443/;token=abc;x-tenant=blue");
 * ```
 *
 * Throws INVALID_OPTION, which names the part at fault.
 */
export function parseConnectUrl(
  url: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ConnectAddress {
  // The address may carry a token: messages show it without one.
  const shown = url.replace(/(;\s*token=)[^;]*/gi, "$1...");
  const refuse = (what: string, hint: string): never => {
    throw new MillraceError("INVALID_OPTION", `The Spark address "${shown}" ${what}.`, { hint });
  };
  const form = "Write it as sc://host:15002 or sc://host:15002/;key=value;key=value.";

  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/;?#]*)(.*)$/i.exec(url.trim());
  if (match === null) return refuse("is not a Spark Connect address", form);
  const [, scheme, authority, rest] = match as unknown as [string, string, string, string];
  if (scheme.toLowerCase() !== "sc") {
    return refuse(
      `has the scheme "${scheme}", not "sc"`,
      scheme === "spark" || scheme === "local"
        ? `A master's address does not speak Spark Connect: start the cluster's Connect server (sbin/start-connect-server.sh). ${form}`
        : form,
    );
  }
  if (authority.includes("@")) {
    return refuse("names a user before the host", "Give it as a key: sc://host/;user_id=name;token=secret.");
  }
  const place = /^(\[[0-9a-f:.%]+\]|[^:[\]]+)(?::(.*))?$/i.exec(authority);
  if (place === null) return refuse("has no host", form);
  const host = place[1]!.replace(/^\[|\]$/g, "");
  const port = place[2] === undefined ? DEFAULT_PORT : Number(place[2]);
  if (!/^\d*$/.test(place[2] ?? "") || !(port >= 1 && port <= 65_535)) {
    return refuse(`has the port "${place[2]}"`, "A port is a number from 1 to 65535.");
  }

  const parameters = rest.startsWith("/") ? rest.slice(1) : rest;
  if (rest.startsWith(";"))
    return refuse("has its keys right behind the host", "Put /; between the host and the keys.");
  if (parameters !== "" && !parameters.startsWith(";")) {
    return refuse(
      `has the path "/${parameters.split(";")[0]}"`,
      "A Spark Connect address has no path and no query: only /; and its keys, values percent-encoded.",
    );
  }

  const known = new Map<string, string>();
  const headers: Record<string, string> = {};
  for (const part of parameters.split(";")) {
    if (part.trim() === "") continue;
    const at = part.indexOf("=");
    const key = (at < 0 ? part : part.slice(0, at)).trim();
    if (at <= 0)
      return refuse(`has the part "${key}", which is not key=value`, "Percent-encode a ; within a value: %3B.");
    let value: string;
    try {
      value = decodeURIComponent(part.slice(at + 1));
    } catch {
      return refuse(`has a value of "${key}" that is not percent-encoded`, "A % itself is written %25.");
    }
    if (KEYS.includes(key)) {
      if (known.has(key)) return refuse(`has the key "${key}" twice`, "Leave one.");
      if (value === "") return refuse(`has no value for "${key}"`, `Give one, or leave "${key}" out.`);
      known.set(key, value);
      continue;
    }
    // Headers are usually told by their hyphen; anything else that looks like one of Spark's keys is taken for a slip.
    const meant = key.includes("-")
      ? KEYS.find((k) => k === key.replaceAll("-", "_").toLowerCase())
      : nearest(key, KEYS);
    if (meant !== undefined) return refuse(`has the unknown key "${key}"`, `Did you mean "${meant}"?`);
    if (!/^[a-z0-9_.-]+$/i.test(key) || /^(grpc-|:)|^(te|content-type|user-agent|host|authorization)$/i.test(key)) {
      return refuse(
        `has the key "${key}", which cannot be a header`,
        `Known keys: ${KEYS.join(", ")}; others are sent as headers.`,
      );
    }
    if (/[^\x20-\x7e]/.test(value)) return refuse(`has a value of "${key}" that no header can hold`, "Use ASCII only.");
    headers[key.toLowerCase()] = value;
  }

  const useSsl = known.get("use_ssl");
  if (useSsl !== undefined && !/^(true|false)$/i.test(useSsl)) {
    return refuse(`has use_ssl="${useSsl}"`, `"use_ssl" is true or false.`);
  }
  const token = known.get("token") ?? (environment.SPARK_CONNECT_AUTHENTICATE_TOKEN || undefined);
  if (token !== undefined && /[^\x21-\x7e]/.test(token)) {
    return refuse("has a token with a blank or a letter that no header can hold", "Check how it was copied.");
  }
  const local = isLoopback(host);
  const tls = useSsl === undefined ? token !== undefined && !local : useSsl.toLowerCase() === "true";
  if (token !== undefined && !tls && !local) {
    return refuse(
      "sends a token without TLS",
      `Leave "use_ssl=false" out: whoever sees the connection could use the token. Only to this machine a token goes without TLS.`,
    );
  }
  const sessionId = known.get("session_id");
  if (sessionId !== undefined && !UUID.test(sessionId)) {
    return refuse(
      `has session_id="${sessionId}"`,
      "A session id is a UUID, such as 9f3c1c52-6a0a-4a43-8f0b-0c6a3f3f7f10.",
    );
  }
  const size = known.get("grpc_max_message_size");
  if (size !== undefined && !(/^\d+$/.test(size) && Number(size) > 0 && Number(size) <= 0x7fffffff)) {
    return refuse(`has grpc_max_message_size="${size}"`, "It is a number of bytes up to 2147483647.");
  }
  return {
    authority: `${host.includes(":") ? `[${host}]` : host}:${port}`,
    host,
    port,
    tls,
    token,
    userId: known.get("user_id") ?? (environment.SPARK_USER || accountName()),
    userAgent: known.get("user_agent"),
    sessionId: sessionId?.toLowerCase(),
    maxMessageSize: size === undefined ? DEFAULT_MAX_MESSAGE_SIZE : Number(size),
    headers,
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return ""; // an account without a name, as in some containers; the server takes an empty one
  }
}
