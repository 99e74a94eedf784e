import { api } from "../api.ts";
import {
  array,
  bool,
  int8,
  int16,
  int32,
  nullable,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
  uuid,
} from "../codec.ts";

/** Metadata, key 3. */
export const metadata = api({
  key: 3,
  name: "Metadata",
  versions: "0-13",
  flexible: 9,
  request: struct({
    topics: nullableArray(
      struct({
        topicId: since("10+", uuid),
        name: nullableString,
      }),
    ),
    allowAutoTopicCreation: since("4+", bool, true),
    includeClusterAuthorizedOperations: since("8-10", bool),
    includeTopicAuthorizedOperations: since("8+", bool),
  }),
  response: struct({
    throttleTimeMs: since("3+", int32),
    brokers: array(
      struct({
        nodeId: int32,
        host: string,
        port: int32,
        rack: since("1+", nullableString, null),
      }),
    ),
    clusterId: since("2+", nullableString, null),
    controllerId: since("1+", int32, -1),
    topics: array(
      struct({
        errorCode: int16,
        name: nullableString,
        topicId: since("10+", uuid),
        isInternal: since("1+", bool, false),
        partitions: array(
          struct({
            errorCode: int16,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: since("7+", int32, -1),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            offlineReplicas: since("5+", array(int32)),
          }),
        ),
        topicAuthorizedOperations: since("8+", int32, -2147483648),
      }),
    ),
    clusterAuthorizedOperations: since("8-10", int32, -2147483648),
    errorCode: since("13+", int16),
  }),
});

/** DescribeCluster, key 60. */
export const describeCluster = api({
  key: 60,
  name: "DescribeCluster",
  versions: "0-2",
  flexible: 0,
  request: struct({
    includeClusterAuthorizedOperations: bool,
    endpointType: since("1+", int8, 1),
    includeFencedBrokers: since("2+", bool),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    errorCode: int16,
    errorMessage: since("0+", nullableString, null),
    endpointType: since("1+", int8, 1),
    clusterId: string,
    controllerId: since("0+", int32, -1),
    brokers: array(
      struct({
        brokerId: int32,
        host: string,
        port: int32,
        rack: since("0+", nullableString, null),
        isFenced: since("2+", bool),
      }),
    ),
    clusterAuthorizedOperations: since("0+", int32, -2147483648),
  }),
});

/** DescribeTopicPartitions, key 75. */
export const describeTopicPartitions = api({
  key: 75,
  name: "DescribeTopicPartitions",
  versions: "0-0",
  flexible: 0,
  request: struct({
    topics: array(
      struct({
        name: string,
      }),
    ),
    responsePartitionLimit: since("0+", int32, 2000),
    cursor: since(
      "0+",
      nullable(
        struct({
          topicName: string,
          partitionIndex: int32,
        }),
      ),
      null,
    ),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    topics: array(
      struct({
        errorCode: int16,
        name: nullableString,
        topicId: uuid,
        isInternal: since("0+", bool, false),
        partitions: array(
          struct({
            errorCode: int16,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: since("0+", int32, -1),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            eligibleLeaderReplicas: since("0+", nullableArray(int32), null),
            lastKnownElr: since("0+", nullableArray(int32), null),
            offlineReplicas: array(int32),
          }),
        ),
        topicAuthorizedOperations: since("0+", int32, -2147483648),
      }),
    ),
    nextCursor: since(
      "0+",
      nullable(
        struct({
          topicName: string,
          partitionIndex: int32,
        }),
      ),
      null,
    ),
  }),
});
