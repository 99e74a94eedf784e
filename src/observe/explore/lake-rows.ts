import { scanSql } from "../../connectors/delta/scan.ts";
import type { Snapshot } from "../../connectors/delta/snapshot.ts";
import type { FoundFile } from "../../connectors/file/list.ts";
import type { Connection, Database } from "../../duckdb/duckdb.ts";
import type { StructType } from "../../types/data-type.ts";
import { sqlName } from "../../types/ddl.ts";
import { quoteIdentifier, sqlString } from "../../types/duckdb-types.ts";
import type { RowsPage } from "../api-explore.ts";
import { jsonValue, SHOWN_TEXT } from "../to-json.ts";
import { Kept } from "./kept.ts";

/** Files of a table that a page of rows looks into. */
const MAX_FILES = 8;
/** Files whose footers are read to count the rows of a folder without a log of its own. */
const MAX_FOOTERS = 200;
const DEADLINE_MS = 8_000;

/** A small DuckDB of the page's own, so that nothing that is looked at takes memory or threads from a batch. */
export class RowReader {
  readonly #database = new Kept<Database>({
    title: "The table",
    deadlineMs: DEADLINE_MS + 1_000,
    open: async () => {
      const { openDatabase } = await import("../../duckdb/duckdb.ts");
      return openDatabase(":memory:", { threads: 1, memoryLimit: "256MB" });
    },
    close: (database) => database.close(),
    isBroken: () => false,
  });

  use<R>(work: (connection: Connection) => Promise<R>): Promise<R> {
    return this.#database.use("", async (database) => {
      const connection = await database.connect();
      const timer = setTimeout(() => connection.interrupt(), DEADLINE_MS);
      try {
        return await work(connection);
      } finally {
        clearTimeout(timer);
        connection.close();
      }
    });
  }

  close(): void {
    this.#database.close();
  }
}

/** Rows of a Delta table: of its newest files, as many as are needed. */
export async function deltaRows(
  connection: Connection,
  path: string,
  snapshot: Snapshot,
  limit: number,
): Promise<RowsPage> {
  const newest = [...snapshot.files.values()].sort((a, b) => b.modificationTime - a.modificationTime);
  const files = newest.slice(0, MAX_FILES);
  const { schema, metadata } = snapshot;
  const from = await scanSql(path, schema, metadata.partitionColumns, files);
  return page(connection, from, schema, limit, newest.length > files.length);
}

/** Rows of a folder of Parquet files: of its newest files. */
export async function parquetRows(
  connection: Connection,
  files: readonly FoundFile[],
  limit: number,
): Promise<RowsPage> {
  const newest = [...files].sort((a, b) => b.modifiedMs - a.modifiedMs);
  if (newest.length === 0) return { columns: [], rows: [], more: false };
  const from = parquetSql(newest.slice(0, MAX_FILES));
  return page(connection, from, await connection.describe(`FROM ${from}`), limit, newest.length > MAX_FILES);
}

export interface ParquetFacts {
  readonly fields: StructType["fields"];
  /** Null when there are too many files to look into. */
  readonly rows: number | null;
  readonly rowsByFile: ReadonlyMap<string, number>;
}

/** What the files' footers say. */
export async function parquetFacts(connection: Connection, files: readonly FoundFile[]): Promise<ParquetFacts> {
  if (files.length === 0) return { fields: [], rows: 0, rowsByFile: new Map() };
  const newest = [...files].sort((a, b) => b.modifiedMs - a.modifiedMs).slice(0, MAX_FILES);
  const { fields } = await connection.describe(`FROM ${parquetSql(newest)}`);
  if (files.length > MAX_FOOTERS) return { fields, rows: null, rowsByFile: new Map() };
  const { columns } = await connection.query(
    `SELECT file_name, num_rows FROM parquet_file_metadata([${files.map((f) => sqlString(f.path)).join(", ")}])`,
  );
  const rowsByFile = new Map(columns[0]!.map((name, i) => [String(name), Number(columns[1]![i])]));
  return { fields, rows: [...rowsByFile.values()].reduce((a, b) => a + b, 0), rowsByFile };
}

function parquetSql(files: readonly FoundFile[]): string {
  const list = files.map((f) => sqlString(f.path)).join(", ");
  return `read_parquet([${list}], union_by_name = true, hive_partitioning = true)`;
}

async function page(
  connection: Connection,
  from: string,
  schema: StructType,
  limit: number,
  areMoreFiles: boolean,
): Promise<RowsPage> {
  // What is long is cut off before it leaves DuckDB.
  const list = schema.fields.map(({ name, type }) => {
    const column = quoteIdentifier(name);
    if (type.kind === "string") return `left(${column}, ${SHOWN_TEXT + 1}) AS ${column}`;
    if (type.kind === "binary") return `'[binary, ' || octet_length(${column}) || ' bytes]' AS ${column}`;
    return column;
  });
  const { columns, rowCount } = await connection.query(`SELECT ${list.join(", ")} FROM ${from} LIMIT ${limit + 1}`);
  const shown = Math.min(rowCount, limit);
  return {
    columns: schema.fields.map((f) => ({ name: f.name, type: sqlName(f.type).toLowerCase(), nullable: f.nullable })),
    rows: Array.from({ length: shown }, (_, i) => columns.map((column) => jsonValue(column[i]))),
    more: rowCount > limit || areMoreFiles,
  };
}
