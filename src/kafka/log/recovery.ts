import { readdirSync } from "node:fs";
import { syncDirectory } from "../../durable.ts";
import { BATCH_HEADER_BYTES, type BatchHeader, isCrcValid, parseBatchHeader } from "../wire/record-batch.ts";
import { type Checkpoint, readCheckpoint } from "./checkpoint.ts";
import { readFully } from "./files.ts";
import type { ProducerState } from "./producer-state.ts";
import { Segment } from "./segment.ts";

export interface Recovered {
  /** Ascending, at least one; the last is the active one. */
  readonly segments: Segment[];
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  /** Bytes cut off because they are no sound batches. */
  readonly lostBytes: number;
}

/**
 * Opens the segments in `directory`. What the checkpoint vouches for is taken as it is; behind it every batch is checked and the log
 * ends in front of the first one that is cut off, damaged or out of order. `producers` is brought to the state at that end.
 */
export function recover(directory: string, indexIntervalBytes: number, producers: ProducerState): Recovered {
  const files = readdirSync(directory)
    .filter((name) => /^\d{20}\.log$/.test(name))
    .map((name) => new Segment(directory, Number(name.slice(0, 20))))
    .sort((a, b) => a.baseOffset - b.baseOffset);
  const checkpoint = readCheckpoint(directory);
  const resumeAt = usable(checkpoint, files);
  const segments: Segment[] = [];
  let end = files[0]?.baseOffset ?? checkpoint?.logStartOffset ?? 0;
  let lostBytes = 0;
  const now = Date.now();
  producers.restore(resumeAt === undefined ? [] : checkpoint!.producers);
  for (const [i, segment] of files.entries()) {
    const { fileSize } = segment;
    if (resumeAt !== undefined && i < resumeAt) {
      segment.size = fileSize;
      segment.close();
      segments.push(segment);
      continue;
    }
    if (i === resumeAt) {
      end = resume(segment, checkpoint!, indexIntervalBytes);
    } else if (lostBytes > 0 || segment.baseOffset < end) {
      // Behind a cut nothing follows on.
      lostBytes += fileSize;
      segment.remove();
      continue;
    } else {
      segment.startIndex();
      end = segment.baseOffset;
    }
    end = scan(segment, fileSize, end, (header) => {
      segment.noteBatch(header, header.baseOffset, indexIntervalBytes);
      // The time of this start counts as last use: a producer's records may carry any time.
      if (header.producerId >= 0 && !header.control) producers.note(header, header.baseOffset, now);
    });
    if (segment.size < fileSize) {
      lostBytes += fileSize - segment.size;
      segment.truncate();
    }
    // Nothing says that the bytes found here are on disk yet.
    segment.dirty = true;
    segments.push(segment);
  }
  for (const segment of segments.slice(resumeAt ?? 0, -1)) segment.writeIndex(true);
  if (segments.length === 0) {
    segments.push(Segment.create(directory, end));
    syncDirectory(directory);
  }
  return {
    segments,
    logStartOffset: Math.min(checkpoint?.logStartOffset ?? segments[0]!.baseOffset, end),
    logEndOffset: end,
    lostBytes,
  };
}

/** The segment in which the checkpoint lies; undefined when the files do not reach that far. */
function usable(checkpoint: Checkpoint | undefined, files: readonly Segment[]): number | undefined {
  if (checkpoint === undefined) return undefined;
  const i = files.findIndex((s) => s.baseOffset === checkpoint.segment);
  return i >= 0 && files[i]!.fileSize >= checkpoint.position ? i : undefined;
}

function resume(segment: Segment, checkpoint: Checkpoint, indexIntervalBytes: number): number {
  const { position, offset, maxTimestamp, maxTimestampOffset } = checkpoint;
  if (!segment.resumeAt(position, offset, maxTimestamp, maxTimestampOffset)) {
    segment.size = position;
    segment.rebuildIndex(indexIntervalBytes);
  }
  return offset;
}

const SCAN_BYTES = 4 * 1024 * 1024;

/** Hands the sound batches from `segment.size` on to `note`, which moves `size`; returns the offset behind the last one. */
function scan(segment: Segment, fileSize: number, from: number, note: (header: BatchHeader) => void): number {
  let end = from;
  let buf = Buffer.allocUnsafeSlow(Math.max(0, Math.min(SCAN_BYTES, fileSize - segment.size)));
  while (fileSize - segment.size >= BATCH_HEADER_BYTES) {
    const have = readFully(segment.fd, buf, 0, Math.min(buf.length, fileSize - segment.size), segment.size);
    const block = buf.subarray(0, have);
    let at = 0;
    for (;;) {
      let header: BatchHeader | undefined;
      try {
        header = parseBatchHeader(block, at);
      } catch {
        return end;
      }
      if (header === undefined) break;
      if (header.size > fileSize - segment.size) return end;
      if (at + header.size > have) {
        if (header.size > buf.length) buf = Buffer.allocUnsafeSlow(header.size);
        break;
      }
      if (header.lastOffsetDelta < 0 || header.baseOffset < end || !isCrcValid(block, header)) return end;
      note(header);
      end = header.baseOffset + header.lastOffsetDelta + 1;
      at += header.size;
    }
    if (at === 0 && have < Math.min(buf.length, fileSize - segment.size)) return end;
  }
  return end;
}
