import { MillraceError } from "../../../errors.ts";
import { ErrorCode } from "../../wire/error-codes.ts";
import {
  type BatchHeader,
  batchRecords,
  parseBatchHeader,
  RecordWalker,
  readBatchHeader,
} from "../../wire/record-batch.ts";
import type { KafkaClient } from "../client.ts";
import { brokerError, isRetriable } from "../errors.ts";
import {
  type AbortedTransaction,
  EARLIEST,
  type FetchedPartition,
  keyOf,
  type PartitionOffset,
  type TopicPartition,
} from "../types.ts";
import { ColumnFile, type KafkaColumn } from "./columns.ts";
import { discard, ScratchFolder } from "./scratch-folder.ts";

/** Offsets [start, end) of a partition. */
export interface OffsetRange extends TopicPartition {
  readonly start: number;
  readonly end: number;
}

export interface ReadResult {
  /** The Parquet file with the columns asked for; undefined when there are no rows. The caller removes it with `release`. */
  readonly path: string | undefined;
  readonly rowCount: number;
  release(): void;
}

export interface RangeReaderOptions {
  /** Folder for files that do not fit into memory. */
  readonly temporaryPath?: string;
  /** Called when offsets of a range no longer exist; to go on with what is there it returns, else it throws. */
  readonly onDataLoss: (partition: TopicPartition, wanted: OffsetRange, earliest: number) => void;
  /** Gives up when a fetch makes no progress for so long. */
  readonly pollTimeoutMs?: number;
}

/** Fetched record batches of one partition: offsets [from, to). */
interface Chunk {
  readonly records: Buffer;
  readonly aborted: readonly AbortedTransaction[];
  readonly from: number;
  readonly to: number;
}

interface Progress {
  readonly range: OffsetRange;
  position: number;
  maxBytes: number;
  /** Time of the last progress. */
  since: number;
}

/** Read-ahead beyond this is dropped; it is fetched again when it is wanted. */
const MAX_AHEAD_BYTES = 64 << 20;
const WAIT_PARTITION_BYTES = 1 << 20;
const WAIT_BYTES = 8 << 20;
/** The end of a range is known to exist; a broker that does not have it for so long has lost it. */
const LOST_AFTER_MS = 5_000;

/**
 * Reads offset ranges of many partitions into one Parquet file, and waits for new data. Fetching goes on while the records fetched
 * before are laid out; what a fetch brings beyond a range is kept for the next one, and so is what a wait brings.
 */
export class RangeReader {
  readonly #client: KafkaClient;
  readonly #options: RangeReaderOptions;
  readonly #folder: ScratchFolder;
  readonly #ahead = new Map<string, Chunk[]>();
  readonly #walker = new RecordWalker();
  #reading: Promise<unknown> = Promise.resolve();
  #waits = new Map<number, Promise<boolean>>();
  #observed: Map<string, PartitionOffset> | undefined;
  #closed = false;

  constructor(client: KafkaClient, options: RangeReaderOptions) {
    this.#client = client;
    this.#options = options;
    this.#folder = new ScratchFolder(options.temporaryPath);
  }

  /** Lays the records of the ranges out; within a partition they are in order. Calls queue up. */
  read(ranges: readonly OffsetRange[], columns: ReadonlySet<KafkaColumn>): Promise<ReadResult> {
    const result = this.#reading.then(() => this.#readInto(ranges, columns));
    this.#reading = result.catch(() => {});
    return result;
  }

  async #readInto(ranges: readonly OffsetRange[], columns: ReadonlySet<KafkaColumn>): Promise<ReadResult> {
    for (;;) {
      const file = new ColumnFile(this.#folder.next(), columns);
      try {
        await this.#fill(file, ranges);
        const { rowCount, path } = file;
        if (rowCount === 0) {
          file.abandon();
          discard(path);
          return { path: undefined, rowCount: 0, release: () => {} };
        }
        file.finish();
        return { path, rowCount, release: () => discard(path) };
      } catch (error) {
        file.abandon();
        discard(file.path);
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        // Everything is fetched again into a file on disk: slow, but it happens once.
        if (!this.#folder.leaveMemory()) {
          throw new MillraceError("DISK_FULL", "There is no room for the records of a batch.", {
            hint: 'Free some space, or make batches smaller with "maxOffsetsPerTrigger".',
            cause: error,
          });
        }
      }
    }
  }

  async #fill(file: ColumnFile, ranges: readonly OffsetRange[]): Promise<void> {
    const now = Date.now();
    let open: Progress[] = [];
    for (const range of ranges) {
      if (range.start >= range.end) continue;
      const progress = {
        range,
        position: range.start,
        maxBytes: this.#client.options.maxPartitionFetchBytes,
        since: now,
      };
      this.#useAhead(file, progress);
      if (progress.position < range.end) open.push(progress);
    }
    let progressed = Date.now();
    for (let attempt = 1; open.length > 0; ) {
      const before = open.map((p) => p.position);
      try {
        const byLeader = new Map<number, Progress[]>();
        for (const progress of open) {
          const leader = await this.#client.leader(progress.range.topic, progress.range.partition);
          const group = byLeader.get(leader);
          if (group === undefined) byLeader.set(leader, [progress]);
          else group.push(progress);
        }
        const drains = [...byLeader].map(([nodeId, group]) => this.#drain(file, nodeId, group));
        // All must have ended before a partition may be fetched again.
        for (const drain of await Promise.allSettled(drains)) if (drain.status === "rejected") throw drain.reason;
      } catch (error) {
        if (!(error instanceof MillraceError) || !error.retryable || this.#closed) throw error;
        for (const progress of open) this.#client.forgetLeaders(progress.range.topic);
        if (open.some((p, i) => p.position > before[i]!)) {
          progressed = Date.now();
          attempt = 1;
        }
        // Leaders take a while to move when a broker dies.
        if (Date.now() - progressed > this.#client.options.apiTimeoutMs) throw error;
        await pause(Math.min(1_000, this.#client.options.retryBackoffMs * 2 ** (attempt++ - 1)));
      }
      open = open.filter((p) => p.position < p.range.end);
    }
    this.#boundAhead();
  }

  /** Takes what was fetched earlier. */
  #useAhead(file: ColumnFile, progress: Progress): void {
    const key = keyOf(progress.range);
    const chunks = this.#ahead.get(key);
    if (chunks === undefined) return;
    const { start, end } = progress.range;
    if (chunks[0]!.from > start || chunks.at(-1)!.to <= start) {
      this.#ahead.delete(key);
      return;
    }
    for (const chunk of chunks) {
      if (progress.position >= end) break;
      if (chunk.to > start) this.#walk(file, chunk, progress);
    }
    this.#dropAhead(key, end);
  }

  #keepAhead(key: string, chunk: Chunk): void {
    const chunks = this.#ahead.get(key);
    if (chunks !== undefined && chunks.at(-1)!.to === chunk.from) chunks.push(chunk);
    else this.#ahead.set(key, [chunk]);
  }

  #dropAhead(key: string, end: number): void {
    const chunks = this.#ahead.get(key);
    if (chunks === undefined) return;
    const left = chunks.filter((chunk) => chunk.to > end);
    if (left.length === 0) this.#ahead.delete(key);
    else this.#ahead.set(key, left);
  }

  #boundAhead(): void {
    let bytes = 0;
    for (const [key, chunks] of this.#ahead) {
      for (const chunk of chunks) bytes += chunk.records.length;
      if (bytes > MAX_AHEAD_BYTES) this.#ahead.delete(key);
    }
  }

  /** Fetches from one broker until all is there or a partition has another leader. The next fetch is under way during the walk. */
  async #drain(file: ColumnFile, nodeId: number, group: Progress[]): Promise<void> {
    let open = group;
    let answer = this.#fetch(nodeId, open);
    for (;;) {
      const fetched = await answer;
      const byKey = new Map(open.map((p) => [keyOf(p.range), p]));
      const chunks: [Progress, Chunk, number][] = [];
      const moved = new Set<Progress>();
      let failure: { error: unknown } | undefined;
      for (const partition of fetched) {
        const progress = byKey.get(keyOf(partition));
        if (progress === undefined) continue;
        try {
          const chunk = await this.#accept(progress, partition);
          if (chunk === undefined) continue;
          chunks.push([progress, chunk, progress.position]);
          progress.position = chunk.to;
          progress.since = Date.now();
          moved.add(progress);
        } catch (error) {
          // What came of other partitions is laid out before.
          failure ??= { error };
        }
      }
      // Those that had nothing come first in the next request, so that none is starved by the size limit.
      open = [...open.filter((p) => !moved.has(p)), ...moved].filter((p) => p.position < p.range.end);
      if (open.length > 0 && failure === undefined) {
        answer = this.#fetch(nodeId, open);
        // The walk below may throw first.
        answer.catch(() => {});
      }
      for (const [progress, chunk, position] of chunks) {
        this.#walk(file, chunk, { ...progress, position });
        if (chunk.to > progress.range.end) this.#keepAhead(keyOf(progress.range), trim(chunk, progress.range.end));
      }
      if (failure !== undefined) throw failure.error;
      if (open.length === 0) return;
    }
  }

  #fetch(nodeId: number, open: readonly Progress[]): Promise<FetchedPartition[]> {
    return this.#client.fetchFrom(
      nodeId,
      open.map((p) => ({
        topic: p.range.topic,
        partition: p.range.partition,
        offset: p.position,
        maxBytes: p.maxBytes,
      })),
      { maxWaitMs: 500, minBytes: 1, maxBytes: this.#client.options.fetchMaxBytes },
    );
  }

  /** The whole batches of an answer; undefined when there are none. Errors of the partition are dealt with here. */
  async #accept(progress: Progress, partition: FetchedPartition): Promise<Chunk | undefined> {
    const { range } = progress;
    if (partition.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      const [earliest] = await this.#client.listOffsets([range], EARLIEST);
      const first = earliest?.offset ?? 0;
      this.#options.onDataLoss(range, { ...range, start: progress.position }, first);
      progress.position = first > progress.position ? Math.min(first, range.end) : range.end;
      return undefined;
    }
    if (partition.errorCode !== 0) {
      const error = brokerError(partition.errorCode, `fetch ${range.topic}-${range.partition}`);
      if (isRetriable(partition.errorCode)) this.#client.forgetLeaders(range.topic);
      throw error;
    }
    const chunk = chunkOf(partition, progress.position);
    if (chunk !== undefined) return chunk;
    // The first batch may be larger than the limit.
    if (partition.records.length > 0) progress.maxBytes = Math.min(progress.maxBytes * 2, 0x7fffffff);
    const waited = Date.now() - progress.since;
    if (partition.records.length === 0 && partition.highWatermark < range.end && waited > LOST_AFTER_MS) {
      this.#options.onDataLoss(range, { ...range, start: progress.position }, partition.logStartOffset);
      progress.position = range.end;
      return undefined;
    }
    if (waited > (this.#options.pollTimeoutMs ?? 120_000)) {
      throw new MillraceError(
        "KAFKA_UNREACHABLE",
        `No records of ${range.topic}-${range.partition} from offset ${progress.position} arrived within ${waited} ms.`,
        { retryable: true },
      );
    }
    return undefined;
  }

  /** Adds the records of a chunk that lie in the range, and moves the position behind them. */
  #walk(file: ColumnFile, chunk: Chunk, progress: Progress): void {
    const { records, aborted } = chunk;
    const { topic, partition, end } = progress.range;
    const committed = this.#client.options.isolation === "read_committed";
    const checkCrc = this.#client.options.checkCrcs;
    const from = progress.position;
    // As Java's CompletedFetch: a producer is skipped from the first offset of its aborted transaction to the abort marker.
    const skipped = new Set<number>();
    let nextAborted = 0;
    for (let at = 0; ; ) {
      const header = readBatchHeader(records, at);
      if (header === undefined) break;
      at += header.size;
      const last = header.baseOffset + header.lastOffsetDelta;
      if (committed) {
        while (nextAborted < aborted.length && aborted[nextAborted]!.firstOffset <= last) {
          skipped.add(aborted[nextAborted++]!.producerId);
        }
      }
      if (header.control) {
        if (committed && skipped.has(header.producerId) && this.#isAbortMarker(records, header)) {
          skipped.delete(header.producerId);
        }
      } else if (last >= from && !(header.transactional && skipped.has(header.producerId))) {
        try {
          file.addBatch(records, header, topic, partition, from, end, checkCrc);
        } catch (error) {
          throw located(error, topic, partition);
        }
      }
      if (last + 1 > progress.position) progress.position = last + 1;
      if (progress.position >= end) break;
    }
  }

  #isAbortMarker(records: Buffer, header: BatchHeader): boolean {
    const data = batchRecords(records, header, false);
    this.#walker.reset(data, header.recordCount, header.baseOffset);
    return this.#walker.next() && this.#walker.keyLength >= 4 && data.readInt16BE(this.#walker.keyAt + 2) === 0;
  }

  // ------------------------------------------------------------------------------------------------------------- waiting

  /**
   * Resolves when a partition has records at or after its offset, after `timeoutMs`, or when the signal fires. What arrives is kept for
   * `read`, and the ends of the partitions for `takeObserved`.
   */
  async wait(positions: readonly PartitionOffset[], timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || this.#closed) return;
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const stop = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
      onAbort = () => resolve();
      signal?.addEventListener("abort", onAbort, { once: true });
    });
    const arrived = this.#arrival(positions, Date.now() + timeoutMs, signal);
    arrived.catch(() => {});
    try {
      await Promise.race([stop, arrived]);
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    }
  }

  async #arrival(positions: readonly PartitionOffset[], deadline: number, signal?: AbortSignal): Promise<void> {
    const byLeader = new Map<number, PartitionOffset[]>();
    for (const position of positions) {
      const leader = await this.#client.leader(position.topic, position.partition);
      const group = byLeader.get(leader);
      if (group === undefined) byLeader.set(leader, [position]);
      else group.push(position);
    }
    const polls = [...byLeader].map(async ([nodeId, group]) => {
      while (!this.#closed && !signal?.aborted && Date.now() < deadline) {
        try {
          if (await this.#poll(nodeId, group, Math.max(1, deadline - Date.now()))) return;
        } catch (error) {
          if (!(error instanceof MillraceError) || !error.retryable) throw error;
          // The caller looks for new offsets next, which tries again and reports what stays wrong.
          for (const position of group) this.#client.forgetLeaders(position.topic);
          return pause(this.#client.options.retryBackoffMs);
        }
      }
    });
    for (const poll of polls) poll.catch(() => {});
    await Promise.race(polls);
  }

  /**
   * One long poll per broker at a time. A poll that is still out when the next wait begins serves that one too: data behind the newer
   * offsets is also behind the older ones.
   */
  #poll(nodeId: number, group: readonly PartitionOffset[], timeoutMs: number): Promise<boolean> {
    const running = this.#waits.get(nodeId);
    if (running !== undefined) return running;
    const poll = this.#pollOnce(nodeId, group, Math.min(timeoutMs, 5_000)).finally(() => this.#waits.delete(nodeId));
    this.#waits.set(nodeId, poll);
    poll.catch(() => {});
    return poll;
  }

  async #pollOnce(nodeId: number, group: readonly PartitionOffset[], maxWaitMs: number): Promise<boolean> {
    const fetched = await this.#client.fetchFrom(
      nodeId,
      group.map((p) => ({ ...p, maxBytes: WAIT_PARTITION_BYTES })),
      { maxWaitMs, minBytes: 1, maxBytes: WAIT_BYTES },
      "wait",
    );
    const positions = new Map(group.map((p) => [keyOf(p), p.offset]));
    const committed = this.#client.options.isolation === "read_committed";
    let some = false;
    let failed = false;
    for (const partition of fetched) {
      if (partition.errorCode !== 0) {
        // Whoever reads next meets the error and deals with it; here it only must not spin.
        if (isRetriable(partition.errorCode)) this.#client.forgetLeaders(partition.topic);
        some = true;
        failed = true;
        continue;
      }
      const key = keyOf(partition);
      const chunk = chunkOf(partition, positions.get(key) ?? -1);
      if (chunk === undefined) continue;
      some = true;
      this.#keepAhead(key, chunk);
      this.#observed ??= new Map();
      this.#observed.set(key, {
        topic: partition.topic,
        partition: partition.partition,
        offset: Math.max(chunk.to, committed ? partition.lastStableOffset : partition.highWatermark),
      });
    }
    this.#boundAhead();
    if (failed) await pause(this.#client.options.retryBackoffMs);
    return some;
  }

  /** The ends of partitions that a wait has seen to have new data, once. */
  takeObserved(): ReadonlyMap<string, PartitionOffset> | undefined {
    const observed = this.#observed;
    this.#observed = undefined;
    return observed;
  }

  close(): void {
    this.#closed = true;
    this.#ahead.clear();
    this.#folder.close();
  }
}

/** The whole batches of an answer, if there are any. */
function chunkOf(partition: FetchedPartition, from: number): Chunk | undefined {
  const { records, aborted } = partition;
  let at = 0;
  let to = -1;
  while (at + 12 <= records.length) {
    const size = records.readInt32BE(at + 8) + 12;
    if (size <= 12 || at + size > records.length) {
      // A batch that claims no bytes would never end; the header's reader says what is wrong with it.
      if (size <= 12) parseBatchHeader(records, at);
      break;
    }
    const header = parseBatchHeader(records, at)!;
    to = header.baseOffset + header.lastOffsetDelta + 1;
    at += size;
  }
  if (to <= from) return undefined;
  return { records: records.subarray(0, at), aborted, from, to };
}

/** What is left of a chunk behind `end`; without aborted transactions the batches before are not needed any more. */
function trim(chunk: Chunk, end: number): Chunk {
  if (chunk.aborted.length > 0) return chunk;
  let at = 0;
  let from = chunk.from;
  for (;;) {
    const header = readBatchHeader(chunk.records, at);
    if (header === undefined) return chunk;
    const next = header.baseOffset + header.lastOffsetDelta + 1;
    if (next > end) break;
    at += header.size;
    from = next;
  }
  const rest = chunk.records.subarray(at);
  // A small rest must not keep a whole response in memory.
  return { ...chunk, records: rest.length < 1 << 20 ? Buffer.from(rest) : rest, from };
}

function located(error: unknown, topic: string, partition: number): unknown {
  if (!(error instanceof MillraceError) || error.code !== "KAFKA_CORRUPT_BATCH") return error;
  const text = error.message.replace(/^\[[^\]]*\] /, "");
  return new MillraceError("KAFKA_CORRUPT_BATCH", `${topic}-${partition}: ${text}`, {
    cause: error,
    parameters: { topic, partition: String(partition) },
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
