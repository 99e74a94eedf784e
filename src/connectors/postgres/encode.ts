import type { DataType, StructType } from "../../types/data-type.ts";
import { quoteIdentifier } from "../../types/duckdb-types.ts";

/**
 * DuckDB SQL that turns the rows of a batch into PostgreSQL array literals, one per column and chunk of rows: the whole encoding
 * is vectorised, and a value is never an object in JavaScript. Columns of the result: the number of rows, then one text per column.
 */
export function arraysSql(
  schema: StructType,
  options: { chunkRows: number | undefined; lastByKey: readonly string[] },
): string {
  const names = schema.fields.map((f) => quoteIdentifier(f.name));
  const arrays = schema.fields.map((f, i) => `'{' || string_agg(${element(names[i]!, f.type)}, ',') || '}'`);
  let rows = "batch";
  if (options.lastByKey.length > 0) {
    // Two rows of one key cannot be in one INSERT ... ON CONFLICT: the last one wins.
    const key = options.lastByKey.map(quoteIdentifier).join(", ");
    const numbered = `(SELECT *, row_number() OVER () AS "~n" FROM batch)`;
    rows = `(SELECT * EXCLUDE ("~n") FROM ${numbered} WHERE "~n" IN (SELECT max("~n") FROM ${numbered} GROUP BY ${key}))`;
  }
  if (options.chunkRows === undefined) return `SELECT count(*)::INTEGER, ${arrays.join(", ")} FROM ${rows}`;
  return `SELECT count(*)::INTEGER, ${arrays.join(", ")}
    FROM (SELECT *, (row_number() OVER () - 1) // ${options.chunkRows} AS "~chunk" FROM ${rows})
    GROUP BY "~chunk" ORDER BY "~chunk"`;
}

/** One element of an array literal; a null is the unquoted word NULL. */
function element(column: string, type: DataType): string {
  return `coalesce(${notNull(column, type)}, 'NULL')`;
}

function notNull(column: string, type: DataType): string {
  switch (type.kind) {
    case "boolean":
    case "byte":
    case "short":
    case "integer":
    case "long":
    case "float":
    case "double":
    case "decimal":
      return `CAST(${column} AS VARCHAR)`;
    case "null":
      return "CAST(NULL AS VARCHAR)";
    case "binary":
      return `'"\\\\x' || hex(${column}) || '"'`;
    case "string":
      return quoted(column);
    case "timestamp":
      return `'"' || strftime(timezone('UTC', ${column}), '%Y-%m-%d %H:%M:%S.%f+00') || '"'`;
    case "interval_year_month":
      return `'"' || CAST(to_months(${column}) AS VARCHAR) || '"'`;
    case "timestamp_ntz":
    case "date":
    case "interval_day_time":
    case "interval":
      return `'"' || CAST(${column} AS VARCHAR) || '"'`;
    case "array":
    case "map":
    case "struct":
      return quoted(`CAST(to_json(${column}) AS VARCHAR)`);
  }
}

function quoted(text: string): string {
  return `'"' || replace(replace(${text}, '\\', '\\\\'), '"', '\\"') || '"'`;
}
