/**
 * Spark's data types as plain data. `kind` is Spark's own JSON name, so the JSON form of a schema (Delta's `schemaString`)
 * is nearly this. https://spark.apache.org/docs/latest/sql-ref-datatypes.html
 */
export type DataType =
  | { readonly kind: Exclude<AtomicKind, "interval_day_time" | "interval_year_month"> }
  | DayTimeIntervalType
  | YearMonthIntervalType
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "array"; readonly elementType: DataType; readonly containsNull: boolean }
  | {
      readonly kind: "map";
      readonly keyType: DataType;
      readonly valueType: DataType;
      readonly valueContainsNull: boolean;
    }
  | StructType;

/** Types without parts. */
export type AtomicKind =
  | "null"
  | "boolean"
  | "byte"
  | "short"
  | "integer"
  | "long"
  | "float"
  | "double"
  | "string"
  | "binary"
  | "date"
  | "timestamp"
  | "timestamp_ntz"
  | "interval_day_time"
  | "interval_year_month"
  /** Months, days and microseconds together, as `make_interval` gives them: for arithmetic with dates only. */
  | "interval";

/** Microseconds. `start` and `end` are the fields it is declared with, `INTERVAL HOUR TO SECOND`; without them DAY TO SECOND. */
export interface DayTimeIntervalType {
  readonly kind: "interval_day_time";
  readonly start?: DayTimeField;
  readonly end?: DayTimeField;
}
export type DayTimeField = "day" | "hour" | "minute" | "second";

/** Months. `start` and `end` as in `INTERVAL YEAR`; without them YEAR TO MONTH. */
export interface YearMonthIntervalType {
  readonly kind: "interval_year_month";
  readonly start?: YearMonthField;
  readonly end?: YearMonthField;
}
export type YearMonthField = "year" | "month";

/** A row, or a struct within one. */
export interface StructType {
  readonly kind: "struct";
  readonly fields: readonly StructField[];
}

/** A column, or a field of a struct. */
export interface StructField {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/**
 * A value as it stands in TypeScript: `long` is bigint, `decimal` a string, `date` and timestamps a Date, `map` a Map, a day-time interval
 * the bigint of its microseconds, a year-month interval the number of its months.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Date
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | { readonly [name: string]: Value };

/** One row as a plain object. */
export type AnyRow = { [name: string]: Value };
