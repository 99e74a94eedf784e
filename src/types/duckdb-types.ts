import { MillraceError } from "../errors.ts";
import type { DataType } from "./data-type.ts";

/**
 * The DuckDB type that holds a Spark type (the table in docs/architecture.md). Timestamps keep microseconds in both.
 *
 * @example sqlType({ kind: "array", elementType: { kind: "long" }, containsNull: true }) // "BIGINT[]"
 */
export function sqlType(type: DataType): string {
  switch (type.kind) {
    // A column that is always null needs some storage type; INTEGER casts implicitly to the most others.
    case "null":
      return "INTEGER";
    case "boolean":
      return "BOOLEAN";
    case "byte":
      return "TINYINT";
    case "short":
      return "SMALLINT";
    case "integer":
      return "INTEGER";
    case "long":
      return "BIGINT";
    case "float":
      return "FLOAT";
    case "double":
      return "DOUBLE";
    case "string":
      return "VARCHAR";
    case "binary":
      return "BLOB";
    case "date":
      return "DATE";
    case "timestamp":
      return "TIMESTAMP WITH TIME ZONE";
    case "timestamp_ntz":
      return "TIMESTAMP";
    case "interval_day_time":
    case "interval":
      return "INTERVAL";
    // Months: DuckDB's own interval would compare 30 days equal to one month.
    case "interval_year_month":
      return "INTEGER";
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "array":
      return `${sqlType(type.elementType)}[]`;
    case "map":
      return `MAP(${sqlType(type.keyType)}, ${sqlType(type.valueType)})`;
    case "struct":
      // DuckDB has no empty struct; a struct without fields can only say whether it is null.
      if (type.fields.length === 0) return `STRUCT(${quoteIdentifier(NO_FIELD)} BOOLEAN)`;
      checkNames(type.fields);
      return `STRUCT(${type.fields.map((f) => `${quoteIdentifier(f.name)} ${sqlType(f.type)}`).join(", ")})`;
  }
}

/** Refuses a struct, also within a list, that DuckDB cannot have. */
export function refuseSameNames(type: DataType): void {
  sqlType(type);
}

/** DuckDB's structs know their fields by names in any case. */
function checkNames(fields: readonly { readonly name: string }[]): void {
  const seen = new Map<string, string>();
  for (const { name } of fields) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      throw new MillraceError(
        "UNSUPPORTED_FEATURE",
        `A struct has the fields "${other}" and "${name}", whose names do not differ but for their case.`,
        { hint: "Give each field a name of its own." },
      );
    }
    seen.set(name.toLowerCase(), name);
  }
}

/** The one field of a struct that has none. */
export const NO_FIELD = "\u0001";

/** `"a b"` as a quoted SQL name. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A SQL string literal. NUL characters, which would end the statement's text, are put together with `chr(0)`. */
export function sqlString(value: string): string {
  if (value.includes("\0")) {
    return `(${value
      .split("\0")
      .map((part) => `'${part.replaceAll("'", "''")}'`)
      .join("||chr(0)||")})`;
  }
  return `'${value.replaceAll("'", "''")}'`;
}
