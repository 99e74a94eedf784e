import { fstatSync } from "node:fs";
import { KafkaProducer } from "../../kafka/client/index.ts";
import type { ProducerRecord } from "../../kafka/client/producer.ts";
import { EXIT, note, onStderr, print } from "../output.ts";
import { startProgress } from "../progress-bar.ts";
import { recordParser } from "../records/format.ts";
import { fromJsonLine, type RecordHeader, type TopicRecord } from "../records/record.ts";
import { aborted, onStop } from "../signals.ts";
import { UsageError } from "../usage-error.ts";
import { type TopicOptions, withKafka } from "./topics.ts";

export interface ProduceOptions extends TopicOptions {
  format?: string;
  key?: string;
  header: readonly string[];
  partition?: number;
  byKey?: boolean;
  nullEmpty?: boolean;
  count?: number;
  rate?: number;
  compression: string;
  create?: boolean;
}

/** Records that are on their way at a time; more would only wait in memory. */
const UNDER_WAY = 20_000;

/** `millrace produce TOPIC`: records from stdin; 1 when one could not be delivered. */
export function produce(topic: string, options: ProduceOptions): Promise<number> {
  const read = reader(options);
  const headers = options.header.map(headerOf);
  const settings = {
    "compression.type": options.compression,
    "allow.auto.create.topics": "false",
    "linger.ms": "5",
  };
  return withKafka(
    options,
    async (client) => {
      const producer = new KafkaProducer(client);
      if (options.create) await client.createTopics([{ name: topic }], { ifNotExists: true });
      const partitions = await producer.partitions(topic);
      const stop = onStop(() => {});
      const sent = new Delivery(topic, producer, partitions, options, headers);
      if (process.stdin.isTTY) note(onStderr("dim", "One record a line; Ctrl-D ends."));
      const fileSize = options.count === undefined ? inputBytes() : undefined;
      const total = options.count ?? fileSize;
      const progress = startProgress({
        label: `produce ${topic}`,
        unit: fileSize === undefined ? "records" : "bytes",
        ...(total !== undefined && { total }),
      });
      let wrong: unknown;
      try {
        await sendAll(read, sent, options, stop.signal, (records, bytes) =>
          progress.update(fileSize === undefined ? records : bytes),
        );
      } catch (error) {
        wrong = error;
      }
      // What was read before stays sent.
      await producer.close();
      progress.stop();
      stop.release();
      const result = sent.result();
      if (options.json) print(JSON.stringify(result));
      else {
        const failed = result.failed > 0 ? onStderr("red", `, ${count(result.failed)} not delivered`) : "";
        note(`sent ${count(result.sent)} to ${topic}${failed} in ${result.seconds} s`);
      }
      if (wrong !== undefined) throw wrong;
      if (sent.firstFailure !== undefined) throw sent.firstFailure;
      return stop.signal.aborted ? stop.code() : EXIT.ok;
    },
    settings,
  );
}

const count = (n: number): string => `${n.toLocaleString("en-US")} ${n === 1 ? "record" : "records"}`;

/** The size of stdin, where it is a file. */
function inputBytes(): number | undefined {
  try {
    const stat = fstatSync(0);
    return stat.isFile() ? stat.size : undefined;
  } catch {
    return undefined; // it is closed
  }
}

interface Reader {
  push(bytes: Buffer): TopicRecord[];
  end(): TopicRecord[];
}

function reader(options: ProduceOptions): Reader {
  const nullEmpty = options.nullEmpty === true;
  if (options.format !== undefined || !options.json) {
    return recordParser(options.format ?? "%v\\n", { nullEmpty });
  }
  const lines = recordParser("%v\\n");
  let number = 0;
  const parsed = (records: readonly TopicRecord[]): TopicRecord[] =>
    records.flatMap(({ value }) => {
      number++;
      const line = Buffer.from(value!).toString("utf8");
      if (line.trim() === "") return [];
      try {
        return [fromJsonLine(line)];
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        throw new UsageError(`Line ${number} is no record: ${error.message}`, error.hint);
      }
    });
  return { push: (bytes) => parsed(lines.push(bytes)), end: () => parsed(lines.end()) };
}

function headerOf(text: string): RecordHeader {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`--header cannot be ${JSON.stringify(text)}.`, "Write name=value.");
  return { key: text.slice(0, equals), value: Buffer.from(text.slice(equals + 1)) };
}

/** Sends what is read, no faster than wanted, until the input, the count or the user ends it. */
async function sendAll(
  read: Reader,
  delivery: Delivery,
  options: ProduceOptions,
  signal: AbortSignal,
  progress: (records: number, bytes: number) => void,
): Promise<void> {
  const most = options.count ?? Number.POSITIVE_INFINITY;
  const startedAt = performance.now();
  let taken = 0;
  let bytes = 0;
  const send = async (records: readonly TopicRecord[]): Promise<void> => {
    for (let from = 0; from < records.length && taken < most && !signal.aborted; ) {
      let size = Math.min(records.length - from, most - taken, UNDER_WAY);
      if (options.rate !== undefined) {
        const due = Math.floor(((performance.now() - startedAt) / 1000) * options.rate) + 1 - taken;
        if (due < 1) {
          await paused(1000 / options.rate, signal);
          continue;
        }
        size = Math.min(size, due);
      }
      await delivery.send(records.slice(from, from + size));
      from += size;
      taken += size;
      progress(taken, bytes);
    }
  };
  const input = process.stdin[Symbol.asyncIterator]();
  while (taken < most && !signal.aborted) {
    const next = await Promise.race([input.next(), aborted(signal).then(() => undefined)]);
    if (next === undefined) break;
    if (next.done) {
      await send(read.end());
      break;
    }
    const chunk = next.value as Buffer;
    const records = read.push(chunk);
    bytes += chunk.length;
    await send(records);
  }
  process.stdin.destroy();
}

async function paused(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(1, ms));
  });
  await Promise.race([over, aborted(signal)]);
  clearTimeout(timer);
}

/** Hands records to the producer and counts what became of them. */
class Delivery {
  firstFailure: unknown;
  readonly #topic: string;
  readonly #producer: KafkaProducer;
  readonly #partitions: number;
  readonly #options: ProduceOptions;
  readonly #headers: readonly RecordHeader[];
  readonly #startedAt = performance.now();
  readonly #underWay = new Set<Promise<void>>();
  #waiting = 0;
  #sent = 0;
  #failed = 0;
  #bytes = 0;

  constructor(
    topic: string,
    producer: KafkaProducer,
    partitions: number,
    options: ProduceOptions,
    headers: readonly RecordHeader[],
  ) {
    this.#topic = topic;
    this.#producer = producer;
    this.#partitions = partitions;
    this.#options = options;
    this.#headers = headers;
  }

  /** Resolves when there is room for more. */
  async send(records: readonly TopicRecord[]): Promise<void> {
    const list = records.map((record) => this.#outgoing(record));
    this.#waiting += list.length;
    const done = this.#producer.send(this.#topic, list).then(
      () => {
        this.#sent += list.length;
        for (const r of list) this.#bytes += (r.key?.length ?? 0) + (r.value?.length ?? 0);
      },
      (error: unknown) => {
        this.#failed += list.length;
        this.firstFailure ??= error;
      },
    );
    const settled: Promise<void> = done.then(() => {
      this.#waiting -= list.length;
      this.#underWay.delete(settled);
    });
    this.#underWay.add(settled);
    while (this.#waiting >= UNDER_WAY) await Promise.race(this.#underWay);
    if (this.firstFailure !== undefined) throw this.firstFailure;
  }

  #outgoing(record: TopicRecord): ProducerRecord {
    const { key, partition: wanted, byKey } = this.#options;
    const partition = wanted ?? (byKey ? undefined : record.partition);
    if (partition !== undefined && partition >= this.#partitions) {
      throw new UsageError(
        `The topic ${this.#topic} has no partition ${partition}; it has ${this.#partitions}.`,
        wanted === undefined ? "--by-key lets the key of each record choose." : undefined,
      );
    }
    const headers = [...record.headers, ...this.#headers];
    return {
      key: key === undefined ? record.key : Buffer.from(key),
      value: record.value,
      ...(partition !== undefined && { partition }),
      ...(record.timestamp !== undefined && { timestamp: record.timestamp }),
      ...(headers.length > 0 && { headers }),
    };
  }

  result(): { topic: string; sent: number; failed: number; bytes: number; seconds: number } {
    const seconds = Math.round((performance.now() - this.#startedAt) / 10) / 100;
    return { topic: this.#topic, sent: this.#sent, failed: this.#failed, bytes: this.#bytes, seconds };
  }
}
