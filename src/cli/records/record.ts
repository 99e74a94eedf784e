import { UsageError } from "../usage-error.ts";
import { readable } from "./bytes.ts";
import { rawElements, rawMembers } from "./raw-json.ts";

/** A header of a record; names may come twice. */
export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** A record of a topic, as `peek` shows it and `produce` reads it. */
export interface TopicRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since 1970; undefined: now. */
  readonly timestamp?: number | undefined;
  readonly partition?: number | undefined;
}

/** A record as one line of JSON; `fromJsonLine` makes the same bytes of it again. */
export function toJsonLine(record: TopicRecord & { readonly partition: number; readonly offset: number }): string {
  const { partition, offset, timestamp = -1, headers } = record;
  const fields = [`"partition":${partition},"offset":${offset},"timestamp":${JSON.stringify(timeText(timestamp))}`];
  fields.push(field("key", record.key), field("value", record.value));
  if (headers.length > 0) {
    fields.push(
      `"headers":[${headers.map((h) => `{"name":${JSON.stringify(h.key)},${field("value", h.value)}}`).join()}]`,
    );
  }
  return `{${fields.join()}}`;
}

/** A member of a JSON object: text or JSON under `name`, bytes that are neither under `nameHex`. */
function field(name: string, bytes: Uint8Array | null): string {
  const value = readable(bytes);
  if (value === null) return `"${name}":null`;
  if ("hex" in value) return `"${name}Hex":"${value.hex}"`;
  return `"${name}":${"json" in value ? value.json : JSON.stringify(value.text)}`;
}

/** ISO text; null for the time -1 that records without one have, and what lies beyond the calendar. */
export function timeText(ms: number): string | null {
  const date = new Date(ms);
  return ms < 0 || Number.isNaN(date.getTime()) ? null : date.toISOString();
}

const MEMBERS = new Set(["partition", "offset", "timestamp", "key", "keyHex", "value", "valueHex", "headers", "topic"]);

/** Reads a line that `toJsonLine` wrote, or one like it: all members may be missing. Throws UsageError, which says what is wrong. */
export function fromJsonLine(line: string): TopicRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    throw new UsageError(`It is no JSON: ${(error as Error).message}.`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(
      "It is no JSON object.",
      'A record is {"key":...,"value":...}; for plain lines leave --json out.',
    );
  }
  const raw = rawMembers(line);
  for (const name of raw.keys()) {
    if (!MEMBERS.has(name))
      throw new UsageError(`A record has no ${JSON.stringify(name)}.`, `It has ${[...MEMBERS].join(", ")}.`);
  }
  const { partition, timestamp, headers } = parsed as Record<string, unknown>;
  if (partition !== undefined && partition !== null && !(Number.isInteger(partition) && (partition as number) >= 0)) {
    throw new UsageError(`partition is ${JSON.stringify(partition)}, not a number of one.`);
  }
  return {
    key: bytesOf(raw, "key"),
    value: bytesOf(raw, "value"),
    headers: headers === undefined || headers === null ? [] : headersOf(headers, raw.get("headers")!),
    ...(typeof partition === "number" && { partition }),
    ...(timestamp !== undefined && { timestamp: timeOf(timestamp) }),
  };
}

function headersOf(headers: unknown, raw: string): RecordHeader[] {
  if (!Array.isArray(headers)) {
    throw new UsageError("headers is no array.", 'Write [{"name":"trace","value":"7"}].');
  }
  return rawElements(raw).map((text, i) => {
    const header = headers[i] as { name?: unknown } | null;
    if (typeof header !== "object" || typeof header?.name !== "string") {
      throw new UsageError(`Header ${i + 1} has no name.`, 'Write {"name":"trace","value":"7"}.');
    }
    return { key: header.name, value: bytesOf(rawMembers(text), "value") };
  });
}

function bytesOf(raw: ReadonlyMap<string, string>, name: string): Uint8Array | null {
  const hex = raw.get(`${name}Hex`);
  if (hex !== undefined) {
    const digits: unknown = JSON.parse(hex);
    if (typeof digits === "string" && /^(?:[0-9a-f]{2})*$/i.test(digits)) return Buffer.from(digits, "hex");
    throw new UsageError(`${name}Hex is ${hex}, not pairs of hexadecimal digits.`);
  }
  const text = raw.get(name);
  if (text === undefined || text === "null") return null;
  return Buffer.from(text.startsWith('"') ? (JSON.parse(text) as string) : text);
}

function timeOf(given: unknown): number {
  if (given === null) return -1;
  const ms = typeof given === "number" ? given : typeof given === "string" ? Date.parse(given) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw new UsageError(
    `timestamp is ${JSON.stringify(given)}, not a time.`,
    "Write 2026-01-31T10:00:00Z, or milliseconds.",
  );
}
