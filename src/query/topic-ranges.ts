import { KafkaClient, type OffsetRange, type PartitionOffset, RangeReader } from "../kafka/client/index.ts";
import type { ResolvedExpr } from "../plan/resolved.ts";
import type { ConstantTimes } from "./constant-times.ts";
import { comparisonOf, type ScanNeeds, unwidened } from "./scan-needs.ts";
import { topicOffsets } from "./topic-offsets.ts";

/** Offsets of a topic that hold all records that are wanted. */
export interface TopicRanges {
  /** One at least; empty ones are of length zero. */
  readonly ranges: readonly OffsetRange[];
  /** Offsets in the ranges, and in all of the topic (from the `since` of the query on). */
  readonly offsets: number;
  readonly of: number;
}

/**
 * Where the wanted records of a topic lie. Partition and offset say it themselves. Records before the first one of a time are older than it,
 * but records after it may be older too, as producers set the times: only where a time begins is a limit. A number of records is counted, as offsets may
 * have gaps. Undefined where all records are wanted.
 */
export async function topicRanges(
  servers: string,
  topic: string,
  since: number | undefined,
  needs: ScanNeeds,
  times: ConstantTimes,
): Promise<TopicRanges | undefined> {
  const wanted = wantedOf(needs, times);
  if (!wanted.isNarrow && wanted.limit === undefined) return undefined;
  const client = KafkaClient.connect({ "bootstrap.servers": servers, "client.id": "millrace-query" });
  try {
    const { partitions, first, next } = await topicOffsets(client, topic);
    const ends = byPartition(next);
    const from = async (ms: number | undefined): Promise<ReadonlyMap<number, number>> =>
      ms === undefined
        ? new Map()
        : byPartition(
            (await client.listOffsets(partitions, ms)).map((p) =>
              p.offset < 0 ? { ...p, offset: ends.get(p.partition)! } : p,
            ),
          );
    const [sinceStarts, timeStarts] = await Promise.all([from(since), from(wanted.fromMs)]);
    const all = first.map(({ partition, offset }): OffsetRange => {
      const end = ends.get(partition) ?? offset;
      return { topic, partition, start: Math.min(Math.max(offset, sinceStarts.get(partition) ?? 0), end), end };
    });
    let ranges = all.map((range): OffsetRange => {
      if (!wanted.partition(range.partition)) return { ...range, end: range.start };
      const start = Math.max(range.start, wanted.start, timeStarts.get(range.partition) ?? 0);
      const end = Math.min(range.end, wanted.end);
      return start < end ? { ...range, start, end } : { ...range, end: range.start };
    });
    if (wanted.limit !== undefined && wanted.limit < sizeOf(ranges)) {
      ranges = await firstRecords(client, ranges, wanted.limit);
    }
    const some = ranges.filter((r) => r.start < r.end);
    return { ranges: some.length === 0 ? ranges.slice(0, 1) : some, offsets: sizeOf(ranges), of: sizeOf(all) };
  } finally {
    client.close();
  }
}

/** The parts of the ranges, in their order, that hold so many records. Of batches within a part only the headers are looked at. */
async function firstRecords(
  client: KafkaClient,
  ranges: readonly OffsetRange[],
  limit: number,
): Promise<OffsetRange[]> {
  // What is gone meanwhile is said by the query's own reading.
  const reader = new RangeReader(client, { onDataLoss: () => {} });
  try {
    const found: OffsetRange[] = [];
    let missing = limit;
    let step = Math.max(1, limit);
    for (const range of ranges) {
      let { start: end } = range;
      while (missing > 0 && end < range.end) {
        const part = { ...range, start: end, end: Math.min(range.end, end + step) };
        const { rowCount, release } = await reader.read([part], new Set());
        release();
        missing -= rowCount;
        end = part.end;
        // A topic with gaps: no more questions than needed.
        step = rowCount === part.end - part.start ? Math.max(1, missing) : step * 2;
      }
      found.push({ ...range, end });
    }
    return found;
  } finally {
    reader.close();
  }
}

interface Wanted {
  partition(number: number): boolean;
  start: number;
  end: number;
  fromMs: number | undefined;
  limit: number | undefined;
  isNarrow: boolean;
}

function wantedOf({ conditions, limit, order }: ScanNeeds, times: ConstantTimes): Wanted {
  const wanted: Wanted = {
    partition: (number) => conditions.every((c) => ofPartition(c, number) !== false),
    start: 0,
    end: Number.MAX_SAFE_INTEGER,
    fromMs: undefined,
    limit: order.length === 0 ? limit : undefined,
    isNarrow: false,
  };
  for (const condition of conditions) {
    if (ofPartition(condition, 0) !== undefined || narrowByOffset(condition, wanted)) wanted.isNarrow = true;
    else {
      // The first records of too many are other records.
      wanted.limit = undefined;
      if (narrowByTime(condition, wanted, times)) wanted.isNarrow = true;
    }
  }
  return wanted;
}

/** Whether a condition is true for the records of a partition; undefined when it is about other things too. */
function ofPartition(expr: ResolvedExpr, partition: number): boolean | undefined {
  if (expr.kind !== "call") return undefined;
  switch (expr.name) {
    case "and":
    case "or": {
      const sides = expr.args.map((a) => ofPartition(a, partition));
      if (sides.includes(undefined)) return undefined;
      return expr.name === "and" ? !sides.includes(false) : sides.includes(true);
    }
    case "not": {
      const inner = ofPartition(expr.args[0]!, partition);
      return inner === undefined ? undefined : !inner;
    }
    case "in": {
      const [column, ...values] = expr.args;
      const numbers = values.map(wholeNumber);
      if (!isColumn(unwidened(column!), "partition") || numbers.includes(undefined)) return undefined;
      return numbers.includes(partition);
    }
  }
  const comparison = comparisonOf(expr);
  const number = comparison && wholeNumber(comparison.constant);
  if (comparison === undefined || number === undefined || !isColumn(comparison.column, "partition")) return undefined;
  return compare(comparison.sign, partition, number);
}

function compare(sign: string, a: number, b: number): boolean | undefined {
  switch (sign) {
    case "==":
    case "<=>":
      return a === b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
  }
  return undefined;
}

function narrowByOffset(expr: ResolvedExpr, wanted: Wanted): boolean {
  const comparison = comparisonOf(expr);
  const number = comparison && wholeNumber(comparison.constant);
  if (comparison === undefined || number === undefined || !isColumn(comparison.column, "offset")) return false;
  const { sign } = comparison;
  if (sign === ">" || sign === ">=" || sign === "==" || sign === "<=>") {
    wanted.start = Math.max(wanted.start, sign === ">" ? number + 1 : number);
  }
  if (sign === "<" || sign === "<=" || sign === "==" || sign === "<=>") {
    wanted.end = Math.min(wanted.end, sign === "<" ? number : number + 1);
  }
  return true;
}

function narrowByTime(expr: ResolvedExpr, wanted: Wanted, times: ConstantTimes): boolean {
  const comparison = comparisonOf(expr);
  const micros = comparison && notBefore(comparison.constant, times);
  if (comparison === undefined || micros === undefined || !isColumn(comparison.column, "timestamp")) return false;
  if (comparison.sign === "<" || comparison.sign === "<=") return false;
  // A broker may look a time up by the last record of a batch that has it: one millisecond earlier it finds the first.
  const ms = Math.floor(Number(micros) / 1000) - 1;
  if (ms < 0) return false;
  wanted.fromMs = Math.max(wanted.fromMs ?? 0, ms);
  return true;
}

/** A time that is not after that of an expression: the clock of the query is read later than here. */
function notBefore(expr: ResolvedExpr, times: ConstantTimes): bigint | undefined {
  if (expr.kind !== "call") return times.micros(expr);
  if (expr.name === "current_timestamp") return BigInt(Date.now()) * 1000n;
  const [from, interval] = expr.args;
  if (expr.name !== "-" || from?.kind !== "call" || from.name !== "current_timestamp") return undefined;
  if (interval?.kind !== "literal" || interval.type.kind !== "interval_day_time") return undefined;
  return typeof interval.value === "bigint" ? BigInt(Date.now()) * 1000n - interval.value : undefined;
}

function isColumn(expr: ResolvedExpr, name: string): boolean {
  return expr.kind === "column" && expr.name === name;
}

function wholeNumber(expr: ResolvedExpr): number | undefined {
  if (expr.kind !== "literal" || !["byte", "short", "integer", "long"].includes(expr.type.kind)) return undefined;
  const number = Number(expr.value ?? Number.NaN);
  return Number.isSafeInteger(number) && Number.isSafeInteger(number + 1) ? number : undefined;
}

function byPartition(offsets: readonly PartitionOffset[]): Map<number, number> {
  return new Map(offsets.map((p) => [p.partition, p.offset]));
}

function sizeOf(ranges: readonly OffsetRange[]): number {
  return ranges.reduce((sum, r) => sum + r.end - r.start, 0);
}
