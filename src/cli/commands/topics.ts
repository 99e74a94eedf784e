import { EARLIEST, KafkaClient, LATEST, type TopicInfo } from "../../kafka/client/index.ts";
import { kafkaAddress } from "../addresses.ts";
import { type CommonOptions, EXIT, note, onStderr, print, table } from "../output.ts";

export interface TopicOptions extends CommonOptions {
  kafka?: string;
  /** The client's settings, as `security.protocol`. */
  kafkaConfig: Readonly<Record<string, string>>;
}

/** Gives a client to `work` and closes it. */
export async function withKafka<T>(
  options: TopicOptions,
  work: (client: KafkaClient, address: string) => Promise<T>,
  settings: Readonly<Record<string, string>> = {},
): Promise<T> {
  const address = options.kafkaConfig["bootstrap.servers"] ?? (await kafkaAddress(options.kafka));
  const client = KafkaClient.connect({
    "client.id": "millrace-cli",
    ...settings,
    ...options.kafkaConfig,
    "bootstrap.servers": address,
  });
  try {
    return await work(client, address);
  } finally {
    client.close();
  }
}

interface PartitionSummary {
  partition: number;
  earliest: number;
  latest: number;
  records: number;
}

/** Offsets of every partition of the topics. The number of records is at most what lies between them: deleted and control records count. */
async function partitionsOf(
  client: KafkaClient,
  topics: readonly TopicInfo[],
): Promise<Map<string, PartitionSummary[]>> {
  // One partition without a leader must not hide the others.
  const all = topics.flatMap((t) =>
    t.partitions.filter((p) => p.leader >= 0).map((p) => ({ topic: t.name, partition: p.partition })),
  );
  const [earliest, latest] = await Promise.all([client.listOffsets(all, EARLIEST), client.listOffsets(all, LATEST)]);
  const first = new Map(earliest.map((o) => [`${o.topic}/${o.partition}`, o.offset]));
  const found = new Map<string, PartitionSummary[]>(topics.map((t) => [t.name, []]));
  for (const o of latest) {
    const from = first.get(`${o.topic}/${o.partition}`) ?? 0;
    found.get(o.topic)!.push({ partition: o.partition, earliest: from, latest: o.offset, records: o.offset - from });
  }
  for (const list of found.values()) list.sort((a, b) => a.partition - b.partition);
  return found;
}

export function list(options: TopicOptions & { internal?: boolean }): Promise<number> {
  return withKafka(options, async (client, address) => {
    const { topics } = await client.metadata(null);
    const shown = [...topics.values()]
      .filter((t) => options.internal === true || !t.internal)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const partitions = await partitionsOf(client, shown);
    const rows = shown.map((t) => ({
      name: t.name,
      partitions: t.partitions.length,
      records: partitions.get(t.name)!.reduce((n, p) => n + p.records, 0),
    }));
    if (options.json) print(JSON.stringify({ topics: rows }));
    else if (rows.length === 0) note(onStderr("dim", `There are no topics at ${address}.`));
    else {
      print(
        table(
          ["topic", "partitions", "records"],
          rows.map((r) => [r.name, r.partitions, r.records]),
        ),
      );
    }
    return EXIT.ok;
  });
}

export function describe(names: readonly string[], options: TopicOptions): Promise<number> {
  return withKafka(options, async (client) => {
    const topics = await client.describeTopics(names);
    const partitions = await partitionsOf(client, topics);
    if (options.json) {
      const found = topics.map((t) => ({
        name: t.name,
        internal: t.internal,
        partitions: t.partitions.map((p) => ({
          partition: p.partition,
          leader: p.leader,
          ...partitions.get(t.name)!.find((s) => s.partition === p.partition),
        })),
      }));
      print(JSON.stringify({ topics: found }));
      return EXIT.ok;
    }
    print(
      table(
        ["topic", "partition", "leader", "earliest", "latest", "records"],
        topics.flatMap((t) =>
          t.partitions.map((p) => {
            const s = partitions.get(t.name)!.find((found) => found.partition === p.partition);
            const leader = p.leader < 0 ? "none" : String(p.leader);
            const offsets =
              s === undefined ? ["-", "-", "-"] : [String(s.earliest), String(s.latest), String(s.records)];
            return [t.name, p.partition, leader, ...offsets];
          }),
        ),
      ),
    );
    return EXIT.ok;
  });
}

export interface CreateOptions extends TopicOptions {
  partitions?: number;
  replicationFactor?: number;
  config: Record<string, string>;
  ifNotExists?: boolean;
}

export function create(names: readonly string[], options: CreateOptions): Promise<number> {
  return withKafka(options, async (client) => {
    const { partitions, replicationFactor, config } = options;
    await client.createTopics(
      names.map((name) => ({
        name,
        configs: config,
        ...(partitions !== undefined && { partitions }),
        ...(replicationFactor !== undefined && { replicationFactor }),
      })),
      { ifNotExists: options.ifNotExists === true },
    );
    if (options.json) print(JSON.stringify({ created: names }));
    else note(`created ${names.join(", ")}`);
    return EXIT.ok;
  });
}

export function remove(names: readonly string[], options: TopicOptions): Promise<number> {
  return withKafka(options, async (client) => {
    await client.deleteTopics(names);
    if (options.json) print(JSON.stringify({ deleted: names }));
    else note(`deleted ${names.join(", ")}`);
    return EXIT.ok;
  });
}
