import { api } from "../api.ts";
import { array, int8, int16, int32, int64, nullableArray, records, since, string, struct, uuid } from "../codec.ts";

/** Fetch, key 1. */
export const fetch = api({
  key: 1,
  name: "Fetch",
  versions: "4-17",
  flexible: 12,
  request: struct({
    replicaId: since("0-14", int32, -1),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: since("3+", int32, 0x7fffffff),
    isolationLevel: since("4+", int8, 0),
    sessionId: since("7+", int32, 0),
    sessionEpoch: since("7+", int32, -1),
    topics: array(
      struct({
        topic: since("0-12", string),
        topicId: since("13+", uuid),
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: since("9+", int32, -1),
            fetchOffset: int64,
            lastFetchedEpoch: since("12+", int32, -1),
            logStartOffset: since("5+", int64, -1),
            partitionMaxBytes: int32,
          }),
        ),
      }),
    ),
    forgottenTopicsData: since(
      "7+",
      array(
        struct({
          topic: since("7-12", string),
          topicId: since("13+", uuid),
          partitions: since("7+", array(int32)),
        }),
      ),
    ),
    rackId: since("11+", string, ""),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    errorCode: since("7+", int16),
    sessionId: since("7+", int32, 0),
    responses: array(
      struct({
        topic: since("0-12", string),
        topicId: since("13+", uuid),
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            highWatermark: int64,
            lastStableOffset: since("4+", int64, -1),
            logStartOffset: since("5+", int64, -1),
            abortedTransactions: nullableArray(
              struct({
                producerId: int64,
                firstOffset: int64,
              }),
            ),
            preferredReadReplica: since("11+", int32, -1),
            records: records,
          }),
        ),
      }),
    ),
  }),
});

/** ListOffsets, key 2. */
export const listOffsets = api({
  key: 2,
  name: "ListOffsets",
  versions: "1-8",
  flexible: 6,
  request: struct({
    replicaId: int32,
    isolationLevel: since("2+", int8),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            currentLeaderEpoch: since("4+", int32, -1),
            timestamp: int64,
          }),
        ),
      }),
    ),
    timeoutMs: since("10+", int32),
  }),
  response: struct({
    throttleTimeMs: since("2+", int32),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            timestamp: since("1+", int64, -1),
            offset: since("1+", int64, -1),
            leaderEpoch: since("4+", int32, -1),
          }),
        ),
      }),
    ),
  }),
});

/** OffsetForLeaderEpoch, key 23. */
export const offsetForLeaderEpoch = api({
  key: 23,
  name: "OffsetForLeaderEpoch",
  versions: "2-4",
  flexible: 4,
  request: struct({
    replicaId: since("3+", int32, -2),
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: since("2+", int32, -1),
            leaderEpoch: int32,
          }),
        ),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    topics: array(
      struct({
        topic: string,
        partitions: array(
          struct({
            errorCode: int16,
            partition: int32,
            leaderEpoch: since("1+", int32, -1),
            endOffset: since("0+", int64, -1),
          }),
        ),
      }),
    ),
  }),
});
