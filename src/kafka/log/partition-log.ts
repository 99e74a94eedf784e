import { mkdirSync } from "node:fs";
import { syncDirectory } from "../../durable.ts";
import { publish } from "../../events.ts";
import { type BatchHeader, writeInt64 } from "../wire/record-batch.ts";
import { type Checkpoint, writeCheckpoint } from "./checkpoint.ts";
import { ProducerState } from "./producer-state.ts";
import { recover } from "./recovery.ts";
import { Segment } from "./segment.ts";

/** The settings of a topic that its logs act on. Sizes in bytes. */
export interface LogConfig {
  readonly segmentBytes: number;
  readonly indexIntervalBytes: number;
}

/** What is known of a producer is forgotten after this time without use (Kafka's producer.id.expiration.ms). */
const PRODUCER_EXPIRATION_MS = 86_400_000;
const LEADER_EPOCH = 0;

/** Record batches read from a log. */
export interface LogRead {
  readonly bytes: Buffer;
  readonly nextOffset: number;
}

/**
 * The log of one partition: segments in a directory. Batches are stored as they came, only their base offset and leader epoch are
 * set, both outside the checksum. An append is on its way to the disk when it returns; `flush()` puts it there for certain and
 * writes the checkpoint from which the next start goes on.
 */
export class PartitionLog {
  readonly directory: string;
  readonly name: string;
  config: LogConfig;
  readonly producers = new ProducerState();
  /** First offset that can be read. */
  logStartOffset = 0;
  /** The offset the next record gets. */
  logEndOffset = 0;
  /** Readers see what lies below. Behind `logEndOffset` only while appends wait for the disk (`syncEachAppend`). */
  highWatermark = 0;
  /** Bytes that became visible since the start; waiting fetches count with it. */
  visibleBytes = 0;
  readonly #syncEachAppend: boolean;
  readonly #segments: Segment[];
  #appendedBytes = 0;
  /** Where `highWatermark` is. */
  #visibleSegment: Segment;
  #visiblePosition: number;
  readonly #waiters = new Set<() => void>();
  #syncing: Promise<void> | undefined;
  #flushing: Promise<void> | undefined;
  #changed = true;
  #closed = false;
  #failing = false;

  private constructor(directory: string, name: string, config: LogConfig, syncEachAppend: boolean) {
    this.directory = directory;
    this.name = name;
    this.config = config;
    this.#syncEachAppend = syncEachAppend;
    const found = recover(directory, config.indexIntervalBytes, this.producers);
    this.#segments = found.segments;
    this.logStartOffset = found.logStartOffset;
    this.logEndOffset = found.logEndOffset;
    this.highWatermark = found.logEndOffset;
    this.#visibleSegment = found.segments.at(-1)!;
    this.#visiblePosition = this.#visibleSegment.size;
    if (found.lostBytes > 0) {
      publish("warning", {
        code: "KAFKA_LOG_TRUNCATED",
        message: `${name}: cut ${found.lostBytes} bytes of unfinished or damaged batches off the log at offset ${found.logEndOffset}.`,
        detail: { partition: name, bytes: found.lostBytes, offset: found.logEndOffset },
      });
    }
  }

  /** Opens the log in `directory`, or starts one; cuts off what a crash left unfinished. `name` is for messages. */
  static open(directory: string, name: string, config: LogConfig, syncEachAppend = false): PartitionLog {
    mkdirSync(directory, { recursive: true });
    return new PartitionLog(directory, name, config, syncEachAppend);
  }

  /** First offset that is not part of an open transaction: readers of committed data stop there. */
  get lastStableOffset(): number {
    return this.highWatermark;
  }

  get leaderEpoch(): number {
    return LEADER_EPOCH;
  }

  /** Bytes of all segments. */
  get size(): number {
    let bytes = 0;
    for (const s of this.#segments) bytes += s.size;
    return bytes;
  }

  // ------------------------------------------------------------------------------------------------------------ append

  /**
   * Appends one validated batch, setting its offsets in place, and returns its base offset. Throws what the disk throws; the log is
   * then as it was before.
   */
  append(batch: Buffer, header: BatchHeader, now: number): number {
    const baseOffset = this.logEndOffset;
    const active = this.#segmentFor(header, baseOffset);
    writeInt64(batch, baseOffset, 0);
    batch.writeInt32BE(LEADER_EPOCH, 12);
    active.append(batch, header, baseOffset, this.config.indexIntervalBytes);
    this.#changed = true;
    this.#appendedBytes += header.size;
    this.logEndOffset = baseOffset + header.lastOffsetDelta + 1;
    if (header.producerId >= 0) this.producers.note(header, baseOffset, now);
    if (!this.#syncEachAppend) this.#expose(active, active.size, this.logEndOffset, this.#appendedBytes);
    return baseOffset;
  }

  /** Undefined when appends count as soon as they are made; otherwise resolves when all of those so far are on disk. */
  acknowledged(): Promise<void> | undefined {
    if (!this.#syncEachAppend || this.highWatermark === this.logEndOffset) return undefined;
    return this.#sync();
  }

  /** Remembers whether the disk takes data, to tell of a change once. */
  noteDisk(error: Error | undefined): void {
    if (error !== undefined && !this.#failing) publish("server.error", { server: "kafka", error });
    this.#failing = error !== undefined;
  }

  #segmentFor(header: BatchHeader, baseOffset: number): Segment {
    const active = this.#segments.at(-1)!;
    const full =
      active.size > 0 &&
      (active.size + header.size > this.config.segmentBytes ||
        baseOffset + header.lastOffsetDelta - active.baseOffset > 2147483647);
    if (!full) return active;
    const next = Segment.create(this.directory, baseOffset);
    active.writeIndex(true);
    this.#segments.push(next);
    return next;
  }

  #expose(segment: Segment, position: number, offset: number, appendedBytes: number): void {
    this.#visibleSegment = segment;
    this.#visiblePosition = position;
    this.highWatermark = offset;
    this.visibleBytes = appendedBytes;
    for (const waiter of this.#waiters) waiter();
  }

  /** Calls `waiter` whenever more can be read, until the returned function is called. */
  onVisible(waiter: () => void): () => void {
    this.#waiters.add(waiter);
    return () => this.#waiters.delete(waiter);
  }

  // -------------------------------------------------------------------------------------------------------------- read

  /**
   * Whole batches from the one that holds `offset` on, about `maxBytes` of them, never beyond the high watermark. Undefined when there is
   * nothing to read (or the first batch is larger than `maxBytes` and not `firstWhole`). `offset` must lie within the log.
   */
  read(offset: number, maxBytes: number, firstWhole: boolean): LogRead | undefined {
    if (offset >= this.highWatermark) return undefined;
    for (let i = this.#segmentIndex(offset); i < this.#segments.length; i++) {
      const segment = this.#segments[i]!;
      const slice = segment.read(offset, maxBytes, this.#limitOf(segment), firstWhole);
      if (slice !== undefined) return slice;
      if (segment.find(offset, this.#limitOf(segment)) !== undefined) return undefined;
    }
    return undefined;
  }

  /** Bytes that can be read from `offset` on. */
  bytesFrom(offset: number): number {
    if (offset >= this.highWatermark) return 0;
    let bytes = 0;
    for (let i = this.#segmentIndex(offset); i < this.#segments.length; i++) {
      const segment = this.#segments[i]!;
      const limit = this.#limitOf(segment);
      bytes += limit - (segment.find(offset, limit) ?? limit);
    }
    return bytes;
  }

  /** Bytes of a segment that readers may see. */
  #limitOf(segment: Segment): number {
    if (segment === this.#visibleSegment) return this.#visiblePosition;
    return segment.baseOffset < this.#visibleSegment.baseOffset ? segment.size : 0;
  }

  #segmentIndex(offset: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (this.#segments[mid]!.baseOffset <= offset) low = mid + 1;
      else high = mid;
    }
    return Math.max(0, low - 1);
  }

  /** The first batch from offset `from` on whose latest timestamp is >= `timestamp`, whole; undefined when there is none. */
  batchAtTime(timestamp: number, from: number): LogRead | undefined {
    for (const segment of this.#segments) {
      const limit = this.#limitOf(segment);
      if (limit === 0) continue;
      segment.loadIndex();
      if (segment.maxTimestamp < timestamp) continue;
      const start = segment.find(Math.max(segment.timeFloor(timestamp), from), limit);
      if (start === undefined) continue;
      let found: number | undefined;
      segment.scanHeaders(start, limit, (header) => {
        if (header.maxTimestamp < timestamp || header.control) return false;
        found = header.baseOffset;
        return true;
      });
      if (found !== undefined) return segment.read(found, 1, limit, true);
    }
    return undefined;
  }

  /** The batch with the latest timestamp of all, the first such; undefined when the log is empty. */
  batchWithMaxTimestamp(): LogRead | undefined {
    let best: Segment | undefined;
    for (const segment of this.#segments) {
      if (segment.size === 0) continue;
      segment.loadIndex();
      if (best === undefined || segment.maxTimestamp > best.maxTimestamp) best = segment;
    }
    if (best === undefined || best.maxTimestampOffset < 0) return undefined;
    return best.read(Math.max(best.maxTimestampOffset, this.logStartOffset), 1, this.#limitOf(best), true);
  }

  // ------------------------------------------------------------------------------------------------------------ delete

  /** Makes the records below `offset` unreadable and removes the segments that hold nothing else. */
  async deleteRecordsBefore(offset: number): Promise<void> {
    if (offset <= this.logStartOffset) return;
    this.logStartOffset = Math.min(offset, this.highWatermark);
    this.#changed = true;
    // The new start is durable before anything is gone.
    await this.flush();
    syncDirectory(this.directory);
    while (this.#segments.length > 1 && this.#segments[1]!.baseOffset <= this.logStartOffset) {
      this.#segments.shift()!.remove();
    }
  }

  // ------------------------------------------------------------------------------------------------- flush, checkpoint

  /** Puts everything appended before the call on disk. Calls that come while it works share the next round. */
  async #sync(): Promise<void> {
    const wanted = this.logEndOffset;
    while (this.#syncing !== undefined) await this.#syncing.catch(() => {});
    if (this.#syncEachAppend && this.highWatermark >= wanted) return;
    this.#syncing = this.#syncNow().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #syncNow(): Promise<void> {
    const active = this.#segments.at(-1)!;
    const position = active.size;
    const offset = this.logEndOffset;
    const appended = this.#appendedBytes;
    const dirty = this.#segments.filter((s) => s.dirty);
    for (const segment of dirty) segment.dirty = false;
    try {
      for (const segment of dirty) await segment.sync();
      if (dirty.length > 1) syncDirectory(this.directory);
    } catch (error) {
      for (const segment of dirty) segment.dirty = true;
      throw error;
    }
    if (this.#syncEachAppend && offset > this.highWatermark) this.#expose(active, position, offset, appended);
  }

  /** Puts everything appended before the call on disk, and then the checkpoint from which a start goes on. */
  flush(): Promise<void> {
    if (this.#flushing !== undefined) return this.#flushing.catch(() => {}).then(() => this.flush());
    for (const segment of this.#segments) if (segment !== this.#segments.at(-1)) segment.closeIfIdle();
    if (!this.#changed) return Promise.resolve();
    this.#flushing = this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    this.#changed = false;
    try {
      this.producers.expire(Date.now() - PRODUCER_EXPIRATION_MS);
      const checkpoint = this.#checkpoint();
      this.#segments.at(-1)!.writeIndex(false);
      await this.#sync();
      if (!this.#closed) await writeCheckpoint(this.directory, checkpoint);
    } catch (error) {
      // The topic was deleted meanwhile, and its directory with it.
      if (this.#closed) return;
      this.#changed = true;
      throw error;
    }
  }

  #checkpoint(): Checkpoint {
    const active = this.#segments.at(-1)!;
    return {
      version: 1,
      logStartOffset: this.logStartOffset,
      segment: active.baseOffset,
      position: active.size,
      offset: this.logEndOffset,
      maxTimestamp: active.maxTimestamp,
      maxTimestampOffset: active.maxTimestampOffset,
      producers: this.producers.store(),
    };
  }

  /** Flushes and closes the files. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.abandon();
    }
  }

  /** Closes the files as they are: for a topic that is deleted. */
  abandon(): void {
    this.#closed = true;
    for (const segment of this.#segments) segment.close();
    for (const waiter of this.#waiters) waiter();
  }

  get closed(): boolean {
    return this.#closed;
  }
}
