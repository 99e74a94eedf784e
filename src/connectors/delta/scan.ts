import { MillraceError } from "../../errors.ts";
import type { StructType } from "../../types/data-type.ts";
import { quoteIdentifier, sqlString, sqlType } from "../../types/duckdb-types.ts";
import type { AddFile } from "./actions.ts";
import { withDuckDB } from "./duckdb.ts";
import { dataFile } from "./target.ts";

/**
 * A DuckDB table expression that yields the rows of files of a table: the schema's columns in order, null where a file is older than a column, and
 * the partition columns from the log.
 *
 * @throws MillraceError DELTA_UNSUPPORTED when a file has a deletion vector
 */
export async function scanSql(
  table: string,
  schema: StructType,
  partitionColumns: readonly string[],
  files: readonly AddFile[],
): Promise<string> {
  const marked = files.find((f) => f.deletionVector);
  if (marked !== undefined) {
    throw new MillraceError(
      "DELTA_UNSUPPORTED",
      `The Delta table ${table} needs the feature deletionVectors, which is not supported.`,
      {
        hint: "Rewrite the files that have deleted rows (REORG TABLE ... APPLY (PURGE)) with the engine that wrote them.",
        parameters: { feature: "deletionVectors", file: marked.path },
      },
    );
  }
  const all = schema.fields;
  if (files.length === 0) {
    return `(SELECT ${all.map((f) => `CAST(NULL AS ${sqlType(f.type)}) AS ${quoteIdentifier(f.name)}`).join(", ")} WHERE false)`;
  }
  const paths = files.map((f) => dataFile(table, f.path));
  const int96 = await int96Columns(paths[0]!);
  const data = all.filter((f) => !partitionColumns.includes(f.name));
  const partitions = all.filter((f) => partitionColumns.includes(f.name));
  const declared = data.map((f) => {
    // Spark writes timestamps as INT96 by default, which DuckDB takes for a local time: the session's time zone must not matter.
    const type = int96.has(f.name) && f.type.kind === "timestamp" ? "TIMESTAMP" : sqlType(f.type);
    const name = sqlString(f.name);
    return `${name}: {name: ${name}, type: ${sqlString(type)}, default_value: NULL}`;
  });
  const column = (name: string): string =>
    int96.has(name) && all.find((f) => f.name === name)?.type.kind === "timestamp"
      ? `timezone('UTC', ${quoteIdentifier(name)}) AS ${quoteIdentifier(name)}`
      : quoteIdentifier(name);
  const columns = `schema = MAP {${declared.join(", ")}}`;
  const list = `[${paths.map(sqlString).join(", ")}]`;
  if (partitions.length === 0) {
    return `(SELECT ${all.map((f) => column(f.name)).join(", ")} FROM read_parquet(${list}, ${columns}, hive_partitioning = false))`;
  }
  // The values come from the log by file name, not from the folders' names; a filter on them keeps DuckDB from reading other files.
  const values = files.map((file, i) => {
    const constants = partitions.map((f) => partitionLiteral(file.partitionValues[f.name] ?? null, sqlType(f.type)));
    return `(${[sqlString(paths[i]!), ...constants].join(", ")})`;
  });
  const names = ['"~file"', ...partitions.map((f) => quoteIdentifier(f.name))];
  return `(SELECT ${all.map((f) => column(f.name)).join(", ")}
    FROM read_parquet(${list}, ${columns}, hive_partitioning = false, filename = '~path') AS "~rows"
    JOIN (VALUES ${values.join(", ")}) AS "~files"(${names.join(", ")}) ON "~path" = "~file")`;
}

function partitionLiteral(value: string | null, type: string): string {
  if (value === null || value === "") return `CAST(NULL AS ${type})`;
  return `CAST(${sqlString(value)} AS ${type})`;
}

async function int96Columns(path: string): Promise<ReadonlySet<string>> {
  const rows = await withDuckDB(async (connection) => {
    const result = await connection.runAndReadAll(
      `SELECT name FROM parquet_schema(${sqlString(path)}) WHERE type = 'INT96'`,
    );
    return result.getRows();
  }).catch((error: unknown) => {
    const what = String((error as Error).message).split("\n")[0]!;
    throw new MillraceError("DELTA_CORRUPT", `The data file ${path} of a Delta table cannot be read: ${what}`, {
      cause: error,
      hint: "The table's log names this file: restore it from a copy, or read an older version of the table.",
    });
  });
  return new Set(rows.map((row) => String(row[0])));
}
