import { crc32c } from "../wire/crc32c.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import {
  type BatchHeader,
  batchRecords,
  isCrcValid,
  parseBatchHeader,
  RecordWalker,
  writeInt64,
} from "../wire/record-batch.ts";
import type { TopicSettings } from "./topic-config.ts";

/** Why a batch is refused. */
export interface BatchProblem {
  readonly error: ErrorCode;
  readonly message: string;
  /** Positions of the records at fault within the batch. */
  readonly records?: readonly number[];
}

const ZSTD = 4;

/**
 * Checks what a producer sent for one partition, by the rules of Kafka's LogValidator that need no look into the records (except
 * on compacted topics, where every record needs a key), and stamps it when the topic keeps append time. Gives the batch's header.
 */
export function validateBatch(
  records: Buffer | null,
  settings: TopicSettings,
  produceVersion: number,
  now: number,
): BatchHeader | BatchProblem {
  if (records === null || records.length === 0) return invalid("The request has no record batch for the partition.");
  if (records.length >= 17 && records.readInt8(16) !== 2) {
    return invalid(`Produce requests take record batches of format 2, not ${records.readInt8(16)}.`);
  }
  let header: BatchHeader | undefined;
  try {
    header = parseBatchHeader(records, 0);
  } catch {
    // A length that is too small for a header.
  }
  if (header === undefined || header.size > records.length) {
    return { error: ErrorCode.CORRUPT_MESSAGE, message: "The record batch is cut off." };
  }
  if (header.size < records.length) {
    return invalid("Produce requests take exactly one record batch per partition.");
  }
  if (header.size > settings.maxMessageBytes) {
    return {
      error: ErrorCode.MESSAGE_TOO_LARGE,
      message: `The record batch has ${header.size} bytes, more than max.message.bytes (${settings.maxMessageBytes}).`,
    };
  }
  if (!isCrcValid(records, header)) {
    return { error: ErrorCode.CORRUPT_MESSAGE, message: "The checksum of the record batch does not match its bytes." };
  }
  if (header.recordCount <= 0 || header.lastOffsetDelta !== header.recordCount - 1) {
    return invalid(
      `The record batch says ${header.recordCount} records and a last offset delta of ${header.lastOffsetDelta}.`,
    );
  }
  if (header.control) return invalid("Clients cannot write control batches.");
  if (header.transactional) {
    return { error: ErrorCode.INVALID_TXN_STATE, message: "This broker has no transactions." };
  }
  if (header.producerId >= 0 && (header.producerEpoch < 0 || header.baseSequence < 0)) {
    return invalid(`The record batch of producer ${header.producerId} has no epoch or no sequence number.`);
  }
  if (header.codec > ZSTD || (header.codec === ZSTD && produceVersion < 7)) {
    return {
      error: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
      message: header.codec === ZSTD ? "zstd needs Produce version 7 or newer." : `There is no codec ${header.codec}.`,
    };
  }
  if (settings.logAppendTime) return stamp(records, now);
  if (header.timestampType === 1) return invalid("Clients cannot write batches with append time.");
  if (header.maxTimestamp > now + settings.timestampAfterMaxMs) {
    return outOfRange(header.maxTimestamp, `more than ${settings.timestampAfterMaxMs} ms in the future`);
  }
  if (header.baseTimestamp >= 0 && header.baseTimestamp < now - settings.timestampBeforeMaxMs) {
    return outOfRange(header.baseTimestamp, `more than ${settings.timestampBeforeMaxMs} ms in the past`);
  }
  if (settings.compacted) return withKeys(records, header);
  return header;
}

export function isProblem(result: BatchHeader | BatchProblem): result is BatchProblem {
  return "error" in result;
}

/** Readers then take the batch's latest timestamp for every record. */
function stamp(records: Buffer, now: number): BatchHeader {
  records.writeInt16BE(records.readInt16BE(21) | 8, 21);
  writeInt64(records, now, 35);
  records.writeUInt32BE(crc32c(records.subarray(21)), 17);
  return parseBatchHeader(records, 0)!;
}

function withKeys(records: Buffer, header: BatchHeader): BatchHeader | BatchProblem {
  const walker = new RecordWalker();
  const keyless: number[] = [];
  try {
    walker.reset(batchRecords(records, header, false), header.recordCount, header.baseOffset);
    for (let i = 0; walker.next(); i++) if (walker.keyLength < 0) keyless.push(i);
  } catch (error) {
    return invalid((error as Error).message);
  }
  if (keyless.length === 0) return header;
  return {
    error: ErrorCode.INVALID_RECORD,
    message: "Compacted topic cannot accept message without key.",
    records: keyless,
  };
}

function invalid(message: string): BatchProblem {
  return { error: ErrorCode.INVALID_RECORD, message };
}

function outOfRange(timestamp: number, why: string): BatchProblem {
  return { error: ErrorCode.INVALID_TIMESTAMP, message: `The timestamp ${timestamp} lies ${why}.` };
}
