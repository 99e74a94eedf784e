import { MillraceError } from "../../errors.ts";
import { brokerError, EARLIEST, KafkaClient, LATEST } from "../../kafka/client/index.ts";
import { describeConfigs } from "../../kafka/wire/messages/configs.ts";
import { listOffsets } from "../../kafka/wire/messages/fetch.ts";
import { describeLogDirs } from "../../kafka/wire/messages/log-dirs.ts";
import { metadata } from "../../kafka/wire/messages/metadata.ts";

/** A topic as the brokers describe it. */
export interface ClusterTopic {
  readonly name: string;
  readonly internal: boolean;
  readonly partitions: readonly { readonly partition: number; readonly leader: number | null }[];
  readonly problem: string | null;
}

export interface PartitionEnds {
  readonly start: number;
  readonly end: number;
}

/** A client that gives up soon: somebody is looking at the page. */
export function quickClient(servers: string): KafkaClient {
  return KafkaClient.connect({
    "bootstrap.servers": servers,
    "client.id": "millrace-dashboard",
    "request.timeout.ms": "4000",
    "default.api.timeout.ms": "2000",
    "socket.connection.setup.timeout.ms": "2000",
    "allow.auto.create.topics": "false",
  });
}

/**
 * What the cluster holds, asked in a way that one topic in trouble does not hide the others: each has its own problem. (`KafkaClient.metadata` is
 * for those who need all of what they ask for.)
 */
export async function listTopics(client: KafkaClient, names: readonly string[] | null): Promise<ClusterTopic[]> {
  const connection = await anyBroker(client);
  const found = await connection.request(metadata, {
    topics: names === null ? null : names.map((name) => ({ name })),
    allowAutoTopicCreation: false,
  });
  return found.topics
    .map((topic): ClusterTopic => {
      const partitions = topic.partitions
        .map((p) => ({ partition: p.partitionIndex, leader: p.leaderId < 0 ? null : p.leaderId }))
        .sort((a, b) => a.partition - b.partition);
      const leaderless = partitions.filter((p) => p.leader === null).map((p) => p.partition);
      const problem =
        topic.errorCode !== 0
          ? brokerError(topic.errorCode, "describe it").reason
          : leaderless.length > 0
            ? `Partition ${leaderless.join(", ")} has no leader: no broker that holds it is up.`
            : null;
      return { name: topic.name ?? "", internal: topic.isInternal, partitions, problem };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Start and end of every partition that has a leader, by topic and partition; and what went wrong, by topic. */
export async function partitionEnds(
  client: KafkaClient,
  topics: readonly ClusterTopic[],
): Promise<{ readonly ends: Map<string, Map<number, PartitionEnds>>; readonly problems: Map<string, string> }> {
  const ends = new Map<string, Map<number, PartitionEnds>>(topics.map((t) => [t.name, new Map()]));
  const problems = new Map<string, string>();
  const led = topics.flatMap((t) =>
    t.partitions.flatMap((p) =>
      p.leader === null ? [] : [{ topic: t.name, partition: p.partition, leader: p.leader }],
    ),
  );
  const ask = async (leader: number, of: typeof led, timestamp: number) => {
    const connection = await client.connection(leader, "control");
    const byTopic = Map.groupBy(of, (p) => p.topic);
    const answer = await connection.request(listOffsets, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [...byTopic].map(([name, list]) => ({
        name,
        partitions: list.map((p) => ({ partitionIndex: p.partition, timestamp })),
      })),
    });
    return answer.topics;
  };
  await Promise.all(
    [...Map.groupBy(led, (p) => p.leader)].map(async ([leader, of]) => {
      try {
        const [first, last] = await Promise.all([ask(leader, of, EARLIEST), ask(leader, of, LATEST)]);
        const starts = new Map(first.map((t) => [t.name, new Map(t.partitions.map((p) => [p.partitionIndex, p]))]));
        for (const topic of last) {
          for (const p of topic.partitions) {
            const start = starts.get(topic.name)?.get(p.partitionIndex);
            const failed = p.errorCode !== 0 ? p.errorCode : (start?.errorCode ?? 0);
            if (failed !== 0) {
              problems.set(topic.name, brokerError(failed, `list the offsets of partition ${p.partitionIndex}`).reason);
            } else ends.get(topic.name)?.set(p.partitionIndex, { start: start?.offset ?? 0, end: p.offset });
          }
        }
      } catch (error) {
        for (const { topic } of of) problems.set(topic, reasonOf(error));
      }
    }),
  );
  return { ends, problems };
}

/** Bytes on the brokers by topic, all copies; undefined when no broker tells. */
export async function topicBytes(
  client: KafkaClient,
  topics: readonly ClusterTopic[],
): Promise<ReadonlyMap<string, number> | undefined> {
  const leaders = new Set(topics.flatMap((t) => t.partitions.flatMap((p) => p.leader ?? [])));
  const bytes = new Map<string, number>();
  let told = false;
  await Promise.all(
    [...leaders].map(async (leader) => {
      try {
        const connection = await client.connection(leader, "control");
        const answer = await connection.request(describeLogDirs, {
          topics: topics.map((t) => ({ topic: t.name, partitions: t.partitions.map((p) => p.partition) })),
        });
        for (const directory of answer.results) {
          if (directory.errorCode !== 0) continue;
          told = true;
          for (const topic of directory.topics) {
            const sum = topic.partitions.reduce((n, p) => n + p.partitionSize, 0);
            bytes.set(topic.name, (bytes.get(topic.name) ?? 0) + sum);
          }
        }
      } catch {
        // A broker may forbid the question; the size is then not known, and nothing else is wrong.
      }
    }),
  );
  return told ? bytes : undefined;
}

/** The settings of a topic; what the broker calls sensitive is hidden. */
export async function topicConfig(client: KafkaClient, topic: string): Promise<Record<string, string>> {
  const connection = await anyBroker(client);
  const answer = await connection.request(describeConfigs, {
    resources: [{ resourceType: TOPIC, resourceName: topic, configurationKeys: null }],
    includeSynonyms: false,
    includeDocumentation: false,
  });
  const [found] = answer.results;
  if (found === undefined || found.errorCode !== 0) return {};
  return Object.fromEntries(
    found.configs
      .map(({ name, value, isSensitive }) => [name, isSensitive ? "***" : (value ?? "")] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const TOPIC = 2;

async function anyBroker(client: KafkaClient): Promise<Awaited<ReturnType<KafkaClient["connection"]>>> {
  const { brokers } = await client.metadata([]);
  let last: unknown;
  for (const broker of brokers) {
    try {
      return await client.connection(broker.nodeId, "control");
    } catch (error) {
      last = error;
    }
  }
  throw last ?? new MillraceError("KAFKA_UNREACHABLE", "The cluster lists no broker.", { retryable: true });
}

export function reasonOf(error: unknown): string {
  return error instanceof MillraceError ? error.reason : error instanceof Error ? error.message : String(error);
}
