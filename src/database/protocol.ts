/**
 * The PostgreSQL wire protocol 3.0, as far as a front between clients and one backend needs it: framing, and the few
 * messages it reads or writes itself. Everything else passes through as bytes.
 */

/** Message types, by the letter the protocol gives them. */
export const F = {
  bind: 0x42,
  close: 0x43,
  describe: 0x44,
  execute: 0x45,
  functionCall: 0x46,
  flush: 0x48,
  parse: 0x50,
  query: 0x51,
  sync: 0x53,
  terminate: 0x58,
  copyData: 0x64,
  copyDone: 0x63,
  copyFail: 0x66,
  password: 0x70,
} as const;

export const B = {
  parseComplete: 0x31,
  bindComplete: 0x32,
  closeComplete: 0x33,
  notification: 0x41,
  commandComplete: 0x43,
  dataRow: 0x44,
  error: 0x45,
  copyIn: 0x47,
  parameterStatus: 0x53,
  ready: 0x5a,
} as const;

/** PostgreSQL's own limit of one message. */
export const MAX_MESSAGE = 0x3fffffff;

export class ProtocolViolation extends Error {}

/** Cuts a byte stream at message ends. */
export class MessageReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #need = HEADER;

  /** Bytes held back because their message is not complete. */
  get pending(): number {
    return this.#size;
  }

  /** Adds bytes and returns all messages that are now complete, as one piece; undefined when there are none. */
  push(chunk: Buffer): Buffer | undefined {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#need) return undefined;
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#size);
    let end = 0;
    this.#need = HEADER;
    while (end + HEADER <= all.length) {
      const total = messageLength(all, end);
      if (end + total > all.length) {
        this.#need = total;
        break;
      }
      end += total;
    }
    this.#chunks = end === all.length ? [] : [all.subarray(end)];
    this.#size = all.length - end;
    return end === 0 ? undefined : all.subarray(0, end);
  }
}

const HEADER = 5;

/** The whole length of the message at `at`, its type byte included. */
function messageLength(bytes: Buffer, at: number): number {
  const length = bytes.readInt32BE(at + 1);
  if (length < 4 || length > MAX_MESSAGE) throw new ProtocolViolation(`invalid message length ${length}`);
  return 1 + length;
}

/** Each message of a piece that holds whole messages only. */
export function* messages(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const total = messageLength(bytes, at);
    yield bytes.subarray(at, at + total);
    at += total;
  }
}

/** The zero-terminated string at `at`. */
export function cstring(message: Buffer, at: number): { text: string; next: number } {
  const end = message.indexOf(0, at);
  if (end < 0) throw new ProtocolViolation("a string in a message is not terminated");
  return { text: message.toString("utf8", at, end), next: end + 1 };
}

/** One message. */
export function message(type: number, ...parts: (string | Uint8Array)[]): Buffer {
  const bodies = parts.map((p) => (typeof p === "string" ? Buffer.from(`${p}\0`) : p));
  const length = 4 + bodies.reduce((n, b) => n + b.length, 0);
  const head = Buffer.allocUnsafe(HEADER);
  head[0] = type;
  head.writeInt32BE(length, 1);
  return Buffer.concat([head, ...bodies]);
}

export const SYNC = message(F.sync);

export function query(sql: string): Buffer {
  return message(F.query, sql);
}

export function ready(status: TransactionStatus): Buffer {
  return message(B.ready, Buffer.from(status));
}

/** `I`: no transaction, `T`: in one, `E`: in a failed one. */
export type TransactionStatus = "I" | "T" | "E";

export function errorResponse(severity: "ERROR" | "FATAL", sqlState: string, text: string, hint?: string): Buffer {
  const fields = [`S${severity}`, `V${severity}`, `C${sqlState}`, `M${text}`];
  if (hint !== undefined) fields.push(`H${hint}`);
  return message(B.error, ...fields, Buffer.from([0]));
}

export function parameterStatus(name: string, value: string): Buffer {
  return message(B.parameterStatus, name, value);
}

/** The fields of an ErrorResponse or NoticeResponse, by their letters. */
export function errorFields(m: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = HEADER; m[at] !== 0 && at < m.length; ) {
    const field = cstring(m, at + 1);
    fields[String.fromCharCode(m[at]!)] = field.text;
    at = field.next;
  }
  return fields;
}

/** The columns of a DataRow in text format. */
export function dataRow(m: Buffer): (string | null)[] {
  const columns: (string | null)[] = [];
  let at = HEADER + 2;
  for (let left = m.readInt16BE(HEADER); left > 0; left--) {
    const length = m.readInt32BE(at);
    at += 4;
    if (length < 0) {
      columns.push(null);
    } else {
      columns.push(m.toString("utf8", at, at + length));
      at += length;
    }
  }
  return columns;
}

/** The first packet of a connection, which has no type byte. */
export type Startup =
  /** SSLRequest or GSSENCRequest. */
  | { kind: "encryption" }
  | { kind: "cancel"; pid: number; secret: number }
  | { kind: "startup"; minor: number; parameters: Map<string, string> }
  | { kind: "unknown"; code: number };

/** Reads the first packet; undefined while it is not complete. */
export function readStartup(bytes: Buffer): { startup: Startup; length: number } | undefined {
  if (bytes.length < 8) return undefined;
  const length = bytes.readInt32BE(0);
  if (length < 8 || length > 10_000) throw new ProtocolViolation(`invalid length of startup packet (${length})`);
  if (bytes.length < length) return undefined;
  return { startup: parseStartup(bytes.subarray(0, length)), length };
}

function parseStartup(packet: Buffer): Startup {
  const code = packet.readInt32BE(4);
  if (code === 80877103 || code === 80877104) return { kind: "encryption" };
  if (code === 80877102 && packet.length >= 16) {
    return { kind: "cancel", pid: packet.readInt32BE(8), secret: packet.readInt32BE(12) };
  }
  if (code >>> 16 !== 3) return { kind: "unknown", code };
  const parameters = new Map<string, string>();
  for (let at = 8; at < packet.length && packet[at] !== 0; ) {
    const name = cstring(packet, at);
    const value = cstring(packet, name.next);
    parameters.set(name.text, value.text);
    at = value.next;
  }
  return { kind: "startup", minor: code & 0xffff, parameters };
}
