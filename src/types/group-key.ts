import type { DataType } from "./data-type.ts";
import { quoteIdentifier, sqlString } from "./duckdb-types.ts";

/**
 * DuckDB SQL of a value as Spark groups, partitions and removes duplicates by it: -0.0 is 0.0, also within arrays and structs. DuckDB
 * holds them for equal as well, but shows whichever came first, and sorting by a column makes 0.0 of the column's own -0.0.
 */
export function groupKey(sql: string, type: DataType, depth = 0): string {
  if (!hasFloats(type)) return sql;
  if (type.kind === "float") return `(${sql} + CAST(0 AS FLOAT))`;
  if (type.kind === "double") return `(${sql} + CAST(0 AS DOUBLE))`;
  const e = `group_key_${depth}`;
  if (type.kind === "array") {
    return `list_transform(${sql}, lambda ${e}: ${groupKey(e, type.elementType, depth + 1)})`;
  }
  if (type.kind !== "struct") return sql;
  const fields = type.fields.map(
    (f) => `${quoteIdentifier(f.name)} := ${groupKey(`struct_extract(${e}, ${sqlString(f.name)})`, f.type, depth + 1)}`,
  );
  return `list_transform([${sql}], lambda ${e}: CASE WHEN ${e} IS NOT NULL THEN struct_pack(${fields.join(", ")}) END)[1]`;
}

export function hasFloats(type: DataType): boolean {
  if (type.kind === "array") return hasFloats(type.elementType);
  if (type.kind === "struct") return type.fields.some((f) => hasFloats(f.type));
  return type.kind === "float" || type.kind === "double";
}
