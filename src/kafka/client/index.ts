export { KafkaClient } from "./client.ts";
export { brokerError, errorName, isRetriable } from "./errors.ts";
export { KAFKA_COLUMNS, type KafkaColumn } from "./ingest/columns.ts";
export {
  type OffsetRange,
  RangeReader,
  type RangeReaderOptions,
  type ReadResult,
} from "./ingest/range-reader.ts";
export {
  type KafkaClientOptions,
  type ProducerOptions,
  parseKafkaOptions,
  parseServers,
  type SaslOptions,
} from "./options.ts";
export { KafkaProducer, type ProducerRecord } from "./producer.ts";
export {
  type AbortedTransaction,
  type ClusterInfo,
  EARLIEST,
  type FetchedPartition,
  type FetchLimits,
  type FetchPartition,
  type IsolationLevel,
  keyOf,
  LATEST,
  type NewTopic,
  type PartitionInfo,
  type PartitionOffset,
  type TopicInfo,
  type TopicPartition,
} from "./types.ts";
