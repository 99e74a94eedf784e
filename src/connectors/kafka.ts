import type { StructType } from "../types/data-type.ts";
import type { Connector } from "./connector.ts";
import { KAFKA_OPTIONS } from "./kafka/options.ts";
import { KafkaSink, validateSink, writeKafkaBatch } from "./kafka/sink.ts";
import { KafkaSource } from "./kafka/source.ts";

const COLUMNS: StructType["fields"] = [
  { name: "key", type: { kind: "binary" }, nullable: true },
  { name: "value", type: { kind: "binary" }, nullable: true },
  { name: "topic", type: { kind: "string" }, nullable: true },
  { name: "partition", type: { kind: "integer" }, nullable: true },
  { name: "offset", type: { kind: "long" }, nullable: true },
  { name: "timestamp", type: { kind: "timestamp" }, nullable: true },
  { name: "timestampType", type: { kind: "integer" }, nullable: true },
];

const HEADERS: StructType["fields"][number] = {
  name: "headers",
  nullable: true,
  type: {
    kind: "array",
    containsNull: true,
    elementType: {
      kind: "struct",
      fields: [
        { name: "key", type: { kind: "string" }, nullable: true },
        { name: "value", type: { kind: "binary" }, nullable: true },
      ],
    },
  },
};

/**
 * Kafka topics as source and sink, with the options, columns and checks of Spark's `kafka` format. The source replays exactly; the sink
 * writes at least once.
 * https://spark.apache.org/docs/latest/streaming/structured-streaming-kafka-integration.html
 *
 * ```ts
 * spark.readStream.format("kafka").option("subscribe", "flights").load();
 * ```
 */
export const kafka: Connector = {
  name: "kafka",
  summary: "Kafka topics: records as key, value, topic, partition, offset, timestamp.",
  options: KAFKA_OPTIONS,
  optionPrefixes: ["kafka."],
  source: {
    fixedSchema: true,
    schema: ({ options }) => ({
      kind: "struct",
      fields: options.includeHeaders?.toLowerCase() === "true" ? [...COLUMNS, HEADERS] : COLUMNS,
    }),
    openStream: (request) => new KafkaSource(request, "stream"),
    openBatch: async (request) => {
      const source = new KafkaSource(request, "batch");
      try {
        return await source.readBatch();
      } catch (error) {
        await source.close();
        throw error;
      }
    },
  },
  sink: {
    outputModes: ["append", "update", "complete"],
    guarantee: () => "at-least-once",
    validate: validateSink,
    openStream: (request) => new KafkaSink(request),
    writeBatch: writeKafkaBatch,
  },
};
