import { closeSync, constants, openSync, writevSync } from "node:fs";
import { type BatchHeader, batchRecords, RecordWalker } from "../../wire/record-batch.ts";
import { type ColumnPages, levels, ParquetLayout, ParquetType, Repetition, Runs, type SchemaNode } from "./parquet.ts";

/** The columns of a Kafka source, as Spark names them. */
export const KAFKA_COLUMNS = [
  "key",
  "value",
  "topic",
  "partition",
  "offset",
  "timestamp",
  "timestampType",
  "headers",
] as const;
export type KafkaColumn = (typeof KAFKA_COLUMNS)[number];

/** DuckDB reads one row group per thread; it likes them this long. */
const GROUP_ROWS = 122_880;
/** A row group of large records is cut here, which also keeps pages far below 2 GB. */
const GROUP_BYTES = 48 << 20;

/**
 * Lays records out by column in a Parquet file of PLAIN pages, which DuckDB scans faster than anything else that can be handed to it.
 * The records of a batch are walked once; no object, string or BigInt is made per record.
 */
export class ColumnFile {
  readonly path: string;
  #rows = 0;
  #fd: number;
  readonly #layout: ParquetLayout;
  readonly #walker = new RecordWalker();

  readonly #key: BytesColumn | undefined;
  readonly #value: BytesColumn | undefined;
  readonly #offset: Int64Column | undefined;
  readonly #timestamp: Int64Column | undefined;
  readonly #headers: HeadersColumn | undefined;
  readonly #topic: DictionaryColumn | undefined;
  readonly #partition: DictionaryColumn | undefined;
  readonly #timestampType: DictionaryColumn | undefined;
  /** Rows of the row group being filled. */
  #groupRows = 0;

  constructor(path: string, columns: ReadonlySet<KafkaColumn>) {
    this.path = path;
    if (columns.has("key")) this.#key = new BytesColumn("key");
    if (columns.has("value")) this.#value = new BytesColumn("value");
    if (columns.has("offset")) this.#offset = new Int64Column("offset");
    if (columns.has("timestamp")) this.#timestamp = new Int64Column("timestamp");
    if (columns.has("headers")) this.#headers = new HeadersColumn();
    if (columns.has("topic")) this.#topic = new DictionaryColumn("topic", ParquetType.BYTE_ARRAY);
    if (columns.has("partition")) this.#partition = new DictionaryColumn("partition", ParquetType.INT32);
    if (columns.has("timestampType") || columns.size === 0) {
      // Also the stand-in when only the number of rows is wanted: it costs nothing per record.
      this.#timestampType = new DictionaryColumn("timestampType", ParquetType.INT32);
    }
    this.#layout = new ParquetLayout(schemaOf(columns));
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      writevSync(this.#fd, [ParquetLayout.MAGIC]);
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  /** Rows added so far. */
  get rowCount(): number {
    return this.#rows;
  }

  /** Adds the records of one batch whose offsets are in [from, to). Throws KAFKA_CORRUPT_BATCH. */
  addBatch(
    buf: Buffer,
    header: BatchHeader,
    topic: string,
    partition: number,
    from: number,
    to: number,
    checkCrc: boolean,
  ): void {
    const { baseOffset, recordCount } = header;
    if (recordCount === 0) return;
    const whole = baseOffset >= from && baseOffset + header.lastOffsetDelta < to;
    const key = this.#key;
    const value = this.#value;
    const offset = this.#offset;
    const timestamp = this.#timestamp;
    const headers = this.#headers;
    if (whole && !key && !value && !offset && !timestamp && !headers) {
      if (checkCrc) batchRecords(buf, header, true);
      this.#addRuns(topic, partition, header.timestampType, recordCount);
      this.#rows += recordCount;
      return;
    }
    const data = batchRecords(buf, header, checkCrc);
    key?.source(data);
    value?.source(data);
    headers?.source(data);
    const walker = this.#walker;
    walker.reset(data, recordCount, baseOffset);
    const appendTime = header.timestampType === 1;
    let pending = 0;
    while (walker.next()) {
      const at = baseOffset + walker.offsetDelta;
      if (!whole && (at < from || at >= to)) continue;
      if (key) key.add(walker.keyAt, walker.keyLength);
      if (value) value.add(walker.valueAt, walker.valueLength);
      if (offset) offset.add(at);
      if (timestamp)
        timestamp.addMicros(appendTime ? header.maxTimestamp : header.baseTimestamp + walker.timestampDelta);
      if (headers) headers.add(walker);
      pending++;
      if (this.#groupRows + pending === GROUP_ROWS || (value !== undefined && value.bytes > GROUP_BYTES)) {
        this.#addRuns(topic, partition, header.timestampType, pending);
        this.#rows += pending;
        pending = 0;
        this.#flush();
      }
    }
    if (pending > 0) this.#addRuns(topic, partition, header.timestampType, pending);
    this.#rows += pending;
  }

  #addRuns(topic: string, partition: number, timestampType: number, count: number): void {
    this.#topic?.add(topic, count);
    this.#partition?.add(partition, count);
    this.#timestampType?.add(timestampType, count);
    this.#groupRows += count;
  }

  #flush(): void {
    if (this.#groupRows === 0) return;
    const columns: ColumnPages[] = [];
    for (const column of [
      this.#key,
      this.#value,
      this.#topic,
      this.#partition,
      this.#offset,
      this.#timestamp,
      this.#timestampType,
    ]) {
      if (column !== undefined) columns.push(column.pages());
    }
    if (this.#headers !== undefined) columns.push(...this.#headers.pages());
    this.#write(this.#layout.rowGroup(this.#groupRows, columns));
    for (const column of [
      this.#key,
      this.#value,
      this.#topic,
      this.#partition,
      this.#offset,
      this.#timestamp,
      this.#timestampType,
      this.#headers,
    ]) {
      column?.clear();
    }
    this.#groupRows = 0;
  }

  #write(parts: readonly Buffer[]): void {
    let rest = parts;
    while (rest.length > 0) {
      let written = writevSync(this.#fd, rest);
      // A short write goes on where it stopped; a full disk throws ENOSPC at the next try.
      let i = 0;
      while (i < rest.length && written >= rest[i]!.length) written -= rest[i++]!.length;
      rest = i < rest.length ? [rest[i]!.subarray(written), ...rest.slice(i + 1)] : [];
    }
  }

  /** Writes what is left and the footer, and closes the file. */
  finish(): void {
    this.#flush();
    this.#write([this.#layout.footer()]);
    this.abandon();
  }

  /** Closes the file without finishing it. */
  abandon(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
    this.#key?.release();
    this.#value?.release();
  }
}

function schemaOf(columns: ReadonlySet<KafkaColumn>): SchemaNode[] {
  const { REQUIRED, OPTIONAL, REPEATED } = Repetition;
  const { INT32, INT64, BYTE_ARRAY } = ParquetType;
  const nodes: SchemaNode[] = [];
  if (columns.has("key")) nodes.push({ name: "key", type: BYTE_ARRAY, repetition: OPTIONAL });
  if (columns.has("value")) nodes.push({ name: "value", type: BYTE_ARRAY, repetition: OPTIONAL });
  if (columns.has("topic")) nodes.push({ name: "topic", type: BYTE_ARRAY, repetition: REQUIRED, utf8: true });
  if (columns.has("partition")) nodes.push({ name: "partition", type: INT32, repetition: REQUIRED });
  if (columns.has("offset")) nodes.push({ name: "offset", type: INT64, repetition: REQUIRED });
  if (columns.has("timestamp")) {
    nodes.push({ name: "timestamp", type: INT64, repetition: REQUIRED, timestampMicros: true });
  }
  if (columns.has("timestampType") || columns.size === 0) {
    nodes.push({ name: "timestampType", type: INT32, repetition: REQUIRED });
  }
  let top = nodes.length;
  if (columns.has("headers")) {
    top++;
    nodes.push(
      { name: "headers", repetition: OPTIONAL, children: 1, list: true },
      { name: "list", repetition: REPEATED, children: 1 },
      { name: "element", repetition: REQUIRED, children: 2 },
      { name: "key", type: BYTE_ARRAY, repetition: REQUIRED, utf8: true },
      { name: "value", type: BYTE_ARRAY, repetition: OPTIONAL },
    );
  }
  return [{ name: "schema", children: top }, ...nodes];
}

// ------------------------------------------------------------------------------------------------------------- columns

/** Large page buffers wait here for the next file, so that a busy query does not fault in fresh memory for every batch. */
const spare: Buffer[] = [];
const SPARE_BUFFERS = 4;
const SPARE_BYTES = 1 << 20;

function takeBuffer(least: number): Buffer {
  for (let i = 0; i < spare.length; i++) {
    if (spare[i]!.length >= least) return spare.splice(i, 1)[0]!;
  }
  return Buffer.allocUnsafeSlow(Math.max(least, 1 << 16));
}

function giveBuffer(buf: Buffer): void {
  if (buf.length >= SPARE_BYTES && buf.length <= GROUP_BYTES * 2 && spare.length < SPARE_BUFFERS) spare.push(buf);
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
class BytesColumn {
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

class Int64Column {
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
class DictionaryColumn {
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
class HeadersColumn {
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
