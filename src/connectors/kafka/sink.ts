import { MillraceError } from "../../errors.ts";
import { KafkaClient, KafkaProducer, parseKafkaOptions } from "../../kafka/client/index.ts";
import { partitionForKey } from "../../kafka/wire/murmur2.ts";
import type { KafkaHeader } from "../../kafka/wire/record-batch.ts";
import type {
  BatchWriteRequest,
  ColumnChunk,
  SinkBatch,
  SinkMarker,
  SinkResult,
  StreamSink,
  StreamSinkRequest,
} from "../connector.ts";
import { jsonRecordSql } from "./json-record.ts";
import { kafkaSettings } from "./options.ts";
import { validateSink } from "./validate-sink.ts";

/** Bytes on their way to the broker before the next rows are read. */
const MAX_UNDER_WAY_BYTES = 16 << 20;

type Bytes = Uint8Array | string | null;

/**
 * Writes rows as records, as Spark's Kafka sink: columns key, value, headers, topic, partition. At least once: a batch that is delivered
 * again after a crash appears again. Within a run the idempotent producer keeps retries from doubling records.
 */
export class KafkaSink implements StreamSink {
  readonly description: string;
  readonly #client: KafkaClient;
  readonly #producer: KafkaProducer;
  readonly #topic: string | undefined;
  readonly #json: boolean;
  readonly #keyColumn: string | undefined;

  constructor(request: Pick<StreamSinkRequest, "options">) {
    this.#client = new KafkaClient(parseKafkaOptions(kafkaSettings(request.options, "sink")));
    this.#producer = new KafkaProducer(this.#client);
    this.#topic = request.options.topic;
    this.#json = request.options.valueFormat === "json";
    this.#keyColumn = request.options.keyColumn;
    this.description = `KafkaSink[${this.#topic ?? "column topic"}]`;
  }

  async lastBatch(): Promise<SinkMarker | undefined> {
    return undefined;
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    let rows = 0;
    let underWay = 0;
    let failure: unknown;
    const sent = new Set<Promise<void>>();
    let wake: (() => void) | undefined;
    const names = batch.schema.fields
      .map((f) => f.name)
      .filter((n) => ["key", "value", "headers", "topic", "partition"].includes(n));
    try {
      const chunks = this.#json ? batch.query(jsonRecordSql(batch.schema, this.#keyColumn)) : batch.columns(names);
      for await (const chunk of chunks) {
        rows += chunk.rowCount;
        for (const part of await this.#split(chunk)) {
          underWay += part.bytes;
          const promise = this.#producer.sendColumns(part.topic, part.partition, part).then(
            () => {},
            (error) => {
              failure ??= error;
            },
          );
          sent.add(promise);
          void promise.then(() => {
            sent.delete(promise);
            underWay -= part.bytes;
            wake?.();
          });
        }
        while (underWay > MAX_UNDER_WAY_BYTES && failure === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        if (failure !== undefined) break;
      }
    } finally {
      // Records of a failed batch must not arrive during its next delivery.
      await Promise.all(sent);
    }
    if (failure !== undefined) throw failure;
    return { metrics: { numOutputRecords: String(rows) } };
  }

  async close(): Promise<void> {
    await this.#producer.close();
    this.#client.close();
  }

  /** The rows of a chunk by topic and partition. */
  async #split(chunk: ColumnChunk): Promise<Part[]> {
    const column = (name: string): readonly unknown[] | undefined => {
      const at = chunk.names.indexOf(name);
      return at < 0 ? undefined : chunk.columns[at];
    };
    const keys = column("key") as readonly Bytes[] | undefined;
    const values = column("value") as readonly Bytes[];
    const headers = column("headers") as readonly (readonly KafkaHeader[] | null)[] | undefined;
    const topics = this.#topic === undefined ? (column("topic") as readonly (string | null)[]) : undefined;
    const partitions = column("partition") as readonly (number | null)[] | undefined;
    const parts = new Map<string, Map<number, Part>>();
    const counts = new Map<string, number>();
    const keyless = new Map<string, number>();
    for (let i = 0; i < chunk.rowCount; i++) {
      const topic = this.#topic ?? topics?.[i] ?? null;
      if (topic === null) {
        throw new MillraceError("KAFKA_NULL_TOPIC_IN_DATA", "A row has no topic: its column topic is null.", {
          hint: 'Give the option "topic", or fill the column.',
        });
      }
      let count = counts.get(topic);
      if (count === undefined) {
        count = await this.#producer.partitions(topic);
        counts.set(topic, count);
        keyless.set(topic, Math.floor(Math.random() * count));
        parts.set(topic, new Map());
      }
      const key = keys?.[i] ?? null;
      const wanted = partitions?.[i] ?? null;
      if (wanted !== null && (wanted < 0 || wanted >= count)) {
        throw new MillraceError(
          "INVALID_VALUE",
          `A row wants partition ${wanted}; the topic "${topic}" has ${count} partitions.`,
        );
      }
      const partition =
        wanted ??
        (key === null ? keyless.get(topic)! : partitionForKey(typeof key === "string" ? Buffer.from(key) : key, count));
      const ofTopic = parts.get(topic)!;
      let part = ofTopic.get(partition);
      if (part === undefined) {
        part = { topic, partition, keys: [], values: [], headers: headers === undefined ? undefined : [], bytes: 0 };
        ofTopic.set(partition, part);
      }
      const value = values[i] ?? null;
      part.keys.push(key);
      part.values.push(value);
      part.headers?.push(headers?.[i] ?? undefined);
      part.bytes += 16 + (key?.length ?? 0) + (value?.length ?? 0);
    }
    return [...parts.values()].flatMap((ofTopic) => [...ofTopic.values()]);
  }
}

interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly keys: Bytes[];
  readonly values: Bytes[];
  readonly headers: (readonly KafkaHeader[] | undefined)[] | undefined;
  bytes: number;
}

/** `df.write.format("kafka")`: appending only, as in Spark. */
export async function writeKafkaBatch(request: BatchWriteRequest): Promise<void> {
  if (request.mode === "overwrite" || request.mode === "ignore") {
    throw new MillraceError("INVALID_ARGUMENT", `The save mode "${request.mode}" is not possible with Kafka.`, {
      hint: 'Use "append" or "error".',
    });
  }
  validateSink(request);
  const sink = new KafkaSink(request);
  try {
    await sink.addBatch(request.batch);
  } finally {
    await sink.close();
  }
}
