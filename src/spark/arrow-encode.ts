import * as arrow from "@uwdata/flechette";
import { parseDecimal } from "../duckdb/decimal.ts";
import { MillraceError } from "../errors.ts";
import type { DataType, StructType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { invalidValue } from "../types/invalid-value.ts";
import { isPlainObject } from "../types/plain-object.ts";

export interface EncodeOptions {
  /** `micros`: timestamps are given as bigints of microseconds. Default `date`. */
  readonly timestamps?: "date" | "micros";
  /** Refuse null in a column that may not be null. Default true. */
  readonly strictNulls?: boolean;
}

/** The Arrow type in which Spark takes and sends a type. */
export function arrowType(type: DataType): arrow.DataType {
  switch (type.kind) {
    case "null":
      return arrow.nullType();
    case "boolean":
      return arrow.bool();
    case "byte":
      return arrow.int8();
    case "short":
      return arrow.int16();
    case "integer":
      return arrow.int32();
    case "long":
      return arrow.int64();
    case "float":
      return arrow.float32();
    case "double":
      return arrow.float64();
    case "decimal":
      return arrow.decimal128(type.precision, type.scale);
    case "string":
      return arrow.utf8();
    case "binary":
      return arrow.binary();
    case "date":
      return arrow.dateDay();
    case "timestamp":
      return arrow.timestamp(arrow.TimeUnit.MICROSECOND, "UTC");
    case "timestamp_ntz":
      return arrow.timestamp(arrow.TimeUnit.MICROSECOND, null);
    case "interval_day_time":
      return arrow.duration(arrow.TimeUnit.MICROSECOND);
    case "interval_year_month":
      return arrow.interval(arrow.IntervalUnit.YEAR_MONTH);
    case "interval":
      throw new MillraceError(
        "UNSUPPORTED_DATATYPE",
        `There is an interval of the type "${sqlName(type)}", which Arrow cannot carry to or from Spark.`,
        { hint: 'Cast it to a string: col("...").cast("string").' },
      );
    case "array":
      return arrow.list(arrow.field("element", arrowType(type.elementType), type.containsNull));
    case "map":
      return arrow.map(
        arrow.field("key", arrowType(type.keyType), false),
        arrow.field("value", arrowType(type.valueType), type.valueContainsNull),
      );
    case "struct":
      return arrow.struct(type.fields.map((f) => arrow.field(f.name, arrowType(f.type), f.nullable)));
  }
}

/** What Flechette writes of a column. */
interface Built {
  readonly length: number;
  readonly nullCount: number;
  readonly type: arrow.DataType;
  readonly validity: Uint8Array;
  readonly values?: ArrayBufferView;
  readonly offsets?: Int32Array;
  readonly children?: readonly Built[];
}

/** An Arrow IPC stream of one record batch from columns of values. Throws INVALID_VALUE. */
export function encodeColumns(
  schema: StructType,
  columns: readonly (readonly unknown[])[],
  options: EncodeOptions = {},
): Uint8Array {
  const strict = options.strictNulls ?? true;
  const children = schema.fields.map((f, i) => {
    const type = arrowType(f.type);
    const batch = build(f.type, type, columns[i]!, f.name, strict && !f.nullable, options);
    return { type, data: [batch] };
  });
  const fields = schema.fields.map((f, i) => arrow.field(f.name, children[i]!.type, f.nullable));
  const table = {
    schema: { version: arrow.Version.V5, endianness: arrow.Endianness.Little, fields, metadata: null },
    children,
  };
  return arrow.tableToIPC(table as unknown as arrow.Table, { format: "stream" })!;
}

const RANGE = { byte: [-128, 127], short: [-32768, 32767], integer: [-2147483648, 2147483647] } as const;
const ARRAYS = { byte: Int8Array, short: Int16Array, integer: Int32Array } as const;

function build(
  type: DataType,
  arrowT: arrow.DataType,
  values: readonly unknown[],
  column: string,
  strict: boolean,
  options: EncodeOptions,
): Built {
  const n = values.length;
  const { validity, nullCount } = validityOf(values, type, column, strict);
  const base = { length: n, nullCount, type: arrowT, validity };
  const fail = (value: unknown): MillraceError => invalidValue(column, value, type);
  const fill = <A extends { [index: number]: unknown }>(to: A, convert: (value: any) => unknown): A => {
    for (let i = 0; i < n; i++) {
      const value = values[i];
      if (value !== null && value !== undefined) to[i] = convert(value);
    }
    return to;
  };
  switch (type.kind) {
    case "null":
      if (nullCount < n) throw fail(values.find((v) => v !== null && v !== undefined));
      return base;
    case "boolean": {
      const bits = new Uint8Array((n + 7) >> 3);
      for (let i = 0; i < n; i++) {
        const value = values[i];
        if (value === true) bits[i >> 3]! |= 1 << (i & 7);
        else if (value !== false && value !== null && value !== undefined) throw fail(value);
      }
      return { ...base, values: bits };
    }
    case "byte":
    case "short":
    case "integer":
    case "interval_year_month": {
      const kind = type.kind === "interval_year_month" ? "integer" : type.kind;
      const [min, max] = RANGE[kind];
      const to = new ARRAYS[kind](n);
      return {
        ...base,
        values: fill(to, (value) => {
          const x = typeof value === "bigint" ? Number(value) : value;
          if (!Number.isInteger(x) || x < min || x > max) throw fail(value);
          return x;
        }),
      };
    }
    case "interval":
      throw fail(values.find((v) => v !== null && v !== undefined));
    case "long":
    case "interval_day_time":
      return {
        ...base,
        values: fill(new BigInt64Array(n), (value) => {
          if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return value;
          if (Number.isSafeInteger(value)) return BigInt(value);
          throw fail(value);
        }),
      };
    case "float":
    case "double":
      return {
        ...base,
        values: fill(type.kind === "float" ? new Float32Array(n) : new Float64Array(n), (value) => {
          if (typeof value === "number") return value;
          if (typeof value === "bigint") return Number(value);
          throw fail(value);
        }),
      };
    case "decimal": {
      const words = new BigInt64Array(n * 2);
      for (let i = 0; i < n; i++) {
        const value = values[i];
        if (value === null || value === undefined) continue;
        const scaled =
          typeof value === "string" || typeof value === "number" || typeof value === "bigint"
            ? parseDecimal(String(value), type.precision, type.scale)
            : undefined;
        if (scaled === undefined) throw fail(value);
        words[i * 2] = BigInt.asIntN(64, scaled);
        words[i * 2 + 1] = scaled >> 64n;
      }
      return { ...base, values: words };
    }
    case "string":
      return { ...base, ...bytesOf(values, (v) => (typeof v === "string" ? utf8.encode(v) : undefined), fail) };
    case "binary":
      return { ...base, ...bytesOf(values, (v) => (v instanceof Uint8Array ? v : undefined), fail) };
    case "date":
      return {
        ...base,
        values: fill(new Int32Array(n), (value) => Math.floor(timeOf(value, fail) / 86_400_000)),
      };
    case "timestamp":
    case "timestamp_ntz":
      return {
        ...base,
        values: fill(new BigInt64Array(n), (value) => {
          if (options.timestamps !== "micros") return BigInt(timeOf(value, fail)) * 1000n;
          if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return value;
          throw fail(value);
        }),
      };
    case "array": {
      const { offsets, flat } = flatten(values, (v) => itemsOf(v, fail));
      const child = (arrowT as arrow.ListType).children[0].type;
      const items = build(type.elementType, child, flat, `${column}.element`, !type.containsNull, options);
      return { ...base, offsets, children: [items] };
    }
    case "map": {
      const { offsets, flat } = flatten(values, (v) => pairsOf(v, type.keyType.kind === "string", fail));
      const entryField = (arrowT as arrow.MapType).children[0];
      const [keyField, valueField] = (entryField.type as arrow.StructType).children;
      const keys = flat.map((pair) => pair[0]);
      const items = flat.map((pair) => pair[1]);
      const entries: Built = {
        length: flat.length,
        nullCount: 0,
        type: entryField.type,
        validity: NO_NULLS,
        children: [
          build(type.keyType, keyField!.type, keys, `${column}.key`, true, options),
          build(type.valueType, valueField!.type, items, `${column}.value`, !type.valueContainsNull, options),
        ],
      };
      return { ...base, offsets, children: [entries] };
    }
    case "struct": {
      for (const v of values) if (v !== null && v !== undefined && !isPlainObject(v)) throw fail(v);
      const children = type.fields.map((f, k) => {
        const items = values.map((v) => (v as Record<string, unknown> | null | undefined)?.[f.name]);
        const name = `${column}.${f.name}`;
        if (!f.nullable) refuseInnerNulls(values, items, f.type, name);
        const child = build(f.type, (arrowT as arrow.StructType).children[k]!.type, items, name, false, options);
        // Below a null struct there is nothing, and a field that is never null says so without marks.
        return f.nullable ? child : { ...child, nullCount: 0, validity: NO_NULLS };
      });
      return { ...base, children };
    }
  }
}

const NO_NULLS = new Uint8Array(0);
const utf8 = new TextEncoder();

function validityOf(
  values: readonly unknown[],
  type: DataType,
  column: string,
  strict: boolean,
): { readonly validity: Uint8Array; readonly nullCount: number } {
  const n = values.length;
  let nullCount = 0;
  for (let i = 0; i < n; i++) if (values[i] === null || values[i] === undefined) nullCount++;
  if (nullCount === 0) return { validity: NO_NULLS, nullCount };
  if (strict) throw invalidValue(column, null, type, "The column may not be null.");
  const validity = new Uint8Array((n + 7) >> 3);
  for (let i = 0; i < n; i++) {
    if (values[i] !== null && values[i] !== undefined) validity[i >> 3]! |= 1 << (i & 7);
  }
  return { validity, nullCount };
}

function refuseInnerNulls(structs: readonly unknown[], items: readonly unknown[], type: DataType, name: string): void {
  for (let i = 0; i < items.length; i++) {
    if ((items[i] === null || items[i] === undefined) && structs[i] !== null && structs[i] !== undefined) {
      throw invalidValue(name, null, type, "The column may not be null.");
    }
  }
}

function bytesOf(
  values: readonly unknown[],
  encode: (value: unknown) => Uint8Array | undefined,
  fail: (value: unknown) => MillraceError,
): { readonly offsets: Int32Array; readonly values: Uint8Array } {
  const n = values.length;
  const offsets = new Int32Array(n + 1);
  let out = new Uint8Array(Math.max(64, n * 16));
  let end = 0;
  for (let i = 0; i < n; i++) {
    const value = values[i];
    if (value !== null && value !== undefined) {
      const bytes = encode(value);
      if (bytes === undefined) throw fail(value);
      if (end + bytes.length > out.length) {
        const grown = new Uint8Array(Math.max(out.length * 2, end + bytes.length));
        grown.set(out.subarray(0, end));
        out = grown;
      }
      out.set(bytes, end);
      end += bytes.length;
      // Offsets are of 32 bits.
      if (end > 2_147_483_647) throw tooMuch();
    }
    offsets[i + 1] = end;
  }
  return { offsets, values: out.subarray(0, end) };
}

function tooMuch(): MillraceError {
  return new MillraceError("INVALID_VALUE", "A column of one Arrow batch would hold more than 2 GB.", {
    hint: "Write the rows to files and read those, or give fewer rows at a time.",
  });
}

function flatten<T>(
  values: readonly unknown[],
  itemsOf: (value: unknown) => Iterable<T>,
): { readonly offsets: Int32Array; readonly flat: T[] } {
  const offsets = new Int32Array(values.length + 1);
  const flat: T[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value !== null && value !== undefined) for (const item of itemsOf(value)) flat.push(item);
    offsets[i + 1] = flat.length;
  }
  return { offsets, flat };
}

function itemsOf(value: unknown, fail: (value: unknown) => MillraceError): Iterable<unknown> {
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    return value as Iterable<unknown>;
  }
  throw fail(value);
}

function pairsOf(
  value: unknown,
  names: boolean,
  fail: (value: unknown) => MillraceError,
): Iterable<readonly [unknown, unknown]> {
  if (value instanceof Map) return value;
  if (names && isPlainObject(value)) return Object.entries(value);
  throw fail(value);
}

function timeOf(value: unknown, fail: (value: unknown) => MillraceError): number {
  const ms = value instanceof Date ? value.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw fail(value);
  return ms;
}
