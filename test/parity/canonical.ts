import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from "@duckdb/node-api";
import { toDecimalString } from "../../src/duckdb/decimal.ts";
import type { DataType } from "../../src/types/data-type.ts";
import { NO_FIELD } from "../../src/types/duckdb-types.ts";

/**
 * Values as text, one form for each value that differs: microseconds, NaN, -0.0, the scale of decimals, the bytes of binaries. What both
 * engines hand out is brought into the values of `fromDuckDB` first: timestamps as bigints of microseconds, all else as in TypeScript.
 */
export function canonical(value: unknown, type: DataType): string {
  if (value === null || value === undefined) return "NULL";
  switch (type.kind) {
    case "null":
      return "NULL";
    case "float":
    case "double":
      return numberText(value as number);
    case "string":
      return JSON.stringify(value);
    case "binary":
      return `X'${Buffer.from(value as Uint8Array)
        .toString("hex")
        .toUpperCase()}'`;
    case "date":
      return Number.isNaN((value as Date).getTime()) ? "beyond" : (value as Date).toISOString().replace(/T.*$/, "");
    case "timestamp":
      return `${timeText(value)}Z`;
    case "timestamp_ntz":
      return timeText(value);
    case "interval_day_time":
      return `${value}us`;
    case "array":
      return `[${(value as unknown[]).map((item) => canonical(item, type.elementType)).join(", ")}]`;
    case "map": {
      // Spark gives maps no order.
      const entries = [...(value as Map<unknown, unknown>)].map(
        ([k, v]) => `${canonical(k, type.keyType)}: ${canonical(v, type.valueType)}`,
      );
      return `map(${entries.sort().join(", ")})`;
    }
    case "struct": {
      const fields = type.fields.map(
        (f) => `${f.name}: ${canonical((value as Record<string, unknown>)[f.name], f.type)}`,
      );
      return `{${fields.join(", ")}}`;
    }
    default:
      return String(value);
  }
}

function numberText(n: number): string {
  if (Object.is(n, -0)) return "-0.0";
  return Number.isInteger(n) && Math.abs(n) < 1e15 ? `${n}.0` : String(n);
}

function timeText(value: unknown): string {
  // Rows that came through TypeScript have milliseconds.
  const micros = value instanceof Date ? BigInt(value.getTime()) * 1000n : (value as bigint);
  const second = (micros - (((micros % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n;
  const rest = micros - second * 1_000_000n;
  const ms = Number(second) * 1000;
  const base = Math.abs(ms) > 8.64e15 ? `${second} s` : new Date(ms).toISOString().replace(/\.000Z$/, "");
  return `${base}.${String(rest).padStart(6, "0")}`;
}

/** A value of DuckDB's own reader as `canonical` takes it; nothing is cut off. */
export function fromDuckDB(value: unknown, type: DataType): unknown {
  if (value === null || value === undefined || type.kind === "null") return null;
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue) return value.micros;
  if (value instanceof DuckDBDateValue) return new Date(value.days * 86_400_000);
  if (value instanceof DuckDBDecimalValue) return toDecimalString(value.value, value.scale);
  if (value instanceof DuckDBBlobValue) return value.bytes;
  if (value instanceof DuckDBIntervalValue) {
    return BigInt(value.months * 30 + value.days) * 86_400_000_000n + value.micros;
  }
  if (value instanceof DuckDBListValue && type.kind === "array") {
    return value.items.map((item) => fromDuckDB(item, type.elementType));
  }
  if (value instanceof DuckDBMapValue && type.kind === "map") {
    return new Map(value.entries.map((e) => [fromDuckDB(e.key, type.keyType), fromDuckDB(e.value, type.valueType)]));
  }
  if (value instanceof DuckDBStructValue && type.kind === "struct") {
    const entries = value.entries as Record<string, unknown>;
    const names = Object.keys(entries).filter((name) => name !== NO_FIELD);
    // JavaScript has names that are whole numbers first, so the order of names says nothing where the names are ours.
    return Object.fromEntries(
      type.fields.map((f, i) => [f.name, fromDuckDB(entries[f.name in entries ? f.name : names[i]!], f.type)]),
    );
  }
  return value;
}

/** A type as text, with what may be null inside it: `array<int!>` holds no nulls. */
export function typeText(type: DataType): string {
  switch (type.kind) {
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "array":
      return `array<${typeText(type.elementType)}${type.containsNull ? "" : "!"}>`;
    case "map":
      return `map<${typeText(type.keyType)},${typeText(type.valueType)}${type.valueContainsNull ? "" : "!"}>`;
    case "struct":
      return `struct<${type.fields.map((f) => `${f.name}:${typeText(f.type)}${f.nullable ? "" : "!"}`).join(",")}>`;
    default:
      return type.kind;
  }
}
