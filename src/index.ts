/** Millrace's public surface. */
export type {
  BatchTarget,
  SinkProgress,
  SinkTarget,
  SourceProgress,
  StateOperatorProgress,
  StreamingQueryHandle as StreamingQuery,
  StreamingQueryProgress,
  StreamingQueryStatus,
} from "./backend.ts";
export { defineConfig, type MillraceConfig } from "./config.ts";
export type {
  Catalog,
  CatalogColumn,
  CatalogDatabase,
  CatalogFunction,
  CatalogMetadata,
  CatalogTable,
} from "./dataframe/catalog.ts";
export { Column } from "./dataframe/column.ts";
export { DataFrame } from "./dataframe/dataframe.ts";
export {
  BooleanDeserializer,
  ByteArrayDeserializer,
  DoubleDeserializer,
  FloatDeserializer,
  IntegerDeserializer,
  LongDeserializer,
  ShortDeserializer,
  StringDeserializer,
  UUIDDeserializer,
} from "./dataframe/deserializers.ts";
export * from "./dataframe/functions.ts";
export { GroupedData, KeyValueGroupedDataset } from "./dataframe/grouped.ts";
export type { DataFrameReader, DataStreamReader, KafkaRow, RateRow } from "./dataframe/reader.ts";
export type { DataStreamWriter } from "./dataframe/stream-writer.ts";
export { Trigger } from "./dataframe/stream-writer.ts";
export { udf } from "./dataframe/udf.ts";
export { Window, type WindowSpec } from "./dataframe/window.ts";
export type { DataFrameWriter, DataFrameWriterV2 } from "./dataframe/writer.ts";
export { type ErrorCode, MillraceError } from "./errors.ts";
export {
  optimize,
  SparkSession,
  type SparkSessionBuilder,
  type StreamingQueryListener,
  type StreamingQueryManager,
  startStack,
  vacuum,
} from "./session.ts";
export type { Stack, StackOptions } from "./stack.ts";
export { stopSignal } from "./stop-signal.ts";
export type { AnyRow, DataType, StructField, StructType, Value } from "./types/data-type.ts";
export { type Infer, type Schema, type SchemaLike, schema, type Type, t } from "./types/schema.ts";
export type {
  ExpiredTimer,
  ListState,
  MapState,
  StatefulProcessor,
  StatefulProcessorHandle,
  TimerValues,
  ValueState,
} from "./types/stateful.ts";
export type { View, ViewOptions, ViewRow } from "./views/definition.ts";
