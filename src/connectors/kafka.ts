import type { StructType } from "../types/data-type.ts";
import type { Connector } from "./connector.ts";
import { KAFKA_OPTIONS } from "./kafka/options.ts";
import { validateSink } from "./kafka/validate-sink.ts";

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
    // The client is loaded by the first query that reads or writes a topic.
    openStream: async (request) => {
      const { KafkaSource } = await import("./kafka/source.ts");
      return new KafkaSource(request, "stream");
    },
    openBatch: async (request) => {
      const { KafkaSource } = await import("./kafka/source.ts");
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
    openStream: async (request) => {
      const { KafkaSink } = await import("./kafka/sink.ts");
      return new KafkaSink(request);
    },
    writeBatch: async (request) => {
      const { writeKafkaBatch } = await import("./kafka/sink.ts");
      await writeKafkaBatch(request);
    },
  },
};
