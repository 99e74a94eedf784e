import type { DuckDBType } from "@duckdb/node-api";
import { DuckDBTypeId } from "@duckdb/node-api";
import { MillraceError } from "../errors.ts";
import type { DataType, StructField } from "../types/data-type.ts";

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
      return "INTERVAL";
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "array":
      return `${sqlType(type.elementType)}[]`;
    case "map":
      return `MAP(${sqlType(type.keyType)}, ${sqlType(type.valueType)})`;
    case "struct":
      // DuckDB has no empty struct; a struct without fields can only say whether it is null.
      if (type.fields.length === 0) return `STRUCT(${quoteIdentifier(NO_FIELD)} BOOLEAN)`;
      return `STRUCT(${type.fields.map((f) => `${quoteIdentifier(f.name)} ${sqlType(f.type)}`).join(", ")})`;
  }
}

/** The one field of a struct that has none. */
export const NO_FIELD = "\u0001";

/**
 * The Spark type of a DuckDB result column. Unsigned and 128-bit integers widen to the next type that holds them, as Spark does
 * when it reads such Parquet files; times, UUIDs, enums and JSON become strings. Everything is nullable.
 *
 * @throws MillraceError UNSUPPORTED_DATATYPE
 */
export function fromDuckDBType(type: DuckDBType): DataType {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return { kind: "boolean" };
    case DuckDBTypeId.TINYINT:
      return { kind: "byte" };
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.UTINYINT:
      return { kind: "short" };
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.USMALLINT:
      return { kind: "integer" };
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.UINTEGER:
      return { kind: "long" };
    case DuckDBTypeId.UBIGINT:
      return { kind: "decimal", precision: 20, scale: 0 };
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
      return { kind: "decimal", precision: 38, scale: 0 };
    case DuckDBTypeId.FLOAT:
      return { kind: "float" };
    case DuckDBTypeId.DOUBLE:
      return { kind: "double" };
    case DuckDBTypeId.DECIMAL: {
      const { width, scale } = type as unknown as { width: number; scale: number };
      return { kind: "decimal", precision: width, scale };
    }
    case DuckDBTypeId.VARCHAR:
    case DuckDBTypeId.ENUM:
    case DuckDBTypeId.UUID:
    case DuckDBTypeId.TIME:
    case DuckDBTypeId.TIME_TZ:
      return { kind: "string" };
    case DuckDBTypeId.BLOB:
    case DuckDBTypeId.BIT:
      return { kind: "binary" };
    case DuckDBTypeId.DATE:
      return { kind: "date" };
    case DuckDBTypeId.TIMESTAMP_TZ:
      return { kind: "timestamp" };
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_S:
    case DuckDBTypeId.TIMESTAMP_MS:
    case DuckDBTypeId.TIMESTAMP_NS:
      return { kind: "timestamp_ntz" };
    case DuckDBTypeId.INTERVAL:
      return { kind: "interval_day_time" };
    case DuckDBTypeId.SQLNULL:
      return { kind: "null" };
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
      return {
        kind: "array",
        elementType: fromDuckDBType((type as unknown as { valueType: DuckDBType }).valueType),
        containsNull: true,
      };
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as unknown as { keyType: DuckDBType; valueType: DuckDBType };
      return {
        kind: "map",
        keyType: fromDuckDBType(keyType),
        valueType: fromDuckDBType(valueType),
        valueContainsNull: true,
      };
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as unknown as { entryNames: string[]; entryTypes: DuckDBType[] };
      const fields: StructField[] = entryNames
        .map((name, i) => ({ name, type: fromDuckDBType(entryTypes[i]!), nullable: true }))
        .filter((f) => f.name !== NO_FIELD);
      return { kind: "struct", fields };
    }
    default:
      throw new MillraceError("UNSUPPORTED_DATATYPE", `There is no Spark type for DuckDB's ${type.toString()}.`);
  }
}

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
