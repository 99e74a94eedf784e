import { MillraceError } from "../../errors.ts";

/** Bytes before the records of a batch (format v2, `magic` 2). */
export const BATCH_HEADER_BYTES = 61;
/** `baseOffset` and `batchLength`: a batch takes 12 bytes more than its length field says. */
export const LOG_OVERHEAD = 12;

export function readInt64(buf: Buffer, at: number): number {
  return buf.readInt32BE(at) * 4294967296 + buf.readUInt32BE(at + 4);
}

export function writeInt64(buf: Buffer, value: number, at: number): void {
  const high = Math.floor(value / 4294967296);
  buf.writeInt32BE(high, at);
  buf.writeUInt32BE(value - high * 4294967296, at + 4);
}

/** KAFKA_CORRUPT_BATCH with the offset that helps to find the batch. */
export function corrupt(message: string, baseOffset: number): MillraceError {
  return new MillraceError("KAFKA_CORRUPT_BATCH", `${message.slice(0, -1)} (base offset ${baseOffset}).`);
}
