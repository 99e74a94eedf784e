/**
 * The little of the Parquet format that the ingest writes: uncompressed columns, PLAIN and dictionary pages (format 1 data pages),
 * levels as runs. https://parquet.apache.org/docs/file-format/
 */

/** Thrift's compact protocol, writing side. https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md */
class ThriftWriter {
  #buf: Buffer = Buffer.allocUnsafe(256);
  #at = 0;
  #lastField = 0;
  readonly #stack: number[] = [];

  #byte(value: number): void {
    if (this.#at === this.#buf.length) {
      const larger = Buffer.allocUnsafe(this.#buf.length * 2);
      this.#buf.copy(larger);
      this.#buf = larger;
    }
    this.#buf[this.#at++] = value;
  }

  #varint(value: number): void {
    while (value >= 0x80) {
      this.#byte((value % 128) | 0x80);
      value = Math.floor(value / 128);
    }
    this.#byte(value);
  }

  #field(id: number, type: number): void {
    const delta = id - this.#lastField;
    this.#byte((delta << 4) | type);
    this.#lastField = id;
  }

  bool(id: number, value: boolean): this {
    this.#field(id, value ? 1 : 2);
    return this;
  }

  /** A non-negative 32-bit integer. */
  i32(id: number, value: number): this {
    this.#field(id, 5);
    this.#varint(value * 2);
    return this;
  }

  /** A non-negative 64-bit integer. */
  i64(id: number, value: number): this {
    this.#field(id, 6);
    this.#varint(value * 2);
    return this;
  }

  string(id: number, value: string): this {
    this.#field(id, 8);
    this.#text(value);
    return this;
  }

  #text(value: string): void {
    const bytes = Buffer.from(value);
    this.#varint(bytes.length);
    for (const byte of bytes) this.#byte(byte);
  }

  #list(id: number, type: number, count: number): void {
    this.#field(id, 9);
    if (count < 15) this.#byte((count << 4) | type);
    else {
      this.#byte(0xf0 | type);
      this.#varint(count);
    }
  }

  i32s(id: number, values: readonly number[]): this {
    this.#list(id, 5, values.length);
    for (const value of values) this.#varint(value * 2);
    return this;
  }

  strings(id: number, values: readonly string[]): this {
    this.#list(id, 8, values.length);
    for (const value of values) this.#text(value);
    return this;
  }

  struct(id: number, body: () => void): this {
    this.#field(id, 12);
    this.#nested(body);
    return this;
  }

  structs<T>(id: number, items: readonly T[], body: (item: T) => void): this {
    this.#list(id, 12, items.length);
    for (const item of items) this.#nested(() => body(item));
    return this;
  }

  #nested(body: () => void): void {
    this.#stack.push(this.#lastField);
    this.#lastField = 0;
    body();
    this.#byte(0);
    this.#lastField = this.#stack.pop()!;
  }

  /** Ends the outermost struct. */
  finish(): Buffer {
    this.#byte(0);
    return this.#buf.subarray(0, this.#at);
  }
}

/** Small integers as (count, value) runs: definition levels, repetition levels, dictionary indices. */
export class Runs {
  readonly #counts: number[] = [];
  readonly #values: number[] = [];
  #count = 0;
  #value = 0;

  push(value: number, count = 1): void {
    if (value === this.#value) {
      this.#count += count;
      return;
    }
    this.#end();
    this.#value = value;
    this.#count = count;
  }

  clear(): void {
    this.#counts.length = 0;
    this.#values.length = 0;
    this.#count = 0;
    this.#value = 0;
  }

  #end(): void {
    if (this.#count === 0) return;
    this.#counts.push(this.#count);
    this.#values.push(this.#value);
    this.#count = 0;
  }

  /** Parquet's RLE encoding (all runs repeated, none bit-packed). */
  encode(bitWidth: number): Buffer {
    this.#end();
    const width = (bitWidth + 7) >> 3;
    const buf = Buffer.allocUnsafe(this.#counts.length * (5 + width));
    let at = 0;
    for (let i = 0; i < this.#counts.length; i++) {
      let header = this.#counts[i]! * 2;
      while (header >= 0x80) {
        buf[at++] = (header & 0x7f) | 0x80;
        header >>>= 7;
      }
      buf[at++] = header;
      for (let b = 0; b < width; b++) buf[at++] = (this.#values[i]! >>> (8 * b)) & 0xff;
    }
    return buf.subarray(0, at);
  }
}

export const ParquetType = { INT32: 1, INT64: 2, BYTE_ARRAY: 6 } as const;
const Encoding = { PLAIN: 0, RLE: 3, RLE_DICTIONARY: 8 } as const;
export const Repetition = { REQUIRED: 0, OPTIONAL: 1, REPEATED: 2 } as const;

/** A node of the file's schema, in depth-first order. */
export interface SchemaNode {
  readonly name: string;
  readonly repetition?: number;
  /** Missing for a group. */
  readonly type?: number;
  readonly children?: number;
  readonly utf8?: boolean;
  readonly timestampMicros?: boolean;
  readonly list?: boolean;
}

/** One column of one row group, ready to be written. */
export interface ColumnPages {
  readonly path: readonly string[];
  readonly type: number;
  readonly valueCount: number;
  /** Levels with the lengths in front that format 1 pages want, then the values. */
  readonly body: readonly Buffer[];
  readonly dictionary?: { readonly count: number; readonly values: Buffer };
}

interface WrittenColumn {
  readonly path: readonly string[];
  readonly type: number;
  readonly valueCount: number;
  readonly dictionaryAt: number | undefined;
  readonly dataAt: number;
  readonly bytes: number;
}

/** Collects what the footer has to say while row groups are written. */
export class ParquetLayout {
  static readonly MAGIC: Buffer = Buffer.from("PAR1");
  readonly #schema: readonly SchemaNode[];
  readonly #groups: { rows: number; bytes: number; columns: WrittenColumn[] }[] = [];
  #at = 4;
  #rows = 0;

  constructor(schema: readonly SchemaNode[]) {
    this.#schema = schema;
  }

  /** The bytes of a row group, to be written at the end of the file. */
  rowGroup(rows: number, columns: readonly ColumnPages[]): Buffer[] {
    const parts: Buffer[] = [];
    const written: WrittenColumn[] = [];
    const start = this.#at;
    for (const column of columns) {
      const columnStart = this.#at;
      let dictionaryAt: number | undefined;
      if (column.dictionary !== undefined) {
        dictionaryAt = this.#at;
        const { count, values } = column.dictionary;
        this.#push(parts, dictionaryHeader(values.length, count));
        this.#push(parts, values);
      }
      const dataAt = this.#at;
      let size = 0;
      for (const part of column.body) size += part.length;
      const encoding = column.dictionary === undefined ? Encoding.PLAIN : Encoding.RLE_DICTIONARY;
      this.#push(parts, dataHeader(size, column.valueCount, encoding));
      for (const part of column.body) this.#push(parts, part);
      written.push({
        path: column.path,
        type: column.type,
        valueCount: column.valueCount,
        dictionaryAt,
        dataAt,
        bytes: this.#at - columnStart,
      });
    }
    this.#groups.push({ rows, bytes: this.#at - start, columns: written });
    this.#rows += rows;
    return parts;
  }

  #push(parts: Buffer[], part: Buffer): void {
    if (part.length === 0) return;
    parts.push(part);
    this.#at += part.length;
  }

  footer(): Buffer {
    const w = new ThriftWriter();
    w.i32(1, 1);
    w.structs(2, this.#schema, (node) => {
      if (node.type !== undefined) w.i32(1, node.type);
      if (node.repetition !== undefined) w.i32(3, node.repetition);
      w.string(4, node.name);
      if (node.children !== undefined) w.i32(5, node.children);
      if (node.utf8) w.i32(6, 0);
      if (node.list) w.i32(6, 3);
      if (node.timestampMicros) {
        w.i32(6, 10);
        w.struct(10, () =>
          w.struct(8, () => {
            w.bool(1, true);
            w.struct(2, () => w.struct(2, () => {}));
          }),
        );
      }
    });
    w.i64(3, this.#rows);
    w.structs(4, this.#groups, (group) => {
      w.structs(1, group.columns, (column) => {
        w.i64(2, column.dictionaryAt ?? column.dataAt);
        w.struct(3, () => {
          w.i32(1, column.type);
          w.i32s(2, [column.dictionaryAt === undefined ? Encoding.PLAIN : Encoding.RLE_DICTIONARY, Encoding.RLE]);
          w.strings(3, column.path);
          w.i32(4, 0);
          w.i64(5, column.valueCount);
          w.i64(6, column.bytes);
          w.i64(7, column.bytes);
          w.i64(9, column.dataAt);
          if (column.dictionaryAt !== undefined) w.i64(11, column.dictionaryAt);
        });
      });
      w.i64(2, group.bytes);
      w.i64(3, group.rows);
    });
    w.string(6, "millrace");
    const body = w.finish();
    const tail = Buffer.allocUnsafe(8);
    tail.writeUInt32LE(body.length, 0);
    ParquetLayout.MAGIC.copy(tail, 4);
    return Buffer.concat([body, tail]);
  }
}

function dataHeader(size: number, values: number, encoding: number): Buffer {
  const w = new ThriftWriter();
  w.i32(1, 0).i32(2, size).i32(3, size);
  w.struct(5, () => w.i32(1, values).i32(2, encoding).i32(3, Encoding.RLE).i32(4, Encoding.RLE));
  return w.finish();
}

function dictionaryHeader(size: number, values: number): Buffer {
  const w = new ThriftWriter();
  w.i32(1, 2).i32(2, size).i32(3, size);
  w.struct(7, () => w.i32(1, values).i32(2, Encoding.PLAIN));
  return w.finish();
}

/** Levels with their length in front. */
export function levels(runs: Runs, bitWidth: number): Buffer[] {
  const encoded = runs.encode(bitWidth);
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(encoded.length);
  return [length, encoded];
}
