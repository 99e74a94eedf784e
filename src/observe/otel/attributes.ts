/**
 * Names of what spans and metrics carry. Messaging and database names are those of OpenTelemetry's semantic conventions 1.45, whose messaging
 * part is still in development: they stand here alone. https://opentelemetry.io/docs/specs/semconv/
 */
export const ATTRIBUTE = {
  serviceName: "service.name",
  serviceVersion: "service.version",
  errorType: "error.type",

  queryName: "millrace.query.name",
  queryId: "millrace.query.id",
  runId: "millrace.query.run_id",
  batchId: "millrace.batch.id",
  inputRows: "millrace.batch.input_rows",
  outputRows: "millrace.batch.output_rows",
  lateRows: "millrace.batch.late_rows",
  stateRows: "millrace.state.rows",
  watermarkDelay: "millrace.watermark.delay_s",
  phase: "millrace.phase",
  sinkName: "millrace.sink.name",
  sinkGuarantee: "millrace.sink.guarantee",
  hint: "millrace.error.hint",

  messagingSystem: "messaging.system",
  messagingOperationName: "messaging.operation.name",
  messagingOperationType: "messaging.operation.type",
  messagingDestination: "messaging.destination.name",
  messagingBatchCount: "messaging.batch.message_count",
} as const;
