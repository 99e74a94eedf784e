/**
 * The one error class. `code` is from a closed set: Spark's error class where Spark has one, ours otherwise.
 * `retryable` says whether the same call may succeed later; `hint` is the reader's next move.
 */
export class MillraceError extends Error {
  override readonly name = "MillraceError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint: string | undefined;
  readonly sqlState: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions_ = {}) {
    super(`[${code}] ${message}${options.hint ? ` ${options.hint}` : ""}`, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
    this.sqlState = options.sqlState ?? SQL_STATES[code];
    this.parameters = Object.freeze({ ...options.parameters });
  }
}

interface ErrorOptions_ {
  /** What the reader should do next, a full sentence. */
  hint?: string | undefined;
  cause?: unknown;
  retryable?: boolean;
  sqlState?: string;
  /** Spark's `messageParameters`. */
  parameters?: Record<string, string>;
}

/** Error classes that Spark itself uses for the same fault. Sub-classes are joined with a dot, as Spark prints them. */
export const SPARK_ERROR_CLASSES = [
  "UNRESOLVED_COLUMN.WITH_SUGGESTION",
  "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
  "UNRESOLVED_ROUTINE",
  "AMBIGUOUS_REFERENCE",
  "FIELD_NOT_FOUND",
  "COLUMN_ALREADY_EXISTS",
  "DATATYPE_MISMATCH",
  "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
  "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
  "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
  "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
  "MISSING_AGGREGATION",
  "MISSING_GROUP_BY",
  "GROUP_BY_AGGREGATE",
  "INVALID_WHERE_CONDITION",
  "NUM_COLUMNS_MISMATCH",
  "INCOMPATIBLE_COLUMN_TYPE",
  "INVALID_LIMIT_LIKE_EXPRESSION",
  "PARSE_SYNTAX_ERROR",
  "UNSUPPORTED_DATATYPE",
  "CAST_INVALID_INPUT",
  "CAST_OVERFLOW",
  "ARITHMETIC_OVERFLOW",
  "DIVIDE_BY_ZERO",
  "INTERVAL_DIVIDED_BY_ZERO",
  "INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION",
  "INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION",
  "INVALID_INTERVAL_FORMAT.ARITHMETIC_EXCEPTION",
  "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING",
  "INVALID_ARRAY_INDEX",
  "MALFORMED_RECORD_IN_PARSING",
  "TABLE_OR_VIEW_NOT_FOUND",
  "PATH_NOT_FOUND",
  "PATH_ALREADY_EXISTS",
  "UNABLE_TO_INFER_SCHEMA",
  "DATA_SOURCE_NOT_FOUND",
  "STREAMING_OUTPUT_MODE.INVALID",
  "STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE",
  "STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION",
  "UNSUPPORTED_STREAMING_OPERATOR_WITHOUT_WATERMARK",
  "NON_TIME_WINDOW_NOT_SUPPORTED_IN_STREAMING",
  "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
  "STREAM_FAILED",
  "UNSUPPORTED_OPERATION",
  "UNSUPPORTED_FEATURE",
  "KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE",
  "KAFKA_DATA_LOSS.PARTITIONS_DELETED",
  "KAFKA_DATA_LOSS.START_OFFSET_RESET",
  "KAFKA_DATA_LOSS.PARTITION_OFFSET_CHANGED",
  "KAFKA_DATA_LOSS.ADDED_PARTITION_DOES_NOT_START_FROM_OFFSET_ZERO",
  "KAFKA_NULL_TOPIC_IN_DATA",
  "STATEFUL_PROCESSOR_DUPLICATE_STATE_VARIABLE_DEFINED",
  "STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE",
  "INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN",
  "DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH",
  "DATATYPE_MISMATCH.IN_SUBQUERY_DATA_TYPE_MISMATCH",
  "SCALAR_SUBQUERY_TOO_MANY_ROWS",
  "GROUP_BY_POS_OUT_OF_RANGE",
  "GROUP_BY_POS_AGGREGATE",
  "ORDER_BY_POS_OUT_OF_RANGE",
  "UNRESOLVED_GROUP_BY_ALL",
  "UNBOUND_SQL_PARAMETER",
  "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
  "INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE",
  "UNRESOLVABLE_TABLE_VALUED_FUNCTION",
  "ASSIGNMENT_ARITY_MISMATCH",
  "TABLE_OR_VIEW_ALREADY_EXISTS",
  "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
  "SCHEMA_NOT_FOUND",
  "SCHEMA_ALREADY_EXISTS",
  "SCHEMA_NOT_EMPTY",
  "CATALOG_NOT_FOUND",
  "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
  "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE",
  "INSERT_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS",
  "INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS",
  "UNSUPPORTED_GROUPING_EXPRESSION",
  "NESTED_AGGREGATE_FUNCTION",
  "CANNOT_MODIFY_STATIC_CONFIG",
  "INVALID_TEMP_OBJ_REFERENCE",
  "CONCURRENT_QUERY",
] as const;

export type SparkErrorClass = (typeof SPARK_ERROR_CLASSES)[number];

export type MillraceErrorCode =
  | "INVALID_OPTION"
  | "MISSING_OPTION"
  | "UNKNOWN_OPTION"
  | "INVALID_ARGUMENT"
  | "INVALID_SCHEMA"
  | "INVALID_VALUE"
  | "USER_FUNCTION_FAILED"
  | "CHECKPOINT_DIVERGED"
  | "CHECKPOINT_CORRUPT"
  | "CHECKPOINT_INCOMPATIBLE"
  | "CHECKPOINT_IN_USE"
  | "DIRECTORY_IN_USE"
  | "DIRECTORY_NOT_WRITABLE"
  | "DISK_FULL"
  | "SINK_FAILED"
  | "SOURCE_FAILED"
  | "SINK_SCHEMA_MISMATCH"
  | "DELTA_CONFLICT"
  | "DELTA_UNSUPPORTED"
  | "DELTA_CORRUPT"
  | "KAFKA_UNREACHABLE"
  | "KAFKA_UNKNOWN_TOPIC"
  | "KAFKA_PROTOCOL"
  | "KAFKA_AUTHENTICATION"
  | "KAFKA_CORRUPT_BATCH"
  | "KAFKA_LOG_CORRUPT"
  | "POSTGRES_UNREACHABLE"
  | "POSTGRES_FAILED"
  | "REDIS_UNREACHABLE"
  | "REDIS_FAILED"
  | "SPARK_ERROR"
  | "SPARK_UNREACHABLE"
  | "SPARK_AUTHENTICATION"
  | "SPARK_SESSION_LOST"
  | "SPARK_UNSUPPORTED_SERVER"
  | "FUNCTION_NOT_PORTABLE"
  | "BRIDGE_UNREACHABLE"
  | "PORT_IN_USE"
  | "DEPENDENCY_MISSING"
  | "ENGINE_FAILED"
  | "STOPPED"
  | "INTERNAL";

export type ErrorCode = SparkErrorClass | MillraceErrorCode;

const SQL_STATES: Partial<Record<ErrorCode, string>> = {
  "UNRESOLVED_COLUMN.WITH_SUGGESTION": "42703",
  "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION": "42703",
  UNRESOLVED_ROUTINE: "42883",
  AMBIGUOUS_REFERENCE: "42704",
  FIELD_NOT_FOUND: "42704",
  COLUMN_ALREADY_EXISTS: "42711",
  DATATYPE_MISMATCH: "42K09",
  "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE": "42K09",
  "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES": "42K09",
  "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION": "42K09",
  "WRONG_NUM_ARGS.WITHOUT_SUGGESTION": "42605",
  MISSING_AGGREGATION: "42803",
  MISSING_GROUP_BY: "42803",
  GROUP_BY_AGGREGATE: "42903",
  INVALID_WHERE_CONDITION: "42903",
  NUM_COLUMNS_MISMATCH: "42826",
  INCOMPATIBLE_COLUMN_TYPE: "42825",
  PARSE_SYNTAX_ERROR: "42601",
  UNSUPPORTED_DATATYPE: "0A000",
  CAST_INVALID_INPUT: "22018",
  CAST_OVERFLOW: "22003",
  ARITHMETIC_OVERFLOW: "22003",
  DIVIDE_BY_ZERO: "22012",
  INVALID_ARRAY_INDEX: "22003",
  MALFORMED_RECORD_IN_PARSING: "22023",
  TABLE_OR_VIEW_NOT_FOUND: "42P01",
  PATH_NOT_FOUND: "42K03",
  PATH_ALREADY_EXISTS: "42K04",
  UNABLE_TO_INFER_SCHEMA: "42KD9",
  DATA_SOURCE_NOT_FOUND: "42K02",
  "STREAMING_OUTPUT_MODE.INVALID": "42KDE",
  "STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE": "42KDE",
  "STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION": "42KDE",
  UNSUPPORTED_STREAMING_OPERATOR_WITHOUT_WATERMARK: "0A000",
  STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA: "42K03",
  STREAM_FAILED: "XXKST",
  "KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE": "22000",
  "KAFKA_DATA_LOSS.PARTITIONS_DELETED": "22000",
  "KAFKA_DATA_LOSS.START_OFFSET_RESET": "22000",
  "KAFKA_DATA_LOSS.PARTITION_OFFSET_CHANGED": "22000",
};

/**
 * The nearest of `known` to a misspelt `given`, or undefined when none is near: a Levenshtein distance of two or a third of its length
 * at most, and something of it is left.
 */
export function nearest(given: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(given.length / 3)) + 1;
  const a = given.toLowerCase();
  for (const candidate of known) {
    const d = levenshtein(a, candidate.toLowerCase());
    if (d < bestDistance && d < Math.max(a.length, candidate.length)) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

/** How many letters are to be put in, taken out or changed to make `b` of `a`. */
export function levenshtein(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
