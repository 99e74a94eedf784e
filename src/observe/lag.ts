import type { SourceProgress } from "../backend.ts";

/** Records behind the newest, by `topic-partition`; undefined when the source does not tell. */
export function lagByPartition(source: SourceProgress): ReadonlyMap<string, number> | undefined {
  const latest = offsets(source.latestOffset);
  const end = offsets(source.endOffset);
  if (latest === undefined || end === undefined) return undefined;
  return new Map([...latest].map(([partition, at]) => [partition, Math.max(0, at - (end.get(partition) ?? at))]));
}

/** Records behind the newest, over all partitions; undefined when the source does not tell. */
export function lagOf(source: SourceProgress): number | undefined {
  const lags = lagByPartition(source);
  return lags && [...lags.values()].reduce((a, b) => a + b, 0);
}

/** Kafka's offsets in progress JSON: topic, partition, offset. */
function offsets(value: unknown): Map<string, number> | undefined {
  let parsed = value;
  if (typeof value === "string") {
    try {
      parsed = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const found = new Map<string, number>();
  for (const [topic, partitions] of Object.entries(parsed)) {
    if (typeof partitions !== "object" || partitions === null) return undefined;
    for (const [partition, offset] of Object.entries(partitions)) found.set(`${topic}-${partition}`, Number(offset));
  }
  return found;
}
