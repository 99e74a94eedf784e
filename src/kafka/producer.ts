import { MillraceError } from "../errors.ts";
import { KafkaClient } from "./client/client.ts";
import { KafkaProducer as Sender } from "./client/producer.ts";

/** Bytes of a record: text is UTF-8; `null` as a value is a tombstone; anything else is written as JSON. */
export type RecordValue = string | Uint8Array | null | object | number | boolean | bigint;

/** A record to send. */
export interface KafkaRecord<V = RecordValue> {
  /** Records of one key go to one partition, in order. */
  readonly key?: string | Uint8Array | null;
  readonly value: V;
  /** Instead of the partition that the key chooses. */
  readonly partition?: number;
  /** When it happened; default: now. Milliseconds since 1970. */
  readonly timestamp?: Date | number;
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>>;
}

/** Where to send, and how. */
export interface KafkaProducerOptions {
  /** `host:port`, several with commas; default: the variable MILLRACE_KAFKA, which `millrace dev` sets. */
  readonly servers?: string;
  /** Kafka's own settings, such as `{ "compression.type": "zstd", "security.protocol": "SASL_SSL" }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** What a new topic is like; what is left out is up to the broker. */
export interface NewTopicOptions {
  readonly partitions?: number;
  readonly replicationFactor?: number;
  /** Settings of the topic, such as `{ "retention.ms": "-1" }`. */
  readonly configs?: Readonly<Record<string, string>>;
}

/**
 * Sends records to Kafka: batched, acknowledged by all replicas and idempotent, so that what is sent again after a lost answer is stored
 * once and the order within a partition is kept. `T` gives the type of each topic's values, where you want that checked.
 *
 * While `millrace plan` looks at a program (MILLRACE_PLANNING is set) a producer does nothing, and everything it is asked for succeeds.
 *
 * Errors: MISSING_OPTION without an address, KAFKA_UNREACHABLE (after 30 seconds of trying), KAFKA_AUTHENTICATION, INVALID_VALUE for a
 * record that is too large or cannot be JSON.
 *
 * @example
 * import { KafkaProducer } from "millrace/kafka";
 *
 * const producer = new KafkaProducer<{ clicks: { page: string; user: string } }>();
 * await producer.createTopic("clicks", { partitions: 4 });
 * await producer.send("clicks", { key: "ann", value: { page: "/", user: "ann" } });
 * await producer.close();
 */
export class KafkaProducer<T extends object = Record<string, RecordValue>> implements AsyncDisposable {
  readonly #client: KafkaClient | undefined;
  readonly #sender: Sender | undefined;

  /** Connects with the first record. */
  constructor(options: KafkaProducerOptions = {}) {
    if (process.env.MILLRACE_PLANNING) return;
    const servers = options.servers ?? options.settings?.["bootstrap.servers"] ?? process.env.MILLRACE_KAFKA;
    if (!servers) {
      throw new MillraceError("MISSING_OPTION", "A producer needs the address of Kafka.", {
        hint: 'Run the program with `millrace dev`, set MILLRACE_KAFKA, or give { servers: "localhost:9092" }.',
        parameters: { option: "servers" },
      });
    }
    this.#client = KafkaClient.connect({
      "client.id": "millrace-producer",
      ...options.settings,
      "bootstrap.servers": servers,
    });
    this.#sender = new Sender(this.#client);
  }

  /** Connects now, so that a wrong address shows here. Not needed before `send`. Throws KAFKA_UNREACHABLE. */
  async connect(): Promise<this> {
    await this.#client?.metadata([]);
    return this;
  }

  /**
   * Makes a topic; one that is there already is left as it is.
   *
   * @example
   * await producer.createTopic("clicks", { partitions: 4, configs: { "cleanup.policy": "compact" } });
   */
  async createTopic(name: string & keyof T, options: NewTopicOptions = {}): Promise<void> {
    await this.#client?.createTopics([{ name, ...options }], { ifNotExists: true });
  }

  /**
   * Sends one record or several; resolves when all are stored. There is no need to wait for one call before the next: records of a
   * partition keep the order of the calls. A failed promise means that the records may or may not be stored.
   */
  async send<K extends string & keyof T>(
    topic: K,
    records: KafkaRecord<T[K]> | readonly KafkaRecord<T[K]>[],
  ): Promise<void> {
    const list = Array.isArray(records) ? (records as readonly KafkaRecord<T[K]>[]) : [records as KafkaRecord<T[K]>];
    await this.#sender?.send(
      topic,
      list.map((record) => encoded(topic, record)),
    );
  }

  /** Resolves when everything sent so far is stored or has failed. */
  async flush(): Promise<void> {
    await this.#sender?.flush();
  }

  /** Waits for what is under way, then disconnects. */
  async close(): Promise<void> {
    await this.#sender?.close();
    this.#client?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Of ES2026; Node has it. */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

type Sent = Parameters<Sender["send"]>[1][number];

function encoded(topic: string, record: KafkaRecord<unknown>): Sent {
  const { key, value, partition, timestamp, headers } = record;
  return {
    value: bytesOf(topic, value),
    ...(key !== undefined && { key }),
    ...(partition !== undefined && { partition }),
    ...(timestamp !== undefined && { timestamp: Number(timestamp) }),
    ...(headers !== undefined && {
      headers: Object.entries(headers).map(([name, v]) => ({
        key: name,
        value: typeof v === "string" ? Buffer.from(v) : v,
      })),
    }),
  };
}

/** JSON as `from_json` reads it: dates in ISO form, whole numbers of any size as they are. */
function bytesOf(topic: string, value: unknown): string | Uint8Array | null {
  if (value === null || typeof value === "string" || value instanceof Uint8Array) return value;
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value, (_, v: unknown) => {
      if (typeof v === "bigint") return rawJson(String(v));
      return v instanceof Map ? Object.fromEntries(v) : v;
    });
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  throw new MillraceError("INVALID_VALUE", `A value for the topic "${topic}" cannot be written as JSON.`, {
    cause,
    hint: "Give text, bytes, null, or an object of plain values.",
    parameters: { topic },
  });
}
