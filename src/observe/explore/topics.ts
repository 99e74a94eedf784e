import { MillraceError } from "../../errors.ts";
import type { KafkaClient } from "../../kafka/client/index.ts";
import type { MessagePage, TopicDetail, TopicSummary } from "../api-explore.ts";
import type { QueryLog } from "../query-log.ts";
import { partitions } from "../summary.ts";
import {
  type ClusterTopic,
  listTopics,
  type PartitionEnds,
  partitionEnds,
  quickClient,
  topicBytes,
  topicConfig,
} from "./kafka-cluster.ts";
import { Kept } from "./kept.ts";
import { type MessageRequest, readMessages } from "./messages.ts";
import { Problem } from "./problem.ts";

/** Ends of a topic that were seen less than so long ago tell its rate. */
const RATE_MS = 10_000;

/** The topics of the pipeline's Kafka. Reads only: no group is joined, no offset committed. */
export class TopicExplorer {
  readonly #log: QueryLog;
  readonly #client = new Kept<KafkaClient>({
    title: "Kafka",
    deadlineMs: 8_000,
    open: async (servers) => quickClient(servers),
    close: (client) => client.close(),
    // who answers with an error is still there
    isBroken: (error) => error instanceof MillraceError && error.code === "KAFKA_UNREACHABLE",
  });
  /** The ends of topics when somebody looked, oldest first. */
  readonly #seen = new Map<string, { readonly at: number; readonly end: number }[]>();

  constructor(log: QueryLog) {
    this.#log = log;
  }

  list(servers: string): Promise<TopicSummary[]> {
    return this.#ask(servers, async (client) => this.#summaries(client, await listTopics(client, null)));
  }

  detail(servers: string, name: string): Promise<TopicDetail> {
    checkTopic(name);
    return this.#ask(servers, async (client) => {
      const [topic] = await listTopics(client, [name]);
      if (topic === undefined || topic.partitions.length === 0) throw await client.unknownTopic(name);
      const found = await partitionEnds(client, [topic]);
      const [[summary], config] = await Promise.all([
        this.#summaries(client, [topic], found),
        topicConfig(client, name).catch(() => ({})),
      ]);
      const reading = this.#reading(name);
      return {
        ...summary!,
        offsets: topic.partitions.map(({ partition, leader }) => {
          const ends = found.ends.get(name)?.get(partition);
          return {
            partition,
            start: `${ends?.start ?? 0}`,
            end: `${ends?.end ?? 0}`,
            leader,
            read: Object.fromEntries(
              reading.flatMap(({ query, partitions: of }) => {
                const at = of.find((p) => p.number === partition);
                return at === undefined ? [] : [[query, at.read] as const];
              }),
            ),
          };
        }),
        config,
      };
    });
  }

  messages(servers: string, name: string, request: MessageRequest): Promise<MessagePage> {
    checkTopic(name);
    return this.#ask(servers, (client) => readMessages(client, name, request));
  }

  close(): void {
    this.#client.close();
  }

  #ask<T>(servers: string, work: (client: KafkaClient) => Promise<T>): Promise<T> {
    return this.#client.use(servers, work);
  }

  async #summaries(
    client: KafkaClient,
    topics: readonly ClusterTopic[],
    found?: Awaited<ReturnType<typeof partitionEnds>>,
  ): Promise<TopicSummary[]> {
    const [{ ends, problems }, bytes] = await Promise.all([
      found ?? partitionEnds(client, topics),
      topicBytes(client, topics),
    ]);
    const now = Date.now();
    return topics.map((topic): TopicSummary => {
      const of = [...(ends.get(topic.name)?.values() ?? [])];
      const problem = topic.problem ?? problems.get(topic.name) ?? null;
      return {
        name: topic.name,
        internal: topic.internal || topic.name.startsWith("__"),
        partitions: topic.partitions.length,
        records: of.reduce((n, e) => n + (e.end - e.start), 0),
        bytes: bytes?.get(topic.name) ?? null,
        recordsPerSecond: problem === null ? this.#rate(topic.name, of, now) : null,
        readers: this.#reading(topic.name).map(({ query, partitions: read }) => ({
          query,
          lagRows: read.reduce((n, p) => n + p.lagRows, 0),
          lagSeconds: worst(read.map((p) => p.lagSeconds)),
        })),
        problem,
      };
    });
  }

  #rate(topic: string, ends: readonly PartitionEnds[], now: number): number | null {
    const end = ends.reduce((n, e) => n + e.end, 0);
    const seen = (this.#seen.get(topic) ?? []).filter((s) => now - s.at <= RATE_MS);
    const [first] = seen;
    seen.push({ at: now, end });
    this.#seen.set(topic, seen);
    if (first === undefined || now - first.at < 200) return null;
    return Math.max(0, ((end - first.end) * 1000) / (now - first.at));
  }

  /** The queries that run and read a topic. */
  #reading(topic: string): { query: string; partitions: ReturnType<typeof partitions> }[] {
    const now = Date.now();
    return this.#log
      .queries()
      .filter((q) => q.state !== "ended" && q.state !== "failed")
      .map((q) => ({ query: q.name ?? q.id, partitions: partitions(q, now).filter((p) => p.topic === topic) }))
      .filter(({ partitions: of }) => of.length > 0);
  }
}

/** The largest; null when one is not known. */
function worst(seconds: readonly (number | null)[]): number | null {
  let most = 0;
  for (const s of seconds) {
    if (s === null) return null;
    most = Math.max(most, s);
  }
  return most;
}

function checkTopic(name: string): void {
  if (/^[A-Za-z0-9._-]{1,249}$/.test(name)) return;
  throw new Problem(
    404,
    "KAFKA_UNKNOWN_TOPIC",
    `${JSON.stringify(name.slice(0, 100))} cannot be the name of a topic.`,
    "Letters, digits, '.', '_' and '-' are allowed, 249 at most.",
  );
}
