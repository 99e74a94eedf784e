import type {
  DuckDBBlobValue,
  DuckDBDataChunk,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBType,
  DuckDBVector,
} from "@duckdb/node-api";
import { DuckDBTypeId } from "@duckdb/node-api";
import type { AnyRow } from "../types/data-type.ts";
import { NO_FIELD } from "../types/duckdb-types.ts";
import { toDecimalString } from "./decimal.ts";
import { setField } from "./encode-rows.ts";

export { ChunkWriter, duckDBType, encoderOf } from "./encode-rows.ts";

/** Rows of one DuckDB vector; more in one chunk are refused. */
export const CHUNK_ROWS = 2048;

const MICROS_PER_DAY = 86_400_000_000n;

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
function microsToDate(micros: bigint): Date {
  const n = Number(micros);
  if (Number.isSafeInteger(n)) {
    const rest = n % 1000;
    return new Date((n - (rest < 0 ? rest + 1000 : rest)) / 1000);
  }
  return new Date(Number(micros / 1000n) - (micros < 0n && micros % 1000n !== 0n ? 1 : 0));
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
