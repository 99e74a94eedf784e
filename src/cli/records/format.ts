import { UsageError } from "../usage-error.ts";
import type { RecordHeader, TopicRecord } from "./record.ts";
import { timeText } from "./record.ts";

/**
 * The formats of `peek -f` and `produce -f`, one language for both, in the letters of kcat and rpk.
 *
 * %k key, %v or %s value, %h headers, %p partition, %o offset, %T time in milliseconds, %d time as ISO text, %t topic, %K %V %S lengths
 * of key and value, %% a percent sign; {hex} or {base64} after %k and %v writes bytes so; \n \t \r \\ \0 \xHH.
 */
type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "field"; readonly name: FieldName; readonly coding: Coding };
type Coding = "plain" | "hex" | "base64";
type FieldName =
  | "key"
  | "value"
  | "headers"
  | "partition"
  | "offset"
  | "millis"
  | "time"
  | "topic"
  | "keySize"
  | "valueSize";

const LETTERS: Readonly<Record<string, FieldName>> = {
  k: "key",
  v: "value",
  s: "value",
  h: "headers",
  p: "partition",
  o: "offset",
  T: "millis",
  d: "time",
  t: "topic",
  K: "keySize",
  V: "valueSize",
  S: "valueSize",
};

/** For help and documentation. */
export const FORMAT_LETTERS =
  "%k key, %v value, %h headers, %p partition, %o offset, %T time in ms, %d ISO time, %t topic, %K %V sizes, %% percent; %k{hex}, %v{base64}; \\n \\t \\0 \\xHH.";

function parse(format: string): Part[] {
  const parts: Part[] = [];
  const text = (s: string): void => {
    const last = parts.at(-1);
    if (last?.kind === "text") parts[parts.length - 1] = { kind: "text", text: last.text + s };
    else parts.push({ kind: "text", text: s });
  };
  for (let at = 0; at < format.length; ) {
    const rest = format.slice(at);
    const [, escaped] = /^\\(x[0-9a-fA-F]{2}|.)/s.exec(rest) ?? [];
    if (escaped !== undefined) {
      text(unescaped(escaped));
      at += escaped.length + 1;
      continue;
    }
    if (rest[0] !== "%") {
      text(rest[0]!);
      at++;
      continue;
    }
    const [all, letter, coding] = /^%([A-Za-z%])(?:\{(\w+)\})?/.exec(rest) ?? [];
    if (letter === "%") {
      text("%");
      at += 2;
      continue;
    }
    const name = letter === undefined ? undefined : LETTERS[letter];
    if (all === undefined || name === undefined)
      throw new UsageError(`--format has ${rest.slice(0, 2)}.`, FORMAT_LETTERS);
    const coded = name === "key" || name === "value";
    if (coding !== undefined && (!coded || (coding !== "hex" && coding !== "base64"))) {
      throw new UsageError(`--format has ${all}.`, "{hex} and {base64} stand after %k and %v.");
    }
    parts.push({ kind: "field", name, coding: (coding as Coding | undefined) ?? "plain" });
    at += all.length;
  }
  return parts;
}

function unescaped(letter: string): string {
  const known: Record<string, string> = { n: "\n", t: "\t", r: "\r", "0": "\0", "\\": "\\" };
  const found =
    known[letter] ?? (letter.length === 3 ? String.fromCharCode(Number.parseInt(letter.slice(1), 16)) : undefined);
  if (found === undefined)
    throw new UsageError(`--format has \\${letter}.`, "There are \\n, \\t, \\r, \\0, \\\\ and \\xHH.");
  return found;
}

/** What `peek` knows of a record beside its bytes. */
export interface ShownRecord extends TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Makes a function that writes records in a format. Throws UsageError. */
export function formatter(format: string): (record: ShownRecord) => Buffer {
  const parts = parse(format);
  return (record) =>
    Buffer.concat(
      parts.map((part) => (part.kind === "text" ? Buffer.from(part.text) : fieldBytes(part.name, part.coding, record))),
    );
}

function fieldBytes(name: FieldName, coding: Coding, record: ShownRecord): Buffer {
  const { timestamp = -1 } = record;
  switch (name) {
    case "key":
    case "value": {
      const bytes = Buffer.from(record[name] ?? []);
      return coding === "plain" ? bytes : Buffer.from(bytes.toString(coding));
    }
    case "headers":
      return Buffer.concat(
        record.headers.flatMap((h, i) => [Buffer.from(`${i === 0 ? "" : ","}${h.key}=`), Buffer.from(h.value ?? [])]),
      );
    case "partition":
    case "offset":
    case "topic":
      return Buffer.from(String(record[name]));
    case "millis":
      return Buffer.from(String(timestamp));
    case "time":
      return Buffer.from(timeText(timestamp) ?? "-");
    case "keySize":
      // As kcat: -1 tells a missing key from an empty one.
      return Buffer.from(String(record.key?.length ?? -1));
    case "valueSize":
      return Buffer.from(String(record.value?.length ?? -1));
  }
}

/** Reads records in a format, in bytes that come bit by bit. */
export interface RecordParser {
  /** The records that are whole with these bytes. Throws UsageError at the first that does not fit. */
  push(bytes: Buffer): TopicRecord[];
  /** The last one, which nothing ends. */
  end(): TopicRecord[];
}

/** Makes a reader of records in a format; a line break ends each where the format does not say what does. Throws UsageError. */
export function recordParser(format: string, options: { readonly nullEmpty?: boolean } = {}): RecordParser {
  const parts = parse(format);
  for (const [i, part] of parts.entries()) {
    if (part.kind !== "field") continue;
    if (part.name === "offset" || part.name === "topic" || part.name === "keySize" || part.name === "valueSize") {
      throw new UsageError(
        "--format names what cannot be chosen: offset, topic or a size.",
        "Read %k, %v, %h, %p, %T or %d.",
      );
    }
    if (parts[i + 1]?.kind === "field") {
      throw new UsageError(
        "--format has two fields without anything between them.",
        "Put a separator there: '%k\\t%v\\n'.",
      );
    }
  }
  if (!parts.some((part) => part.kind === "field")) throw new UsageError("--format names no field.", FORMAT_LETTERS);
  if (parts.at(-1)!.kind === "field") parts.push({ kind: "text", text: "\n" });
  const texts = parts.map((part) => (part.kind === "text" ? Buffer.from(part.text) : undefined));
  let pending: Buffer = Buffer.alloc(0);
  let number = 0;

  /** The record at `from` and where it ends; undefined when it is not whole. `last`: nothing has to follow the last field. */
  const one = (from: number, last: boolean): { record: TopicRecord; end: number } | undefined => {
    let at = from;
    const fields = new Map<FieldName, Buffer>();
    for (const [i, part] of parts.entries()) {
      if (part.kind === "text") {
        const text = texts[i]!;
        if (pending.subarray(at, at + text.length).equals(text)) at += text.length;
        else if (last && at === pending.length && i === parts.length - 1) break;
        else if (!last && pending.length - at < text.length) return undefined;
        else
          throw new UsageError(
            `Record ${number + 1} does not fit the format: ${JSON.stringify(part.text)} is missing.`,
          );
        continue;
      }
      const found = pending.indexOf(texts[i + 1]!, at);
      const open = i + 2 === parts.length;
      if (found < 0 && !(last && open)) {
        if (!last) return undefined;
        const missing = (parts[i + 1] as { text: string }).text;
        throw new UsageError(`Record ${number + 1} does not fit the format: ${JSON.stringify(missing)} is missing.`);
      }
      const to = found < 0 ? pending.length : found;
      const bytes = pending.subarray(at, to);
      fields.set(part.name, part.coding === "plain" ? bytes : decoded(bytes, part.coding, number + 1));
      at = to;
    }
    number++;
    return { record: recordOf(fields, number, options.nullEmpty === true), end: at };
  };

  const all = (last: boolean): TopicRecord[] => {
    const records: TopicRecord[] = [];
    let at = 0;
    while (at < pending.length) {
      const found = one(at, last);
      if (found === undefined) break;
      records.push(found.record);
      at = found.end;
    }
    pending = pending.subarray(at);
    return records;
  };
  return {
    push(bytes) {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      return all(false);
    },
    end: () => all(true),
  };
}

function decoded(bytes: Buffer, coding: "hex" | "base64", number: number): Buffer {
  const text = bytes.toString("latin1").trim();
  const found = Buffer.from(text, coding);
  const again = found.toString(coding);
  if (coding === "hex" ? again === text.toLowerCase() : again.replace(/=+$/, "") === text.replace(/=+$/, ""))
    return found;
  throw new UsageError(`Record ${number} has ${JSON.stringify(text.slice(0, 40))}, which is no ${coding}.`);
}

function recordOf(fields: ReadonlyMap<FieldName, Buffer>, number: number, nullEmpty: boolean): TopicRecord {
  const bytes = (name: FieldName): Buffer | null => {
    const found = fields.get(name);
    return found === undefined || (nullEmpty && found.length === 0) ? null : found;
  };
  const text = (name: FieldName): string | undefined => fields.get(name)?.toString("utf8").trim();
  const partition = text("partition");
  if (partition !== undefined && !/^\d+$/.test(partition)) {
    throw new UsageError(`Record ${number} has the partition ${JSON.stringify(partition)}, which is no number.`);
  }
  const time = text("millis") ?? text("time");
  const ms = time === undefined || time === "-" ? undefined : /^-?\d+$/.test(time) ? Number(time) : Date.parse(time);
  if (ms !== undefined && Number.isNaN(ms)) {
    throw new UsageError(`Record ${number} has the time ${JSON.stringify(time)}, which is none.`);
  }
  return {
    key: bytes("key"),
    value: bytes("value"),
    headers: headersOf(fields.get("headers")),
    ...(partition !== undefined && { partition: Number(partition) }),
    ...(ms !== undefined && { timestamp: ms }),
  };
}

/** `a=1,b=2` */
function headersOf(bytes: Buffer | undefined): RecordHeader[] {
  const text = bytes?.toString("utf8") ?? "";
  if (text === "") return [];
  return text.split(",").map((part) => {
    const [key, ...rest] = part.split("=");
    return { key: key!, value: rest.length === 0 ? null : Buffer.from(rest.join("=")) };
  });
}
