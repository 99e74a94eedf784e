import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { MillraceError } from "../../errors.ts";
import { type BatchHeader, LOG_OVERHEAD, parseBatchHeader, readInt64 } from "../wire/record-batch.ts";
import { readFully, writeFully } from "./files.ts";
import { SparseIndex } from "./sparse-index.ts";

const syncData = promisify(fdatasync);

/** Enough of a batch header to know which offsets the batch has: through `lastOffsetDelta`. */
const OFFSETS_BYTES = 27;
const SCAN_BYTES = 16 * 1024;
const scan = Buffer.allocUnsafeSlow(SCAN_BYTES);

/** Where reads ended lately, so that the next read of a sequential reader needs no search. */
const REMEMBERED_POSITIONS = 32;

/** A run of whole batches out of one segment. */
export interface ReadSlice {
  readonly bytes: Buffer;
  /** The offset behind the last batch. */
  readonly nextOffset: number;
}

/**
 * One file of a partition's log: record batches one after the other, as they came (Kafka's own layout, so Kafka's tools can read
 * it), with a sparse offset index and a sparse time index beside it.
 */
export class Segment {
  readonly baseOffset: number;
  readonly path: string;
  /** Bytes of whole batches. */
  size = 0;
  /** The latest timestamp and the last offset of the first batch that has it; -1 when empty. */
  maxTimestamp = -1;
  maxTimestampOffset = -1;
  dirty = false;
  #fd: number | undefined;
  #syncing = 0;
  readonly #offsets: SparseIndex;
  readonly #times: SparseIndex;
  #indexed = false;
  #sinceIndexEntry = 0;
  #remembered = new Map<number, number>();
  #lastOffset = -1;
  #lastPosition = 0;
  #used = true;
  #closeAfterSync = false;

  constructor(directory: string, baseOffset: number) {
    const name = String(baseOffset).padStart(20, "0");
    this.baseOffset = baseOffset;
    this.path = join(directory, `${name}.log`);
    this.#offsets = new SparseIndex(join(directory, `${name}.index`), 4);
    this.#times = new SparseIndex(join(directory, `${name}.timeindex`), 8);
  }

  static create(directory: string, baseOffset: number): Segment {
    const segment = new Segment(directory, baseOffset);
    segment.#fd = openSync(segment.path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC);
    // Index files of an earlier segment of that name would be wrong for this one.
    rmSync(segment.#offsets.path, { force: true });
    rmSync(segment.#times.path, { force: true });
    segment.#indexed = true;
    return segment;
  }

  get fd(): number {
    this.#used = true;
    this.#fd ??= openSync(this.path, constants.O_RDWR);
    return this.#fd;
  }

  /** Bytes of the file, whole batches or not. */
  get fileSize(): number {
    return fstatSync(this.fd).size;
  }

  /** Appends one batch whose offsets are set. When the disk refuses, the file is as it was before and the error is thrown. */
  append(batch: Uint8Array, header: BatchHeader, baseOffset: number, indexIntervalBytes: number): void {
    try {
      writeFully(this.fd, batch, this.size);
    } catch (error) {
      try {
        ftruncateSync(this.fd, this.size);
      } catch {
        // What was written of the batch lies behind `size`: the next append overwrites it, and a restart cuts it off.
      }
      throw error;
    }
    this.noteBatch(header, baseOffset, indexIntervalBytes);
    this.dirty = true;
  }

  /** Takes a batch that lies at `size` into the indexes and moves `size` behind it. */
  noteBatch(header: BatchHeader, baseOffset: number, indexIntervalBytes: number): void {
    this.#ensureIndexed();
    const lastOffset = baseOffset + header.lastOffsetDelta;
    if (header.maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = header.maxTimestamp;
      this.maxTimestampOffset = lastOffset;
    }
    if (this.#sinceIndexEntry >= indexIntervalBytes) {
      this.#offsets.add(lastOffset - this.baseOffset, this.size);
      this.#noteTime();
      this.#sinceIndexEntry = 0;
    }
    this.#sinceIndexEntry += header.size;
    this.#lastOffset = baseOffset;
    this.#lastPosition = this.size;
    this.size += header.size;
  }

  #noteTime(): void {
    if (this.maxTimestamp > this.#times.lastKey && this.maxTimestampOffset - this.baseOffset > this.#times.lastValue) {
      this.#times.add(this.maxTimestamp, this.maxTimestampOffset - this.baseOffset);
    }
  }

  /** Position of the batch that holds `offset`, or of the first one behind it; undefined when there is none below `limit`. */
  find(offset: number, limit = this.size): number | undefined {
    const known = offset === this.#lastOffset ? this.#lastPosition : this.#remembered.get(offset);
    if (known !== undefined) return known < limit ? known : undefined;
    this.#ensureIndexed();
    let position = this.#offsets.floor(offset - this.baseOffset) ?? 0;
    let from = position;
    let have = 0;
    while (position < limit) {
      if (position + OFFSETS_BYTES > from + have) {
        from = position;
        have = readFully(this.fd, scan, 0, Math.min(SCAN_BYTES, limit - from), from);
        if (have < OFFSETS_BYTES) throw this.#corrupt(position);
      }
      const at = position - from;
      const last = readInt64(scan, at) + scan.readInt32BE(at + 23);
      if (last >= offset) return position;
      const length = scan.readInt32BE(at + 8);
      if (length <= 0) throw this.#corrupt(position);
      position += LOG_OVERHEAD + length;
    }
    return undefined;
  }

  /**
   * Whole batches from the one that holds `offset` on, at most `maxBytes` of those below position `limit`; the first batch is given
   * whole whatever its size when `firstWhole`. Undefined when there is nothing.
   */
  read(offset: number, maxBytes: number, limit: number, firstWhole: boolean): ReadSlice | undefined {
    const position = this.find(offset, limit);
    if (position === undefined) return undefined;
    const available = limit - position;
    let want = Math.min(maxBytes, available);
    if (want < available && want < SCAN_BYTES) {
      // Small limits are the rare case: look at the first batch before reading.
      if (readFully(this.fd, scan, 0, OFFSETS_BYTES, position) < OFFSETS_BYTES) throw this.#corrupt(position);
      const first = LOG_OVERHEAD + scan.readInt32BE(8);
      if (first > want) {
        if (!firstWhole) return undefined;
        want = first;
      }
    }
    let bytes = Buffer.allocUnsafeSlow(want);
    let have = readFully(this.fd, bytes, 0, want, position);
    if (have >= OFFSETS_BYTES && LOG_OVERHEAD + bytes.readInt32BE(8) > have) {
      if (!firstWhole) return undefined;
      const first = LOG_OVERHEAD + bytes.readInt32BE(8);
      if (first > available) throw this.#corrupt(position);
      bytes = Buffer.allocUnsafeSlow(first);
      have = readFully(this.fd, bytes, 0, first, position);
    }
    let end = 0;
    let nextOffset = offset;
    while (end + OFFSETS_BYTES <= have) {
      const size = LOG_OVERHEAD + bytes.readInt32BE(end + 8);
      if (size <= LOG_OVERHEAD) throw this.#corrupt(position + end);
      if (end + size > have) break;
      nextOffset = readInt64(bytes, end) + bytes.readInt32BE(end + 23) + 1;
      end += size;
    }
    if (end === 0) throw this.#corrupt(position);
    this.#remember(nextOffset, position + end);
    return { bytes: end === bytes.length ? bytes : bytes.subarray(0, end), nextOffset };
  }

  #remember(offset: number, position: number): void {
    const map = this.#remembered;
    if (map.size >= REMEMBERED_POSITIONS && !map.has(offset)) map.delete(map.keys().next().value!);
    map.set(offset, position);
  }

  /** Calls `visit` for the header of each batch from `position` on, until it returns true. */
  scanHeaders(position: number, limit: number, visit: (header: BatchHeader, position: number) => boolean): void {
    const buf = Buffer.allocUnsafeSlow(64 * 1024);
    let from = position;
    let have = 0;
    while (position < limit) {
      if (position + 61 > from + have) {
        from = position;
        have = readFully(this.fd, buf, 0, Math.min(buf.length, limit - from), from);
      }
      const header = parseBatchHeader(buf.subarray(0, have), position - from);
      if (header === undefined) throw this.#corrupt(position);
      if (visit(header, position)) return;
      position += header.size;
    }
  }

  /** An offset in a batch before or at the first one that may have a timestamp >= `timestamp`. */
  timeFloor(timestamp: number): number {
    this.#ensureIndexed();
    return this.baseOffset + (this.#times.lower(timestamp) ?? 0);
  }

  /** Loads the index files, or rebuilds the indexes from the log when they are not sound. */
  #ensureIndexed(): void {
    if (this.#indexed) return;
    this.#indexed = true;
    const sound =
      this.#offsets.load() &&
      this.#times.load() &&
      this.#times.length > 0 &&
      (this.#offsets.length === 0 || this.#offsets.lastValue < this.size);
    if (sound) {
      this.maxTimestamp = this.#times.lastKey;
      this.maxTimestampOffset = this.baseOffset + this.#times.lastValue;
    } else {
      this.rebuildIndex(DEFAULT_INDEX_INTERVAL_BYTES);
    }
  }

  /** Loads what the indexes know of a sealed segment. */
  loadIndex(): void {
    this.#ensureIndexed();
  }

  /**
   * Takes the indexes' entries for the bytes below `position` (which ends before `offset`), for the rest to be scanned. False when the
   * index files do not serve; then the indexes are empty and `size` is 0.
   */
  resumeAt(position: number, offset: number, maxTimestamp: number, maxTimestampOffset: number): boolean {
    this.startIndex();
    if (position > 0 && (!this.#offsets.load() || !this.#times.load())) {
      this.startIndex();
      return position <= DEFAULT_INDEX_INTERVAL_BYTES && this.#resume(position, maxTimestamp, maxTimestampOffset);
    }
    this.#offsets.truncateValues(position);
    this.#times.truncateValues(offset - this.baseOffset);
    return this.#resume(position, maxTimestamp, maxTimestampOffset);
  }

  #resume(position: number, maxTimestamp: number, maxTimestampOffset: number): true {
    this.size = position;
    this.maxTimestamp = maxTimestamp;
    this.maxTimestampOffset = maxTimestampOffset;
    // The distance to the last entry is not known: put one before the next batch.
    this.#sinceIndexEntry = position;
    return true;
  }

  /** Reads all headers below `size` again. */
  rebuildIndex(indexIntervalBytes: number): void {
    const limit = this.size;
    this.startIndex();
    this.scanHeaders(0, limit, (header) => {
      this.noteBatch(header, header.baseOffset, indexIntervalBytes);
      return false;
    });
  }

  /** Empties the indexes and sets `size` to 0, for batches to be noted one after the other. */
  startIndex(): void {
    this.#indexed = true;
    this.#offsets.clear();
    this.#times.clear();
    this.#remembered.clear();
    this.maxTimestamp = -1;
    this.maxTimestampOffset = -1;
    this.#sinceIndexEntry = 0;
    this.#lastOffset = -1;
    this.size = 0;
  }

  /** Cuts the file off behind `size`. */
  truncate(): void {
    ftruncateSync(this.fd, this.size);
    this.dirty = true;
  }

  /** Brings the index files up to date; a sealed segment gets a last time entry, which says its latest timestamp. */
  writeIndex(sealed: boolean): void {
    if (!this.#indexed) return;
    if (sealed) this.#noteTime();
    this.#offsets.write();
    this.#times.write();
  }

  async sync(): Promise<void> {
    this.#syncing++;
    try {
      await syncData(this.fd);
    } finally {
      this.#syncing--;
      if (this.#syncing === 0 && this.#closeAfterSync) this.close();
    }
  }

  /** Closes the file of a segment that nobody read since the last call. */
  closeIfIdle(): void {
    if (!this.#used && !this.dirty) this.close();
    this.#used = false;
  }

  close(): void {
    if (this.#syncing > 0) {
      this.#closeAfterSync = true;
      return;
    }
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  remove(): void {
    this.close();
    rmSync(this.path, { force: true });
    rmSync(this.#offsets.path, { force: true });
    rmSync(this.#times.path, { force: true });
  }

  #corrupt(position: number): MillraceError {
    return new MillraceError("KAFKA_LOG_CORRUPT", `The log file ${this.path} is damaged at position ${position}.`, {
      hint: "Stop the broker and start it again: it cuts a damaged end off and reports what was lost.",
    });
  }
}

const DEFAULT_INDEX_INTERVAL_BYTES = 4096;
