import { MillraceError } from "../../errors.ts";

/** Reads Kafka's primitive types (big-endian) from a frame. Every read is checked: a frame that ends early is KAFKA_PROTOCOL. */
export class Reader {
  readonly buf: Buffer;
  at: number;
  readonly end: number;

  constructor(buf: Buffer, at = 0, end = buf.length) {
    this.buf = buf;
    this.at = at;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  /** Moves on by `bytes` and gives the position before. */
  take(bytes: number): number {
    const at = this.at;
    if (bytes < 0 || at + bytes > this.end) {
      throw malformed(`${bytes} bytes expected at ${at}, the message ends at ${this.end}`);
    }
    this.at = at + bytes;
    return at;
  }

  int8(): number {
    return this.buf.readInt8(this.take(1));
  }

  int16(): number {
    return this.buf.readInt16BE(this.take(2));
  }

  int32(): number {
    return this.buf.readInt32BE(this.take(4));
  }

  uint32(): number {
    return this.buf.readUInt32BE(this.take(4));
  }

  /** As a number: exact up to 2^53, which no offset, timestamp or producer id reaches. */
  int64(): number {
    const at = this.take(8);
    return this.buf.readInt32BE(at) * 4294967296 + this.buf.readUInt32BE(at + 4);
  }

  uvarint(): number {
    let value = 0;
    for (let scale = 1, i = 0; i < 5; i++, scale *= 128) {
      const byte = this.buf[this.take(1)]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > 0xffffffff) break;
        return value;
      }
    }
    throw malformed(`a variable-length integer before ${this.at} does not fit 32 bits`);
  }

  /** A view of the next bytes. */
  bytes(length: number): Buffer {
    const at = this.take(length);
    return this.buf.subarray(at, at + length);
  }

  utf8(length: number): string {
    const at = this.take(length);
    return this.buf.toString("utf8", at, at + length);
  }

  skipTags(): void {
    for (let n = this.uvarint(); n > 0; n--) {
      this.uvarint();
      this.take(this.uvarint());
    }
  }
}

/** Above this size bytes are passed on as they are instead of being copied into the message. */
const BY_REFERENCE = 1024;

/** Writes Kafka's primitive types. Large byte values are not copied: `finish()` gives a list of buffers for one vectored write. */
export class Writer {
  #buf: Buffer;
  #at = 0;
  #from = 0;
  #done: Buffer[] = [];
  #doneBytes = 0;

  constructor(size = 512) {
    this.#buf = Buffer.allocUnsafe(size);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#doneBytes + this.#at - this.#from;
  }

  #room(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#buf.length) {
      const pending = at - this.#from;
      const larger = Buffer.allocUnsafe(Math.max(this.#buf.length * 2, pending + bytes));
      this.#buf.copy(larger, 0, this.#from, at);
      this.#buf = larger;
      this.#from = 0;
      this.#at = pending + bytes;
      return pending;
    }
    this.#at = at + bytes;
    return at;
  }

  int8(value: number): void {
    const at = this.#room(1);
    this.#buf[at] = value;
  }

  int16(value: number): void {
    const at = this.#room(2);
    this.#buf.writeInt16BE(value, at);
  }

  int32(value: number): void {
    const at = this.#room(4);
    this.#buf.writeInt32BE(value, at);
  }

  uint32(value: number): void {
    const at = this.#room(4);
    this.#buf.writeUInt32BE(value, at);
  }

  int64(value: number): void {
    const at = this.#room(8);
    const high = Math.floor(value / 4294967296);
    this.#buf.writeInt32BE(high, at);
    this.#buf.writeUInt32BE(value - high * 4294967296, at + 4);
  }

  uvarint(value: number): void {
    while (value >= 0x80) {
      this.int8((value % 128) | 0x80);
      value = Math.floor(value / 128);
    }
    this.int8(value);
  }

  utf8(value: string, bytes: number): void {
    const at = this.#room(bytes);
    this.#buf.write(value, at, bytes, "utf8");
  }

  bytes(value: Uint8Array): void {
    if (value.length >= BY_REFERENCE) {
      this.#cut();
      this.#done.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      this.#doneBytes += value.length;
      return;
    }
    const at = this.#room(value.length);
    this.#buf.set(value, at);
  }

  #cut(): void {
    if (this.#at === this.#from) return;
    this.#done.push(this.#buf.subarray(this.#from, this.#at));
    this.#doneBytes += this.#at - this.#from;
    this.#from = this.#at;
  }

  /** Everything written, in order. The first buffer always starts with the first bytes written. */
  finish(): Buffer[] {
    this.#cut();
    return this.#done;
  }
}

export function malformed(detail: string): MillraceError {
  return new MillraceError("KAFKA_PROTOCOL", `Malformed Kafka message: ${detail}.`);
}
