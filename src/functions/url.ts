import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import { type FunctionDef, family, type NativeFunction, nativeFunction } from "./define.ts";
import { javaRegex } from "./java-regex.ts";
import { opt, STRING, string } from "./params.ts";

const fn = family("url");

/** The parts of a URL as java.net.URI has them. */
interface Uri {
  readonly scheme?: string;
  readonly authority?: string;
  readonly userInfo?: string;
  readonly host?: string;
  readonly path?: string;
  readonly query?: string;
  readonly fragment?: string;
}

const UNRESERVED = "A-Za-z0-9\\-_.!~*'()";
/** What Java takes beside ASCII: everything but spaces and control characters. */
const OTHER = "[^\\u0000-\\u00a0\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\u1680\\u0080-\\u009f]";
const legal = (chars: string): RegExp => new RegExp(`^(?:[${UNRESERVED}${chars}]|%[0-9A-Fa-f]{2}|${OTHER})*$`, "u");
const PATH = legal(":@&=+$,;/");
const QUERY = legal(":@&=+$,;/?\\[\\]");
const AUTHORITY = legal(":@&=+$,;\\[\\]");
const USER_INFO = legal(":&=+$,;");
const HOST =
  /^(?:(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])\.)*(?:[A-Za-z]|[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9])\.?$/;
const IP4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$/;

/** RFC 2396 with Java's additions; undefined for what is no URI. */
function parseUri(text: string): Uri | undefined {
  const m = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text);
  if (m === null) return undefined;
  const [, scheme, authority, path = "", query, fragment] = m;
  if (text.startsWith(":") || (scheme !== undefined && !/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme))) return undefined;
  if ((query !== undefined && !QUERY.test(query)) || (fragment !== undefined && !QUERY.test(fragment)))
    return undefined;
  const common = { ...(scheme !== undefined && { scheme }), ...(fragment !== undefined && { fragment }) };
  if (scheme !== undefined && authority === undefined && !path.startsWith("/")) {
    // Opaque, as in mailto:a@b.c: no parts but the scheme.
    return path === "" || !QUERY.test(path) ? undefined : common;
  }
  if (!PATH.test(path)) return undefined;
  const parts = { ...common, path, ...(query !== undefined && { query }) };
  if (authority === undefined || authority === "") {
    return authority === "" && path === "" && query === undefined && fragment === undefined ? undefined : parts;
  }
  if (!AUTHORITY.test(authority)) return undefined;
  const server = /^(?:([^@]*)@)?(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(\d*))?$/.exec(authority);
  const host = server?.[2];
  const isServer =
    host !== undefined &&
    (HOST.test(host) || IP4.test(host) || host.startsWith("[")) &&
    (server![1] === undefined || USER_INFO.test(server![1]));
  if (!isServer) return { ...parts, authority };
  return { ...parts, authority, host, ...(server![1] !== undefined && { userInfo: server![1] }) };
}

function partOf(uri: Uri, part: string): string | undefined {
  switch (part) {
    case "HOST":
      return uri.host;
    case "PATH":
      return uri.path;
    case "QUERY":
      return uri.query;
    case "REF":
      return uri.fragment;
    case "PROTOCOL":
      return uri.scheme;
    case "FILE":
      return uri.query === undefined ? uri.path : `${uri.path}?${uri.query}`;
    case "AUTHORITY":
      return uri.authority;
    case "USERINFO":
      return uri.userInfo;
    default:
      return undefined;
  }
}

function extractUrl(url: string, part: string, key: string | undefined, fail: boolean): string | null {
  if (key !== undefined && part !== "QUERY") return null;
  const uri = parseUri(url);
  if (uri === undefined) {
    if (!fail) return null;
    throw new MillraceError("INVALID_URL", `The url is invalid: ${url}.`, {
      hint: "Use `try_parse_url` to tolerate invalid URL and return NULL instead.",
      parameters: { url },
    });
  }
  const value = partOf(uri, part);
  if (key === undefined || value === undefined) return value ?? null;
  const { regexp, places } = javaRegex(`(&|^)${key}=([^&]*)`, "parse_url").script();
  regexp.lastIndex = 0;
  return regexp.exec(value)?.[places[2]!] ?? null;
}

const parse = nativeFunction("parse_url", (u: string, p: string, k?: string) => extractUrl(u, p, k, true));
const tryParse = nativeFunction("try_parse_url", (u: string, p: string, k?: string) => extractUrl(u, p, k, false));

const encode = nativeFunction("url_encode", (s: string) =>
  encodeURIComponent(s.toWellFormed())
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+"),
);

/** java.net.URLDecoder; undefined where a percent sign is not followed by two hexadecimal digits. */
function decodeUrl(s: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(s)) return undefined;
  return s
    .replaceAll("+", " ")
    .replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"));
}

const decode = nativeFunction("url_decode", (s: string) => {
  const text = decodeUrl(s);
  if (text !== undefined) return text;
  throw new MillraceError(
    "CANNOT_DECODE_URL",
    `The provided URL cannot be decoded: ${s}. Please ensure that the URL is properly formatted and try again.`,
    { parameters: { url: s } },
  );
});
const tryDecode = nativeFunction("try_url_decode", (s: string) => decodeUrl(s) ?? null);

const text = (f: NativeFunction): NonNullable<FunctionDef["sql"]> => {
  return (args, _, call) =>
    call(
      f,
      args.map((sql) => ({ sql, type: STRING })),
      STRING,
    );
};
const always = { nullable: (_: readonly ArgumentType[]) => true };

export const urlFunctions: readonly FunctionDef[] = [
  fn(
    "parse_url",
    [string, string, opt(string)],
    STRING,
    ["parse_url('http://spark.apache.org/path?query=1', 'QUERY', 'query')", "1"],
    text(parse),
    always,
  ),
  fn(
    "try_parse_url",
    [string, string, opt(string)],
    STRING,
    ["try_parse_url('inva lid://spark.apache.org/path?query=1', 'QUERY')", null],
    text(tryParse),
    always,
  ),
  fn(
    "url_encode",
    [string],
    STRING,
    ["url_encode('https://spark.apache.org')", "https%3A%2F%2Fspark.apache.org"],
    text(encode),
    always,
  ),
  fn(
    "url_decode",
    [string],
    STRING,
    ["url_decode('https%3A%2F%2Fspark.apache.org')", "https://spark.apache.org"],
    text(decode),
    always,
  ),
  fn("try_url_decode", [string], STRING, ["try_url_decode('http%3A%2F%2spark')", null], text(tryDecode), always),
];
