import type { BatchInput } from "../connectors/connector.ts";
import { type Connection, columnDefinitions, insertRows } from "../duckdb/duckdb.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { quoteIdentifier, sqlType } from "../types/duckdb-types.ts";
import { columnName } from "./compile.ts";
import type { ScanNode } from "./stream-plan.ts";

/** A source's rows of one batch inside DuckDB. */
export interface Ingested {
  /** FROM item with the source's columns under their own names; undefined when there are no rows. */
  readonly from: string | undefined;
  readonly rowCount: number;
}

/** Makes a batch's rows readable by SQL: what comes as rows is laid down in the TEMP table `table`. */
export async function ingest(
  connection: Connection,
  input: BatchInput,
  scan: ScanNode,
  table: string,
): Promise<Ingested> {
  if (input.kind === "sql") {
    const rowCount =
      input.rowCount ?? Number((await connection.query(`SELECT count(*) AS n FROM ${input.from}`)).rows[0]!.n);
    return { from: input.from, rowCount };
  }
  await connection.exec(
    `CREATE OR REPLACE TEMP TABLE ${table}(${columnDefinitions(scan.schema, (field) => sqlType(field.type))})`,
  );
  let rowCount = 0;
  for await (const rows of input.rows) {
    await insertRows(connection, { name: table, catalog: "temp", schema: "main" }, scan.schema, rows);
    rowCount += rows.length;
  }
  return { from: table, rowCount };
}

/** The FROM item that stands for a scan in compiled SQL: columns `c<id>`, null where the source left a column out. */
export function scanLeaf(scan: ResolvedRelation, from: string | undefined, columns: readonly string[]): string {
  const read = new Set(columns);
  const list = scan.fields.map((field) =>
    from !== undefined && read.has(field.name)
      ? `${quoteIdentifier(field.name)} AS ${columnName(field.id)}`
      : `CAST(NULL AS ${sqlType(field.type)}) AS ${columnName(field.id)}`,
  );
  const select = `SELECT ${list.join(", ") || "1 AS none"}`;
  return from === undefined ? `(${select} WHERE false)` : `(${select} FROM ${from})`;
}
