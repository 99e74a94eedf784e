import { brokerError, EARLIEST, type FetchedPartition, type KafkaClient, LATEST } from "../../kafka/client/index.ts";
import { decodedBatches, type UnreadableBatch } from "../../kafka/wire/decoded-batches.ts";
import type { DecodedRecord } from "../../kafka/wire/record-batch.ts";
import type { MessagePage, TopicMessage } from "../api-explore.ts";
import { Problem } from "./problem.ts";
import { asBase64, recordText } from "./record-text.ts";

/** Where to start reading. */
export type From =
  | { readonly at: "latest" | "earliest" }
  | { readonly offset: number }
  | { readonly timeMs: number }
  /** Offsets by partition: a page goes on where the one before ended. */
  | { readonly offsets: ReadonlyMap<number, number> };

export interface MessageRequest {
  readonly from: From;
  readonly partition: number | undefined;
  readonly limit: number;
  /** Lower case; empty for everything. */
  readonly search: string;
}

/** What one request may cost at most. */
const MAX_SCANNED = 20_000;
const MAX_BYTES = 64 << 20;
const MAX_MS = 4_000;
/** Bytes of a key or value: of many messages, and of one alone. */
const SHOWN_BYTES = 8 << 10;
const SHOWN_ALONE = 1 << 20;
/** Bytes of a record in which is searched. */
const SEARCHED_BYTES = 1 << 20;

/** `latest`, `earliest`, an offset, an ISO time, or `0:17,1:4`. */
export function parseFrom(text: string): From {
  if (text === "latest" || text === "earliest") return { at: text };
  if (/^\d{1,16}$/.test(text)) return { offset: Number(text) };
  if (/^\d{1,9}:\d{1,16}(,\d{1,9}:\d{1,16})*$/.test(text)) {
    const pairs = text.split(",").map((pair) => pair.split(":").map(Number) as [number, number]);
    return { offsets: new Map(pairs) };
  }
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs)) {
    throw new Problem(
      400,
      "INVALID_ARGUMENT",
      `from cannot be ${JSON.stringify(text.slice(0, 100))}.`,
      "Give latest, earliest, an offset, or a time such as 2026-01-31T12:00:00Z.",
    );
  }
  return { timeMs };
}

interface Cursor {
  readonly partition: number;
  readonly start: number;
  readonly end: number;
  readonly leader: number;
  /** The next offset to read. */
  next: number;
}

/** A page of a topic's messages; whatever cannot be decoded is shown as bytes, with the reason, and reading goes on behind it. */
export async function readMessages(client: KafkaClient, topic: string, request: MessageRequest): Promise<MessagePage> {
  const scan = new Scan(request);
  const cursors = await openCursors(client, topic, request);
  return "at" in request.from && request.from.at === "latest"
    ? newestFirst(client, topic, cursors, scan)
    : oldestFirst(client, topic, cursors, scan);
}

async function openCursors(client: KafkaClient, topic: string, request: MessageRequest): Promise<Cursor[]> {
  const [info] = await client.describeTopics([topic]);
  const { from, partition } = request;
  const chosen = info!.partitions.filter((p) => partition === undefined || p.partition === partition);
  if (chosen.length === 0) {
    const hint = `It has ${info!.partitions.length}, from 0.`;
    throw new Problem(404, "NOT_FOUND", `The topic ${topic} has no partition ${partition}.`, hint);
  }
  const led = chosen.filter((p) => p.leader >= 0);
  const all = led.map((p) => ({ topic, partition: p.partition }));
  const [starts, ends, times] = await Promise.all([
    client.listOffsets(all, EARLIEST, "read_uncommitted"),
    client.listOffsets(all, LATEST, "read_uncommitted"),
    "timeMs" in from ? client.listOffsets(all, from.timeMs, "read_uncommitted") : [],
  ]);
  const of = (list: readonly { partition: number; offset: number }[], p: number): number | undefined =>
    list.find((o) => o.partition === p)?.offset;
  return led.map(({ partition: p, leader }) => {
    const start = of(starts, p) ?? 0;
    const end = of(ends, p) ?? 0;
    const wanted =
      "offset" in from
        ? from.offset
        : "offsets" in from
          ? (from.offsets.get(p) ?? end)
          : "timeMs" in from
            ? // no record is that young: -1
              ((at) => (at < 0 ? end : at))(of(times, p) ?? -1)
            : from.at === "earliest"
              ? start
              : end;
    return { partition: p, start, end, leader, next: Math.min(Math.max(wanted, start), end) };
  });
}

/** Bounds and filter of one request. */
class Scan {
  readonly request: MessageRequest;
  scanned = 0;
  bytes = 0;
  readonly #until = performance.now() + MAX_MS;

  constructor(request: MessageRequest) {
    this.request = request;
  }

  get exhausted(): boolean {
    return this.scanned >= MAX_SCANNED || this.bytes >= MAX_BYTES || performance.now() > this.#until;
  }

  matches(key: Uint8Array | null, value: Uint8Array | null): boolean {
    const { search } = this.request;
    if (search === "") return true;
    const has = (bytes: Uint8Array | null): boolean =>
      bytes !== null &&
      Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SEARCHED_BYTES))
        .toString("utf8")
        .toLowerCase()
        .includes(search);
    return has(key) || has(value);
  }

  get shownBytes(): number {
    return this.request.limit === 1 ? SHOWN_ALONE : SHOWN_BYTES;
  }
}

async function oldestFirst(client: KafkaClient, topic: string, cursors: Cursor[], scan: Scan): Promise<MessagePage> {
  const { limit } = scan.request;
  const found: TopicMessage[] = [];
  // each partition gives as many as the page takes: only then their order by time is right
  const perPartition = new Map(cursors.map((c) => [c.partition, 0]));
  for (;;) {
    const open = cursors.filter((c) => c.next < c.end && perPartition.get(c.partition)! < limit);
    if (open.length === 0 || scan.exhausted) break;
    for (const { cursor, messages } of await fetchSome(client, topic, open, scan)) {
      found.push(...messages);
      perPartition.set(cursor.partition, perPartition.get(cursor.partition)! + messages.length);
    }
  }
  found.sort(byTime);
  const page = found.slice(0, limit);
  // the next page begins behind what is shown, so that what was read but does not fit is read again
  const next = cursors.map((c) => {
    const left = found.slice(limit).filter((m) => m.partition === c.partition);
    return [c.partition, left.length === 0 ? c.next : Math.min(...left.map((m) => Number(m.offset)))] as const;
  });
  const end = cursors.every((c, i) => next[i]![1] >= c.end);
  return { messages: page, scanned: scan.scanned, end, next: next.map((pair) => pair.join(":")).join(",") };
}

async function newestFirst(client: KafkaClient, topic: string, cursors: Cursor[], scan: Scan): Promise<MessagePage> {
  const { limit, search } = scan.request;
  const found: TopicMessage[] = [];
  // backwards in steps that grow: compaction leaves holes, and a search may have to look far
  let step = search === "" ? limit : Math.max(limit, 500);
  const ranges = new Map(cursors.map((c) => [c.partition, { from: c.end, found: 0 }]));
  for (;;) {
    const wanting = cursors.filter((c) => {
      const range = ranges.get(c.partition)!;
      return range.found < limit && range.from > c.start;
    });
    if (wanting.length === 0 || scan.exhausted) break;
    const window = wanting.map((c): Cursor => {
      const range = ranges.get(c.partition)!;
      const next = Math.max(c.start, range.from - step);
      const piece = { ...c, next, end: range.from };
      range.from = next;
      return piece;
    });
    for (;;) {
      const open = window.filter((c) => c.next < c.end);
      if (open.length === 0 || scan.exhausted) break;
      for (const { cursor, messages } of await fetchSome(client, topic, open, scan)) {
        found.push(...messages);
        ranges.get(cursor.partition)!.found += messages.length;
      }
    }
    step = Math.min(step * 4, MAX_SCANNED);
  }
  found.sort((a, b) => byTime(b, a));
  const end = found.length <= limit && cursors.every((c) => ranges.get(c.partition)!.from <= c.start);
  // what comes in from now on: the live tail
  const next = cursors.map((c) => `${c.partition}:${c.end}`).join(",");
  return { messages: found.slice(0, limit), scanned: scan.scanned, end, next };
}

function byTime(a: TopicMessage, b: TopicMessage): number {
  return a.timestamp - b.timestamp || a.partition - b.partition || Number(a.offset) - Number(b.offset);
}

/** One fetch from each leader; moves the cursors. */
async function fetchSome(
  client: KafkaClient,
  topic: string,
  open: readonly Cursor[],
  scan: Scan,
): Promise<{ cursor: Cursor; messages: TopicMessage[] }[]> {
  const answers = await Promise.all(
    [...Map.groupBy(open, (c) => c.leader)].map(([leader, of]) =>
      client.fetchFrom(
        leader,
        of.map((c) => ({ topic, partition: c.partition, offset: c.next, maxBytes: 1 << 20 })),
        { maxWaitMs: 200, minBytes: 1, maxBytes: 8 << 20 },
        "fetch",
        "read_uncommitted",
      ),
    ),
  );
  return answers.flat().map((answer) => {
    const cursor = open.find((c) => c.partition === answer.partition)!;
    if (answer.errorCode !== 0) throw brokerError(answer.errorCode, `read ${topic}-${answer.partition}`);
    return { cursor, messages: decode(answer, cursor, scan) };
  });
}

function decode({ records: bytes, partition }: FetchedPartition, cursor: Cursor, scan: Scan): TopicMessage[] {
  const messages: TopicMessage[] = [];
  const before = cursor.next;
  scan.bytes += bytes.length;
  for (const batch of decodedBatches(bytes)) {
    const wanted = cursor.next;
    cursor.next = Math.max(wanted, batch.next);
    if (batch.fault === undefined) {
      for (const record of batch.records) {
        if (record.offset < wanted || record.offset >= cursor.end) continue;
        scan.scanned++;
        if (scan.matches(record.key, record.value)) messages.push(messageOf(record, partition, scan.shownBytes));
      }
    } else {
      scan.scanned++;
      if (scan.request.search === "") messages.push(unreadable(batch.fault, partition));
    }
    if (cursor.next >= cursor.end) break;
  }
  // an empty answer though the partition goes on: what is there was deleted or is not readable; never ask the same again
  if (cursor.next === before) cursor.next = bytes.length === 0 ? cursor.end : before + 1;
  return messages;
}

function messageOf(record: DecodedRecord, partition: number, max: number): TopicMessage {
  return {
    partition,
    offset: `${record.offset}`,
    timestamp: record.timestamp,
    key: recordText(record.key, max),
    value: recordText(record.value, max),
    headers: record.headers
      .slice(0, 100)
      .map((h) => ({ key: h.key.slice(0, 1_000), value: recordText(h.value, SHOWN_BYTES) })),
    size: (record.key?.length ?? 0) + (record.value?.length ?? 0),
  };
}

function unreadable({ offset, timestamp, reason, bytes }: UnreadableBatch, partition: number): TopicMessage {
  return {
    partition,
    offset: `${offset}`,
    timestamp,
    key: null,
    value: asBase64(bytes, SHOWN_BYTES, `The batch cannot be decoded: ${reason}`),
    headers: [],
    size: bytes.length,
  };
}
