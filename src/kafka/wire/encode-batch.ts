import { MillraceError } from "../../errors.ts";
import { BATCH_HEADER_BYTES, LOG_OVERHEAD, writeInt64 } from "./batch-layout.ts";
import { type CodecId, compress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";

export interface KafkaHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

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
const SHORT_TEXT = 24;

function writeBytes(buf: Buffer, bytes: Uint8Array | string | null, length: number, at: number): number {
  at = writeVarint(buf, length, at);
  if (length <= 0 || bytes === null) return at;
  if (typeof bytes === "string") {
    // As many bytes as characters: ASCII, which is the same in latin1 and quicker to write.
    const ascii = length === bytes.length;
    if (ascii && length < SHORT_TEXT) {
      for (let i = 0; i < length; i++) buf[at + i] = bytes.charCodeAt(i);
    } else {
      buf.write(bytes, at, length, ascii ? "latin1" : "utf8");
    }
  } else if (length < SHORT_COPY) {
    for (let i = 0; i < length; i++) buf[at + i] = bytes[i]!;
  } else {
    buf.set(bytes, at);
  }
  return at + length;
}
