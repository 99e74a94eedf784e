import { KafkaClient, KafkaProducer, LATEST } from "../../src/kafka/client/index.ts";
import { partitionForKey } from "../../src/kafka/wire/murmur2.ts";
import type { Flights } from "./dataset.ts";

export const TOPIC = "flights";
export const ALERTS_TOPIC = "alerts";
const PARTITIONS = 4;
const MINUTE_MS = 60_000;
/**
 * Minutes of event time that go out in one request, to all partitions together, and requests that are under way at a time. Flights lie at
 * most 20 hours behind the latest time seen, the watermark waits for 24: these steps keep the partitions far enough in step that no reader,
 * whenever it looks, sees one partition so far ahead of another that a flight comes late.
 */
const STEP_MINUTES = 60;
const STEPS_UNDER_WAY = 3;

export interface ReplayOptions {
  /** Bootstrap servers. */
  readonly kafka: string;
  /** Event time against real time; Infinity for as fast as the log takes it. */
  readonly speed: number;
  readonly signal?: AbortSignal;
  /** Called after each step with the number of flights that are in the topic now. */
  readonly onProgress?: (sent: number) => void;
}

/** Creates the topics of the example where they do not exist. The records' times are of 2001: a broker that keeps seven days would delete them. */
export async function createTopics(kafka: string): Promise<void> {
  const client = connect(kafka);
  try {
    const topics = [
      { name: TOPIC, partitions: PARTITIONS, configs: { "retention.ms": "-1" } },
      { name: ALERTS_TOPIC, partitions: 1, configs: { "retention.ms": "-1" } },
    ];
    await client.createTopics(topics, { ifNotExists: true });
  } finally {
    client.close();
  }
}

/** How many records each partition of the topic has. */
export async function endOffsets(kafka: string, topic = TOPIC): Promise<number[]> {
  const client = connect(kafka);
  try {
    const [info] = await client.describeTopics([topic]);
    const partitions = info!.partitions.map(({ partition }) => ({ topic, partition }));
    return (await client.listOffsets(partitions, LATEST)).map(({ offset }) => offset);
  } finally {
    client.close();
  }
}

/**
 * Sends the flights to the topic, each when its departure is known, in order of departure; the record's time is the departure. The
 * order within a partition is always the same, so a replay that was cut short goes on at each partition's end and sends nothing twice.
 * Resolves to the number of flights sent by this call; ends early when `signal` fires.
 */
export async function replay(flights: Flights, options: ReplayOptions): Promise<number> {
  const { airports, departure, count } = flights;
  const partitionOf = airports.map((name) => partitionForKey(Buffer.from(name), PARTITIONS));
  const there = await endOffsets(options.kafka);
  const seen = new Array<number>(PARTITIONS).fill(0);
  const client = connect(options.kafka);
  const producer = new KafkaProducer(client, { batchBytes: 1 << 20 });
  const underWay: Promise<unknown>[] = [];
  const clock = new Clock(options.speed);
  let sent = 0;
  try {
    for (let from = 0, to = 0; from < count && !options.signal?.aborted; from = to) {
      const untilMinute = Math.min(
        departure[from]! - (departure[from]! % STEP_MINUTES) + STEP_MINUTES,
        await clock.reach(departure[from]!, options.signal),
      );
      const step = Array.from({ length: PARTITIONS }, () => new Columns());
      for (to = from; to < count && departure[to]! < untilMinute; to++) {
        const partition = partitionOf[flights.origin[to]!]!;
        if (seen[partition]!++ >= there[partition]!) step[partition]!.add(flights, to);
      }
      const added = step.reduce((sum, columns) => sum + columns.values.length, 0);
      if (added === 0) {
        clock.restart();
        continue;
      }
      // Sent in one go, the four make one request.
      const stored = Promise.all(
        step.map((columns, p) => (columns.values.length > 0 ? producer.sendColumns(TOPIC, p, columns) : undefined)),
      );
      stored.catch(() => {}); // awaited below
      underWay.push(stored);
      if (underWay.length >= STEPS_UNDER_WAY) await underWay.shift();
      sent += added;
      options.onProgress?.(to);
    }
    await Promise.all(underWay);
  } finally {
    await producer.close();
    client.close();
  }
  return sent;
}

function connect(kafka: string): KafkaClient {
  return KafkaClient.connect({ "bootstrap.servers": kafka, "client.id": "flights-replay" });
}

/** Records by column, as the producer takes them. */
class Columns {
  readonly keys: string[] = [];
  readonly values: string[] = [];
  readonly timestamps: number[] = [];

  add(flights: Flights, i: number): void {
    const origin = flights.airports[flights.origin[i]!]!;
    this.keys.push(origin);
    this.values.push(
      `{"ts":"${timeText(flights.scheduled[i]!)}","origin":"${origin}","destination":"${flights.airports[flights.destination[i]!]}",` +
        `"delay":${flights.delay[i]},"distance":${flights.distance[i]}}`,
    );
    this.timestamps.push(flights.departure[i]! * MINUTE_MS);
  }
}

const texts = new Map<number, string>();

/** 2001-01-01T00:03:00Z; the same minutes come again and again. */
function timeText(minute: number): string {
  let text = texts.get(minute);
  if (text === undefined) {
    if (texts.size > 10_000) texts.clear();
    text = `${new Date(minute * MINUTE_MS).toISOString().slice(0, 19)}Z`;
    texts.set(minute, text);
  }
  return text;
}

/** Says up to which minute of event time flights may go out now. */
class Clock {
  readonly #speed: number;
  #startMinute = 0;
  #startedAt = -1;

  constructor(speed: number) {
    this.#speed = speed;
  }

  /** The next flight starts the clock anew: what is already in the topic takes no time. */
  restart(): void {
    this.#startedAt = -1;
  }

  /** Waits until `minute` has come; gives the first minute that has not. */
  async reach(minute: number, signal: AbortSignal | undefined): Promise<number> {
    if (this.#speed === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    if (this.#startedAt < 0) {
      this.#startMinute = minute;
      this.#startedAt = performance.now();
    }
    for (;;) {
      const now = this.#startMinute + ((performance.now() - this.#startedAt) * this.#speed) / MINUTE_MS;
      if (now >= minute || signal?.aborted) return Math.floor(now) + 1;
      const waitMs = ((minute - now) * MINUTE_MS) / this.#speed;
      // Several minutes of event time at once, so that a slow clock does not make one request for each flight.
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.max(waitMs, 20));
        function done(): void {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          resolve();
        }
        signal?.addEventListener("abort", done, { once: true });
      });
    }
  }
}
