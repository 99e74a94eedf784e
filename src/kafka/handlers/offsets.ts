import { publish } from "../../events.ts";
import type { PartitionOffset } from "../log/offset-store.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import {
  offsetCommit as offsetCommitApi,
  offsetDelete as offsetDeleteApi,
  offsetFetch as offsetFetchApi,
} from "../wire/messages/offsets.ts";
import type { Broker } from "./broker.ts";
import { subscribedTopics } from "./consumer-protocol.ts";
import { handler } from "./handler.ts";
import { findLog, findTopic } from "./topics-of.ts";

/** Longest metadata of a committed offset (Kafka's offset.metadata.max.bytes). */
const MAX_METADATA_BYTES = 4096;

/** OffsetCommit: everything a request commits is kept together or not at all. */
export const offsetCommit = handler(offsetCommitApi, async (request, { broker }) => {
  const { groupId } = request;
  const refused =
    groupId === ""
      ? ErrorCode.INVALID_GROUP_ID
      : broker.groups.commitError(groupId, {
          memberId: request.memberId,
          instanceId: request.groupInstanceId,
          generation: request.generationIdOrMemberEpoch,
        });
  const timestamp = Date.now();
  const accepted: PartitionOffset[] = [];
  const errors = request.topics.map(({ name, partitions }) => {
    const topic = findTopic(broker, false, { topicId: "", name });
    return partitions.map((p): ErrorCode => {
      if (refused !== undefined) return refused;
      const log = findLog(topic, p.partitionIndex);
      if (typeof log === "number") return log;
      const metadata = p.committedMetadata ?? "";
      if (Buffer.byteLength(metadata) > MAX_METADATA_BYTES) return ErrorCode.OFFSET_METADATA_TOO_LARGE;
      accepted.push({
        topic: name,
        partition: p.partitionIndex,
        offset: p.committedOffset,
        leaderEpoch: p.committedLeaderEpoch,
        metadata,
        timestamp,
      });
      return ErrorCode.NONE;
    });
  });
  const failed = accepted.length > 0 ? await commit(broker, groupId, accepted) : undefined;
  return {
    topics: request.topics.map(({ name, partitions }, t) => ({
      name,
      partitions: partitions.map(({ partitionIndex }, p) => {
        const errorCode = errors[t]![p]!;
        return { partitionIndex, errorCode: errorCode === ErrorCode.NONE ? (failed ?? errorCode) : errorCode };
      }),
    })),
  };
});

async function commit(broker: Broker, group: string, offsets: PartitionOffset[]): Promise<ErrorCode | undefined> {
  try {
    broker.offsets.commit(group, offsets);
    if (broker.config.fsync) await broker.offsets.sync();
    return undefined;
  } catch (error) {
    publish("server.error", { server: "kafka", error: error as Error });
    // Makes every client try again.
    return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  }
}

interface FetchedTopic {
  name: string;
  partitions: {
    partitionIndex: number;
    committedOffset: number;
    committedLeaderEpoch: number;
    metadata: string;
    errorCode: number;
  }[];
}

export const offsetFetch = handler(offsetFetchApi, (request, { broker, version }) => {
  if (version < 8) {
    if (request.groupId === "") return { topics: [], errorCode: ErrorCode.INVALID_GROUP_ID, groups: [] };
    return { topics: fetched(broker, request.groupId, request.topics), errorCode: ErrorCode.NONE };
  }
  return {
    groups: request.groups.map(({ groupId, topics }) =>
      groupId === ""
        ? { groupId, topics: [], errorCode: ErrorCode.INVALID_GROUP_ID }
        : { groupId, topics: fetched(broker, groupId, topics), errorCode: ErrorCode.NONE },
    ),
  };
});

/** The committed offsets of the given partitions, or of all; those without one have offset -1 and no error. */
function fetched(
  broker: Broker,
  group: string,
  topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[] | null,
): FetchedTopic[] {
  let wanted = topics;
  if (wanted === null) {
    const all = new Map<string, number[]>();
    for (const { topic, partition } of broker.offsets.offsets(group)) {
      const known = all.get(topic);
      if (known === undefined) all.set(topic, [partition]);
      else known.push(partition);
    }
    wanted = Array.from(all, ([name, partitionIndexes]) => ({ name, partitionIndexes }));
  }
  return wanted.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => {
      const committed = broker.offsets.get(group, name, partitionIndex);
      return {
        partitionIndex,
        committedOffset: committed?.offset ?? -1,
        committedLeaderEpoch: committed?.leaderEpoch ?? -1,
        metadata: committed?.metadata ?? "",
        errorCode: ErrorCode.NONE,
      };
    }),
  }));
}

/** OffsetDelete: forgets offsets of topics that no member of the group reads. */
export const offsetDelete = handler(offsetDeleteApi, (request, { broker }) => {
  const { groupId } = request;
  const group = broker.groups.get(groupId);
  const live = group !== undefined && group.state !== "Empty" && group.state !== "Dead";
  if (!live && !broker.offsets.has(groupId)) return { errorCode: ErrorCode.GROUP_ID_NOT_FOUND, topics: [] };
  if (live && group.protocolType !== "consumer") return { errorCode: ErrorCode.NON_EMPTY_GROUP, topics: [] };
  const subscribed = live ? subscribedTopics(group) : new Set<string>();
  const gone: { topic: string; partition: number }[] = [];
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => {
      if (subscribed === undefined || subscribed.has(name)) {
        return { partitionIndex, errorCode: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC };
      }
      gone.push({ topic: name, partition: partitionIndex });
      return { partitionIndex, errorCode: ErrorCode.NONE };
    }),
  }));
  if (gone.length > 0) broker.offsets.forget(groupId, gone);
  return { errorCode: ErrorCode.NONE, topics };
});
