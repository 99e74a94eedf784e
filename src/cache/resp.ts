/**
 * RESP, the Redis serialization protocol, versions 2 and 3. Strings are binary here: one character is one byte (latin1), so
 * keys and values of any content pass unchanged and take one byte each in memory.
 */

/** What a command answers. */
export type Reply =
  | number
  | bigint
  | string
  | null
  | readonly Reply[]
  | { readonly simple: string }
  | { readonly error: string }
  /** A map in RESP3, a flat list in RESP2. */
  | { readonly map: readonly Reply[] }
  /** A double in RESP3, a string in RESP2. */
  | { readonly double: string }
  /** A null array in RESP2. */
  | { readonly nullArray: true }
  /** Several answers to one command (SUBSCRIBE), each a push in RESP3. */
  | { readonly pushes: readonly (readonly Reply[])[] }
  /** The command answers by itself or not at all. */
  | { readonly silent: true };

export const OK: Reply = { simple: "OK" };
export const QUEUED: Reply = { simple: "QUEUED" };
export const SILENT: Reply = { silent: true };

/** The bytes of a reply, one character each. */
export function encode(reply: Reply, version: 2 | 3): string {
  if (typeof reply === "string") return `$${reply.length}\r\n${reply}\r\n`;
  if (typeof reply === "number" || typeof reply === "bigint") return `:${reply}\r\n`;
  if (reply === null) return version === 3 ? "_\r\n" : "$-1\r\n";
  if (isList(reply)) return list("*", reply, version);
  if ("simple" in reply) return `+${reply.simple}\r\n`;
  if ("error" in reply) return `-${reply.error.replace(/[\r\n]+/g, " ")}\r\n`;
  if ("map" in reply) {
    if (version === 2) return list("*", reply.map, version);
    return `%${reply.map.length / 2}\r\n${reply.map.map((r) => encode(r, version)).join("")}`;
  }
  if ("double" in reply) return version === 3 ? `,${reply.double}\r\n` : encode(reply.double, version);
  if ("nullArray" in reply) return version === 3 ? "_\r\n" : "*-1\r\n";
  if ("pushes" in reply) return reply.pushes.map((p) => list(version === 3 ? ">" : "*", p, version)).join("");
  return "";
}

function isList(reply: Reply): reply is readonly Reply[] {
  return Array.isArray(reply);
}

function list(type: string, items: readonly Reply[], version: 2 | 3): string {
  let text = `${type}${items.length}\r\n`;
  for (const item of items) text += encode(item, version);
  return text;
}

/** A command as clients send it and as the append-only file keeps it. */
export function encodeCommand(args: readonly string[]): string {
  let text = `*${args.length}\r\n`;
  for (const a of args) text += `$${a.length}\r\n${a}\r\n`;
  return text;
}

/** The stream cannot be understood any more; the connection ends with this text. */
class ProtocolError extends Error {}

/** Redis' limits: one string, the arguments of one command, a line without a length. */
const LIMITS = { bulk: 512 * 1024 * 1024, args: 1024 * 1024, inline: 64 * 1024 };

/** Reads commands from a byte stream, cut anywhere. */
export class CommandReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #need = 1;
  /** Position in the bytes at hand, and of those in the whole stream. */
  #at = 0;
  #base = 0;
  /** What was read of the command at hand, and how many arguments are missing. */
  #args: string[] = [];
  #missing = 0;
  /** Where in the stream each command of the last `push` ended. */
  ends: number[] = [];
  /** Set once the stream cannot be understood any more. */
  fault: ProtocolError | undefined;

  /** Adds bytes and returns the commands that are now complete. */
  push(chunk: Buffer): string[][] {
    this.ends = [];
    if (this.fault !== undefined) return [];
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#need) return [];
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#size);
    const commands: string[][] = [];
    this.#need = 0;
    try {
      while (this.#read(bytes)) {
        if (this.#args.length > 0) {
          commands.push(this.#args);
          this.ends.push(this.#base + this.#at);
        }
        this.#args = [];
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fault = error;
    }
    // Arguments already read are kept as strings; only what is behind them waits in bytes.
    const rest = bytes.subarray(this.#at);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    this.#need = Math.max(this.#need - this.#at, rest.length + 1);
    this.#base += this.#at;
    this.#at = 0;
    return commands;
  }

  /** Reads on until a command is complete. */
  #read(bytes: Buffer): boolean {
    if (this.#missing === 0) {
      const end = this.#line(bytes);
      if (end < 0) return false;
      if (bytes[this.#at] !== 0x2a) {
        this.#args = splitInline(bytes.toString("latin1", this.#at, end));
        this.#at = after(bytes, end);
        return true;
      }
      const count = integer(bytes, this.#at + 1, end);
      if (count === undefined || count > LIMITS.args) throw new ProtocolError("invalid multibulk length");
      this.#at = after(bytes, end);
      if (count <= 0) return true;
      this.#missing = count;
    }
    while (this.#missing > 0) {
      const end = this.#line(bytes);
      if (end < 0) return false;
      if (bytes[this.#at] !== 0x24) {
        throw new ProtocolError(`expected '$', got '${String.fromCharCode(bytes[this.#at]!)}'`);
      }
      const length = integer(bytes, this.#at + 1, end);
      if (length === undefined || length < 0 || length > LIMITS.bulk) throw new ProtocolError("invalid bulk length");
      const from = after(bytes, end);
      if (from + length + 2 > bytes.length) {
        this.#need = from + length + 2;
        return false;
      }
      this.#args.push(bytes.toString("latin1", from, from + length));
      this.#at = from + length + 2;
      this.#missing--;
    }
    return true;
  }

  /** The end of the line that starts at the position, without its line feed; negative when it is not complete. */
  #line(bytes: Buffer): number {
    const end = bytes.indexOf(0x0a, this.#at);
    if (end < 0) {
      if (bytes.length - this.#at > LIMITS.inline) throw new ProtocolError("too big inline request");
      return -1;
    }
    return end > this.#at && bytes[end - 1] === 0x0d ? end - 1 : end;
  }
}

function after(bytes: Buffer, end: number): number {
  return bytes[end] === 0x0d ? end + 2 : end + 1;
}

function integer(bytes: Buffer, from: number, to: number): number | undefined {
  const negative = bytes[from] === 0x2d;
  let at = negative ? from + 1 : from;
  if (at >= to || to - at > 10) return undefined;
  let n = 0;
  for (; at < to; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    n = n * 10 + digit;
  }
  return negative ? -n : n;
}

/** Words of a line typed by hand, with Redis' quoting. */
export function splitInline(line: string): string[] {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && /\s/.test(line[at]!)) at++;
    if (at >= line.length) return words;
    let word = "";
    const quote = line[at];
    if (quote === '"' || quote === "'") {
      at++;
      for (;;) {
        if (at >= line.length) throw new ProtocolError("unbalanced quotes in request");
        const c = line[at++]!;
        if (c === quote) break;
        if (c === "\\" && quote === '"') {
          const hex = /^x([0-9a-fA-F]{2})/.exec(line.slice(at, at + 3));
          if (hex) {
            word += String.fromCharCode(Number.parseInt(hex[1]!, 16));
            at += 3;
          } else word += ESCAPES[line[at]!] ?? line[at] ?? "";
          if (!hex) at++;
        } else if (c === "\\" && line[at] === "'") {
          word += "'";
          at++;
        } else word += c;
      }
      if (at < line.length && !/\s/.test(line[at]!)) throw new ProtocolError("unbalanced quotes in request");
    } else {
      while (at < line.length && !/\s/.test(line[at]!)) word += line[at++]!;
    }
    words.push(word);
  }
}

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };
