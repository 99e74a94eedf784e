/** The correspondence of Spark's and DuckDB's types. It lives in `formats` because connectors need it too. */
export { fromDuckDBType, NO_FIELD, quoteIdentifier, sqlString, sqlType } from "../formats/duckdb-types.ts";
