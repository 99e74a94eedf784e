import type { StructType } from "../../types/data-type.ts";
import { quoteIdentifier, sqlString } from "../../types/duckdb-types.ts";

/**
 * DuckDB SQL over `batch` for rows that become records as JSON: `value` is an object of all columns (nulls left out, times ISO 8601 in UTC,
 * bytes base64), `key` the text of one column.
 */
export function jsonRecordSql(schema: StructType, keyColumn: string | undefined): string {
  const members = schema.fields.map(({ name, type }) => {
    const column = quoteIdentifier(name);
    switch (type.kind) {
      case "timestamp":
        return [name, `strftime(timezone('UTC', ${column}), '%Y-%m-%dT%H:%M:%S.%gZ')`];
      case "timestamp_ntz":
        return [name, `strftime(${column}, '%Y-%m-%dT%H:%M:%S.%g')`];
      case "binary":
        return [name, `to_base64(${column})`];
      case "float":
      case "double":
        // JSON has no NaN and no infinity.
        return [name, `CASE WHEN isfinite(${column}) THEN ${column} END`];
      default:
        return [name, column];
    }
  });
  const object = `json_object(${members.map(([name, value]) => `${sqlString(name!)}, ${value}`).join(", ")})`;
  const key = keyColumn === undefined ? "NULL" : quoteIdentifier(keyColumn);
  // Merging into an empty object drops the nulls.
  return `SELECT CAST(${key} AS VARCHAR) AS key, CAST(json_merge_patch('{}', ${object}) AS VARCHAR) AS value FROM batch`;
}
