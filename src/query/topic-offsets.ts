import { EARLIEST, type KafkaClient, LATEST, type PartitionOffset } from "../kafka/client/index.ts";

/** Where a topic lies: its partitions, and of each the first offset and the one that comes next. */
export interface TopicOffsets {
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
  readonly first: readonly PartitionOffset[];
  readonly next: readonly PartitionOffset[];
}

/** Asks for them. Throws what Kafka says, also of a topic that is not there. */
export async function topicOffsets(client: KafkaClient, topic: string): Promise<TopicOffsets> {
  const [info] = await client.describeTopics([topic]);
  const partitions = info!.partitions.map(({ partition }) => ({ topic, partition }));
  const [first, next] = await Promise.all([
    client.listOffsets(partitions, EARLIEST),
    client.listOffsets(partitions, LATEST),
  ]);
  return { partitions, first, next };
}
