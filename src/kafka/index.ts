/** Sending records to Kafka from your own code: `import { KafkaProducer } from "millrace/kafka"`. */
export {
  KafkaProducer,
  type KafkaProducerOptions,
  type KafkaRecord,
  type NewTopicOptions,
  type RecordValue,
} from "./producer.ts";
