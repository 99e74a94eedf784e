import type { MillraceError } from "../../errors.ts";
import { corrupt } from "./batch-layout.ts";

/**
 * Walks the records of one batch without making an object per record: `next()` moves on and leaves positions into `buf`.
 * Throws KAFKA_CORRUPT_BATCH when a length does not fit.
 *
 * ```ts
 * const walker = new RecordWalker();
 * walker.reset(batchRecords(buf, header), header.recordCount, header.baseOffset);
 * while (walker.next()) use(walker.buf, walker.valueAt, walker.valueLength);
 * ```
 */
export class RecordWalker {
  buf: Buffer = Buffer.alloc(0);
  timestampDelta = 0;
  offsetDelta = 0;
  /** Position of the key; its length is -1 for null. */
  keyAt = 0;
  keyLength = -1;
  valueAt = 0;
  valueLength = -1;
  headerCount = 0;
  /** Position of the first header, for `RecordWalker.headers()`. */
  headersAt = 0;
  #next = 0;
  #left = 0;
  #at = 0;
  #end = 0;
  #baseOffset = 0;

  reset(buf: Buffer, count: number, baseOffset = 0): void {
    this.buf = buf;
    this.#next = 0;
    this.#left = count;
    this.#baseOffset = baseOffset;
  }

  next(): boolean {
    if (this.#left <= 0) {
      if (this.#left < 0 || this.#next !== this.buf.length) throw this.#corrupt();
      return false;
    }
    this.#left--;
    this.#at = this.#next;
    this.#end = this.buf.length;
    const length = this.#varint();
    const end = this.#at + length;
    if (length < 0 || end > this.buf.length) throw this.#corrupt();
    this.#end = end;
    this.#next = end;
    this.#at++; // attributes: unused
    this.timestampDelta = this.#varlong();
    this.offsetDelta = this.#varint();
    this.keyLength = this.#varint();
    this.keyAt = this.#at;
    if (this.keyLength > 0) this.#at += this.keyLength;
    this.valueLength = this.#varint();
    this.valueAt = this.#at;
    if (this.valueLength > 0) this.#at += this.valueLength;
    this.headerCount = this.#varint();
    this.headersAt = this.#at;
    if (this.#at > end || this.keyLength < -1 || this.valueLength < -1) throw this.#corrupt();
    if (this.headerCount === 0 ? this.#at !== end : this.headerCount < 0 || this.headerCount > end - this.#at) {
      throw this.#corrupt();
    }
    return true;
  }

  /** Calls `visit` for each header of the current record with positions into `buf`; a null value has length -1. */
  headers(visit: (keyAt: number, keyLength: number, valueAt: number, valueLength: number) => void): void {
    this.#at = this.headersAt;
    this.#end = this.#next;
    for (let i = 0; i < this.headerCount; i++) {
      const keyLength = this.#varint();
      const keyAt = this.#at;
      if (keyLength < 0 || keyAt + keyLength > this.#end) throw this.#corrupt();
      this.#at += keyLength;
      const valueLength = this.#varint();
      const valueAt = this.#at;
      if (valueLength < -1 || valueAt + Math.max(0, valueLength) > this.#end) throw this.#corrupt();
      if (valueLength > 0) this.#at += valueLength;
      visit(keyAt, keyLength, valueAt, valueLength);
    }
    if (this.#at !== this.#end) throw this.#corrupt();
  }

  #varint(): number {
    const buf = this.buf;
    let at = this.#at;
    if (at >= this.#end) throw this.#corrupt();
    let byte = buf[at++]!;
    let raw = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 28 || at >= this.#end) throw this.#corrupt();
      byte = buf[at++]!;
      raw |= (byte & 0x7f) << shift;
    }
    this.#at = at;
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** Exact up to 53 bits, which is 285,000 years in milliseconds. */
  #varlong(): number {
    const buf = this.buf;
    let at = this.#at;
    if (at >= this.#end) throw this.#corrupt();
    let byte = buf[at++]!;
    let raw = byte & 0x7f;
    for (let shift = 7, scale = 128; byte >= 0x80; shift += 7, scale *= 128) {
      if (shift > 63 || at >= this.#end) throw this.#corrupt();
      byte = buf[at++]!;
      raw += (byte & 0x7f) * scale;
    }
    this.#at = at;
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }

  #corrupt(): MillraceError {
    return corrupt("A record's length does not fit its batch.", this.#baseOffset);
  }
}
