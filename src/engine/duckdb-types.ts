export { fromDuckDBType } from "../formats/from-duckdb-type.ts";
export { NO_FIELD, quoteIdentifier, sqlString, sqlType } from "../types/duckdb-types.ts";
