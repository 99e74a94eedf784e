import { MillraceError } from "../../errors.ts";
import { keyOf, type PartitionOffset, type TopicPartition } from "../../kafka/client/types.ts";
import type { Offset } from "../connector.ts";

/** Next offset to read of each partition, by `keyOf`. */
export type Positions = ReadonlyMap<string, PartitionOffset>;

/** Spark's form: `{"topic":{"0":12}}`, topics and partitions in order. */
export function toOffset(positions: Iterable<PartitionOffset>): { [topic: string]: { [partition: string]: number } } {
  const sorted = [...positions].sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
  const json: { [topic: string]: { [partition: string]: number } } = {};
  for (const { topic, partition, offset } of sorted) {
    json[topic] ??= {};
    json[topic][partition] = offset;
  }
  return json;
}

export function positionsOf(list: Iterable<PartitionOffset>): Map<string, PartitionOffset> {
  const positions = new Map<string, PartitionOffset>();
  for (const position of list) {
    positions.set(keyOf(position), { topic: position.topic, partition: position.partition, offset: position.offset });
  }
  return positions;
}

/** Reads Spark's form, in any order. Throws CHECKPOINT_CORRUPT when it is something else. */
export function fromOffset(offset: Offset): Map<string, PartitionOffset> {
  const list: PartitionOffset[] = [];
  const value = typeof offset === "string" ? parseJson(offset) : offset;
  if (!isRecord(value)) throw notOffsets(offset);
  for (const [topic, partitions] of Object.entries(value)) {
    if (!isRecord(partitions)) throw notOffsets(offset);
    for (const [partition, at] of Object.entries(partitions)) {
      if (typeof at !== "number" || !Number.isSafeInteger(at) || !/^\d+$/.test(partition)) throw notOffsets(offset);
      list.push({ topic, partition: Number(partition), offset: at });
    }
  }
  return positionsOf(list);
}

function notOffsets(given: unknown): MillraceError {
  return new MillraceError(
    "CHECKPOINT_CORRUPT",
    `Kafka offsets look like {"topic":{"0":12}}; found: ${JSON.stringify(given).slice(0, 200)}.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON of an option such as startingOffsets: topic -> partition -> number. Throws INVALID_OPTION. */
export function parseNumbersOption(option: string, text: string): Map<string, PartitionOffset> {
  const value = parseJson(text);
  const wrong = (): MillraceError =>
    new MillraceError(
      "INVALID_OPTION",
      `The option "${option}" must be ${option.endsWith("Offsets") ? `${option === "startingOffsets" ? "earliest, " : ""}latest, or ` : ""}JSON such as {"topic":{"0":23,"1":-2}}; given: ${text.slice(0, 200)}.`,
    );
  if (!isRecord(value)) throw wrong();
  const list: PartitionOffset[] = [];
  for (const [topic, partitions] of Object.entries(value)) {
    if (!isRecord(partitions)) throw wrong();
    for (const [partition, number] of Object.entries(partitions)) {
      if (!/^\d+$/.test(partition) || typeof number !== "number" || !Number.isSafeInteger(number)) throw wrong();
      list.push({ topic, partition: Number(partition), offset: number });
    }
  }
  return positionsOf(list);
}

/** The JSON of the option assign: `{"t":[0,1]}`. Throws INVALID_OPTION. */
export function parseAssign(text: string): TopicPartition[] {
  const value = parseJson(text);
  const list: TopicPartition[] = [];
  if (isRecord(value)) {
    for (const [topic, partitions] of Object.entries(value)) {
      if (!Array.isArray(partitions) || !partitions.every((p) => Number.isInteger(p) && p >= 0)) {
        list.length = 0;
        break;
      }
      for (const partition of partitions as number[]) list.push({ topic, partition });
    }
  }
  if (list.length === 0) {
    throw new MillraceError(
      "INVALID_OPTION",
      `The option "assign" must be JSON such as {"topic":[0,1]}; given: ${text.slice(0, 200)}.`,
    );
  }
  return list;
}

/**
 * Spark's split of `maxOffsetsPerTrigger`: in proportion to each partition's backlog, a share below one rounded up, others down,
 * never beyond the end. `start` must hold every partition of `latest`.
 */
export function rateLimit(limit: number, start: Positions, latest: Positions): Map<string, PartitionOffset> {
  let total = 0;
  for (const [key, end] of latest) total += Math.max(0, end.offset - start.get(key)!.offset);
  const limited = new Map<string, PartitionOffset>();
  for (const [key, end] of latest) {
    const begin = start.get(key)!.offset;
    const size = end.offset - begin;
    if (total < 1 || size <= 0) {
      limited.set(key, end);
      continue;
    }
    const share = limit * (size / total);
    limited.set(key, {
      ...end,
      offset: Math.min(end.offset, begin + (share < 1 ? Math.ceil(share) : Math.floor(share))),
    });
  }
  return limited;
}

/** Partitions as Spark prints them, such as `flights-0, flights-1`. */
export function namesOf(partitions: Iterable<TopicPartition>): string {
  return [...partitions]
    .map((p) => `${p.topic}-${p.partition}`)
    .sort()
    .join(", ");
}
