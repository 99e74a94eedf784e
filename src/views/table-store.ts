import type pg from "pg";
import { addressOf, connect, type PostgresAddress, translate } from "../connectors/postgres/connection.ts";
import { typeOf } from "../connectors/postgres/source.ts";
import { type TableName, tableName } from "../connectors/postgres/table.ts";
import { postgres } from "../connectors/postgres.ts";
import type { WriteTarget, Written } from "../connectors/written.ts";
import { MillraceError } from "../errors.ts";
import type { DataType, StructField } from "../types/data-type.ts";
import { quoteIdentifier } from "../types/duckdb-types.ts";
import { valueMode } from "../types/schema.ts";
import { addressOptions } from "./address.ts";
import type { Row, Step } from "./content.ts";
import type { ViewDefinition } from "./definition.ts";
import { columnOf, nestedReader, parseExactly, simpleName } from "./row-text.ts";
import { givenSchema, rowMaker, shapeOf, shownFields, type ViewShape, type ViewStore } from "./store.ts";

/** A read that takes longer is given up; the next one may find the server less busy. */
const READ_TIMEOUT_MS = 30_000;

export function tableTarget(definition: ViewDefinition): WriteTarget {
  const { label } = addressOf(addressOptions(postgres, definition));
  const { schema, name } = tableName(definition.place);
  return { kind: "table", server: label, schema, table: name };
}

export async function openTableStore(definition: ViewDefinition): Promise<ViewStore> {
  const address = addressOf(addressOptions(postgres, definition));
  const table = tableName(definition.place);
  const given = await givenSchema(definition);
  const client = await connect({ ...address, config: { ...address.config, query_timeout: READ_TIMEOUT_MS } });
  try {
    // How times become text in JSON.
    await client.query("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 1");
    const found = await columnsOf(client, table);
    const key = definition.key ?? (await primaryKey(client, table));
    if (key === undefined || key.length === 0) {
      throw new MillraceError(
        "MISSING_OPTION",
        `The view ${definition.name} has no key, and the table ${table.label} no primary key.`,
        { hint: 'Name the columns that identify a row, as key: "hour,origin".', parameters: { view: definition.name } },
      );
    }
    const fields = shownFields(
      definition,
      {
        kind: "struct",
        fields:
          given === undefined ? [...found.values()].map((c) => c.field) : matched(definition, given.fields, found),
      },
      key,
    );
    // Here, so that a column that is not there is named with those that are.
    const shape = shapeOf(definition, key, fields.map(columnOf));
    return new TableStore(definition, shape, fields, found, table, address, client);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw explained(translate(error, address, "read the view", table.label), definition);
  }
}

interface TableColumn {
  readonly field: StructField;
  readonly oid: number;
  /** Never null: then an index on the column serves in both directions. */
  readonly isNotNull: boolean;
}

async function columnsOf(client: pg.ClientBase, table: TableName): Promise<Map<string, TableColumn>> {
  const { fields } = await client.query(`SELECT * FROM ${table.sql} LIMIT 0`);
  const { rows } = await client.query({
    text: "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND attnotnull",
    values: [table.sql],
  });
  const notNull = new Set(rows.map((row) => row.name as string));
  return new Map(
    fields.map((f) => [
      f.name,
      {
        field: { name: f.name, type: typeOf(f), nullable: true },
        oid: f.dataTypeID,
        isNotNull: notNull.has(f.name),
      },
    ]),
  );
}

async function primaryKey(client: pg.ClientBase, table: TableName): Promise<readonly string[] | undefined> {
  const { rows } = await client.query({
    text: `SELECT a.attname AS name FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, place), pg_attribute a
      WHERE i.indrelid = to_regclass($1) AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY k.place`,
    values: [table.sql],
  });
  return rows.length === 0 ? undefined : rows.map((row) => row.name as string);
}

const FAMILIES: Partial<Record<DataType["kind"], string>> = {
  byte: "number",
  short: "number",
  integer: "number",
  long: "number",
  float: "number",
  double: "number",
  decimal: "number",
  array: "nested",
  map: "nested",
  struct: "nested",
};
const familyOf = (type: DataType): string => FAMILIES[type.kind] ?? type.kind;

/** The schema's fields, each of which the table must have with a type of the same family. @throws MillraceError SINK_SCHEMA_MISMATCH */
function matched(
  definition: ViewDefinition,
  fields: readonly StructField[],
  found: ReadonlyMap<string, TableColumn>,
): readonly StructField[] {
  const faults = fields.flatMap((field) => {
    const column = found.get(field.name);
    if (column === undefined) return [`there is no column ${field.name}`];
    const [wanted, there] = [familyOf(field.type), familyOf(column.field.type)];
    // PostgreSQL's own types (uuid, jsonb, intervals, enums) are read as text, which nested values and intervals are made of.
    const fits =
      wanted === there ||
      wanted === "string" ||
      (there === "string" && (wanted === "nested" || /^interval/.test(wanted)));
    return fits ? [] : [`${field.name} is ${simpleName(column.field.type)}, the schema says ${simpleName(field.type)}`];
  });
  if (faults.length === 0) return fields;
  throw new MillraceError(
    "INVALID_SCHEMA",
    `The schema of the view ${definition.name} does not fit the table ${definition.place}: ${faults.join("; ")}.`,
    {
      hint: `The table has ${[...found.values()].map(({ field }) => `${field.name} ${simpleName(field.type)}`).join(", ")}.`,
      parameters: { view: definition.name },
    },
  );
}

class TableStore implements ViewStore {
  readonly shape: ViewShape;
  readonly returning: string;
  readonly #definition: ViewDefinition;
  readonly #table: TableName;
  readonly #address: PostgresAddress;
  readonly #client: pg.Client;
  readonly #select: string;
  readonly #fixes: readonly (readonly [place: number, fix: (value: any) => unknown])[];
  readonly #make: (values: readonly unknown[]) => Row;
  #ended = false;

  constructor(
    definition: ViewDefinition,
    shape: ViewShape,
    fields: readonly StructField[],
    found: ReadonlyMap<string, TableColumn>,
    table: TableName,
    address: PostgresAddress,
    client: pg.Client,
  ) {
    this.#definition = definition;
    this.shape = shape;
    this.#table = table;
    this.#address = address;
    this.#client = client;
    client.once("end", () => {
      this.#ended = true;
    });
    const { where, limit } = definition;
    const values = fields.map(sqlOf).join(", ");
    // A row that is not of the view comes with its key, so that it is removed.
    this.returning = `json_build_array(${where === undefined ? "true" : `(${where}) IS TRUE`}, ${values})::text`;
    const order = shape.order.map(({ column, descending }) => {
      const name = quoteIdentifier(column);
      const isText = fields.find((f) => f.name === column)!.type.kind === "string";
      const { oid, isNotNull } = found.get(column)!;
      const isOwnText = [25, 1043].includes(oid);
      const sql = isText ? `${isOwnText ? name : `${name}::text`} COLLATE "C"` : name;
      return `${sql} ${descending ? "DESC" : "ASC"}${isNotNull ? "" : " NULLS LAST"}`;
    });
    this.#select = `SELECT json_build_array(true, ${values})::text FROM ${table.sql} ${
      where === undefined ? "" : `WHERE (${where})`
    } ORDER BY ${order.join(", ")} LIMIT ${limit + 1}`;
    this.#fixes = fields.flatMap((field, i) => {
      const fix = fixOf(field);
      return fix === undefined ? [] : [[i, fix] as const];
    });
    this.#make = rowMaker(shape);
  }

  async load(): Promise<readonly Row[]> {
    if (this.#ended) {
      throw translate(new Error("Connection terminated"), this.#address, "read the view", this.#table.label);
    }
    let texts: readonly string[][];
    try {
      texts = (await this.#client.query({ text: this.#select, rowMode: "array" })).rows;
    } catch (error) {
      throw explained(translate(error, this.#address, "read the view", this.#table.label), this.#definition);
    }
    const rows: Row[] = [];
    const ids = new Set<string>();
    for (const [text] of texts) {
      const { row } = this.#read(text!);
      rows.push(row);
      ids.add(row.id);
    }
    if (ids.size < rows.length) throw this.#notUnique(rows);
    return rows;
  }

  changesOf(written: Written): Step {
    const read = written.rows.map((text) => this.#read(text));
    if (written.replaced) return { all: read.flatMap(({ row, belongs }) => (belongs ? [row] : [])) };
    return { changes: read.map(({ row, belongs }) => (belongs ? { row } : { gone: row.id })) };
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }

  #read(text: string): { row: Row; belongs: boolean } {
    const [belongs, ...values] = JSON.parse(text) as [boolean, ...unknown[]];
    for (const [i, fix] of this.#fixes) if (values[i] !== null) values[i] = fix(values[i]);
    return { row: this.#make(values), belongs };
  }

  #notUnique(rows: readonly Row[]): MillraceError {
    const seen = new Set<string>();
    const twice = rows.find((row) => seen.size === seen.add(row.id).size);
    const key = this.shape.key.join(", ");
    return new MillraceError(
      "INVALID_ARGUMENT",
      `The key (${key}) of the view ${this.#definition.name} is not unique in the table ${this.#table.label}: ${twice?.id} is there more than once.`,
      { hint: "Name the columns that identify a row.", parameters: { view: this.#definition.name } },
    );
  }
}

/** SQL of a value as it travels in JSON, or nearly; `fixOf` does the rest. */
function sqlOf(field: StructField): string {
  const name = quoteIdentifier(field.name);
  switch (field.type.kind) {
    case "long":
      return valueMode(field) === "number" ? `${name}::float8` : `${name}::text`;
    case "byte":
    case "short":
    case "integer":
    case "boolean":
    case "date":
    case "timestamp_ntz":
      return name;
    case "float":
      return `${name}::float4`;
    case "double":
      return `${name}::float8`;
    case "timestamp":
      return `${name} AT TIME ZONE 'UTC'`;
    case "binary":
      return `translate(encode(${name}, 'base64'), E'\\n', '')`;
    case "array":
    case "map":
    case "struct":
      return `to_jsonb(${name})::text`;
    case "interval_day_time":
    case "interval":
      return `(extract(epoch FROM ${name}) * 1000000)::bigint::text`;
    case "interval_year_month":
      return `(extract(year FROM ${name}) * 12 + extract(month FROM ${name}))::int`;
    default:
      return `${name}::text`;
  }
}

function fixOf(field: StructField): ((value: any) => unknown) | undefined {
  switch (field.type.kind) {
    case "timestamp":
      return (text: string) => (text.includes("infinity") ? text : `${text}Z`);
    case "array":
    case "map":
    case "struct": {
      const read = nestedReader(field.type, valueMode(field) === "number");
      // A column of text holds the JSON as a string.
      const parsed = (text: string): unknown => {
        const value = parseExactly(text);
        return typeof value === "string" ? parseExactly(value) : value;
      };
      return (text: string) => read(parsed(text));
    }
    default:
      return undefined;
  }
}

/** The table comes with the first batch of the query that writes it. */
function explained(error: MillraceError, definition: ViewDefinition): MillraceError {
  if (error.parameters.state !== "42P01") return error;
  return new MillraceError(
    "TABLE_OR_VIEW_NOT_FOUND",
    `The table ${definition.place} of the view ${definition.name} does not exist (yet).`,
    {
      hint: "It is looked for again by itself; a query makes its table with the first batch.",
      retryable: true,
      cause: error,
      parameters: { view: definition.name },
    },
  );
}
