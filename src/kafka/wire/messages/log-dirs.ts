import { api } from "../api.ts";
import { array, bool, int16, int32, int64, nullableArray, nullableString, since, string, struct } from "../codec.ts";

/** DescribeLogDirs, key 35. */
export const describeLogDirs = api({
  key: 35,
  name: "DescribeLogDirs",
  versions: "1-4",
  flexible: 2,
  request: struct({
    topics: nullableArray(
      struct({
        topic: string,
        partitions: array(int32),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    errorCode: since("3+", int16),
    results: array(
      struct({
        errorCode: int16,
        logDir: string,
        topics: array(
          struct({
            name: string,
            partitions: array(
              struct({
                partitionIndex: int32,
                partitionSize: int64,
                offsetLag: int64,
                isFutureKey: bool,
              }),
            ),
          }),
        ),
        totalBytes: since("4+", int64, -1),
        usableBytes: since("4+", int64, -1),
      }),
    ),
  }),
});

/** DescribeProducers, key 61. */
export const describeProducers = api({
  key: 61,
  name: "DescribeProducers",
  versions: "0-0",
  flexible: 0,
  request: struct({
    topics: array(
      struct({
        name: string,
        partitionIndexes: array(int32),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: since("0+", nullableString, null),
            activeProducers: array(
              struct({
                producerId: int64,
                producerEpoch: int32,
                lastSequence: since("0+", int32, -1),
                lastTimestamp: since("0+", int64, -1),
                coordinatorEpoch: int32,
                currentTxnStartOffset: since("0+", int64, -1),
              }),
            ),
          }),
        ),
      }),
    ),
  }),
});
