/**
 * Spark's data types as plain data. `kind` is Spark's own JSON name, so the JSON form of a schema (Delta's `schemaString`)
 * is nearly this. https://spark.apache.org/docs/latest/sql-ref-datatypes.html
 */
export type DataType =
  | { readonly kind: AtomicKind }
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
  | "interval_day_time";

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

/** A value as it stands in TypeScript: `long` is bigint, `decimal` a string, `date` and timestamps a Date, `map` a Map. */
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
