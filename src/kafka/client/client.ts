import { MillraceError, nearest } from "../../errors.ts";
import type { Api } from "../wire/api.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import { fetch, listOffsets } from "../wire/messages/fetch.ts";
import { findCoordinator } from "../wire/messages/membership.ts";
import { metadata } from "../wire/messages/metadata.ts";
import { offsetCommit, offsetFetch } from "../wire/messages/offsets.ts";
import { createTopics, deleteTopics } from "../wire/messages/topics.ts";
import { Connection } from "./connection.ts";
import { brokerError, isRetriable, unreachable } from "./errors.ts";
import { type HostAndPort, type KafkaClientOptions, parseKafkaOptions } from "./options.ts";
import {
  byTopic,
  type ClusterInfo,
  type FetchedPartition,
  type FetchLimits,
  type FetchPartition,
  type IsolationLevel,
  type NewTopic,
  type PartitionInfo,
  type PartitionOffset,
  type Purpose,
  type TopicInfo,
  type TopicPartition,
} from "./types.ts";

const NO_RECORDS = Buffer.alloc(0);
const ATTEMPTS = 4;
const UNKNOWN = new Set<number>([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID]);

/**
 * A Kafka client without hidden threads, groups or buffers: metadata, topics, offsets, raw fetches, committed offsets of a group. The
 * producer (`KafkaProducer`) and the columnar ingest stand on it.
 *
 * Errors: KAFKA_UNREACHABLE (retryable), KAFKA_UNKNOWN_TOPIC, KAFKA_AUTHENTICATION, KAFKA_PROTOCOL.
 *
 * ```ts
 * const client = KafkaClient.connect({ "bootstrap.servers": "localhost:9092" });
 * await client.createTopics([{ name: "flights", partitions: 4 }]);
 * await client.listOffsets([{ topic: "flights", partition: 0 }], LATEST);
 * client.close();
 * ```
 */
export class KafkaClient {
  readonly options: KafkaClientOptions;
  readonly #connections = new Map<string, Promise<Connection>>();
  #brokers = new Map<number, HostAndPort>();
  #controller = -1;
  readonly #leaders = new Map<string, readonly PartitionInfo[]>();
  #closed = false;
  #answered = false;

  constructor(options: KafkaClientOptions) {
    this.options = options;
  }

  /** A client for Kafka's own settings; connects on first use. */
  static connect(settings: Readonly<Record<string, string>>): KafkaClient {
    return new KafkaClient(parseKafkaOptions(settings));
  }

  /** What the cluster knows of `topics` (null: of all). Topics that are missing are not an error here. */
  async metadata(topics: readonly string[] | null, allowAutoTopicCreation = false): Promise<ClusterInfo> {
    const answer = await this.#retrying(async () => {
      const connection = await this.#anyBroker();
      const found = await connection.request(metadata, {
        topics: topics === null ? null : topics.map((name) => ({ name })),
        allowAutoTopicCreation,
      });
      for (const topic of found.topics) {
        // A topic in transit must not look like one that has lost its partitions.
        if (isRetriable(topic.errorCode) && !UNKNOWN.has(topic.errorCode)) {
          throw brokerError(topic.errorCode, `describe topic "${topic.name}"`);
        }
      }
      return found;
    });
    this.#brokers = new Map(answer.brokers.map((b) => [b.nodeId, { host: b.host, port: b.port }]));
    this.#controller = answer.controllerId;
    const found = new Map<string, TopicInfo>();
    const missing: string[] = [];
    for (const topic of answer.topics) {
      const name = topic.name ?? "";
      if (UNKNOWN.has(topic.errorCode)) {
        missing.push(name);
        this.#leaders.delete(name);
        continue;
      }
      if (topic.errorCode === ErrorCode.INVALID_TOPIC_EXCEPTION) {
        throw new MillraceError("KAFKA_UNKNOWN_TOPIC", `"${name}" cannot be the name of a Kafka topic.`, {
          hint: "Letters, digits, '.', '_' and '-' are allowed, 249 at most.",
          parameters: { topic: name },
        });
      }
      if (topic.errorCode !== 0) {
        throw brokerError(topic.errorCode, `describe topic "${name}"`);
      }
      const partitions = topic.partitions
        .map((p) => ({ partition: p.partitionIndex, leader: p.leaderId }))
        .sort((a, b) => a.partition - b.partition);
      this.#leaders.set(name, partitions);
      found.set(name, { name, internal: topic.isInternal, partitions });
    }
    return {
      clusterId: answer.clusterId,
      brokers: answer.brokers.map((b) => ({ nodeId: b.nodeId, host: b.host, port: b.port })),
      topics: found,
      missing,
    };
  }

  /** The topics, all of which must exist: throws KAFKA_UNKNOWN_TOPIC with near names otherwise. */
  async describeTopics(names: readonly string[]): Promise<TopicInfo[]> {
    const info = await this.metadata(names);
    if (info.missing.length > 0) throw await this.unknownTopic(info.missing[0]!);
    return names.flatMap((name) => info.topics.get(name) ?? []);
  }

  /** The error for a topic that does not exist, naming those whose names are near. */
  async unknownTopic(name: string): Promise<MillraceError> {
    let known: string[] = [];
    try {
      known = [...(await this.metadata(null)).topics.values()].filter((t) => !t.internal).map((t) => t.name);
    } catch {
      // The list is only for the hint; the topic is missing either way.
    }
    known.sort();
    const near = nearest(name, known);
    const some = known.slice(0, 10).join(", ") + (known.length > 10 ? ", ..." : "");
    return new MillraceError("KAFKA_UNKNOWN_TOPIC", `The Kafka topic "${name}" does not exist.`, {
      hint:
        (near === undefined ? "" : `Did you mean "${near}"? `) +
        (known.length === 0 ? "There are no topics yet." : `There are: ${some}.`),
      parameters: { topic: name },
    });
  }

  /**
   * Creates topics and waits until they have leaders. A topic that exists already is an error (TOPIC_ALREADY_EXISTS in
   * `parameters.kafkaError`) unless `ifNotExists`.
   */
  async createTopics(topics: readonly NewTopic[], options: { ifNotExists?: boolean } = {}): Promise<void> {
    const answer = await this.#onController((connection) =>
      connection.request(createTopics, {
        topics: topics.map((topic) => ({
          name: topic.name,
          numPartitions: topic.partitions ?? -1,
          replicationFactor: topic.replicationFactor ?? -1,
          assignments: [],
          configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
        })),
        timeoutMs: this.options.requestTimeoutMs,
      }),
    );
    for (const topic of answer.topics) {
      if (topic.errorCode === 0) continue;
      if (topic.errorCode === ErrorCode.TOPIC_ALREADY_EXISTS && options.ifNotExists === true) continue;
      throw brokerError(topic.errorCode, `create topic "${topic.name}"`, topic.errorMessage);
    }
    const names = topics.map((t) => t.name);
    await this.#until(`the new topics ${names.join(", ")} have leaders`, async () => {
      const { topics: found } = await this.metadata(names);
      return names.every((name) => found.get(name)?.partitions.every((p) => p.leader >= 0) === true);
    });
  }

  /** Deletes topics; one that does not exist is KAFKA_UNKNOWN_TOPIC. */
  async deleteTopics(names: readonly string[]): Promise<void> {
    const answer = await this.#onController((connection) =>
      connection.request(deleteTopics, {
        topicNames: names,
        topics: names.map((name) => ({ name })),
        timeoutMs: this.options.requestTimeoutMs,
      }),
    );
    for (const topic of answer.responses) {
      if (topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) throw await this.unknownTopic(topic.name ?? "");
      if (topic.errorCode !== 0) throw brokerError(topic.errorCode, `delete topic "${topic.name}"`, topic.errorMessage);
    }
    for (const name of names) this.#leaders.delete(name);
  }

  /**
   * Offsets of many partitions: `EARLIEST`, `LATEST` (what the isolation level lets a reader see) or the first record at or after a
   * time in milliseconds; -1 when there is none.
   */
  async listOffsets<T extends TopicPartition>(
    partitions: readonly T[],
    at: number | ((partition: T) => number),
    isolation: IsolationLevel = this.options.isolation,
  ): Promise<PartitionOffset[]> {
    if (partitions.length === 0) return [];
    return this.#retrying(async () => {
      try {
        return await this.#listOffsetsOnce(partitions, at, isolation);
      } catch (error) {
        // The leaders may be others now.
        for (const { topic } of partitions) this.#forget(topic);
        throw error;
      }
    });
  }

  async #listOffsetsOnce<T extends TopicPartition>(
    partitions: readonly T[],
    at: number | ((partition: T) => number),
    isolation: IsolationLevel,
  ): Promise<PartitionOffset[]> {
    const groups = await this.#byLeader(partitions);
    const parts = await Promise.all(
      [...groups].map(async ([nodeId, group]) => {
        const connection = await this.connection(nodeId, "control");
        const answer = await connection.request(listOffsets, {
          replicaId: -1,
          isolationLevel: isolation === "read_committed" ? 1 : 0,
          topics: byTopic(group).map(([name, of]) => ({
            name,
            partitions: of.map((p) => ({
              partitionIndex: p.partition,
              timestamp: typeof at === "number" ? at : at(p),
            })),
          })),
        });
        return answer.topics.flatMap((topic) =>
          topic.partitions.map((p) => {
            if (p.errorCode !== 0) {
              this.#forget(topic.name);
              throw brokerError(p.errorCode, `list offsets of ${topic.name}-${p.partitionIndex}`);
            }
            return { topic: topic.name, partition: p.partitionIndex, offset: p.offset };
          }),
        );
      }),
    );
    return parts.flat();
  }

  /** One fetch from one broker. Errors of single partitions are in the answer; the caller decides. */
  async fetchFrom(
    nodeId: number,
    partitions: readonly FetchPartition[],
    limits: FetchLimits,
    purpose: Purpose = "fetch",
    isolation: IsolationLevel = this.options.isolation,
  ): Promise<FetchedPartition[]> {
    const connection = await this.connection(nodeId, purpose);
    const answer = await connection.request(
      fetch,
      {
        maxWaitMs: limits.maxWaitMs,
        minBytes: limits.minBytes,
        maxBytes: limits.maxBytes,
        isolationLevel: isolation === "read_committed" ? 1 : 0,
        // No fetch session (id 0, epoch -1): the partitions change with every request.
        sessionId: 0,
        sessionEpoch: -1,
        topics: byTopic(partitions).map(([topic, of]) => ({
          topic,
          partitions: of.map((p) => ({
            partition: p.partition,
            fetchOffset: p.offset,
            partitionMaxBytes: p.maxBytes,
          })),
        })),
        forgottenTopicsData: [],
        rackId: "",
      },
      // The answer may be held back for maxWaitMs, and a large one takes its time.
      limits.maxWaitMs + this.options.requestTimeoutMs,
    );
    if (answer.errorCode !== 0) throw brokerError(answer.errorCode, "fetch records");
    return answer.responses.flatMap((topic) =>
      topic.partitions.map((p) => ({
        topic: topic.topic,
        partition: p.partitionIndex,
        errorCode: p.errorCode,
        highWatermark: p.highWatermark,
        lastStableOffset: p.lastStableOffset,
        logStartOffset: p.logStartOffset,
        // Brokers list them in order of their ends.
        aborted: (p.abortedTransactions ?? []).sort((a, b) => a.firstOffset - b.firstOffset),
        records: p.records ?? NO_RECORDS,
      })),
    );
  }

  /** Stores offsets of a group without being a member of it: for reporting lag to the usual tools. */
  async commitOffsets(group: string, offsets: readonly (PartitionOffset & { metadata?: string })[]): Promise<void> {
    if (offsets.length === 0) return;
    await this.#onCoordinator(group, async (connection) => {
      const answer = await connection.request(offsetCommit, {
        groupId: group,
        generationIdOrMemberEpoch: -1,
        memberId: "",
        topics: byTopic(offsets).map(([name, of]) => ({
          name,
          partitions: of.map((p) => ({
            partitionIndex: p.partition,
            committedOffset: p.offset,
            committedMetadata: p.metadata ?? "",
          })),
        })),
      });
      for (const topic of answer.topics) {
        for (const p of topic.partitions) {
          if (p.errorCode !== 0) throw brokerError(p.errorCode, `store offsets of group "${group}"`);
        }
      }
    });
  }

  /** The offsets that a group has stored; partitions without one are left out. Null: of all topics. */
  async committedOffsets(group: string, partitions: readonly TopicPartition[] | null): Promise<PartitionOffset[]> {
    return this.#onCoordinator(group, async (connection) => {
      const answer = await connection.request(offsetFetch, {
        groupId: group,
        topics:
          partitions === null
            ? null
            : byTopic(partitions).map(([name, of]) => ({ name, partitionIndexes: of.map((p) => p.partition) })),
      });
      if (answer.errorCode !== 0) throw brokerError(answer.errorCode, `read offsets of group "${group}"`);
      return answer.topics.flatMap((topic) =>
        topic.partitions.flatMap((p) => {
          if (p.errorCode !== 0) throw brokerError(p.errorCode, `read offsets of group "${group}"`);
          return p.committedOffset < 0
            ? []
            : [{ topic: topic.name, partition: p.partitionIndex, offset: p.committedOffset }];
        }),
      );
    });
  }

  /** Leader of a partition as last heard; asks the cluster when it is not known. Throws KAFKA_UNKNOWN_TOPIC. */
  async leader(topic: string, partition: number): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const known = this.#leaders.get(topic)?.find((p) => p.partition === partition);
      if (known !== undefined && known.leader >= 0) return known.leader;
      const info = await this.metadata([topic]);
      const fresh = info.topics.get(topic);
      if (fresh === undefined) throw await this.unknownTopic(topic);
      const found = fresh.partitions.find((p) => p.partition === partition);
      if (found !== undefined && found.leader >= 0) return found.leader;
      if (attempt >= ATTEMPTS) {
        throw new MillraceError(
          "KAFKA_UNKNOWN_TOPIC",
          found === undefined
            ? `The Kafka topic "${topic}" has no partition ${partition}; it has ${fresh.partitions.length}.`
            : `The partition ${topic}-${partition} has no leader.`,
          { retryable: found !== undefined, parameters: { topic } },
        );
      }
      await this.#pause(attempt);
    }
  }

  /** The number of partitions as last heard; 0 when it is not known. */
  knownPartitions(topic: string): number {
    return this.#leaders.get(topic)?.length ?? 0;
  }

  /** Forgets the leaders of a topic, so that the next use asks again. */
  forgetLeaders(topic: string): void {
    this.#forget(topic);
  }

  /** The pooled connection to a broker for one purpose, opened on first use. */
  async connection(nodeId: number, purpose: Purpose): Promise<Connection> {
    let server = this.#brokers.get(nodeId);
    if (server === undefined) {
      await this.metadata([]);
      server = this.#brokers.get(nodeId);
      if (server === undefined) throw unreachable(`broker ${nodeId}`, new Error("the cluster no longer lists it"));
    }
    return this.#pooled(`${purpose}/${server.host}:${server.port}`, server);
  }

  /** Closes all connections; requests under way fail with STOPPED. */
  close(): void {
    this.#closed = true;
    for (const opening of this.#connections.values()) {
      opening.then(
        (connection) => connection.close(),
        () => {},
      );
    }
    this.#connections.clear();
  }

  async #pooled(key: string, server: HostAndPort): Promise<Connection> {
    if (this.#closed) throw new MillraceError("STOPPED", "The Kafka client is closed.");
    const existing = this.#connections.get(key);
    if (existing !== undefined) {
      const connection = await existing;
      if (!connection.stale) return connection;
      connection.close();
      // Another caller may have replaced it meanwhile.
      if (this.#connections.get(key) !== existing) return this.#pooled(key, server);
    }
    const opening = Connection.open(server, this.options);
    this.#connections.set(key, opening);
    try {
      const connection = await opening;
      if (this.#closed) connection.close();
      return connection;
    } catch (error) {
      if (this.#connections.get(key) === opening) this.#connections.delete(key);
      throw error;
    }
  }

  async #anyBroker(): Promise<Connection> {
    const tried = new Set<string>();
    let last: unknown;
    for (const server of [...this.#brokers.values(), ...this.options.bootstrapServers]) {
      const key = `control/${server.host}:${server.port}`;
      if (tried.has(key)) continue;
      tried.add(key);
      try {
        return await this.#pooled(key, server);
      } catch (error) {
        // Wrong credentials are wrong everywhere; another broker would only lock the account sooner.
        if (!(error instanceof MillraceError) || error.code !== "KAFKA_UNREACHABLE") throw error;
        last = error;
      }
    }
    throw last;
  }

  async #onController<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#retrying(async () => {
      if (!this.#brokers.has(this.#controller)) await this.metadata([]);
      return use(this.#controller < 0 ? await this.#anyBroker() : await this.connection(this.#controller, "control"));
    });
  }

  async #onCoordinator<T>(group: string, use: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#retrying(async () => {
      const any = await this.#anyBroker();
      const found = await any.request(findCoordinator as Api<any, any, any, any>, { key: group, keyType: 0 });
      if (found.errorCode !== 0) throw brokerError(found.errorCode, `find the coordinator of group "${group}"`);
      const server = { host: found.host as string, port: found.port as number };
      return use(await this.#pooled(`control/${server.host}:${server.port}`, server));
    });
  }

  async #byLeader<T extends TopicPartition>(partitions: readonly T[]): Promise<Map<number, T[]>> {
    const unknown = [...new Set(partitions.map((p) => p.topic))].filter((topic) => !this.#leaders.has(topic));
    if (unknown.length > 0) await this.metadata(unknown);
    const groups = new Map<number, T[]>();
    for (const partition of partitions) {
      const leader = await this.leader(partition.topic, partition.partition);
      const group = groups.get(leader);
      if (group === undefined) groups.set(leader, [partition]);
      else group.push(partition);
    }
    return groups;
  }

  #forget(topic: string): void {
    this.#leaders.delete(topic);
  }

  /**
   * Repeats what may succeed later. A cluster that has answered before is given `default.api.timeout.ms`, enough for a restart; an
   * address that never answered is reported soon.
   */
  async #retrying<T>(run: () => Promise<T>): Promise<T> {
    const started = Date.now();
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await run();
        this.#answered = true;
        return result;
      } catch (error) {
        if (this.#closed || !(error instanceof MillraceError) || !error.retryable) throw error;
        if (attempt >= ATTEMPTS && (!this.#answered || Date.now() - started > this.options.apiTimeoutMs)) throw error;
        await this.#pause(Math.min(attempt, ATTEMPTS));
      }
    }
  }

  #pause(attempt: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.options.retryBackoffMs * 2 ** (attempt - 1)));
  }

  async #until(what: string, done: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + this.options.requestTimeoutMs;
    for (let pauseMs = 5; !(await done()); pauseMs = Math.min(200, pauseMs * 2)) {
      if (Date.now() > deadline) {
        throw new MillraceError("KAFKA_UNREACHABLE", `Waited ${this.options.requestTimeoutMs} ms until ${what}.`, {
          retryable: true,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
