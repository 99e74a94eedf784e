import { configProblem } from "../log/topic-config.ts";
import { ZERO_UUID } from "../wire/codec.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import {
  createPartitions as createPartitionsApi,
  createTopics as createTopicsApi,
  deleteRecords as deleteRecordsApi,
  deleteTopics as deleteTopicsApi,
} from "../wire/messages/topics.ts";
import { type Broker, NODE_ID } from "./broker.ts";
import { topicConfigs } from "./configs.ts";
import { handler } from "./handler.ts";
import { findLog, findTopic, MAX_PARTITIONS, topicNameProblem } from "./topics-of.ts";

type Refusal = readonly [error: ErrorCode, message: string];

interface NewTopic {
  readonly name: string;
  readonly numPartitions: number;
  readonly replicationFactor: number;
  readonly assignments: readonly { readonly partitionIndex: number; readonly brokerIds: readonly number[] }[];
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

export const createTopics = handler(createTopicsApi, (request, { broker }) => {
  const seen = new Map<string, number>();
  for (const { name } of request.topics) seen.set(name, (seen.get(name) ?? 0) + 1);
  return {
    topics: request.topics.map((wanted) => {
      const { name } = wanted;
      const refusal: Refusal | undefined =
        seen.get(name) === 1
          ? refuse(broker, wanted)
          : [ErrorCode.INVALID_REQUEST, `Duplicate topic name ${name} in the request.`];
      if (refusal !== undefined) return { name, errorCode: refusal[0], errorMessage: refusal[1], configs: null };
      const count = wanted.assignments.length || wanted.numPartitions;
      const numPartitions = count === -1 ? broker.config.numPartitions : count;
      const configs = Object.fromEntries(wanted.configs.map((c) => [c.name, c.value!]));
      const answer = {
        name,
        errorCode: ErrorCode.NONE as number,
        errorMessage: null,
        numPartitions,
        replicationFactor: 1,
        configs: topicConfigs(configs).map(({ name, value, source }) => ({
          name,
          value,
          readOnly: false,
          configSource: source,
          isSensitive: false,
        })),
      };
      if (request.validateOnly) return answer;
      try {
        return { ...answer, topicId: broker.topics.create(name, numPartitions, configs).id };
      } catch (error) {
        const errorMessage = `The topic cannot be stored: ${(error as Error).message}`;
        return { name, errorCode: ErrorCode.KAFKA_STORAGE_ERROR, errorMessage, configs: null };
      }
    }),
  };
});

function refuse(broker: Broker, wanted: NewTopic): Refusal | undefined {
  const { name, numPartitions, replicationFactor, assignments } = wanted;
  const problem = topicNameProblem(name);
  if (problem !== undefined) return [ErrorCode.INVALID_TOPIC_EXCEPTION, problem];
  if (broker.topics.get(name) !== undefined) {
    return [ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`];
  }
  if (assignments.length > 0) {
    if (numPartitions !== -1 || replicationFactor !== -1) {
      return [ErrorCode.INVALID_REQUEST, "A manual assignment excludes a number of partitions or replicas."];
    }
    const given = new Set(assignments.map((a) => a.partitionIndex));
    for (let i = 0; i < assignments.length; i++) {
      if (!given.has(i)) {
        return [ErrorCode.INVALID_REPLICA_ASSIGNMENT, "Partitions should be a consecutive 0-based integer sequence."];
      }
    }
    if (assignments.some(({ brokerIds }) => brokerIds.length !== 1 || brokerIds[0] !== NODE_ID)) {
      return [ErrorCode.INVALID_REPLICA_ASSIGNMENT, `The only node of this cluster is ${NODE_ID}.`];
    }
  } else {
    if (numPartitions !== -1 && (numPartitions < 1 || numPartitions > MAX_PARTITIONS)) {
      const range = `from 1 to ${MAX_PARTITIONS}, or -1 for the default`;
      return [ErrorCode.INVALID_PARTITIONS, `Number of partitions was ${numPartitions}; it must be ${range}.`];
    }
    if (replicationFactor !== -1 && replicationFactor !== 1) {
      const message = `Unable to replicate the partition ${replicationFactor} time(s): this cluster has one node.`;
      return [ErrorCode.INVALID_REPLICATION_FACTOR, message];
    }
  }
  for (const { name: config, value } of wanted.configs) {
    const wrong = configProblem(config, value);
    if (wrong !== undefined) return [ErrorCode.INVALID_CONFIG, wrong];
  }
  return undefined;
}

export const deleteTopics = handler(deleteTopicsApi, (request, { broker, version }) => {
  const named = version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
  return {
    responses: named.map(({ name, topicId }) => {
      const byId = name === null;
      const topic = findTopic(broker, byId, { topicId, name: name ?? "" });
      if (typeof topic === "number") return { name, topicId, errorCode: topic };
      try {
        broker.topics.delete(topic);
        broker.offsets.forgetTopic(topic.name);
      } catch (error) {
        const errorMessage = `The deletion cannot be stored: ${(error as Error).message}`;
        return { name: topic.name, topicId: topic.id, errorCode: ErrorCode.KAFKA_STORAGE_ERROR, errorMessage };
      }
      return { name: topic.name, topicId: topic.id, errorCode: ErrorCode.NONE };
    }),
  };
});

export const createPartitions = handler(createPartitionsApi, (request, { broker }) => ({
  results: request.topics.map(({ name, count, assignments }) => {
    const topic = broker.topics.get(name);
    if (topic === undefined) return { name, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
    const now = topic.partitions.length;
    if (count <= now || count > MAX_PARTITIONS) {
      const errorMessage =
        count === now
          ? `Topic already has ${now} partition(s).`
          : count > MAX_PARTITIONS
            ? `A topic has ${MAX_PARTITIONS} partitions at most.`
            : `The topic ${name} currently has ${now} partition(s); ${count} would not be an increase.`;
      return { name, errorCode: ErrorCode.INVALID_PARTITIONS, errorMessage };
    }
    if (assignments !== null) {
      const fits =
        assignments.length === count - now &&
        assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === NODE_ID);
      if (!fits) {
        const errorMessage = `Each of the ${count - now} new partition(s) must be assigned to node ${NODE_ID}.`;
        return { name, errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT, errorMessage };
      }
    }
    if (!request.validateOnly) {
      try {
        broker.topics.addPartitions(topic, count);
      } catch (error) {
        const errorMessage = `The partitions cannot be stored: ${(error as Error).message}`;
        return { name, errorCode: ErrorCode.KAFKA_STORAGE_ERROR, errorMessage };
      }
    }
    return { name, errorCode: ErrorCode.NONE };
  }),
}));

/** DeleteRecords: moves the start of a log; -1 means its end. */
export const deleteRecords = handler(deleteRecordsApi, async (request, { broker }) => ({
  topics: await Promise.all(
    request.topics.map(async ({ name, partitions }) => {
      const topic = findTopic(broker, false, { topicId: "", name });
      return {
        name,
        partitions: await Promise.all(
          partitions.map(async ({ partitionIndex, offset }) => {
            const log = findLog(topic, partitionIndex);
            if (typeof log === "number") return { partitionIndex, lowWatermark: -1, errorCode: log };
            const before = offset === -1 ? log.highWatermark : offset;
            if (before < 0 || before > log.highWatermark) {
              return { partitionIndex, lowWatermark: -1, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE };
            }
            try {
              await log.deleteRecordsBefore(before);
            } catch (error) {
              log.noteDisk(error as Error);
              return { partitionIndex, lowWatermark: -1, errorCode: ErrorCode.KAFKA_STORAGE_ERROR };
            }
            return { partitionIndex, lowWatermark: log.logStartOffset, errorCode: ErrorCode.NONE };
          }),
        ),
      };
    }),
  ),
}));
