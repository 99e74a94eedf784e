import type pg from "pg";
import { MillraceError, nearest } from "../../errors.ts";
import type { DataType, StructType } from "../../types/data-type.ts";
import { quoteIdentifier } from "../../types/duckdb-types.ts";

/** A table's name in PostgreSQL's spelling: unquoted parts are folded to lower case, as psql does it. */
export interface TableName {
  readonly schema: string | undefined;
  readonly name: string;
  /** Quoted, ready for SQL. */
  readonly sql: string;
  /** As a person writes it. */
  readonly label: string;
}

/** Reads `delays`, `reporting.delays`, `"Mixed Case".delays`. @throws MillraceError INVALID_OPTION */
export function tableName(given: string): TableName {
  const parts: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")+)"|([^\s".]+))\s*(\.|$)/y;
  let rest: string = ".";
  while (rest === ".") {
    const match = pattern.exec(given);
    if (match === null) break;
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2]!.toLowerCase());
    rest = match[3]!;
  }
  if (rest !== "" || parts.length < 1 || parts.length > 2) {
    throw new MillraceError("INVALID_OPTION", `The option dbtable is ${JSON.stringify(given)}.`, {
      hint: 'Give a table as delays, reporting.delays or "Mixed Case".',
      parameters: { option: "dbtable" },
    });
  }
  const name = parts.at(-1)!;
  const schema = parts.length === 2 ? parts[0] : undefined;
  return { schema, name, sql: parts.map(quoteIdentifier).join("."), label: parts.join(".") };
}

/** The type that `createTable` gives a column. */
function columnType(type: DataType): string {
  switch (type.kind) {
    case "boolean":
      return "boolean";
    case "byte":
    case "short":
      return "smallint";
    case "integer":
      return "integer";
    case "long":
      return "bigint";
    case "float":
      return "real";
    case "double":
      return "double precision";
    case "decimal":
      return `numeric(${type.precision},${type.scale})`;
    case "string":
    case "null":
      return "text";
    case "binary":
      return "bytea";
    case "date":
      return "date";
    case "timestamp":
      return "timestamp with time zone";
    case "timestamp_ntz":
      return "timestamp without time zone";
    case "interval_day_time":
    case "interval_year_month":
    case "interval":
      return "interval";
    case "array":
    case "map":
    case "struct":
      return "jsonb";
  }
}

const NUMBERS = ["smallint", "integer", "bigint", "numeric", "real", "double precision"];
const TEXTS = ["text", "character varying", "bpchar", "character", "citext", "name"];

/** The existing column types a value may be written to without a change of meaning; PostgreSQL refuses single values that do not fit. */
function accepts(type: DataType, column: string): boolean {
  switch (type.kind) {
    case "null":
      return true;
    case "byte":
    case "short":
      return NUMBERS.includes(column);
    case "integer":
      return NUMBERS.includes(column) && column !== "smallint" && column !== "real";
    case "long":
      return column === "bigint" || column === "numeric";
    case "decimal":
      return column === "numeric" || column === "double precision";
    case "float":
    case "double":
      return column === "double precision" || column === "numeric" || (column === "real" && type.kind === "float");
    case "string":
      // Types whose input is a text of their own: the server checks each value.
      return (
        TEXTS.includes(column) ||
        !/^(smallint|integer|bigint|numeric|real|double|boolean|bytea|date|timestamp)/.test(column)
      );
    case "boolean":
      return column === "boolean";
    case "binary":
      return column === "bytea";
    case "date":
      return column === "date" || column.startsWith("timestamp without");
    case "timestamp":
      return column.startsWith("timestamp with ");
    case "timestamp_ntz":
      return column.startsWith("timestamp without");
    case "interval_day_time":
    case "interval_year_month":
    case "interval":
      return column === "interval";
    case "array":
    case "map":
    case "struct":
      return column === "jsonb" || column === "json" || TEXTS.includes(column);
  }
}

/** How a table's columns take part in an INSERT. */
export interface TableColumns {
  /** For each column of the rows, in order: the table's type without length or precision. */
  readonly types: readonly string[];
}

export function createTableSql(table: TableName, schema: StructType, key: readonly string[]): string {
  const columns = schema.fields.map((f) => `${quoteIdentifier(f.name)} ${columnType(f.type)}`);
  if (key.length > 0) columns.push(`PRIMARY KEY (${key.map(quoteIdentifier).join(", ")})`);
  return `CREATE TABLE ${table.sql} (${columns.join(", ")})`;
}

/** True when the table (or view, or foreign table) is there. */
export async function tableExists(client: pg.ClientBase, table: TableName): Promise<boolean> {
  const found = await client.query({ text: "SELECT to_regclass($1) IS NOT NULL AS there", values: [table.sql] });
  return found.rows[0]!.there === true;
}

/**
 * Compares the rows' schema with the table as it is.
 *
 * @throws MillraceError SINK_SCHEMA_MISMATCH naming every column that does not fit
 */
export async function checkTable(
  client: pg.ClientBase,
  table: TableName,
  schema: StructType,
  key: readonly string[],
): Promise<TableColumns> {
  const found = await client.query({
    text: `SELECT a.attname AS name, format_type(a.atttypid, -1) AS type, a.attnotnull AS not_null,
        a.atthasdef OR a.attidentity <> '' AS has_default, a.attgenerated <> '' AS generated
      FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    values: [table.sql],
  });
  const columns = new Map(found.rows.map((r) => [r.name as string, r]));
  const faults: string[] = [];
  const types: string[] = [];
  for (const field of schema.fields) {
    const column = columns.get(field.name);
    if (column === undefined) {
      const close = nearest(field.name, columns.keys());
      faults.push(`column ${field.name} is missing in the table${close === undefined ? "" : ` (it has ${close})`}`);
    } else if (column.generated) {
      faults.push(`column ${field.name} is generated by the table`);
    } else if (!accepts(field.type, column.type)) {
      faults.push(`column ${field.name} is ${column.type}, the rows have ${columnType(field.type)}`);
    } else {
      types.push(column.type);
    }
  }
  const given = new Set(schema.fields.map((f) => f.name));
  for (const [name, column] of columns) {
    if (!given.has(name) && column.not_null && !column.has_default && !column.generated) {
      faults.push(`column ${name} may not be null in the table, the rows do not have it`);
    }
  }
  if (key.length > 0 && faults.length === 0 && !(await hasUniqueIndex(client, table, key))) {
    faults.push(
      `there is no unique index on (${key.join(", ")}), which the upsert needs: CREATE UNIQUE INDEX ON ${table.sql} (${key.map(quoteIdentifier).join(", ")})`,
    );
  }
  if (faults.length > 0) {
    throw new MillraceError(
      "SINK_SCHEMA_MISMATCH",
      `The rows do not fit the table ${table.label}: ${faults.join("; ")}.`,
      {
        hint: "Change the query's columns or the table.",
        parameters: { table: table.label },
      },
    );
  }
  return { types };
}

async function hasUniqueIndex(client: pg.ClientBase, table: TableName, key: readonly string[]): Promise<boolean> {
  const found = await client.query({
    text: `SELECT array_agg(a.attname::text) AS names FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
      WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
        AND i.indexprs IS NULL AND i.indnkeyatts = i.indnatts
      GROUP BY i.indexrelid`,
    values: [table.sql],
  });
  const wanted = [...key].sort().join("\0");
  return found.rows.some((r) => [...(r.names as string[])].sort().join("\0") === wanted);
}
