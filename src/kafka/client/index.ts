export { KafkaClient } from "./client.ts";
export { brokerError, isRetriable } from "./errors.ts";
export { KAFKA_COLUMNS, type KafkaColumn } from "./ingest/columns.ts";
export {
  type OffsetRange,
  RangeReader,
} from "./ingest/range-reader.ts";
export {
  type KafkaClientOptions,
  parseKafkaOptions,
  parseServers,
} from "./options.ts";
export { KafkaProducer } from "./producer.ts";
export {
  EARLIEST,
  type FetchedPartition,
  keyOf,
  LATEST,
  type PartitionOffset,
  type TopicInfo,
  type TopicPartition,
} from "./types.ts";
