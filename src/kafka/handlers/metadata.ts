import { publish } from "../../events.ts";
import type { Topic } from "../log/topic-store.ts";
import { ZERO_UUID } from "../wire/codec.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import { metadata as api } from "../wire/messages/metadata.ts";
import { type Broker, NODE_ID } from "./broker.ts";
import { type Call, handler } from "./handler.ts";
import { topicNameProblem } from "./topics-of.ts";

/** Metadata: the node, and the topics asked for (made when they are missing and that is allowed). */
export const metadata = handler(api, (request, call) => {
  const { broker, version } = call;
  // Version 0 has no null: there the empty list means all topics.
  const all = request.topics === null || (version === 0 && request.topics.length === 0);
  const topics = all
    ? broker.topics.all().map(describe)
    : request.topics!.map(({ name, topicId }) => {
        if (topicId !== ZERO_UUID) {
          const topic = broker.topics.getById(topicId);
          return topic !== undefined ? describe(topic) : failed(null, ErrorCode.UNKNOWN_TOPIC_ID, topicId);
        }
        return byName(broker, name ?? "", request.allowAutoTopicCreation || version < 4);
      });
  return {
    brokers: [{ nodeId: NODE_ID, ...endpoint(call) }],
    clusterId: broker.topics.clusterId,
    controllerId: NODE_ID,
    topics,
  };
});

/** Where clients are told to find this node: where they found it, when it listens everywhere. */
export function endpoint(call: Call): { host: string; port: number } {
  const { host, port } = call.broker.address;
  return { host: host ?? call.localHost, port };
}

function byName(broker: Broker, name: string, mayCreate: boolean) {
  const topic = broker.topics.get(name);
  if (topic !== undefined) return describe(topic);
  if (topicNameProblem(name) !== undefined) return failed(name, ErrorCode.INVALID_TOPIC_EXCEPTION);
  if (!mayCreate || !broker.config.autoCreateTopics) return failed(name, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  try {
    return describe(broker.topics.create(name, broker.config.numPartitions));
  } catch (error) {
    publish("server.error", { server: "kafka", error: error as Error });
    return failed(name, ErrorCode.KAFKA_STORAGE_ERROR);
  }
}

function describe(topic: Topic) {
  return {
    errorCode: ErrorCode.NONE as number,
    name: topic.name as string | null,
    topicId: topic.id,
    partitions: topic.partitions.map((log, partitionIndex) => ({
      errorCode: ErrorCode.NONE,
      partitionIndex,
      leaderId: NODE_ID,
      leaderEpoch: log.leaderEpoch,
      replicaNodes: [NODE_ID],
      isrNodes: [NODE_ID],
    })),
  };
}

function failed(name: string | null, errorCode: number, topicId = ZERO_UUID): ReturnType<typeof describe> {
  return { errorCode, name, topicId, partitions: [] };
}
