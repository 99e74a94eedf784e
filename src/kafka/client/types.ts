import type { HostAndPort } from "./options.ts";

export type IsolationLevel = "read_uncommitted" | "read_committed";

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionOffset extends TopicPartition {
  readonly offset: number;
}

export interface PartitionInfo {
  readonly partition: number;
  /** Node id of the leader, -1 when there is none. */
  readonly leader: number;
}

export interface TopicInfo {
  readonly name: string;
  readonly internal: boolean;
  /** In order of their numbers. */
  readonly partitions: readonly PartitionInfo[];
}

export interface ClusterInfo {
  readonly clusterId: string | null;
  readonly brokers: readonly (HostAndPort & { readonly nodeId: number })[];
  /** The topics asked for that exist. */
  readonly topics: ReadonlyMap<string, TopicInfo>;
  /** The topics asked for that do not exist. */
  readonly missing: readonly string[];
}

export interface NewTopic {
  readonly name: string;
  /** Default: the broker's `num.partitions`. */
  readonly partitions?: number;
  readonly replicationFactor?: number;
  /** Such as `{ "cleanup.policy": "compact" }`. */
  readonly configs?: Readonly<Record<string, string>>;
}

/** What ListOffsets understands besides a time in milliseconds. */
export const EARLIEST = -2;
export const LATEST = -1;

export interface FetchPartition extends PartitionOffset {
  readonly maxBytes: number;
}

export interface FetchLimits {
  /** How long the broker may hold the answer back until `minBytes` are there. */
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface FetchedPartition extends TopicPartition {
  /** Kafka's error code of this partition, 0 for none. */
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  /** Ordered by `firstOffset`; only for read_committed. */
  readonly aborted: readonly AbortedTransaction[];
  /** Whole record batches as stored, starting with the one that holds the offset asked for; the last one may be cut off. */
  readonly records: Buffer;
}

/** Requests that may be held back by the broker have connections of their own, so that nothing waits behind them. */
export type Purpose = "control" | "fetch" | "wait" | "produce";

/** Groups items by topic, as every request wants them. */
export function byTopic<T extends TopicPartition>(items: readonly T[]): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.topic);
    if (group === undefined) groups.set(item.topic, [item]);
    else group.push(item);
  }
  return [...groups];
}

/** A partition as the key of a map. */
export function keyOf(partition: TopicPartition): string {
  return `${partition.partition}/${partition.topic}`;
}
