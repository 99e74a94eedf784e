import type { DataType, StructType } from "../../types/data-type.ts";
import type { WrittenFile } from "../connector.ts";

/** Delta indexes the first columns of a schema by default. */
const INDEXED_COLUMNS = 32;
const MAX_TEXT = 32;
const HIGHEST_CODE_POINT = "\u{10FFFF}";

/**
 * The JSON text of `add.stats`: number of rows, and min, max and null count of the leading columns. Numbers are written as they come, so that
 * a long or decimal keeps its digits. https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics
 */
export function statsText(file: WrittenFile, schema: StructType, partitionColumns: readonly string[]): string {
  const min: string[] = [];
  const max: string[] = [];
  const nulls: string[] = [];
  for (const field of schema.fields.filter((f) => !partitionColumns.includes(f.name)).slice(0, INDEXED_COLUMNS)) {
    const stats = file.statistics?.[field.name];
    if (stats === undefined) continue;
    const name = JSON.stringify(field.name);
    if (field.type.kind !== "struct" && Number.isSafeInteger(stats.nullCount)) nulls.push(`${name}:${stats.nullCount}`);
    const low = bound(stats.min, field.type, "min");
    const high = bound(stats.max, field.type, "max");
    if (low === undefined || high === undefined) continue;
    min.push(`${name}:${low}`);
    max.push(`${name}:${high}`);
  }
  const parts = [`"numRecords":${file.rowCount}`];
  if (file.statistics !== undefined) {
    parts.push(`"minValues":{${min.join(",")}}`, `"maxValues":{${max.join(",")}}`, `"nullCount":{${nulls.join(",")}}`);
  }
  return `{${parts.join(",")}}`;
}

/** One bound as JSON; undefined where Delta has none, or where it would not be one (NaN). */
function bound(value: unknown, type: DataType, side: "min" | "max"): string | undefined {
  if (value === null || value === undefined) return undefined;
  const given = value instanceof Date ? value.toISOString() : String(value);
  switch (type.kind) {
    case "byte":
    case "short":
    case "integer":
    case "long":
      return /^-?\d+$/.test(given) ? given : undefined;
    case "decimal":
      return /^-?\d+(\.\d+)?$/.test(given) ? given : undefined;
    case "float":
    case "double": {
      const number = Number(given);
      if (!Number.isFinite(number)) return undefined;
      return JSON.stringify(number);
    }
    case "string":
      return textBound(given, side);
    case "date":
      return /^\d{4}-\d\d-\d\d$/.test(given) ? `"${given}"` : undefined;
    case "timestamp":
    case "timestamp_ntz":
      return timeBound(given, type.kind, side);
    default:
      return undefined;
  }
}

/** Long texts are cut; a cut maximum gets the highest character, so that it is still a bound. */
function textBound(given: string, side: "min" | "max"): string {
  const points = [...given];
  if (points.length <= MAX_TEXT) return JSON.stringify(given);
  const cut = points.slice(0, MAX_TEXT).join("");
  return JSON.stringify(side === "min" ? cut : cut + HIGHEST_CODE_POINT);
}

/** Milliseconds, the minimum rounded down and the maximum up. Takes ISO and DuckDB's form with an offset. */
function timeBound(given: string, kind: "timestamp" | "timestamp_ntz", side: "min" | "max"): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/.exec(given);
  if (match === null) return undefined;
  const [, day, clock, fraction = "", zone = "Z"] = match;
  const offset = zone.length === 3 ? `${zone}:00` : zone;
  let time = Date.parse(`${day}T${clock}.${fraction.slice(0, 3).padEnd(3, "0")}${offset}`);
  if (Number.isNaN(time)) return undefined;
  if (side === "max" && /[1-9]/.test(fraction.slice(3))) time++;
  const iso = new Date(time).toISOString();
  return `"${kind === "timestamp" ? iso : iso.slice(0, -1)}"`;
}

/** A partition value in the log's form; timestamps as ISO 8601 in UTC with microseconds, the empty text as null. */
export function partitionValue(value: string | null, type: DataType): string | null {
  if (value === null || value === "") return null;
  if (type.kind !== "timestamp" && type.kind !== "timestamp_ntz") return value;
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/.exec(value);
  if (match === null) return value;
  const [, day, clock, fraction = "", zone = "Z"] = match;
  const micros = fraction.padEnd(6, "0").slice(0, 6);
  if (type.kind === "timestamp_ntz") return `${day} ${clock}.${micros}`;
  const seconds = new Date(Date.parse(`${day}T${clock}${zone.length === 3 ? `${zone}:00` : zone}`)).toISOString();
  return `${seconds.slice(0, 19)}.${micros}Z`;
}
