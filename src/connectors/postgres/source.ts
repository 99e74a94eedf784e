import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { MillraceError } from "../../errors.ts";
import type { DataType, StructType } from "../../types/data-type.ts";
import { quoteIdentifier, sqlString, sqlType } from "../../types/duckdb-types.ts";
import type { BatchInput, Options, SourceRequest } from "../connector.ts";
import { addressOf, connect, translate } from "./connection.ts";
import { tableName } from "./table.ts";

/** What is read, as an item of FROM. @throws MillraceError MISSING_OPTION, INVALID_OPTION */
function fromItem(options: Options): { readonly sql: string; readonly label: string } {
  const { dbtable, query } = options;
  if ((dbtable === undefined) === (query === undefined)) {
    throw new MillraceError(
      dbtable === undefined ? "MISSING_OPTION" : "INVALID_OPTION",
      `Reading postgres needs one of the options dbtable and query${dbtable === undefined ? "" : ", not both"}.`,
      { parameters: { option: "dbtable" } },
    );
  }
  if (query !== undefined) return { sql: `(${query.replace(/;\s*$/, "")}\n) AS q`, label: "query" };
  const text = dbtable!.trim();
  // Spark's form of a subquery, with an alias or without.
  if (text.startsWith("(")) return { sql: text.endsWith(")") ? `${text} AS q` : text, label: "query" };
  const table = tableName(text);
  return { sql: table.sql, label: table.label };
}

interface SourceColumn {
  readonly name: string;
  readonly type: DataType;
  /** PostgreSQL SQL that gives the value as text. */
  readonly text: string;
}

const array = (elementType: DataType): DataType => ({ kind: "array", elementType, containsNull: true });

/** Types by their OID. Every other type (uuid, json, inet, enums, ...) is read as its text. */
const TYPES: Readonly<Record<number, DataType>> = {
  16: { kind: "boolean" },
  17: { kind: "binary" },
  20: { kind: "long" },
  21: { kind: "short" },
  23: { kind: "integer" },
  26: { kind: "long" },
  700: { kind: "float" },
  701: { kind: "double" },
  1082: { kind: "date" },
  1114: { kind: "timestamp_ntz" },
  1184: { kind: "timestamp" },
  1000: array({ kind: "boolean" }),
  1005: array({ kind: "short" }),
  1007: array({ kind: "integer" }),
  1016: array({ kind: "long" }),
  1021: array({ kind: "float" }),
  1022: array({ kind: "double" }),
  1009: array({ kind: "string" }),
  1015: array({ kind: "string" }),
  1182: array({ kind: "date" }),
  1185: array({ kind: "timestamp" }),
};
const NUMERIC = 1700;

async function columnsOf(client: pg.ClientBase, from: string): Promise<SourceColumn[]> {
  const { fields } = await client.query(`SELECT * FROM ${from} LIMIT 0`);
  return fields.map((field) => {
    const column = quoteIdentifier(field.name);
    const type = typeOf(field);
    let text = `${column}::text`;
    if (type.kind === "binary") text = `encode(${column}, 'hex')`;
    else if (type.kind === "array") text = `to_jsonb(${column})::text`;
    return { name: field.name, type, text };
  });
}

/** Spark's type of a column, from what a query says of its result. */
export function typeOf(field: pg.FieldDef): DataType {
  if (field.dataTypeID !== NUMERIC) return TYPES[field.dataTypeID] ?? { kind: "string" };
  // Spark's answer to a numeric without limits.
  if (field.dataTypeModifier < 4) return { kind: "decimal", precision: 38, scale: 18 };
  const modifier = field.dataTypeModifier - 4;
  const precision = modifier >> 16;
  const scale = modifier & 0x7ff;
  return precision > 38 || scale > precision ? { kind: "string" } : { kind: "decimal", precision, scale };
}

/** The schema of a table or query. @throws MillraceError POSTGRES_UNREACHABLE, POSTGRES_FAILED */
export async function postgresSchema(request: SourceRequest): Promise<StructType> {
  const address = addressOf(request.options);
  const from = fromItem(request.options);
  const client = await connect(address);
  try {
    const columns = await columnsOf(client, from.sql);
    return { kind: "struct", fields: columns.map(({ name, type }) => ({ name, type, nullable: true })) };
  } catch (error) {
    throw translate(error, address, "read the schema", from.label);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Reads a table or query in one snapshot, through a cursor, into a temporary file that DuckDB scans: nothing is lost of decimals and
 * microseconds, and memory stays bounded.
 */
export async function openPostgresBatch(request: SourceRequest): Promise<BatchInput> {
  const address = addressOf(request.options);
  const from = fromItem(request.options);
  const fetchSize = Math.max(1, Number(request.options.fetchsize ?? 10_000));
  const client = await connect(address);
  const folder = await mkdtemp(join(tmpdir(), "millrace-postgres-"));
  const path = join(folder, "rows.json");
  let rowCount = 0;
  let columns: SourceColumn[];
  const isRead = (name: string): boolean => request.columns === undefined || request.columns.includes(name);
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    await client.query("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL extra_float_digits = 1");
    columns = await columnsOf(client, from.sql);
    const texts = columns.filter((c) => isRead(c.name)).map((c) => c.text);
    await client.query(
      `DECLARE millrace_rows NO SCROLL CURSOR FOR SELECT ${texts.length === 0 ? "''" : texts.join(", ")} FROM ${from.sql}`,
    );
    const file = await open(path, "w");
    try {
      for (;;) {
        const { rows } = await client.query({ text: `FETCH ${fetchSize} FROM millrace_rows`, rowMode: "array" });
        rowCount += rows.length;
        const lines = (rows as (string | null)[][]).map((row) => JSON.stringify(Object.fromEntries(row.entries())));
        if (lines.length > 0) await file.write(`${lines.join("\n")}\n`);
        if (rows.length < fetchSize) break;
      }
    } finally {
      await file.close();
    }
    await client.query("COMMIT");
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw translate(error, address, "read", from.label);
  } finally {
    await client.end().catch(() => undefined);
  }
  return {
    kind: "sql",
    rowCount,
    from: rowsSql(path, columns, isRead),
    release: () => rm(folder, { recursive: true, force: true }),
  };
}

function rowsSql(path: string, columns: readonly SourceColumn[], isRead: (name: string) => boolean): string {
  let next = 0;
  const values = columns.map(({ name, type }) => {
    const sql = sqlType(type);
    if (!isRead(name)) return `CAST(NULL AS ${sql}) AS ${quoteIdentifier(name)}`;
    const text = quoteIdentifier(`${next++}`);
    let value = `CAST(${text} AS ${sql})`;
    if (type.kind === "string") value = text;
    else if (type.kind === "binary") value = `unhex(${text})`;
    else if (type.kind === "array") value = `CAST(CAST(${text} AS JSON) AS ${sql})`;
    return `${value} AS ${quoteIdentifier(name)}`;
  });
  const declared = Array.from({ length: Math.max(1, next) }, (_, i) => `${sqlString(`${i}`)}: 'VARCHAR'`);
  return `(SELECT ${values.join(", ")} FROM read_json(${sqlString(path)}, format = 'newline_delimited', maximum_object_size = 67108864,
    columns = {${declared.join(", ")}}))`;
}
