import { MillraceError } from "../../errors.ts";
import { BATCH_HEADER_BYTES, corrupt, LOG_OVERHEAD, readInt64 } from "./batch-layout.ts";
import { decompress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import type { KafkaHeader } from "./encode-batch.ts";
import { RecordWalker } from "./record-walker.ts";

export { BATCH_HEADER_BYTES, LOG_OVERHEAD, readInt64, writeInt64 } from "./batch-layout.ts";
export {
  type EncodeBatchOptions,
  type EncodeRecord,
  encodeBatch,
  type KafkaHeader,
  type RecordColumns,
} from "./encode-batch.ts";
export { RecordWalker } from "./record-walker.ts";

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
