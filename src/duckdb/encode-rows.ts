import type { DuckDBDataChunk, DuckDBType, DuckDBValue } from "@duckdb/node-api";
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DuckDBDataChunk as DataChunk,
  DECIMAL,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  FLOAT,
  INTEGER,
  INTERVAL,
  LIST,
  MAP,
  SMALLINT,
  STRUCT,
  TIMESTAMP,
  TIMESTAMPTZ,
  TINYINT,
  VARCHAR,
} from "@duckdb/node-api";
import type { AnyRow, DataType, StructType } from "../types/data-type.ts";
import { NO_FIELD } from "../types/duckdb-types.ts";
import { invalidValue } from "../types/invalid-value.ts";
import { isPlainObject } from "../types/plain-object.ts";
import { parseDecimal } from "./decimal.ts";

/** The DuckDB type object of a Spark type. */
export function duckDBType(type: DataType): DuckDBType {
  switch (type.kind) {
    case "null":
    case "integer":
    case "interval_year_month":
      return INTEGER;
    case "boolean":
      return BOOLEAN;
    case "byte":
      return TINYINT;
    case "short":
      return SMALLINT;
    case "long":
      return BIGINT;
    case "float":
      return FLOAT;
    case "double":
      return DOUBLE;
    case "string":
      return VARCHAR;
    case "binary":
      return BLOB;
    case "date":
      return DATE;
    case "timestamp":
      return TIMESTAMPTZ;
    case "timestamp_ntz":
      return TIMESTAMP;
    case "interval_day_time":
    case "interval":
      return INTERVAL;
    case "decimal":
      return DECIMAL(type.precision, type.scale);
    case "array":
      return LIST(duckDBType(type.elementType));
    case "map":
      return MAP(duckDBType(type.keyType), duckDBType(type.valueType));
    case "struct":
      if (type.fields.length === 0) return STRUCT({ [NO_FIELD]: BOOLEAN });
      return STRUCT(Object.fromEntries(type.fields.map((f) => [f.name, duckDBType(f.type)])));
  }
}

/** Turns one TypeScript value into what a DuckDB vector takes; throws INVALID_VALUE. */
export type Encoder = (value: unknown) => DuckDBValue;

const INTEGER_RANGE = { byte: [-128, 127], short: [-32768, 32767], integer: [-2147483648, 2147483647] } as const;

/**
 * The encoder of a type. `column` is named in errors. Where nothing is lost it takes neighbouring forms: a safe integer for `long`,
 * a number or bigint for `decimal`, milliseconds never (a timestamp is a Date).
 */
export function encoderOf(type: DataType, column: string, nullable = true, timestamps: Timestamps = "date"): Encoder {
  const encode = nonNullEncoder(type, column, timestamps);
  if (nullable) return (value) => (value === null || value === undefined ? null : encode(value));
  return (value) => {
    if (value === null || value === undefined) throw invalidValue(column, value, type, "The column may not be null.");
    return encode(value);
  };
}

/** How timestamps are given: as a Date, or as a bigint of microseconds. */
export type Timestamps = "date" | "micros";

function nonNullEncoder(type: DataType, column: string, timestamps: Timestamps): Encoder {
  switch (type.kind) {
    case "null":
      return (value) => {
        throw invalidValue(column, value, type);
      };
    case "boolean":
      return (value) => {
        if (typeof value !== "boolean") throw invalidValue(column, value, type);
        return value;
      };
    case "byte":
    case "short":
    case "integer":
    case "interval_year_month": {
      const [min, max] = INTEGER_RANGE[type.kind === "interval_year_month" ? "integer" : type.kind];
      return (value) => {
        const n = typeof value === "bigint" ? Number(value) : value;
        if (typeof n !== "number" || !Number.isInteger(n) || n < min || n > max)
          throw invalidValue(column, value, type);
        return n;
      };
    }
    case "long":
      return (value) => {
        if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return value;
        if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
        throw invalidValue(column, value, type);
      };
    case "float":
    case "double":
      return (value) => {
        if (typeof value === "number") return value;
        if (typeof value === "bigint") return Number(value);
        throw invalidValue(column, value, type);
      };
    case "decimal":
      return (value) => {
        const scaled =
          typeof value === "string" || typeof value === "number" || typeof value === "bigint"
            ? parseDecimal(String(value), type.precision, type.scale)
            : undefined;
        if (scaled === undefined) throw invalidValue(column, value, type);
        return new DuckDBDecimalValue(scaled, type.precision, type.scale);
      };
    case "string":
      return (value) => {
        if (typeof value !== "string") throw invalidValue(column, value, type);
        return value;
      };
    case "binary":
      return (value) => {
        if (!(value instanceof Uint8Array)) throw invalidValue(column, value, type);
        return new DuckDBBlobValue(value);
      };
    case "date":
      return (value) => new DuckDBDateValue(Math.floor(timeOf(value, column, type) / 86_400_000));
    case "timestamp":
      if (timestamps === "micros") return (value) => new DuckDBTimestampTZValue(microsOf(value, column, type));
      return (value) => new DuckDBTimestampTZValue(BigInt(timeOf(value, column, type)) * 1000n);
    case "timestamp_ntz":
      if (timestamps === "micros") return (value) => new DuckDBTimestampValue(microsOf(value, column, type));
      return (value) => new DuckDBTimestampValue(BigInt(timeOf(value, column, type)) * 1000n);
    case "interval_day_time":
    case "interval":
      return (value) => {
        if (typeof value === "bigint") return new DuckDBIntervalValue(0, 0, value);
        if (typeof value === "number" && Number.isSafeInteger(value))
          return new DuckDBIntervalValue(0, 0, BigInt(value));
        throw invalidValue(column, value, type);
      };
    case "array": {
      const element = encoderOf(type.elementType, `${column}.element`, true, timestamps);
      return (value) => {
        if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView))) {
          throw invalidValue(column, value, type);
        }
        const items: DuckDBValue[] = [];
        for (const item of value as Iterable<unknown>) items.push(element(item));
        return new DuckDBListValue(items);
      };
    }
    case "map": {
      const key = encoderOf(type.keyType, `${column}.key`, false, timestamps);
      const item = encoderOf(type.valueType, `${column}.value`, true, timestamps);
      return (value) => {
        let pairs: Iterable<readonly [unknown, unknown]>;
        if (value instanceof Map) pairs = value;
        else if (isPlainObject(value) && type.keyType.kind === "string") pairs = Object.entries(value);
        else throw invalidValue(column, value, type);
        const entries: { key: DuckDBValue; value: DuckDBValue }[] = [];
        for (const [k, v] of pairs) entries.push({ key: key(k), value: item(v) });
        return new DuckDBMapValue(entries);
      };
    }
    case "struct": {
      const fields = type.fields.map((f) => ({
        name: f.name,
        encode: encoderOf(f.type, `${column}.${f.name}`, f.nullable, timestamps),
      }));
      return (value) => {
        if (!isPlainObject(value)) throw invalidValue(column, value, type);
        const entries: Record<string, DuckDBValue> = fields.length === 0 ? { [NO_FIELD]: null } : {};
        for (const f of fields) setField(entries, f.name, f.encode(value[f.name]));
        return new DuckDBStructValue(entries);
      };
    }
  }
}

function timeOf(value: unknown, column: string, type: DataType): number {
  const ms = value instanceof Date ? value.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw invalidValue(column, value, type);
  return ms;
}

function microsOf(value: unknown, column: string, type: DataType): bigint {
  if (typeof value !== "bigint") throw invalidValue(column, value, type);
  return value;
}

/** Fills chunks of at most 2,048 rows from row objects; the same chunk is used again after each `flush`. */
export class ChunkWriter {
  readonly #encoders: readonly { readonly name: string; readonly encode: Encoder }[];
  readonly #types: readonly DuckDBType[];

  /** `strictNulls`: a null in a column that may not be null is refused. */
  constructor(schema: StructType, strictNulls = false, timestamps: Timestamps = "date") {
    this.#encoders = schema.fields.map((f) => ({
      name: f.name,
      encode: encoderOf(f.type, f.name, strictNulls ? f.nullable : true, timestamps),
    }));
    this.#types = schema.fields.map((f) => duckDBType(f.type));
  }

  /** A chunk that holds `rows` (at most 2,048) as objects. */
  fromObjects(rows: readonly AnyRow[]): DuckDBDataChunk {
    return this.#fill(rows.length, (name) => rows.map((row) => (row as Record<string, unknown>)[name]));
  }

  /** A chunk from rows as arrays in the order of the schema. */
  fromArrays(rows: readonly (readonly unknown[])[]): DuckDBDataChunk {
    return this.#fill(rows.length, (_, index) => rows.map((row) => row[index]));
  }

  /** A chunk from columns. */
  fromColumns(columns: readonly (readonly unknown[])[], rowCount: number): DuckDBDataChunk {
    return this.#fill(rowCount, (_, index) => columns[index]!);
  }

  #fill(rowCount: number, values: (name: string, index: number) => readonly unknown[]): DuckDBDataChunk {
    const chunk = DataChunk.create(this.#types, rowCount);
    for (let k = 0; k < this.#encoders.length; k++) {
      const { name, encode } = this.#encoders[k]!;
      const column = values(name, k);
      const vector = chunk.getColumnVector(k) as unknown as { setItem(i: number, v: DuckDBValue): void; flush(): void };
      for (let i = 0; i < rowCount; i++) vector.setItem(i, encode(column[i]));
      vector.flush();
    }
    return chunk;
  }
}

/** Assigns like a literal would: a field named `__proto__` is a field. */
export function setField(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else object[name] = value;
}
