import { ZERO_UUID } from "../wire/codec.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import {
  describeCluster as describeClusterApi,
  describeTopicPartitions as describeTopicPartitionsApi,
} from "../wire/messages/metadata.ts";
import { NODE_ID } from "./broker.ts";
import { handler } from "./handler.ts";
import { endpoint } from "./metadata.ts";

const BROKERS = 1;

export const describeCluster = handler(describeClusterApi, (request, call) => {
  const { clusterId } = call.broker.topics;
  if (request.endpointType !== BROKERS) {
    return {
      errorCode: ErrorCode.INVALID_REQUEST,
      errorMessage: "This listener shows brokers, not controllers.",
      clusterId,
      brokers: [],
    };
  }
  return {
    errorCode: ErrorCode.NONE,
    clusterId,
    controllerId: NODE_ID,
    brokers: [{ brokerId: NODE_ID, ...endpoint(call) }],
  };
});

/** DescribeTopicPartitions: topics by name, page by page. */
export const describeTopicPartitions = handler(describeTopicPartitionsApi, (request, { broker }) => {
  let names = request.topics.map((t) => t.name);
  if (names.length === 0) names = broker.topics.all().map((t) => t.name);
  names = [...new Set(names)].sort();
  const { cursor } = request;
  if (cursor !== null) names = names.filter((name) => name >= cursor.topicName);
  let room = Math.max(1, request.responsePartitionLimit);
  let nextCursor: { topicName: string; partitionIndex: number } | null = null;
  const topics = [];
  for (const name of names) {
    const topic = broker.topics.get(name);
    if (topic === undefined) {
      topics.push({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name, topicId: ZERO_UUID, partitions: [] });
      continue;
    }
    const from = cursor !== null && cursor.topicName === name ? cursor.partitionIndex : 0;
    const to = Math.min(topic.partitions.length, from + room);
    if (room === 0) {
      nextCursor = { topicName: name, partitionIndex: 0 };
      break;
    }
    topics.push({
      errorCode: ErrorCode.NONE,
      name,
      topicId: topic.id,
      partitions: topic.partitions.slice(from, to).map((log, i) => ({
        errorCode: ErrorCode.NONE,
        partitionIndex: from + i,
        leaderId: NODE_ID,
        leaderEpoch: log.leaderEpoch,
        replicaNodes: [NODE_ID],
        isrNodes: [NODE_ID],
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
        offlineReplicas: [],
      })),
    });
    room -= Math.max(0, to - from);
    if (to < topic.partitions.length) {
      nextCursor = { topicName: name, partitionIndex: to };
      break;
    }
  }
  return { topics, nextCursor };
});
