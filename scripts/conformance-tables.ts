import type { Trigger } from "../src/backend.ts";
import type { OutputMode } from "../src/connectors/connector.ts";
import type { JoinType, Relation } from "../src/plan/relation.ts";
import type { DataType } from "../src/types/data-type.ts";

/** What a reader of docs/conformance.md is told of each; the compiler asks for a line for every kind there is. */
export interface Line {
  readonly what: string;
  /** What differs on the embedded engine; empty where nothing does. */
  readonly embedded?: string;
  readonly spark?: string;
}

export const RELATIONS: Readonly<Record<Relation["kind"], Line>> = {
  read: { what: "`read`, `readStream`" },
  named_table: { what: "`table`" },
  sql: { what: "`sql`" },
  local: { what: "`createDataFrame`" },
  range: { what: "`range`", embedded: "One partition, in order." },
  project: { what: "`select`, `selectExpr`" },
  select: { what: "`SELECT` of SQL" },
  filter: { what: "`filter`, `where`" },
  with_columns: { what: "`withColumn`, `withColumns`" },
  with_columns_renamed: { what: "`withColumnRenamed`, `withColumnsRenamed`" },
  drop: { what: "`drop`" },
  to_df: { what: "`toDF`" },
  na_drop: { what: "`dropna`, `na.drop`" },
  na_fill: { what: "`fillna`, `na.fill`" },
  na_replace: { what: "`na.replace`" },
  aggregate: { what: "`groupBy`, `rollup`, `cube`, `agg`, `pivot`", embedded: "`pivot` needs its values." },
  join: { what: "`join`, `crossJoin`" },
  set_op: { what: "`union`, `unionByName`, `intersect`, `subtract` and their `All` forms" },
  sort: { what: "`orderBy`, `sort`" },
  limit: { what: "`limit`" },
  offset: { what: "`offset`" },
  deduplicate: { what: "`distinct`, `dropDuplicates`, `dropDuplicatesWithinWatermark`" },
  with_watermark: { what: "`withWatermark`" },
  subquery_alias: { what: "`alias`" },
  sample: { what: "`sample`", embedded: "Other rows than Spark's for the same seed: each draws by its own generator." },
  repartition: { what: "`repartition`, `coalesce`", embedded: "Without effect: the engine spreads work by itself." },
  map_rows: {
    what: "`map`, `flatMap`, `mapBatch`, `filter` with a function",
    spark: "In a Node process beside each Python worker.",
  },
  transform_with_state: { what: "`transformWithState`", spark: "Through `transformWithStateInPandas`." },
  generate: { what: "`LATERAL VIEW`, table functions" },
  inline_table: { what: "`VALUES`" },
  sql_pivot: { what: "`PIVOT`" },
  unpivot: { what: "`UNPIVOT`" },
};

export const JOINS: Readonly<Record<JoinType, string>> = {
  inner: "inner",
  left_outer: "left",
  right_outer: "right",
  full_outer: "outer",
  left_semi: "left_semi",
  left_anti: "left_anti",
  cross: "cross",
};

export const TYPES: Readonly<Record<DataType["kind"], Line>> = {
  null: { what: "VOID" },
  boolean: { what: "BOOLEAN" },
  byte: { what: "TINYINT" },
  short: { what: "SMALLINT" },
  integer: { what: "INT" },
  long: { what: "BIGINT" },
  float: { what: "FLOAT" },
  double: { what: "DOUBLE" },
  decimal: { what: "DECIMAL" },
  string: {
    what: "STRING",
    embedded: "No collations: text is compared by its bytes. CHAR(n) and VARCHAR(n) are STRING.",
  },
  binary: { what: "BINARY" },
  date: { what: "DATE" },
  timestamp: {
    what: "TIMESTAMP",
    embedded:
      "Microseconds in the engine and in sinks; a TypeScript Date has milliseconds unless the mode is `micros`.",
  },
  timestamp_ntz: { what: "TIMESTAMP_NTZ", embedded: "As TIMESTAMP." },
  interval_day_time: { what: "INTERVAL DAY TO SECOND" },
  interval: { what: "INTERVAL" },
  interval_year_month: { what: "INTERVAL YEAR TO MONTH" },
  array: { what: "ARRAY" },
  map: { what: "MAP" },
  struct: { what: "STRUCT" },
};

export const MISSING_TYPES = "VARIANT, TIME, GEOMETRY, GEOGRAPHY and user-defined types are on Spark only.";

export const OUTPUT_MODES: Readonly<Record<OutputMode, Line>> = {
  append: { what: "`append`" },
  update: { what: "`update`" },
  complete: { what: "`complete`" },
};

export const TRIGGERS: Readonly<Record<Trigger["kind"], Line>> = {
  default: { what: "as soon as there is data" },
  processing_time: { what: "`processingTime`" },
  available_now: {
    what: "`availableNow`",
    spark: "yes; with a `transformWithState` in processing time it does not end, embedded it does.",
  },
  once: { what: "`once`" },
};

/** What Spark streams and the embedded engine does not, and what differs where both do. */
export const STREAMING: readonly Line[] = [
  {
    what: "no-data batches",
    embedded:
      "Run only where they close something: a window, a key, a timer. Spark runs one whenever the watermark has moved, so batch ids differ; results do not.",
  },
  {
    what: "joins of two streams",
    embedded: "Refused (UNSUPPORTED_FEATURE): join with a table, or keep what waits in transformWithState.",
  },
  {
    what: "`intersect` and `except` of a stream and a table",
    embedded: "Refused (UNSUPPORTED_FEATURE): use a left semi or left anti join.",
  },
  { what: "`session_window`", embedded: "Not there: transformWithState keeps sessions." },
  { what: "`pivot`, `rollup` and `cube` on a stream", embedded: "Refused (UNSUPPORTED_OPERATION)." },
  {
    what: "aggregates whose state grows without bound or depends on order (`collect_list`, `percentile`, `mode` and others)",
    embedded: "Refused (UNSUPPORTED_FEATURE).",
  },
  {
    what: "refusals of Spark's checker that have the class `_LEGACY_ERROR_TEMP_3102`",
    embedded: "The same refusals, as UNSUPPORTED_OPERATION.",
  },
  { what: "continuous and real-time triggers", embedded: "Not there.", spark: "Not offered by the API." },
  {
    what: "`mapGroupsWithState`, `flatMapGroupsWithState`",
    embedded: "Not there: use transformWithState.",
    spark: "Not offered by the API.",
  },
  {
    what: "state files",
    embedded: "Millrace's own, so a query with state cannot move between the engines; one without can.",
  },
];
