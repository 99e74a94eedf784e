import {
  brokerError,
  EARLIEST,
  type FetchedPartition,
  isRetriable,
  type KafkaClient,
  LATEST,
  type PartitionOffset,
} from "../../kafka/client/index.ts";
import { decodedBatches } from "../../kafka/wire/decoded-batches.ts";
import type { DecodedRecord } from "../../kafka/wire/record-batch.ts";
import { EXIT, onStdout, print, UsageError } from "../output.ts";
import { readable } from "../records/bytes.ts";
import { formatter } from "../records/format.ts";
import { timeText, toJsonLine } from "../records/record.ts";
import { parseTime } from "../records/time.ts";
import { aborted, onStop } from "../signals.ts";
import { type TopicOptions, withKafka } from "./topics.ts";

export interface PeekOptions extends TopicOptions {
  count: number;
  countGiven: boolean;
  offset: string;
  partition?: number;
  follow?: boolean;
  format?: string;
  since?: string;
  until?: string;
  grep?: string;
}

/** `millrace peek TOPIC`. */
export function peek(topic: string, options: PeekOptions): Promise<number> {
  const wish = wishOf(topic, options);
  return withKafka(options, async (client) => {
    const stop = onStop(() => {});
    const reading = read(client, topic, wish, options, stop.signal);
    // A long poll may be under way; nobody needs its answer after Ctrl-C.
    await Promise.race([reading, aborted(stop.signal)]);
    reading.catch(() => {});
    return stop.signal.aborted ? stop.code() : EXIT.ok;
  });
}

type Start = { at: "earliest" | "latest" } | { offset: number } | { last: number } | { since: number };

/** What is to be shown, and how. */
interface Wish {
  readonly start: Start;
  /** Milliseconds since 1970; the first record from here on is the first not shown. */
  readonly until: number | undefined;
  readonly matches: (shown: Shown) => boolean;
  readonly show: (shown: Shown) => void;
}

function wishOf(topic: string, options: PeekOptions): Wish {
  const { format, grep } = options;
  const now = Date.now();
  const since = options.since === undefined ? undefined : parseTime("--since", options.since, now);
  const until = options.until === undefined ? undefined : parseTime("--until", options.until, now);
  if (since !== undefined && options.offset !== "earliest") {
    throw new UsageError("--since and --offset both say where to start.", "Give one of them.");
  }
  const formatted = format === undefined ? undefined : formatter(format);
  const needle = grep === undefined ? undefined : Buffer.from(grep);
  return {
    start: since === undefined ? parseOffset(options.offset) : { since },
    until,
    matches: ({ record }) =>
      needle === undefined ||
      (record !== undefined &&
        [record.key, record.value].some((bytes) => bytes !== null && Buffer.from(bytes).includes(needle))),
    show: (shown) => {
      const { record, partition, offset, timestamp } = shown;
      if (formatted !== undefined && record !== undefined) {
        process.stdout.write(formatted({ ...record, topic, partition, offset, timestamp }));
      } else print(options.json ? asJson(shown) : asText(shown));
    },
  };
}

function parseOffset(text: string): Start {
  if (text === "earliest" || text === "latest") return { at: text };
  if (/^\d+$/.test(text)) return { offset: Number(text) };
  if (/^-\d+$/.test(text)) return { last: -Number(text) };
  throw new UsageError(
    `--offset cannot be "${text}".`,
    "Give earliest, latest, an offset, or -N for the last N; a time goes with --since.",
  );
}

async function read(
  client: KafkaClient,
  topic: string,
  wish: Wish,
  options: PeekOptions,
  signal: AbortSignal,
): Promise<void> {
  const [info] = await client.describeTopics([topic]);
  const chosen = info!.partitions.filter((p) => options.partition === undefined || p.partition === options.partition);
  if (chosen.length === 0) {
    throw new UsageError(
      `The topic ${topic} has no partition ${options.partition}.`,
      `It has ${info!.partitions.length}, from 0.`,
    );
  }
  const all = chosen.map((p) => ({ topic, partition: p.partition }));
  const [earliest, latest] = await Promise.all([client.listOffsets(all, EARLIEST), client.listOffsets(all, LATEST)]);
  const next = new Map<number, number>();
  const end = new Map(latest.map((o) => [o.partition, o.offset]));
  for (const o of earliest) next.set(o.partition, startOf(wish.start, o, end.get(o.partition)!));
  const { start, until } = wish;
  if ("since" in start) {
    for (const o of await client.listOffsets(all, start.since)) {
      // No record is that young.
      next.set(o.partition, o.offset < 0 ? end.get(o.partition)! : o.offset);
    }
  }
  if (until !== undefined) {
    // Those after it are not read; a younger one before it is skipped below.
    for (const o of await client.listOffsets(all, until)) {
      if (o.offset >= 0 && options.follow !== true) end.set(o.partition, o.offset);
    }
  }
  const leaders = new Map(chosen.map((p) => [p.partition, p.leader]));
  let left = options.follow && !options.countGiven ? Number.POSITIVE_INFINITY : options.count;
  while (left > 0 && !signal.aborted) {
    const open = [...next].filter(([p, offset]) => options.follow === true || offset < end.get(p)!);
    if (open.length === 0) return;
    const answers = await fetchAll(client, topic, open, leaders, options.follow === true);
    const found: Shown[] = [];
    for (const answer of answers) found.push(...decode(answer, next));
    // Within one answer the order of time, as a reader of several partitions expects it.
    found.sort((a, b) => a.timestamp - b.timestamp || a.partition - b.partition || a.offset - b.offset);
    for (const record of found) {
      if (left <= 0) break;
      if (options.follow !== true && record.offset >= end.get(record.partition)!) continue;
      if ("since" in start && record.record !== undefined && record.timestamp < start.since) continue;
      if (until !== undefined && record.timestamp >= until) continue;
      if (!wish.matches(record)) continue;
      wish.show(record);
      left--;
    }
  }
}

function startOf(start: Start, earliest: PartitionOffset, latest: number): number {
  if ("since" in start) return earliest.offset;
  if ("at" in start) return start.at === "earliest" ? earliest.offset : latest;
  const wanted = "last" in start ? latest - start.last : start.offset;
  return Math.min(Math.max(wanted, earliest.offset), latest);
}

async function fetchAll(
  client: KafkaClient,
  topic: string,
  open: readonly [number, number][],
  leaders: ReadonlyMap<number, number>,
  wait: boolean,
): Promise<FetchedPartition[]> {
  const byLeader = Map.groupBy(open, ([partition]) => leaders.get(partition)!);
  const answers = await Promise.all(
    [...byLeader].map(([leader, partitions]) =>
      client.fetchFrom(
        leader,
        partitions.map(([partition, offset]) => ({ topic, partition, offset, maxBytes: 256 * 1024 })),
        { maxWaitMs: wait ? 500 : 100, minBytes: 1, maxBytes: 4 * 1024 * 1024 },
        wait ? "wait" : "fetch",
      ),
    ),
  );
  for (const answer of answers.flat()) {
    if (answer.errorCode !== 0 && !isRetriable(answer.errorCode)) {
      throw brokerError(answer.errorCode, `read ${topic}-${answer.partition}`);
    }
  }
  return answers.flat();
}

interface Shown {
  partition: number;
  offset: number;
  timestamp: number;
  record: DecodedRecord | undefined;
  /** Why the batch cannot be read, and its bytes. */
  fault: { reason: string; bytes: Buffer } | undefined;
}

/** Records of an answer from the asked offset on, whose successor goes to `next`. */
function decode({ partition, records: bytes }: FetchedPartition, next: Map<number, number>): Shown[] {
  const found: Shown[] = [];
  for (const batch of decodedBatches(bytes)) {
    const wanted = next.get(partition)!;
    next.set(partition, Math.max(wanted, batch.next));
    if (batch.fault !== undefined) {
      const { offset, reason, bytes } = batch.fault;
      found.push({ partition, offset, timestamp: 0, record: undefined, fault: { reason, bytes } });
      continue;
    }
    for (const record of batch.records) {
      if (record.offset < wanted) continue;
      found.push({ partition, offset: record.offset, timestamp: record.timestamp, record, fault: undefined });
    }
  }
  return found;
}

function asJson(shown: Shown): string {
  const { partition, offset, timestamp, record, fault } = shown;
  if (record !== undefined) return toJsonLine({ ...record, partition, offset, timestamp });
  return JSON.stringify({ partition, offset, error: fault!.reason, hex: fault!.bytes.toString("hex") });
}

/** Longest part of a value that is shown to people. */
const SHOWN = 2000;

function asText(shown: Shown): string {
  const place = onStdout("dim", `${shown.partition}:${shown.offset}`.padEnd(10));
  if (shown.record === undefined) {
    const { reason, bytes } = shown.fault!;
    return `${place} ${onStdout("yellow", reason)} ${short(bytes.toString("hex"))}`;
  }
  const { key, value, headers } = shown.record;
  const extra = headers.map((h) => onStdout("dim", ` ${h.key}=${plain(h.value)}`)).join("");
  return `${place} ${onStdout("dim", timeText(shown.timestamp) ?? "-")} ${onStdout("cyan", plain(key))} ${plain(value)}${extra}`;
}

function plain(bytes: Uint8Array | null): string {
  const value = readable(bytes);
  if (value === null) return "null";
  if ("hex" in value) return short(`0x${value.hex}`);
  // Shown as it was written, on one line.
  return short(Buffer.from(bytes!).toString("utf8").replace(/\r?\n/g, "\\n"));
}

function short(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (${text.length.toLocaleString("en-US")} characters)`;
}
