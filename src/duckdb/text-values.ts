import type { DataType, StructType } from "../types/data-type.ts";
import { quoteIdentifier, sqlString } from "../types/duckdb-types.ts";
import { structSql } from "./literal.ts";

/**
 * One JSON object per row, as Spark's JSON writer makes it: fields that are null are left out, timestamps are ISO 8601 in UTC, bytes are
 * base64, and numbers that JSON cannot hold are strings.
 */
export function jsonLine(fields: StructType["fields"]): string {
  if (fields.length === 0) return "'{}'";
  const struct = structSql(fields.map((f) => [f.name, jsonValue(quoteIdentifier(f.name), f.type)] as const));
  // A merge patch drops what is null, at every depth of objects.
  return `json_merge_patch('{}', to_json(${struct}))`;
}

/** SQL of a value in the form that `to_json` then writes as Spark does. */
function jsonValue(sql: string, type: DataType): string {
  switch (type.kind) {
    case "timestamp":
      return isoTimestamp(`make_timestamp(epoch_us(${sql}))`, "Z");
    case "timestamp_ntz":
      return isoTimestamp(sql, "");
    case "date":
      return `CAST(${sql} AS VARCHAR)`;
    case "binary":
      return `base64(${sql})`;
    case "float":
    case "double":
      return `CASE WHEN isfinite(${sql}) THEN to_json(${sql}) WHEN isnan(${sql}) THEN to_json('NaN') WHEN ${sql} > 0 THEN to_json('Infinity') WHEN ${sql} < 0 THEN to_json('-Infinity') END`;
    case "array":
      return needsHelp(type.elementType)
        ? `list_transform(${sql}, lambda e: ${jsonValue("e", type.elementType)})`
        : sql;
    case "map":
      return needsHelp(type.valueType) || needsHelp(type.keyType)
        ? `map_from_entries(list_transform(map_entries(${sql}), lambda e: ${structSql([
            ["key", `CAST(${jsonValue("e.key", type.keyType)} AS VARCHAR)`],
            ["value", jsonValue("e.value", type.valueType)],
          ])}))`
        : sql;
    case "struct":
      return needsHelp(type)
        ? `CASE WHEN ${sql} IS NOT NULL THEN ${structSql(
            type.fields.map(
              (f) => [f.name, jsonValue(`struct_extract(${sql}, ${sqlString(f.name)})`, f.type)] as const,
            ),
          )} END`
        : sql;
    default:
      return sql;
  }
}

/** Whether DuckDB's own JSON of the type differs from Spark's. */
function needsHelp(type: DataType): boolean {
  switch (type.kind) {
    case "timestamp":
    case "timestamp_ntz":
    case "date":
    case "binary":
    case "float":
    case "double":
      return true;
    case "array":
      return needsHelp(type.elementType);
    case "map":
      return needsHelp(type.keyType) || needsHelp(type.valueType);
    case "struct":
      return type.fields.some((f) => needsHelp(f.type));
    default:
      return false;
  }
}

/** `yyyy-MM-dd'T'HH:mm:ss.SSS` and a zone: milliseconds, six digits where there are microseconds. */
function isoTimestamp(local: string, zone: string): string {
  return `(CASE WHEN epoch_us(${local}) % 1000 = 0 THEN strftime(${local}, '%Y-%m-%dT%H:%M:%S.%g${zone}') ELSE strftime(${local}, '%Y-%m-%dT%H:%M:%S.%f${zone}') END)`;
}

/** A value in a CSV file as Spark writes it; what CSV cannot hold becomes JSON text. */
export function csvText(sql: string, type: DataType): string {
  switch (type.kind) {
    case "timestamp":
      return isoTimestamp(`make_timestamp(epoch_us(${sql}))`, "Z");
    case "timestamp_ntz":
      return isoTimestamp(sql, "");
    case "binary":
      return `base64(${sql})`;
    case "array":
    case "map":
    case "struct":
      return `CAST(to_json(${jsonValue(sql, type)}) AS VARCHAR)`;
    default:
      return sql;
  }
}
