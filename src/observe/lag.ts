import type { SourceProgress } from "../backend.ts";

/** A partition of a source at a batch; offsets as text. */
export interface PartitionOffsets {
  /** `topic-0`. */
  readonly partition: string;
  readonly topic: string;
  readonly number: number;
  readonly read: string;
  readonly latest: string;
  readonly lagRows: number;
}

/** How far each partition was read; empty when the source does not tell. */
export function partitionsOf(source: SourceProgress): readonly PartitionOffsets[] {
  const latest = offsets(source.latestOffset);
  const end = offsets(source.endOffset);
  if (latest === undefined || end === undefined) return [];
  return [...latest].map(([partition, at]) => {
    const read = end.get(partition)?.offset ?? at.offset;
    const { topic, number, offset } = at;
    return { partition, topic, number, read: `${read}`, latest: `${offset}`, lagRows: Math.max(0, offset - read) };
  });
}

/** Records behind the newest, by `topic-partition`; undefined when the source does not tell. */
export function lagByPartition(source: SourceProgress): ReadonlyMap<string, number> | undefined {
  const found = partitionsOf(source);
  return found.length === 0 ? undefined : new Map(found.map(({ partition, lagRows }) => [partition, lagRows]));
}

/** Records behind the newest, over all partitions; undefined when the source does not tell. */
export function lagOf(source: SourceProgress): number | undefined {
  const lags = lagByPartition(source);
  return lags && [...lags.values()].reduce((a, b) => a + b, 0);
}

/** Kafka's offsets in progress JSON: topic, partition, offset. */
function offsets(value: unknown): Map<string, { topic: string; number: number; offset: number }> | undefined {
  let parsed = value;
  if (typeof value === "string") {
    try {
      parsed = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const found = new Map<string, { topic: string; number: number; offset: number }>();
  for (const [topic, partitions] of Object.entries(parsed)) {
    if (typeof partitions !== "object" || partitions === null) return undefined;
    for (const [partition, offset] of Object.entries(partitions)) {
      found.set(`${topic}-${partition}`, { topic, number: Number(partition), offset: Number(offset) });
    }
  }
  return found;
}
