import { statfsSync } from "node:fs";
import { ErrorCode } from "../wire/error-codes.ts";
import { offsetForLeaderEpoch as offsetForLeaderEpochApi } from "../wire/messages/fetch.ts";
import { describeLogDirs as describeLogDirsApi } from "../wire/messages/log-dirs.ts";
import { handler } from "./handler.ts";
import { findLog, findTopic, leaderEpochError } from "./topics-of.ts";

export const describeLogDirs = handler(describeLogDirsApi, (request, { broker }) => {
  const { directory } = broker.topics;
  const wanted = request.topics === null ? null : new Map(request.topics.map((t) => [t.topic, new Set(t.partitions)]));
  const topics = broker.topics
    .all()
    .filter(({ name }) => wanted === null || wanted.has(name))
    .map(({ name, partitions }) => ({
      name,
      partitions: partitions
        .map((log, partitionIndex) => ({ partitionIndex, partitionSize: log.size, offsetLag: 0, isFutureKey: false }))
        .filter(({ partitionIndex }) => wanted === null || wanted.get(name)!.has(partitionIndex)),
    }));
  const disk = statfsSync(directory);
  return {
    results: [
      {
        errorCode: ErrorCode.NONE,
        logDir: directory,
        topics,
        totalBytes: disk.blocks * disk.bsize,
        usableBytes: disk.bavail * disk.bsize,
      },
    ],
  };
});

/** OffsetForLeaderEpoch: there was one leader only, so its epoch ends where the log does. */
export const offsetForLeaderEpoch = handler(offsetForLeaderEpochApi, (request, { broker }) => ({
  topics: request.topics.map(({ topic: name, partitions }) => {
    const topic = findTopic(broker, false, { topicId: "", name });
    return {
      topic: name,
      partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
        const log = findLog(topic, partition);
        if (typeof log === "number") return { partition, errorCode: log };
        const error = leaderEpochError(log, currentLeaderEpoch);
        if (error !== undefined) return { partition, errorCode: error };
        if (leaderEpoch !== log.leaderEpoch) return { partition, errorCode: ErrorCode.NONE };
        return { partition, errorCode: ErrorCode.NONE, leaderEpoch, endOffset: log.logEndOffset };
      }),
    };
  }),
}));
