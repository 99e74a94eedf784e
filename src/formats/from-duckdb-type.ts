import type { DuckDBType } from "@duckdb/node-api";
import { DuckDBTypeId } from "@duckdb/node-api";
import { MillraceError } from "../errors.ts";
import type { DataType, StructField } from "../types/data-type.ts";
import { NO_FIELD } from "../types/duckdb-types.ts";

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
