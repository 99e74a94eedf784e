import type { PartitionLog } from "../log/partition-log.ts";
import type { Topic } from "../log/topic-store.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import type { Broker } from "./broker.ts";

/** The longest topic name that Kafka allows. */
const MAX_NAME = 249;
/** More would be a mistake: every partition keeps a file open. */
export const MAX_PARTITIONS = 10_000;

/** Why a name cannot be a topic's, or undefined. */
export function topicNameProblem(name: string): string | undefined {
  if (name === "") return "Topic name is invalid: the empty string is not allowed";
  if (name === "." || name === "..") return `Topic name is invalid: '${name}' is not allowed`;
  if (name.length > MAX_NAME)
    return `Topic name is invalid: the length of '${name}' is longer than the max allowed length ${MAX_NAME}`;
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`;
  }
  return undefined;
}

/** The topic that a request names by id (newer versions) or by name. */
export function findTopic(
  broker: Broker,
  byId: boolean,
  given: { readonly topicId: string; readonly name: string },
): Topic | ErrorCode {
  const topic = byId ? broker.topics.getById(given.topicId) : broker.topics.get(given.name);
  return topic ?? (byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
}

/** The log of a partition. */
export function findLog(topic: Topic | ErrorCode, partition: number): PartitionLog | ErrorCode {
  if (typeof topic === "number") return topic;
  return topic.partitions[partition] ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
}

/** Checks the leader epoch that a client knows against ours; -1 is "none". */
export function leaderEpochError(log: PartitionLog, known: number): ErrorCode | undefined {
  if (known < 0 || known === log.leaderEpoch) return undefined;
  return known < log.leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH;
}
