import { MillraceError } from "../../errors.ts";
import { type CodecId, compress, decompress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";

/** Bytes before the records of a batch (format v2, `magic` 2). */
export const BATCH_HEADER_BYTES = 61;
/** `baseOffset` and `batchLength`: a batch takes 12 bytes more than its length field says. */
export const LOG_OVERHEAD = 12;

/** The fixed part of a record batch. https://kafka.apache.org/documentation/#recordbatch */
export interface BatchHeader {
  /** Where the batch starts in the buffer. */
  readonly at: number;
  /** Bytes of the whole batch. */
  readonly size: number;
  readonly baseOffset: number;
  readonly lastOffsetDelta: number;
  readonly partitionLeaderEpoch: number;
  readonly magic: number;
  readonly crc: number;
  readonly attributes: number;
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number;
  /** 0 CreateTime, 1 LogAppendTime: then every record has `maxTimestamp`. */
  readonly timestampType: 0 | 1;
  readonly transactional: boolean;
  /** A transaction marker, never shown to users. */
  readonly control: boolean;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  /** -1: none. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

export function readInt64(buf: Buffer, at: number): number {
  return buf.readInt32BE(at) * 4294967296 + buf.readUInt32BE(at + 4);
}

export function writeInt64(buf: Buffer, value: number, at: number): void {
  const high = Math.floor(value / 4294967296);
  buf.writeInt32BE(high, at);
  buf.writeUInt32BE(value - high * 4294967296, at + 4);
}

/** Reads the 61 bytes at `at`; undefined when the buffer ends before. Throws KAFKA_CORRUPT_BATCH for what cannot be a v2 batch. */
export function parseBatchHeader(buf: Buffer, at: number): BatchHeader | undefined {
  if (buf.length - at < LOG_OVERHEAD + 5) return undefined;
  const length = buf.readInt32BE(at + 8);
  const magic = buf.readInt8(at + 16);
  if (magic !== 2) {
    throw corrupt(
      `A record batch has format ${magic}; only format 2 (Kafka 0.11 and newer) can be read.`,
      readInt64(buf, at),
    );
  }
  if (length < BATCH_HEADER_BYTES - LOG_OVERHEAD)
    throw corrupt(`A record batch claims ${length} bytes.`, readInt64(buf, at));
  if (buf.length - at < BATCH_HEADER_BYTES) return undefined;
  const attributes = buf.readInt16BE(at + 21);
  return {
    at,
    size: length + LOG_OVERHEAD,
    baseOffset: readInt64(buf, at),
    lastOffsetDelta: buf.readInt32BE(at + 23),
    partitionLeaderEpoch: buf.readInt32BE(at + 12),
    magic,
    crc: buf.readUInt32BE(at + 17),
    attributes,
    codec: attributes & 7,
    timestampType: (attributes & 8) === 0 ? 0 : 1,
    transactional: (attributes & 16) !== 0,
    control: (attributes & 32) !== 0,
    baseTimestamp: readInt64(buf, at + 27),
    maxTimestamp: readInt64(buf, at + 35),
    producerId: readInt64(buf, at + 43),
    producerEpoch: buf.readInt16BE(at + 51),
    baseSequence: buf.readInt32BE(at + 53),
    recordCount: buf.readInt32BE(at + 57),
  };
}

/** The header of the batch at `at`; undefined when the buffer does not hold the whole batch (a fetch response may be cut off). */
export function readBatchHeader(buf: Buffer, at: number): BatchHeader | undefined {
  const header = parseBatchHeader(buf, at);
  return header !== undefined && at + header.size <= buf.length ? header : undefined;
}

/** True when the stored checksum is that of the bytes. */
export function isCrcValid(buf: Buffer, header: BatchHeader): boolean {
  return crc32c(buf.subarray(header.at + 21, header.at + header.size)) === header.crc;
}

/** The records of a whole batch, unpacked: a view when the batch is not compressed. Throws KAFKA_CORRUPT_BATCH. */
export function batchRecords(buf: Buffer, header: BatchHeader, checkCrc = true): Buffer {
  if (checkCrc && !isCrcValid(buf, header)) {
    throw corrupt("The checksum of a record batch does not match its bytes.", header.baseOffset);
  }
  const records = buf.subarray(header.at + BATCH_HEADER_BYTES, header.at + header.size);
  return header.codec === 0 ? records : decompress(header.codec, records);
}

function corrupt(message: string, baseOffset: number): MillraceError {
  return new MillraceError("KAFKA_CORRUPT_BATCH", `${message.slice(0, -1)} (base offset ${baseOffset}).`);
}

// ------------------------------------------------------------------------------------------------------------- walking

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

// ------------------------------------------------------------------------------------------------------------- records

export interface KafkaHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** One decoded record; `key` and `value` are views of the batch. */
export interface DecodedRecord {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly KafkaHeader[];
}

/**
 * The records of the batch at `at`, as objects: for `peek`, tools and tests. Control batches give their marker records.
 * Throws KAFKA_CORRUPT_BATCH, also when the batch is cut off.
 */
export function decodeBatch(buf: Buffer, at = 0): { header: BatchHeader; records: DecodedRecord[] } {
  const header = readBatchHeader(buf, at);
  if (header === undefined) throw new MillraceError("KAFKA_CORRUPT_BATCH", "A record batch is cut off.");
  const data = batchRecords(buf, header);
  const walker = new RecordWalker();
  walker.reset(data, header.recordCount, header.baseOffset);
  const records: DecodedRecord[] = [];
  while (walker.next()) {
    const headers: KafkaHeader[] = [];
    if (walker.headerCount > 0) {
      walker.headers((keyAt, keyLength, valueAt, valueLength) => {
        headers.push({
          key: data.toString("utf8", keyAt, keyAt + keyLength),
          value: valueLength < 0 ? null : data.subarray(valueAt, valueAt + valueLength),
        });
      });
    }
    records.push({
      offset: header.baseOffset + walker.offsetDelta,
      timestamp: header.timestampType === 1 ? header.maxTimestamp : header.baseTimestamp + walker.timestampDelta,
      key: walker.keyLength < 0 ? null : data.subarray(walker.keyAt, walker.keyAt + walker.keyLength),
      value: walker.valueLength < 0 ? null : data.subarray(walker.valueAt, walker.valueAt + walker.valueLength),
      headers,
    });
  }
  return { header, records };
}

// ------------------------------------------------------------------------------------------------------------ encoding

/** Bytes, UTF-8 text, or null, one per record. */
export type ByteColumn = readonly (Uint8Array | string | null)[];

/** Records by column, the fast way in: one array per field, all of `values.length`. */
export interface RecordColumns {
  readonly values: ByteColumn;
  /** Without it every key is null. */
  readonly keys?: ByteColumn | undefined;
  /** Milliseconds since 1970; without it every record has `timestamp` (default: now). */
  readonly timestamps?: ArrayLike<number> | undefined;
  readonly headers?: readonly (readonly KafkaHeader[] | undefined)[] | undefined;
}

export interface EncodeRecord {
  readonly key?: Uint8Array | string | null;
  readonly value?: Uint8Array | string | null;
  readonly timestamp?: number;
  readonly headers?: readonly KafkaHeader[];
}

export interface EncodeBatchOptions {
  readonly records?: readonly EncodeRecord[];
  readonly columns?: RecordColumns;
  /** The part of `columns` to encode; default all. */
  readonly from?: number;
  readonly to?: number;
  readonly codec?: CodecId;
  readonly baseOffset?: number;
  readonly partitionLeaderEpoch?: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly timestampType?: 0 | 1;
  /** For records without one. Default: now. */
  readonly timestamp?: number;
}

/** One record batch (format 2) with its checksum. The records get the offsets `baseOffset`, `baseOffset + 1`, ... */
export function encodeBatch(options: EncodeBatchOptions): Buffer {
  const columns = options.columns ?? columnsOf(options.records ?? [], options.timestamp);
  const from = options.from ?? 0;
  const to = options.to ?? columns.values.length;
  const count = to - from;
  if (count <= 0) throw new MillraceError("INVALID_ARGUMENT", "A record batch needs at least one record.");
  const { timestamps } = columns;
  const now = options.timestamp ?? Date.now();
  const baseTimestamp = timestamps === undefined ? now : timestamps[from]!;
  let maxTimestamp = baseTimestamp;
  if (timestamps !== undefined) {
    for (let i = from + 1; i < to; i++) if (timestamps[i]! > maxTimestamp) maxTimestamp = timestamps[i]!;
  }
  const codec = options.codec ?? 0;
  const end = encodeRecords(columns, from, to, baseTimestamp);
  let batch: Buffer;
  if (codec === 0) {
    batch = Buffer.allocUnsafeSlow(end);
    scratch.copy(batch, BATCH_HEADER_BYTES, BATCH_HEADER_BYTES, end);
  } else {
    const packed = compress(codec, scratch.subarray(BATCH_HEADER_BYTES, end));
    batch = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + packed.length);
    packed.copy(batch, BATCH_HEADER_BYTES);
  }
  if (scratch.length > SCRATCH_KEPT) scratch = Buffer.allocUnsafeSlow(SCRATCH_KEPT);
  const producerId = options.producerId ?? -1;
  writeInt64(batch, options.baseOffset ?? 0, 0);
  batch.writeInt32BE(batch.length - LOG_OVERHEAD, 8);
  batch.writeInt32BE(options.partitionLeaderEpoch ?? -1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(
    codec |
      (options.timestampType === 1 ? 8 : 0) |
      (options.transactional === true ? 16 : 0) |
      (options.control === true ? 32 : 0),
    21,
  );
  batch.writeInt32BE(count - 1, 23);
  writeInt64(batch, baseTimestamp, 27);
  writeInt64(batch, maxTimestamp, 35);
  writeInt64(batch, producerId, 43);
  batch.writeInt16BE(options.producerEpoch ?? -1, 51);
  batch.writeInt32BE(options.baseSequence ?? -1, 53);
  batch.writeInt32BE(count, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

function columnsOf(records: readonly EncodeRecord[], timestamp = Date.now()): RecordColumns {
  return {
    keys: records.map((r) => r.key ?? null),
    values: records.map((r) => r.value ?? null),
    timestamps: records.map((r) => r.timestamp ?? timestamp),
    headers: records.some((r) => r.headers !== undefined && r.headers.length > 0)
      ? records.map((r) => r.headers)
      : undefined,
  };
}

const SCRATCH_KEPT = 1 << 22;
let scratch: Buffer = Buffer.allocUnsafeSlow(1 << 20);

function grow(needed: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, scratch.length * 2));
  scratch.copy(larger);
  scratch = larger;
  return larger;
}

/** Lays the records out in `scratch` behind the room for the header; returns where they end. */
function encodeRecords(columns: RecordColumns, from: number, to: number, baseTimestamp: number): number {
  const { keys, values, timestamps, headers } = columns;
  let buf: Buffer = scratch;
  let at = BATCH_HEADER_BYTES;
  for (let i = from; i < to; i++) {
    const key = keys === undefined ? null : keys[i]!;
    const value = values[i]!;
    const keyLength = byteLength(key);
    const valueLength = byteLength(value);
    const extra = headers?.[i];
    const headerBytes = extra === undefined || extra.length === 0 ? 1 : headersLength(extra);
    const timestampDelta = timestamps === undefined ? 0 : timestamps[i]! - baseTimestamp;
    const offsetDelta = i - from;
    const body =
      1 +
      varlongLength(timestampDelta) +
      varintLength(offsetDelta) +
      varintLength(keyLength) +
      Math.max(keyLength, 0) +
      varintLength(valueLength) +
      Math.max(valueLength, 0) +
      headerBytes;
    if (at + body + 5 > buf.length) buf = grow(at + body + 5);
    at = writeVarint(buf, body, at);
    buf[at++] = 0;
    at = writeVarlong(buf, timestampDelta, at);
    at = writeVarint(buf, offsetDelta, at);
    at = writeBytes(buf, key, keyLength, at);
    at = writeBytes(buf, value, valueLength, at);
    if (headerBytes === 1) {
      buf[at++] = 0;
    } else {
      at = writeVarint(buf, extra!.length, at);
      for (const header of extra!) {
        at = writeBytes(buf, header.key, byteLength(header.key), at);
        at = writeBytes(buf, header.value, byteLength(header.value), at);
      }
    }
  }
  return at;
}

function byteLength(bytes: Uint8Array | string | null | undefined): number {
  if (bytes === null || bytes === undefined) return -1;
  return typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
}

function headersLength(headers: readonly KafkaHeader[]): number {
  let n = varintLength(headers.length);
  for (const header of headers) {
    const keyLength = byteLength(header.key);
    const valueLength = byteLength(header.value);
    n += varintLength(keyLength) + keyLength + varintLength(valueLength) + Math.max(0, valueLength);
  }
  return n;
}

function varintLength(value: number): number {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0;
  return raw < 0x80 ? 1 : raw < 0x4000 ? 2 : raw < 0x200000 ? 3 : raw < 0x10000000 ? 4 : 5;
}

function varlongLength(value: number): number {
  let raw = value < 0 ? -2 * value - 1 : 2 * value;
  let n = 1;
  while (raw >= 128) {
    raw = Math.floor(raw / 128);
    n++;
  }
  return n;
}

function writeVarint(buf: Buffer, value: number, at: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  while (raw >= 0x80) {
    buf[at++] = (raw & 0x7f) | 0x80;
    raw >>>= 7;
  }
  buf[at++] = raw;
  return at;
}

function writeVarlong(buf: Buffer, value: number, at: number): number {
  let raw = value < 0 ? -2 * value - 1 : 2 * value;
  while (raw >= 128) {
    buf[at++] = (raw % 128) | 0x80;
    raw = Math.floor(raw / 128);
  }
  buf[at++] = raw;
  return at;
}

/** Below this a loop is quicker than the call of the native copy. */
const SHORT_COPY = 48;

function writeBytes(buf: Buffer, bytes: Uint8Array | string | null, length: number, at: number): number {
  at = writeVarint(buf, length, at);
  if (length <= 0 || bytes === null) return at;
  if (typeof bytes === "string") {
    if (length === bytes.length && length < SHORT_COPY) {
      for (let i = 0; i < length; i++) buf[at + i] = bytes.charCodeAt(i);
    } else {
      buf.write(bytes, at, length, "utf8");
    }
  } else if (length < SHORT_COPY) {
    for (let i = 0; i < length; i++) buf[at + i] = bytes[i]!;
  } else {
    buf.set(bytes, at);
  }
  return at + length;
}
