import { type DecodedRecord, decodeBatch, readBatchHeader } from "./record-batch.ts";

/** A record batch of a Fetch answer; `next` is the offset behind it. */
export type DecodedBatch =
  /** Of a control batch, no records. */
  | { readonly next: number; readonly records: readonly DecodedRecord[]; readonly fault?: undefined }
  | { readonly next: number; readonly records?: undefined; readonly fault: UnreadableBatch };

export interface UnreadableBatch {
  readonly offset: number;
  /** Of the youngest record, 0 where even that cannot be told. */
  readonly timestamp: number;
  readonly reason: string;
  readonly bytes: Buffer;
}

/** Offset and length stand before a batch's own bytes. */
const OVERHEAD = 12;

/**
 * The batches of a Fetch answer, as objects, for tools and tests. One that cannot be read does not hide what follows; the last one may be
 * cut off and is left out, as it comes again.
 */
export function* decodedBatches(bytes: Buffer): Generator<DecodedBatch, void, undefined> {
  for (let at = 0; at + OVERHEAD <= bytes.length; ) {
    const size = OVERHEAD + bytes.readInt32BE(at + 8);
    if (at + size > bytes.length) return;
    const batch = bytes.subarray(at, at + size);
    at += size;
    yield decoded(batch);
  }
}

function decoded(batch: Buffer): DecodedBatch {
  try {
    const { header, records } = decodeBatch(batch);
    return { next: header.baseOffset + header.lastOffsetDelta + 1, records: header.control ? [] : records };
  } catch (error) {
    const { behind, ...place } = placeOf(batch);
    return { next: behind, fault: { ...place, reason: (error as Error).message, bytes: batch } };
  }
}

/** Where a batch that cannot be decoded lies, by its first bytes. */
function placeOf(batch: Buffer): { offset: number; behind: number; timestamp: number } {
  try {
    const header = readBatchHeader(batch, 0)!;
    const behind = header.baseOffset + Math.max(0, header.lastOffsetDelta) + 1;
    return { offset: header.baseOffset, behind, timestamp: header.maxTimestamp };
  } catch {
    const offset = Number(batch.readBigInt64BE(0));
    return { offset, behind: offset + 1, timestamp: 0 };
  }
}
