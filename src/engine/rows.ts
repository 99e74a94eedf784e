import type { DuckDBDataChunk, DuckDBType, DuckDBValue, DuckDBVector } from "@duckdb/node-api";
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
  DuckDBTypeId,
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
import { MillraceError } from "../errors.ts";
import type { AnyRow, DataType, StructType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { parseDecimal, toDecimalString } from "./decimal.ts";
import { NO_FIELD } from "./duckdb-types.ts";

/** Rows of one DuckDB vector; more in one chunk are refused. */
export const CHUNK_ROWS = 2048;

const MICROS_PER_DAY = 86_400_000_000n;

// ------------------------------------------------------------------------------------------------------- DuckDB -> JavaScript

/** What the vectors of `@duckdb/node-api` hold; reading it directly spares an object and BigInt arithmetic for each value. */
interface RawVector {
  readonly type: DuckDBType;
  readonly itemCount: number;
  readonly items?: ArrayLike<number> & ArrayLike<bigint>;
  readonly dataView?: DataView;
  readonly validity?: { readonly data: BigUint64Array | null; readonly offset: number };
  getItem(index: number): any;
}

// ignoreBOM keeps a leading U+FEFF, which is part of the value.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The values of a vector as TypeScript has them: `long` bigint, `decimal` a string, dates and timestamps a Date (microseconds
 * are cut off), `binary` a Uint8Array of its own, `map` a Map, `struct` a plain object, an interval a bigint of microseconds.
 */
export function readVector(vector: DuckDBVector, rowCount?: number): unknown[] {
  const v = vector as unknown as RawVector;
  const count = rowCount ?? v.itemCount;
  const out: unknown[] = new Array(count);
  const valid = validityOf(v);
  switch (v.type.typeId) {
    case DuckDBTypeId.TINYINT:
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.UTINYINT:
    case DuckDBTypeId.USMALLINT:
    case DuckDBTypeId.UINTEGER:
    case DuckDBTypeId.FLOAT:
    case DuckDBTypeId.DOUBLE:
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.UBIGINT: {
      const items = v.items!;
      if (valid === null) for (let i = 0; i < count; i++) out[i] = items[i];
      else for (let i = 0; i < count; i++) out[i] = valid(i) ? items[i] : null;
      return out;
    }
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ: {
      const items = v.items as unknown as BigInt64Array;
      for (let i = 0; i < count; i++) out[i] = valid === null || valid(i) ? microsToDate(items[i]!) : null;
      return out;
    }
    case DuckDBTypeId.DATE: {
      const items = v.items as unknown as Int32Array;
      for (let i = 0; i < count; i++) out[i] = valid === null || valid(i) ? new Date(items[i]! * 86_400_000) : null;
      return out;
    }
    case DuckDBTypeId.VARCHAR: {
      const view = v.dataView!;
      for (let i = 0; i < count; i++) out[i] = valid === null || valid(i) ? readString(v, view, i) : null;
      return out;
    }
    case DuckDBTypeId.BLOB:
      for (let i = 0; i < count; i++) {
        const item = v.getItem(i) as DuckDBBlobValue | null;
        out[i] = item === null ? null : new Uint8Array(item.bytes);
      }
      return out;
    case DuckDBTypeId.DECIMAL:
      for (let i = 0; i < count; i++) {
        const item = v.getItem(i) as DuckDBDecimalValue | null;
        out[i] = item === null ? null : toDecimalString(item.value, item.scale);
      }
      return out;
    case DuckDBTypeId.TIMESTAMP_S:
    case DuckDBTypeId.TIMESTAMP_MS:
    case DuckDBTypeId.TIMESTAMP_NS: {
      for (let i = 0; i < count; i++) {
        const item = v.getItem(i) as { seconds?: bigint; millis?: bigint; nanos?: bigint } | null;
        out[i] =
          item === null
            ? null
            : new Date(
                item.seconds !== undefined
                  ? Number(item.seconds) * 1000
                  : item.millis !== undefined
                    ? Number(item.millis)
                    : Math.floor(Number(item.nanos) / 1e6),
              );
      }
      return out;
    }
    case DuckDBTypeId.INTERVAL:
      for (let i = 0; i < count; i++) {
        const item = v.getItem(i) as DuckDBIntervalValue | null;
        out[i] = item === null ? null : BigInt(item.months * 30 + item.days) * MICROS_PER_DAY + item.micros;
      }
      return out;
    case DuckDBTypeId.LIST: {
      const list = v as unknown as ListLike;
      const child = readVector(list.childVector);
      for (let i = 0; i < count; i++) out[i] = valid === null || valid(i) ? entryOf(list, child, i) : null;
      return out;
    }
    case DuckDBTypeId.MAP: {
      // MAP is stored as LIST(STRUCT(key, value)).
      const list = (v as unknown as { listVector: ListLike & RawVector }).listVector;
      const listValid = validityOf(list);
      const entries = list.childVector as unknown as { entryVectorAt(i: number): DuckDBVector };
      const keys = readVector(entries.entryVectorAt(0));
      const values = readVector(entries.entryVectorAt(1));
      for (let i = 0; i < count; i++) {
        if (listValid !== null && !listValid(i)) {
          out[i] = null;
          continue;
        }
        const start = list.getEntryOffset(i);
        const map = new Map<unknown, unknown>();
        for (let k = start, end = start + list.getEntryLength(i); k < end; k++) map.set(keys[k], values[k]);
        out[i] = map;
      }
      return out;
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames } = v.type as unknown as { entryNames: readonly string[] };
      const struct = v as unknown as { entryVectorAt(i: number): DuckDBVector };
      const columns = entryNames.map((_, k) => readVector(struct.entryVectorAt(k), count));
      for (let i = 0; i < count; i++) {
        if (valid !== null && !valid(i)) {
          out[i] = null;
          continue;
        }
        const object: Record<string, unknown> = {};
        if (entryNames[0] !== NO_FIELD)
          for (let k = 0; k < entryNames.length; k++) setField(object, entryNames[k]!, columns[k]![i]);
        out[i] = object;
      }
      return out;
    }
    default:
      for (let i = 0; i < count; i++) {
        const item = v.getItem(i);
        out[i] = item === null || typeof item === "boolean" || typeof item === "bigint" ? item : String(item);
      }
      return out;
  }
}

interface ListLike {
  readonly childVector: DuckDBVector;
  getEntryOffset(index: number): number;
  getEntryLength(index: number): number;
}

function entryOf(list: ListLike, child: unknown[], i: number): unknown[] {
  const start = list.getEntryOffset(i);
  return child.slice(start, start + list.getEntryLength(i));
}

/** A test for "not null" by row, or null when the vector has no nulls. */
function validityOf(v: RawVector): ((index: number) => boolean) | null {
  const data = v.validity?.data;
  if (!data) return null;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const offset = v.validity!.offset;
  return (index) => {
    const bit = offset + index;
    return (bytes[bit >> 3]! & (1 << (bit & 7))) !== 0;
  };
}

/** DuckDB keeps strings up to 12 bytes inside the vector; short ASCII is most of what streams carry. */
function readString(v: RawVector, view: DataView, index: number): string {
  const at = index * 16;
  const length = view.getUint32(at, true);
  if (length > 12) return v.getItem(index) as string;
  let text = "";
  for (let i = 0; i < length; i++) {
    const byte = view.getUint8(at + 4 + i);
    if (byte >= 0x80) return utf8.decode(new Uint8Array(view.buffer, view.byteOffset + at + 4, length));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Milliseconds of a timestamp, rounded down; DuckDB's infinities become an invalid Date. */
export function microsToDate(micros: bigint): Date {
  const n = Number(micros);
  if (Number.isSafeInteger(n)) {
    const rest = n % 1000;
    return new Date((n - (rest < 0 ? rest + 1000 : rest)) / 1000);
  }
  return new Date(Number(micros / 1000n) - (micros < 0n && micros % 1000n !== 0n ? 1 : 0));
}

/** Assigns like a literal would: a field named `__proto__` is a field. */
function setField(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else object[name] = value;
}

/** The columns of a chunk as arrays of TypeScript values. */
export function readChunk(chunk: DuckDBDataChunk): unknown[][] {
  const rows = chunk.rowCount;
  const columns: unknown[][] = [];
  for (let i = 0, n = chunk.columnCount; i < n; i++) columns.push(readVector(chunk.getColumnVector(i), rows));
  return columns;
}

/** Columns to row objects. */
export function toRows(names: readonly string[], columns: readonly (readonly unknown[])[], rowCount: number): AnyRow[] {
  const make = rowMaker(names);
  const rows: AnyRow[] = new Array(rowCount);
  for (let i = 0; i < rowCount; i++) rows[i] = make(columns, i);
  return rows;
}

/** Builds a row by assignments in a fixed order, so that all rows share one hidden class. */
function rowMaker(names: readonly string[]): (columns: readonly (readonly unknown[])[], i: number) => AnyRow {
  const n = names.length;
  return (columns, i) => {
    const row: Record<string, unknown> = {};
    for (let k = 0; k < n; k++) setField(row, names[k]!, columns[k]![i]);
    return row as AnyRow;
  };
}

// ------------------------------------------------------------------------------------------------------- JavaScript -> DuckDB

/** The DuckDB type object of a Spark type. */
export function duckDBType(type: DataType): DuckDBType {
  switch (type.kind) {
    case "null":
    case "integer":
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
export function encoderOf(type: DataType, column: string, nullable = true): Encoder {
  const encode = nonNullEncoder(type, column);
  if (nullable) return (value) => (value === null || value === undefined ? null : encode(value));
  return (value) => {
    if (value === null || value === undefined) throw invalid(column, value, type, "The column may not be null.");
    return encode(value);
  };
}

function nonNullEncoder(type: DataType, column: string): Encoder {
  switch (type.kind) {
    case "null":
      return (value) => {
        throw invalid(column, value, type);
      };
    case "boolean":
      return (value) => {
        if (typeof value !== "boolean") throw invalid(column, value, type);
        return value;
      };
    case "byte":
    case "short":
    case "integer": {
      const [min, max] = INTEGER_RANGE[type.kind];
      return (value) => {
        const n = typeof value === "bigint" ? Number(value) : value;
        if (typeof n !== "number" || !Number.isInteger(n) || n < min || n > max) throw invalid(column, value, type);
        return n;
      };
    }
    case "long":
      return (value) => {
        if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return value;
        if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
        throw invalid(column, value, type);
      };
    case "float":
    case "double":
      return (value) => {
        if (typeof value === "number") return value;
        if (typeof value === "bigint") return Number(value);
        throw invalid(column, value, type);
      };
    case "decimal":
      return (value) => {
        const scaled =
          typeof value === "string" || typeof value === "number" || typeof value === "bigint"
            ? parseDecimal(String(value), type.precision, type.scale)
            : undefined;
        if (scaled === undefined) throw invalid(column, value, type);
        return new DuckDBDecimalValue(scaled, type.precision, type.scale);
      };
    case "string":
      return (value) => {
        if (typeof value !== "string") throw invalid(column, value, type);
        return value;
      };
    case "binary":
      return (value) => {
        if (!(value instanceof Uint8Array)) throw invalid(column, value, type);
        return new DuckDBBlobValue(value);
      };
    case "date":
      return (value) => new DuckDBDateValue(Math.floor(timeOf(value, column, type) / 86_400_000));
    case "timestamp":
      return (value) => new DuckDBTimestampTZValue(BigInt(timeOf(value, column, type)) * 1000n);
    case "timestamp_ntz":
      return (value) => new DuckDBTimestampValue(BigInt(timeOf(value, column, type)) * 1000n);
    case "interval_day_time":
      return (value) => {
        if (typeof value === "bigint") return new DuckDBIntervalValue(0, 0, value);
        if (typeof value === "number" && Number.isSafeInteger(value))
          return new DuckDBIntervalValue(0, 0, BigInt(value));
        throw invalid(column, value, type);
      };
    case "array": {
      const element = encoderOf(type.elementType, `${column}.element`);
      return (value) => {
        if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView))) {
          throw invalid(column, value, type);
        }
        const items: DuckDBValue[] = [];
        for (const item of value as Iterable<unknown>) items.push(element(item));
        return new DuckDBListValue(items);
      };
    }
    case "map": {
      const key = encoderOf(type.keyType, `${column}.key`, false);
      const item = encoderOf(type.valueType, `${column}.value`);
      return (value) => {
        let pairs: Iterable<readonly [unknown, unknown]>;
        if (value instanceof Map) pairs = value;
        else if (isPlainObject(value) && type.keyType.kind === "string") pairs = Object.entries(value);
        else throw invalid(column, value, type);
        const entries: { key: DuckDBValue; value: DuckDBValue }[] = [];
        for (const [k, v] of pairs) entries.push({ key: key(k), value: item(v) });
        return new DuckDBMapValue(entries);
      };
    }
    case "struct": {
      const fields = type.fields.map((f) => ({
        name: f.name,
        encode: encoderOf(f.type, `${column}.${f.name}`, f.nullable),
      }));
      return (value) => {
        if (!isPlainObject(value)) throw invalid(column, value, type);
        const entries: Record<string, DuckDBValue> = fields.length === 0 ? { [NO_FIELD]: null } : {};
        for (const f of fields) setField(entries, f.name, f.encode(value[f.name]));
        return new DuckDBStructValue(entries);
      };
    }
  }
}

function timeOf(value: unknown, column: string, type: DataType): number {
  const ms = value instanceof Date ? value.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw invalid(column, value, type);
  return ms;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof Map) &&
    !ArrayBuffer.isView(value)
  );
}

function invalid(column: string, value: unknown, type: DataType, why?: string): MillraceError {
  return new MillraceError(
    "INVALID_VALUE",
    `Column \`${column}\` cannot hold ${show(value)}: its type is ${sqlName(type)}.`,
    { hint: why ?? HINTS[type.kind], parameters: { column, value: show(value), type: sqlName(type) } },
  );
}

const HINTS: Partial<Record<DataType["kind"], string>> = {
  long: "A `long` is a bigint, such as 5n.",
  decimal: "A `decimal` is a string, such as '12.50', with no more digits than its precision.",
  date: "A `date` is a Date.",
  timestamp: "A `timestamp` is a Date.",
  timestamp_ntz: "A `timestamp_ntz` is a Date.",
  binary: "A `binary` is a Uint8Array.",
  map: "A `map` is a Map.",
};

/** A value as a message shows it: at most 80 characters. */
export function show(value: unknown): string {
  let text: string;
  try {
    text =
      value === undefined
        ? "undefined"
        : typeof value === "bigint"
          ? `${value}n`
          : value instanceof Map
            ? `Map(${value.size})`
            : typeof value === "function"
              ? "a function"
              : (JSON.stringify(value, (_, v) =>
                  typeof v === "bigint"
                    ? `${v}n`
                    : v instanceof Map
                      ? [...v]
                      : v instanceof Uint8Array
                        ? [...v.slice(0, 16)]
                        : v,
                ) ?? String(value));
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Fills chunks of at most 2,048 rows from row objects; the same chunk is used again after each `flush`. */
export class ChunkWriter {
  readonly #encoders: readonly { readonly name: string; readonly encode: Encoder }[];
  readonly #types: readonly DuckDBType[];

  /** `strictNulls`: a null in a column that may not be null is refused. */
  constructor(schema: StructType, strictNulls = false) {
    this.#encoders = schema.fields.map((f) => ({
      name: f.name,
      encode: encoderOf(f.type, f.name, strictNulls ? f.nullable : true),
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
