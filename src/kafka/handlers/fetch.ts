import type { LogRead, PartitionLog } from "../log/partition-log.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import { fetch as api } from "../wire/messages/fetch.ts";
import { type Call, handler } from "./handler.ts";
import { findLog, findTopic, leaderEpochError } from "./topics-of.ts";

/** No answer gets larger than this, whatever a client asks for (Kafka's fetch.max.bytes). */
const MAX_RESPONSE_BYTES = 55 * 1024 * 1024;
const READ_COMMITTED = 1;

interface Wanted {
  readonly partition: number;
  readonly fetchOffset: number;
  readonly partitionMaxBytes: number;
  readonly log: PartitionLog | undefined;
  /** Bytes that were there to read when the request came. */
  readonly ready: number;
  readonly errorCode: ErrorCode;
}

/**
 * Fetch: whole batches from the one that holds the offset on, read straight from the log files. Waits for `minBytes`, at most
 * `maxWaitMs`, and answers at once when a partition has an error. There are no fetch sessions: the answer's session id is 0.
 */
export const fetch = handler(api, async (request, call) => {
  if (request.sessionId !== 0) return { errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND, responses: [] };
  const topics = request.topics.map(({ topic: name, topicId, partitions }) => {
    const topic = findTopic(call.broker, call.version >= 13, { topicId, name });
    return {
      topic: name,
      topicId,
      partitions: partitions.map((p): Wanted => {
        const log = findLog(topic, p.partition);
        const { partition, fetchOffset, partitionMaxBytes } = p;
        if (typeof log === "number") {
          return { partition, fetchOffset, partitionMaxBytes, log: undefined, ready: 0, errorCode: log };
        }
        let errorCode = offsetError(log, fetchOffset, p.currentLeaderEpoch);
        let ready = 0;
        try {
          if (errorCode === ErrorCode.NONE) ready = log.bytesFrom(fetchOffset);
        } catch (cause) {
          log.noteDisk(cause as Error);
          errorCode = ErrorCode.KAFKA_STORAGE_ERROR;
        }
        return { partition, fetchOffset, partitionMaxBytes, log, ready, errorCode };
      }),
    };
  });
  const wanted = topics.flatMap((t) => t.partitions);
  if (request.maxWaitMs > 0 && wanted.every((w) => w.errorCode === ErrorCode.NONE)) {
    await enough(wanted, request.minBytes, request.maxWaitMs, call);
  }
  let room = Math.min(request.maxBytes, MAX_RESPONSE_BYTES);
  let empty = true;
  return {
    responses: topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition, fetchOffset, partitionMaxBytes, log, errorCode }) => {
        const error = log?.closed ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : errorCode;
        if (log === undefined || error !== ErrorCode.NONE) {
          return failed(partition, error);
        }
        let read: LogRead | undefined;
        try {
          // Once something is there, a full answer takes nothing more; until then one batch comes whatever its size.
          if (room > 0 || empty) read = log.read(fetchOffset, Math.max(0, Math.min(partitionMaxBytes, room)), empty);
        } catch (cause) {
          log.noteDisk(cause as Error);
          return failed(partition, ErrorCode.KAFKA_STORAGE_ERROR);
        }
        if (read !== undefined) {
          room -= read.bytes.length;
          empty = false;
        }
        return {
          partitionIndex: partition,
          errorCode: ErrorCode.NONE,
          highWatermark: log.highWatermark,
          lastStableOffset: log.lastStableOffset,
          logStartOffset: log.logStartOffset,
          abortedTransactions: request.isolationLevel === READ_COMMITTED ? [] : null,
          records: read === undefined ? [] : [read.bytes],
        };
      }),
    })),
  };
});

function failed(partitionIndex: number, errorCode: ErrorCode) {
  return { partitionIndex, errorCode, highWatermark: -1, abortedTransactions: null, records: [] };
}

function offsetError(log: PartitionLog, offset: number, leaderEpoch: number): ErrorCode {
  const epochError = leaderEpochError(log, leaderEpoch);
  if (epochError !== undefined) return epochError;
  return offset < log.logStartOffset || offset > log.logEndOffset ? ErrorCode.OFFSET_OUT_OF_RANGE : ErrorCode.NONE;
}

/** Resolves when there are `minBytes` to read, the time is over, a log is gone or the client is. */
function enough(wanted: readonly Wanted[], minBytes: number, maxWaitMs: number, call: Call): Promise<void> | undefined {
  let sum = 0;
  const counted: { log: PartitionLog; visible: number; ready: number; most: number }[] = [];
  for (const { log, ready, partitionMaxBytes } of wanted) {
    if (log === undefined) continue;
    counted.push({ log, visible: log.visibleBytes, ready, most: Math.max(1, partitionMaxBytes) });
    sum += Math.min(ready, Math.max(1, partitionMaxBytes));
  }
  // With nothing asked for, the client still waits its time: an answer at once would make it spin.
  if (sum >= minBytes && counted.length > 0) return undefined;
  return new Promise((resolve) => {
    let looking = false;
    const look = (): void => {
      looking = false;
      let bytes = 0;
      for (const c of counted) {
        if (c.log.closed) {
          done();
          return;
        }
        bytes += Math.min(c.most, c.ready + c.log.visibleBytes - c.visible);
      }
      if (bytes >= minBytes) done();
    };
    // One look for all partitions of a Produce request.
    const visible = (): void => {
      if (looking) return;
      looking = true;
      queueMicrotask(look);
    };
    const stops = counted.map(({ log }) => log.onVisible(visible));
    const done = (): void => {
      clearTimeout(timer);
      for (const stop of stops) stop();
      resolve();
    };
    const timer = setTimeout(done, Math.min(maxWaitMs, 2147483647));
    stops.push(call.onClose(done));
  });
}
