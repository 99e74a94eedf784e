import { isAscii } from "node:buffer";
import { type DataType as ArrowType, type Batch, IntervalUnit, type Table, TimeUnit, Type } from "@uwdata/flechette";
import { toDecimalString } from "../duckdb/decimal.ts";
import { MillraceError } from "../errors.ts";
import type { AnyRow, DataType, StructField, StructType } from "../types/data-type.ts";
import { type ValueMode, valueMode } from "../types/schema.ts";
import { makeObjects } from "./objects.ts";

/** How values are to stand in TypeScript. */
export interface DecodeOptions {
  /** `micros`: every timestamp as a bigint of microseconds, as Spark has it. Default `date`, which cuts to milliseconds. */
  readonly timestamps?: "date" | "micros";
  /** Follow the fields' own modes: `t.long({ mode: "number" })`, `t.timestamp({ mode: "micros" })`. Default false. */
  readonly modes?: boolean;
}

/** What Flechette's batches hold. */
interface Raw {
  readonly length: number;
  readonly nullCount: number;
  readonly type: ArrowType;
  readonly validity?: Uint8Array;
  readonly values?: any;
  readonly offsets?: Int32Array | BigInt64Array;
  readonly children?: readonly Raw[];
}

/** The rows of one record batch of a table. */
export function rowsOfTable(table: Table, batch: number, schema: StructType, options: DecodeOptions): AnyRow[] {
  const columns = columnsOfTable(table, batch, schema, options);
  const count = (table.children[0]?.data[batch] as Batch<any> | undefined)?.length ?? 0;
  return makeObjects(
    schema.fields.map((f) => f.name),
    columns,
    count,
  ) as AnyRow[];
}

/** The columns of one record batch as arrays of values. */
export function columnsOfTable(table: Table, batch: number, schema: StructType, options: DecodeOptions): unknown[][] {
  if (table.children.length !== schema.fields.length) {
    throw new MillraceError(
      "INTERNAL",
      `An Arrow batch has ${table.children.length} columns where ${schema.fields.length} were announced.`,
    );
  }
  return schema.fields.map((f, i) => readField(table.children[i]!.data[batch] as unknown as Raw, f, options));
}

function readField(column: Raw, field: StructField, options: DecodeOptions, outer?: ValueMode): unknown[] {
  const mode = options.modes ? (valueMode(field) ?? outer) : undefined;
  if (field.type.kind === "interval") throw noForm("an interval of months, days and microseconds", field.name);
  return readColumn(column, field.type, options, mode);
}

const DAY_MS = 86_400_000;
// ignoreBOM keeps a leading U+FEFF, which is part of the value.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The values of a column, null where there is none. */
function readColumn(c: Raw, type: DataType, options: DecodeOptions, mode: ValueMode | undefined): unknown[] {
  const n = c.length;
  if (c.type.typeId === Type.Null) return new Array(n).fill(null);
  switch (type.kind) {
    case "null":
      return new Array(n).fill(null);
    case "boolean":
      return each(c, (i) => (c.values[i >> 3] & (1 << (i & 7))) !== 0);
    case "byte":
    case "short":
    case "integer":
    case "float":
    case "double":
      return direct(c, c.values);
    case "long":
      return mode === "number" ? each(c, (i) => Number(c.values[i])) : direct(c, c.values);
    case "decimal": {
      const { scale } = c.type as { scale: number };
      const words = signedWords(c.values);
      // Up to 18 digits fit the low word.
      if (type.precision <= 18) return each(c, (i) => toDecimalString(words[i * 2]!, scale));
      return each(c, (i) => toDecimalString((words[i * 2 + 1]! << 64n) | BigInt.asUintN(64, words[i * 2]!), scale));
    }
    case "string":
      return strings(c);
    case "binary": {
      const at = offsetsOf(c);
      // A copy: the buffer of the whole batch must not stay for one value.
      return each(c, (i) => c.values.slice(at[i]!, at[i + 1]!));
    }
    case "date":
      return each(c, (i) => new Date(c.values[i] * DAY_MS));
    case "timestamp":
    case "timestamp_ntz":
      if (options.timestamps === "micros" || mode === "micros") return direct(c, microseconds(c));
      return dates(c);
    case "interval_day_time":
      return direct(c, microseconds(c));
    case "interval_year_month":
      return direct(c, c.values);
    case "interval":
      throw noForm("an interval of months, days and microseconds");
    case "array": {
      const items = readColumn(c.children![0]!, type.elementType, options, mode);
      const at = offsetsOf(c);
      return each(c, (i) => items.slice(at[i]!, at[i + 1]!));
    }
    case "map": {
      const [keys, values] = mapColumns(c, type, options, mode);
      const at = offsetsOf(c);
      return each(c, (i) => {
        const map = new Map<unknown, unknown>();
        for (let k = at[i]!, end = at[i + 1]!; k < end; k++) map.set(keys[k], values[k]);
        return map;
      });
    }
    case "struct": {
      const columns = type.fields.map((f, k) => readField(c.children![k]!, f, options, mode));
      const objects = makeObjects(
        type.fields.map((f) => f.name),
        columns,
        n,
      );
      return c.nullCount === 0 ? objects : each(c, (i) => objects[i]);
    }
  }
}

function mapColumns(
  c: Raw,
  type: Extract<DataType, { kind: "map" }>,
  options: DecodeOptions,
  mode: ValueMode | undefined,
): [unknown[], unknown[]] {
  const entries = c.children![0]!;
  return [
    readColumn(entries.children![0]!, type.keyType, options, mode),
    readColumn(entries.children![1]!, type.valueType, options, mode),
  ];
}

/** Calls `value` for each row that is not null. */
function each(c: Raw, value: (index: number) => unknown): unknown[] {
  const n = c.length;
  const out: unknown[] = new Array(n);
  const valid = c.nullCount === 0 ? undefined : c.validity;
  if (valid === undefined || valid.length === 0) for (let i = 0; i < n; i++) out[i] = value(i);
  else for (let i = 0; i < n; i++) out[i] = (valid[i >> 3]! & (1 << (i & 7))) === 0 ? null : value(i);
  return out;
}

function direct(c: Raw, values: ArrayLike<unknown>): unknown[] {
  const n = c.length;
  const out: unknown[] = new Array(n);
  const valid = c.nullCount === 0 ? undefined : c.validity;
  if (valid === undefined || valid.length === 0) for (let i = 0; i < n; i++) out[i] = values[i];
  else for (let i = 0; i < n; i++) out[i] = (valid[i >> 3]! & (1 << (i & 7))) === 0 ? null : values[i];
  return out;
}

function signedWords(values: BigUint64Array): BigInt64Array {
  return new BigInt64Array(values.buffer, values.byteOffset, values.length);
}

/** Offsets as numbers; Spark sends 64-bit ones where `spark.sql.execution.arrow.useLargeVarTypes` is set. */
function offsetsOf(c: Raw): ArrayLike<number> {
  // A batch without rows may come without offsets.
  if (c.length === 0) return [0];
  return c.offsets instanceof BigInt64Array ? Float64Array.from(c.offsets, Number) : c.offsets!;
}

function strings(c: Raw): unknown[] {
  const at = offsetsOf(c);
  const bytes = c.values as Uint8Array;
  // Not in the types of Node, and half the cost of toString("latin1", ...).
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) as Buffer & {
    latin1Slice(start: number, end: number): string;
  };
  if (isAscii(bytes)) return each(c, (i) => text.latin1Slice(at[i]!, at[i + 1]!));
  return each(c, (i) => utf8.decode(bytes.subarray(at[i]!, at[i + 1]!)));
}

const MICROS_PER_UNIT: Readonly<Record<number, bigint>> = {
  [TimeUnit.SECOND]: 1_000_000n,
  [TimeUnit.MILLISECOND]: 1_000n,
  [TimeUnit.MICROSECOND]: 1n,
};

/** Timestamps and durations in microseconds, which is what Spark sends. */
function microseconds(c: Raw): ArrayLike<bigint> {
  const { unit } = c.type as { unit: number };
  const values = c.values as BigInt64Array;
  if (unit === TimeUnit.MICROSECOND) return values;
  const factor = MICROS_PER_UNIT[unit];
  return BigInt64Array.from(values, (v) => (factor === undefined ? BigInt.asIntN(64, v / 1000n) : v * factor));
}

/** Timestamps as dates; the two halves of a value make a number without a BigInt, exact for 285 years around 1970. */
function dates(c: Raw): unknown[] {
  const micros = microseconds(c);
  const words =
    micros instanceof BigInt64Array ? new Int32Array(micros.buffer, micros.byteOffset, micros.length * 2) : undefined;
  return each(c, (i) => {
    if (words !== undefined) {
      const high = words[i * 2 + 1]!;
      if (high < 1_048_576 && high >= -1_048_576)
        return new Date(Math.floor((high * 4_294_967_296 + (words[i * 2]! >>> 0)) / 1000));
    }
    const v = micros[i]!;
    return new Date(Number((v - (((v % 1000n) + 1000n) % 1000n)) / 1000n));
  });
}

/** Our type of an Arrow type, where no schema is given. Throws UNSUPPORTED_DATATYPE. */
export function typeOfArrow(type: ArrowType, name: string): DataType {
  switch (type.typeId) {
    case Type.Null:
      return { kind: "null" };
    case Type.Bool:
      return { kind: "boolean" };
    case Type.Int: {
      const kind = ({ 8: "byte", 16: "short", 32: "integer", 64: "long" } as const)[type.bitWidth];
      if (type.signed) return { kind };
      break;
    }
    case Type.Float:
      if (type.precision === 1) return { kind: "float" };
      if (type.precision === 2) return { kind: "double" };
      break;
    case Type.Decimal:
      if (type.bitWidth === 128) return { kind: "decimal", precision: type.precision, scale: type.scale };
      break;
    case Type.Utf8:
    case Type.LargeUtf8:
      return { kind: "string" };
    case Type.Binary:
    case Type.LargeBinary:
      return { kind: "binary" };
    case Type.Date:
      if (type.unit === 0) return { kind: "date" };
      break;
    case Type.Timestamp:
      return { kind: type.timezone === null || type.timezone === "" ? "timestamp_ntz" : "timestamp" };
    case Type.Duration:
      return { kind: "interval_day_time" };
    case Type.Interval:
      if (type.unit === IntervalUnit.YEAR_MONTH) return { kind: "interval_year_month" };
      break;
    case Type.List:
    case Type.LargeList: {
      const element = type.children[0];
      return {
        kind: "array",
        elementType: typeOfArrow(element.type, `${name}.element`),
        containsNull: element.nullable,
      };
    }
    case Type.Map: {
      const [key, value] = (type.children[0].type as { children: { type: ArrowType; nullable: boolean }[] }).children;
      return {
        kind: "map",
        keyType: typeOfArrow(key!.type, `${name}.key`),
        valueType: typeOfArrow(value!.type, `${name}.value`),
        valueContainsNull: value!.nullable,
      };
    }
    case Type.Struct:
      return {
        kind: "struct",
        fields: type.children.map((f) => ({
          name: f.name,
          type: typeOfArrow(f.type, `${name}.${f.name}`),
          nullable: f.nullable,
        })),
      };
  }
  const known = `the Arrow type ${Object.entries(Type).find(([, id]) => id === type.typeId)?.[0] ?? type.typeId}`;
  throw noForm(known, name);
}

function noForm(what: string, column?: string): MillraceError {
  const where = column === undefined ? "A column" : `The column \`${column}\``;
  return new MillraceError("UNSUPPORTED_DATATYPE", `${where} has ${what}, which has no form in TypeScript.`, {
    hint: `Cast it to a string: col("${column ?? "..."}").cast("string").`,
    parameters: { typeName: what },
  });
}
