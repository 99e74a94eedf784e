import type { RecordWalker } from "../../wire/record-batch.ts";
import { type ColumnPages, levels, ParquetType, Runs } from "./parquet.ts";

/** Large page buffers wait here for the next file, so that a busy query does not fault in fresh memory for every batch. */
const spare: Buffer[] = [];
const SPARE_BUFFERS = 4;
const SPARE_BYTES = 1 << 20;
const LARGEST_SPARE_BYTES = 96 << 20;

function takeBuffer(least: number): Buffer {
  for (let i = 0; i < spare.length; i++) {
    if (spare[i]!.length >= least) return spare.splice(i, 1)[0]!;
  }
  return Buffer.allocUnsafeSlow(Math.max(least, 1 << 16));
}

function giveBuffer(buf: Buffer): void {
  if (buf.length >= SPARE_BYTES && buf.length <= LARGEST_SPARE_BYTES && spare.length < SPARE_BUFFERS) spare.push(buf);
}

/** Up to here four bytes at a time are quicker than the call of the native copy (measured). */
const SHORT_COPY = 128;

class ByteArrayPage {
  #buf: Buffer = Buffer.alloc(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #source: Buffer = Buffer.alloc(0);
  #sourceView: DataView = new DataView(new ArrayBuffer(0));

  get bytes(): number {
    return this.#at;
  }

  source(buf: Buffer): void {
    this.#source = buf;
    this.#sourceView = new DataView(buf.buffer, buf.byteOffset, buf.length);
  }

  add(from: number, length: number): void {
    let at = this.#at;
    const end = at + 4 + length;
    if (end + 4 > this.#buf.length) this.#grow(end + 4);
    const view = this.#view;
    view.setInt32(at, length, true);
    at += 4;
    // The copy in words reads and writes up to three bytes too much; the next value overwrites them.
    if (length <= SHORT_COPY && from + length + 3 <= this.#source.length) {
      const source = this.#sourceView;
      for (let i = 0; i < length; i += 4) view.setInt32(at + i, source.getInt32(from + i, true), true);
    } else {
      this.#source.copy(this.#buf, at, from, from + length);
    }
    this.#at = end;
  }

  /** The page so far; valid until `clear`. */
  page(): Buffer {
    return this.#buf.subarray(0, this.#at);
  }

  clear(): void {
    this.#at = 0;
  }

  release(): void {
    giveBuffer(this.#buf);
    this.#buf = Buffer.alloc(0);
    this.#view = new DataView(new ArrayBuffer(0));
    this.#at = 0;
    this.source(this.#buf);
  }

  #grow(least: number): void {
    const larger = takeBuffer(Math.max(least, this.#buf.length * 2));
    this.#buf.copy(larger, 0, 0, this.#at);
    giveBuffer(this.#buf);
    this.#buf = larger;
    this.#view = new DataView(larger.buffer, larger.byteOffset, larger.length);
  }
}

/** Nullable bytes. */
export class BytesColumn {
  readonly #name: string;
  readonly #page = new ByteArrayPage();
  readonly #defined = new Runs();
  #count = 0;

  constructor(name: string) {
    this.#name = name;
  }

  get bytes(): number {
    return this.#page.bytes;
  }

  source(buf: Buffer): void {
    this.#page.source(buf);
  }

  /** `length` -1 is null. */
  add(from: number, length: number): void {
    this.#count++;
    if (length < 0) {
      this.#defined.push(0);
      return;
    }
    this.#defined.push(1);
    this.#page.add(from, length);
  }

  pages(): ColumnPages {
    return {
      path: [this.#name],
      type: ParquetType.BYTE_ARRAY,
      valueCount: this.#count,
      body: [...levels(this.#defined, 1), this.#page.page()],
    };
  }

  clear(): void {
    this.#page.clear();
    this.#defined.clear();
    this.#count = 0;
  }

  release(): void {
    this.#page.release();
  }
}

const WORD = 4294967296;

export class Int64Column {
  readonly #name: string;
  /** Pairs of (low, high), as little-endian machines lay out 64 bits. */
  #words = new Int32Array(512);
  #count = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add(value: number): void {
    const at = this.#count * 2;
    if (at === this.#words.length) {
      const larger = new Int32Array(this.#words.length * 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[at] = value | 0;
    this.#words[at + 1] = Math.floor(value / WORD);
    this.#count++;
  }

  /** Milliseconds become microseconds. What lies beyond the exact range of a number (year 2255) is cut to DuckDB's range. */
  addMicros(ms: number): void {
    const micros = ms * 1000;
    this.add(
      Math.abs(micros) <= Number.MAX_SAFE_INTEGER ? micros : Math.max(-MAX_MICROS, Math.min(MAX_MICROS, micros)),
    );
  }

  pages(): ColumnPages {
    return {
      path: [this.#name],
      type: ParquetType.INT64,
      valueCount: this.#count,
      body: [Buffer.from(this.#words.buffer, 0, this.#count * 8)],
    };
  }

  clear(): void {
    this.#count = 0;
  }
}

/** 9.2e18 with the low word zero: just below the largest timestamp of DuckDB (year 294247). */
const MAX_MICROS = 0x7fffff00 * WORD;

/** A value per run of rows. */
export class DictionaryColumn {
  readonly #name: string;
  readonly #type: number;
  readonly #values: (string | number)[] = [];
  readonly #indices = new Runs();
  #count = 0;
  #last: string | number | undefined;
  #lastIndex = 0;

  constructor(name: string, type: number) {
    this.#name = name;
    this.#type = type;
  }

  add(value: string | number, count: number): void {
    if (value !== this.#last) {
      this.#last = value;
      this.#lastIndex = this.#values.indexOf(value);
      if (this.#lastIndex < 0) this.#lastIndex = this.#values.push(value) - 1;
    }
    this.#indices.push(this.#lastIndex, count);
    this.#count += count;
  }

  pages(): ColumnPages {
    const bitWidth = Math.max(1, 32 - Math.clz32(this.#values.length - 1));
    const values =
      this.#type === ParquetType.INT32
        ? Buffer.from(Int32Array.from(this.#values as number[]).buffer)
        : Buffer.concat(
            this.#values.flatMap((value) => {
              const bytes = Buffer.from(value as string);
              const length = Buffer.allocUnsafe(4);
              length.writeUInt32LE(bytes.length);
              return [length, bytes];
            }),
          );
    return {
      path: [this.#name],
      type: this.#type,
      valueCount: this.#count,
      body: [Buffer.from([bitWidth]), this.#indices.encode(bitWidth)],
      dictionary: { count: this.#values.length, values },
    };
  }

  clear(): void {
    this.#values.length = 0;
    this.#indices.clear();
    this.#count = 0;
    this.#last = undefined;
  }
}

/** LIST(STRUCT(key VARCHAR, value BLOB)); null for a record without headers, as in Spark. */
export class HeadersColumn {
  readonly #keys = new ByteArrayPage();
  readonly #values = new ByteArrayPage();
  readonly #repetition = new Runs();
  readonly #keyDefined = new Runs();
  readonly #valueDefined = new Runs();
  #count = 0;
  #first = true;

  source(buf: Buffer): void {
    this.#keys.source(buf);
    this.#values.source(buf);
  }

  add(walker: RecordWalker): void {
    if (walker.headerCount === 0) {
      this.#count++;
      this.#repetition.push(0);
      this.#keyDefined.push(0);
      this.#valueDefined.push(0);
      return;
    }
    this.#first = true;
    walker.headers((keyAt, keyLength, valueAt, valueLength) => {
      this.#count++;
      this.#repetition.push(this.#first ? 0 : 1);
      this.#first = false;
      this.#keyDefined.push(2);
      this.#keys.add(keyAt, keyLength);
      this.#valueDefined.push(valueLength < 0 ? 2 : 3);
      if (valueLength >= 0) this.#values.add(valueAt, valueLength);
    });
  }

  pages(): ColumnPages[] {
    const path = ["headers", "list", "element"];
    const type = ParquetType.BYTE_ARRAY;
    const valueCount = this.#count;
    return [
      {
        path: [...path, "key"],
        type,
        valueCount,
        body: [...levels(this.#repetition, 1), ...levels(this.#keyDefined, 2), this.#keys.page()],
      },
      {
        path: [...path, "value"],
        type,
        valueCount,
        body: [...levels(this.#repetition, 1), ...levels(this.#valueDefined, 2), this.#values.page()],
      },
    ];
  }

  clear(): void {
    this.#keys.clear();
    this.#values.clear();
    this.#repetition.clear();
    this.#keyDefined.clear();
    this.#valueDefined.clear();
    this.#count = 0;
  }
}
