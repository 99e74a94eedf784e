import type { LogRead, PartitionLog } from "../log/partition-log.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import { listOffsets as api } from "../wire/messages/fetch.ts";
import { decodeBatch } from "../wire/record-batch.ts";
import { handler } from "./handler.ts";
import { findLog, findTopic, leaderEpochError } from "./topics-of.ts";

const READ_COMMITTED = 1;
/** Timestamps that stand for a place in the log. */
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;

interface Found {
  timestamp: number;
  offset: number;
}

const NOTHING: Found = { timestamp: -1, offset: -1 };

/** ListOffsets: the start, the end, or the first record at or after a time. */
export const listOffsets = handler(api, (request, { broker }) => ({
  topics: request.topics.map(({ name, partitions }) => {
    const topic = findTopic(broker, false, { topicId: "", name });
    return {
      name,
      partitions: partitions.map(({ partitionIndex, currentLeaderEpoch, timestamp }) => {
        const log = findLog(topic, partitionIndex);
        if (typeof log === "number") return { partitionIndex, errorCode: log };
        const epochError = leaderEpochError(log, currentLeaderEpoch);
        if (epochError !== undefined) return { partitionIndex, errorCode: epochError };
        let found: Found | undefined;
        try {
          found = look(log, timestamp, request.isolationLevel);
        } catch (cause) {
          log.noteDisk(cause as Error);
          return { partitionIndex, errorCode: ErrorCode.KAFKA_STORAGE_ERROR };
        }
        if (found === undefined) return { partitionIndex, errorCode: ErrorCode.UNSUPPORTED_VERSION };
        const leaderEpoch = found.offset < 0 ? -1 : log.leaderEpoch;
        return { partitionIndex, errorCode: ErrorCode.NONE, ...found, leaderEpoch };
      }),
    };
  }),
}));

function look(log: PartitionLog, timestamp: number, isolationLevel: number): Found | undefined {
  if (timestamp >= 0) return atTime(log, timestamp);
  switch (timestamp) {
    case LATEST:
      return {
        timestamp: -1,
        offset: isolationLevel === READ_COMMITTED ? log.lastStableOffset : log.highWatermark,
      };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { timestamp: -1, offset: log.logStartOffset };
    case MAX_TIMESTAMP: {
      const batch = log.batchWithMaxTimestamp();
      return batch === undefined ? NOTHING : latestOf(batch, log.logStartOffset);
    }
    default:
      return undefined;
  }
}

function atTime(log: PartitionLog, timestamp: number): Found {
  let from = log.logStartOffset;
  for (;;) {
    const batch = log.batchAtTime(timestamp, from);
    if (batch === undefined) return NOTHING;
    for (const r of decodeBatch(batch.bytes).records) {
      if (r.timestamp >= timestamp && r.offset >= from) return { timestamp: r.timestamp, offset: r.offset };
    }
    // Its late record lies in front of the log's start, or its header claimed too much.
    from = batch.nextOffset;
  }
}

function latestOf(batch: LogRead, from: number): Found {
  let best = NOTHING;
  for (const r of decodeBatch(batch.bytes).records) {
    if (r.offset >= from && r.timestamp > best.timestamp) best = { timestamp: r.timestamp, offset: r.offset };
  }
  return best;
}
