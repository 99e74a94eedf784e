import type pg from "pg";
import { addressOf, connect, type PostgresAddress, translate } from "../../connectors/postgres/connection.ts";
import { quoteIdentifier } from "../../types/duckdb-types.ts";
import type { ColumnInfo, DatabaseTableDetail, DatabaseTableSummary, RowsPage } from "../api-explore.ts";
import { jsonValue, SHOWN_TEXT } from "../to-json.ts";
import { Kept } from "./kept.ts";
import { Problem } from "./problem.ts";

/** The server ends a statement by itself before nobody waits for it any more. */
const STATEMENT_MS = 5_000;
/** SQLSTATE of a statement that took longer. */
const CANCELLED = "57014";
const MAX_TABLES = 500;
/** Tables that PostgreSQL has never looked at and whose size is asked of the planner instead. */
const MAX_PLANNED = 50;

interface Session {
  readonly client: pg.Client;
  readonly address: PostgresAddress;
}

/**
 * The tables of the pipeline's database. Every question is one statement of its own: the embedded server has one session, which nobody may hold.
 * Nothing is counted, and nothing but rows of tables is read.
 */
export class DatabaseExplorer {
  readonly #session = new Kept<Session>({
    title: "PostgreSQL",
    deadlineMs: 7_000,
    open: async (url) => {
      const address = addressOf({ url });
      const config = { ...address.config, application_name: "millrace-dashboard", connectionTimeoutMillis: 3_000 };
      const client = await connect({ label: address.label, config });
      await client.query(`SET statement_timeout = ${STATEMENT_MS}; SET default_transaction_read_only = on`);
      return { client, address };
    },
    close: ({ client }) => client.end(),
  });

  list(url: string): Promise<DatabaseTableSummary[]> {
    return this.#ask(url, "list the tables", async ({ client }) => {
      const { rows } = await client.query<TableRow>(`${TABLES} ORDER BY n.nspname, c.relname LIMIT ${MAX_TABLES}`);
      let planned = 0;
      const tables: DatabaseTableSummary[] = [];
      for (const row of rows) {
        const mayPlan = Number(row.estimate) < 0 && planned++ < MAX_PLANNED;
        tables.push(await summaryOf(client, row, mayPlan));
      }
      return tables;
    });
  }

  detail(url: string, schema: string, table: string): Promise<DatabaseTableDetail> {
    return this.#ask(url, "describe the table", async ({ client }) => {
      const row = await find(client, schema, table);
      const columns = await columnsOf(client, row.oid);
      const indexes = await client.query<{ name: string; definition: string }>(
        `SELECT i.relname AS name, pg_get_indexdef(x.indexrelid) AS definition
         FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = $1 ORDER BY 1`,
        [row.oid],
      );
      return { ...(await summaryOf(client, row, true)), columns, indexes: indexes.rows };
    });
  }

  rows(url: string, schema: string, table: string, limit: number): Promise<RowsPage> {
    return this.#ask(url, "read the table", async ({ client }) => {
      const row = await find(client, schema, table);
      const columns = await columnsOf(client, row.oid);
      // names come from the catalogue, not from the request
      const list = columns.map((c) => shown(quoteIdentifier(c.name), c.type));
      const from = `${quoteIdentifier(row.schema)}.${quoteIdentifier(row.name)}`;
      const sql = `SELECT ${list.join(", ") || "1"} FROM ${from} LIMIT ${limit + 1}`;
      const found = await client.query<unknown[]>({ text: sql, rowMode: "array" });
      return {
        columns,
        rows: found.rows.slice(0, limit).map((values) => (columns.length === 0 ? [] : values.map((v) => jsonValue(v)))),
        more: found.rows.length > limit,
      };
    });
  }

  close(): void {
    this.#session.close();
  }

  #ask<T>(url: string, doing: string, work: (session: Session) => Promise<T>): Promise<T> {
    return this.#session.use(url, async (session) => {
      try {
        return await work(session);
      } catch (error) {
        if (error instanceof Problem) throw error;
        if ((error as { code?: unknown }).code === CANCELLED) {
          const message = `PostgreSQL could not ${doing} within ${STATEMENT_MS / 1000} s.`;
          throw new Problem(504, "STATEMENT_TIMEOUT", message, "It may be locked by a long transaction: try again.");
        }
        throw translate(error, session.address, doing);
      }
    });
  }
}

interface TableRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly estimate: string;
  readonly bytes: string;
}

/** Ordinary and partitioned tables, materialized views and foreign tables; a plain view may take for ever to be looked at. */
const TABLES = `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.reltuples::bigint AS estimate, pg_total_relation_size(c.oid) AS bytes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')`;

async function find(client: pg.Client, schema: string, table: string): Promise<TableRow> {
  // PostgreSQL's text cannot hold it, so no table is called that
  const isPossible = !`${schema}${table}`.includes("\0");
  const { rows } = isPossible
    ? await client.query<TableRow>(`${TABLES} AND n.nspname = $1 AND c.relname = $2`, [schema, table])
    : { rows: [] };
  if (rows[0] !== undefined) return rows[0];
  const name = `${schema}.${table}`.slice(0, 200);
  throw new Problem(404, "TABLE_OR_VIEW_NOT_FOUND", `There is no table ${JSON.stringify(name)} that may be read.`);
}

async function summaryOf(client: pg.Client, row: TableRow, mayPlan: boolean): Promise<DatabaseTableSummary> {
  const estimate = Number(row.estimate);
  return {
    schema: row.schema,
    name: row.name,
    // -1: nobody has looked at the table yet. The planner then takes the file's size and the width of a row, and reads nothing.
    estimatedRows: estimate >= 0 ? estimate : mayPlan ? await plannedRows(client, row) : null,
    bytes: Number(row.bytes),
  };
}

async function plannedRows(client: pg.Client, { schema, name }: TableRow): Promise<number | null> {
  const from = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
  const { rows } = await client.query<{ "QUERY PLAN": { Plan: { "Plan Rows": number } }[] }>(
    `EXPLAIN (FORMAT JSON) SELECT 1 FROM ${from}`,
  );
  return rows[0]?.["QUERY PLAN"][0]?.Plan["Plan Rows"] ?? null;
}

async function columnsOf(client: pg.Client, oid: number): Promise<ColumnInfo[]> {
  const { rows } = await client.query<ColumnInfo>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable
     FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [oid],
  );
  return rows;
}

/** A column as JSON takes it: small and exact. */
function shown(column: string, type: string): string {
  switch (type) {
    case "boolean":
    case "smallint":
    case "integer":
    case "real":
    case "double precision":
      return column;
    case "bytea":
      return `'[binary, ' || octet_length(${column}) || ' bytes]'`;
    case "timestamp with time zone":
      return isoText(`${column} AT TIME ZONE 'UTC'`, column, "Z");
    case "timestamp without time zone":
      return isoText(column, column, "");
    default:
      return `left(${column}::text, ${SHOWN_TEXT + 1})`;
  }
}

/** ISO text; `infinity`, years before our era and beyond 9999 as PostgreSQL writes them. */
function isoText(time: string, column: string, zone: string): string {
  return `CASE WHEN ${column} >= '0001-01-01' AND ${column} < '10000-01-01' THEN to_char(${time}, 'YYYY-MM-DD"T"HH24:MI:SS.US"${zone}"') ELSE ${column}::text END`;
}
