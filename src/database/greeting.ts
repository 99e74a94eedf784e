import { message, parameterStatus, ready } from "./protocol.ts";

/** Settings whose value PostgreSQL tells a client without being asked. */
const REPORTED = [
  "application_name",
  "client_encoding",
  "DateStyle",
  "default_transaction_read_only",
  "in_hot_standby",
  "integer_datetimes",
  "IntervalStyle",
  "scram_iterations",
  "search_path",
  "server_encoding",
  "server_version",
  "standard_conforming_strings",
  "TimeZone",
];

/** The values of a fresh session. */
export async function readReported(
  sql: (text: string) => Promise<(string | null)[][]>,
): Promise<ReadonlyMap<string, string>> {
  const names = REPORTED.map((n) => `'${n}'`).join();
  const rows = await sql(`SELECT name, setting FROM pg_settings WHERE name IN (${names})`);
  const reported = new Map(rows.map((r) => [r[0]!, r[1] ?? ""]));
  // What role a client asks for makes no difference here.
  return reported.set("session_authorization", "postgres").set("is_superuser", "on");
}

/** What a client is told once it is let in: no password is asked for. */
export function greeting(
  reported: ReadonlyMap<string, string>,
  own: ReadonlyMap<string, string>,
  pid: number,
  secret: number,
): Buffer {
  const key = Buffer.alloc(8);
  key.writeInt32BE(pid, 0);
  key.writeInt32BE(secret, 4);
  return Buffer.concat([
    message(0x52, Buffer.alloc(4)),
    ...[...reported].map(([name, value]) => parameterStatus(name, own.get(name) ?? value)),
    message(0x4b, key),
    ready("I"),
  ]);
}

/** NegotiateProtocolVersion: the server speaks 3.0 and none of the named options. */
export function negotiate(unknown: readonly string[]): Buffer {
  const body = Buffer.alloc(8);
  body.writeInt32BE(unknown.length, 4);
  return message(0x76, body, ...unknown);
}
