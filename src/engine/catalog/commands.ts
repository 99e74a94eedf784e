import { rmSync } from "node:fs";
import type { CommandResult, Conf } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import { nameParts, quoted } from "../../plan/names.ts";
import type { Relation } from "../../plan/relation.ts";
import { type Command, parseCommand } from "../../plan/sql/command.ts";
import { parseQuery } from "../../plan/sql/parse-query.ts";
import type { DataType, StructType, Value } from "../../types/data-type.ts";
import { parseDdl, sqlName } from "../../types/ddl.ts";
import { queryOf } from "../expand.ts";
import { type EmbeddedCatalog, entryOf, formatOf, isFileFormat } from "./catalog.ts";
import { CATALOG } from "./metastore.ts";
import { alreadyExists, GLOBAL_TEMP, notFound, patternOf, qualify } from "./names.ts";
import { answer, functionNames, listTables, partitionsOf } from "./questions.ts";
import { globalViews } from "./views.ts";
import { byName, byPosition, insert, nullable, tableSchema, writeTable } from "./write-table.ts";

type Sql = Extract<Relation, { kind: "sql" }>;
type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

const STRING: DataType = { kind: "string" };
const BOOLEAN: DataType = { kind: "boolean" };
const DONE: CommandResult = { schema: { kind: "struct", fields: [] }, rows: [] };

function table(columns: Readonly<Record<string, DataType>>, rows: readonly (readonly Value[])[]): CommandResult {
  const fields = Object.entries(columns).map(([name, type]) => ({ name, type, nullable: name === "comment" }));
  return { schema: { kind: "struct", fields }, rows };
}

/** Runs a command in SQL. */
export async function runCommand(c: EmbeddedCatalog, sql: Sql, conf: Conf): Promise<CommandResult> {
  const command = parseCommand(sql.query);
  const query = (text: string): Relation => parseQuery(text, sql.args);
  switch (command.kind) {
    case "create_view":
      await createView(c, command, sql, conf);
      return DONE;
    case "create_table":
      await createTable(c, command, query, conf);
      return DONE;
    case "insert":
      await insertInto(c, command, query(command.query), conf);
      return DONE;
    case "create_database":
      if (!c.metastore(conf).createDatabase(nameParts(command.name).at(-1)!, command.location, command.comment)) {
        if (!command.ifNotExists) {
          throw new MillraceError(
            "SCHEMA_ALREADY_EXISTS",
            `Cannot create schema ${quoted(command.name)} because it already exists.`,
            {
              hint: "Add IF NOT EXISTS.",
              parameters: { schemaName: quoted(command.name) },
            },
          );
        }
      }
      return DONE;
    case "drop":
      drop(c, command, conf);
      return DONE;
    case "truncate": {
      const entry = c.requireTable(command.name, conf);
      const schema = await tableSchema(c, command.name, conf);
      await insert(c, entry, { kind: "local", schema, rows: [] }, true, conf);
      return DONE;
    }
    case "use":
      await answer(c, { kind: "setCurrentDatabase", dbName: command.name }, conf);
      return DONE;
    case "set": {
      const { key } = command;
      const shown = key === undefined ? Object.entries(conf) : [[key, conf[key] ?? "<undefined>"] as const];
      return table({ key: STRING, value: STRING }, shown);
    }
    case "reset":
      return DONE;
    case "show":
      return show(c, command, conf);
    case "describe":
      return describe(c, command, conf);
    case "describe_query":
      return described(await c.engine.schema(query(command.query), conf), []);
    case "explain": {
      const plan: Sql = { kind: "sql", query: command.query, ...(sql.args && { args: sql.args }) };
      return table({ plan: STRING }, [[await c.engine.explain(plan, command.mode, conf)]]);
    }
    case "cache":
      return cache(c, command, conf);
  }
}

async function createView(c: EmbeddedCatalog, v: Of<"create_view">, sql: Sql, conf: Conf): Promise<void> {
  const text: Sql = { kind: "sql", query: v.query, ...(sql.args && { args: sql.args }) };
  const plan: Relation = v.columns ? { kind: "to_df", input: text, names: v.columns } : text;
  const global = v.scope === "global";
  if (v.scope !== "catalog") {
    const there = global ? globalViews : c.tempViews;
    if (v.ifNotExists && there.has(v.name.toLowerCase())) return;
    return c.createSqlView(plan, { name: v.name, global, replace: v.replace }, conf);
  }
  const q = qualify(v.name, c.currentDatabase);
  const store = c.metastore(conf);
  store.requireDatabase(q.database);
  const before = store.table(q.database, q.name);
  if (before !== undefined && v.ifNotExists) return;
  if (before !== undefined && (!v.replace || before.type !== "VIEW")) throw alreadyExists(v.name);
  refuseTemporary(c, v.name, queryOf(text));
  await c.refuseRecursion(v.name, plan, conf);
  await c.engine.schema(plan, conf);
  const columns = v.columns ? `(${v.columns.map((n) => quoted(n)).join(", ")})` : "";
  const query = columns === "" ? v.query : `SELECT * FROM (${v.query}) AS v${columns}`;
  if (!store.createTable(entryOf(q, "VIEW", { query, comment: v.comment }), v.replace)) throw alreadyExists(v.name);
}

/** What outlasts the session cannot stand on what does not. */
function refuseTemporary(c: EmbeddedCatalog, name: string, plan: Relation): void {
  const text = JSON.stringify(plan, (_, v) => (typeof v === "bigint" ? String(v) : v));
  for (const m of text.matchAll(/"kind":"named_table","name":"((?:[^"\\]|\\.)*)"/g)) {
    const used = JSON.parse(`"${m[1]}"`) as string;
    if (c.view(nameParts(used)) === undefined) continue;
    throw new MillraceError(
      "INVALID_TEMP_OBJ_REFERENCE",
      `Cannot create the persistent view ${quoted(nameParts(name))}, as it reads the temporary view ${quoted(nameParts(used))}.`,
      { hint: "Make it a temporary view too." },
    );
  }
}

async function createTable(
  c: EmbeddedCatalog,
  t: Of<"create_table">,
  query: (text: string) => Relation,
  conf: Conf,
): Promise<void> {
  const q = qualify(t.name, c.currentDatabase);
  const there = c.metastore(conf).table(q.database, q.name) !== undefined;
  if (there && t.ifNotExists) return;
  if (there && !t.replace) throw alreadyExists(t.name);
  const location = t.location ?? t.options.path;
  const options = Object.fromEntries(Object.entries(t.options).filter(([k]) => k.toLowerCase() !== "path"));
  if (t.query !== undefined) {
    const mode = t.replace ? "overwrite" : "error";
    const { format, partitionBy } = t;
    const target = {
      name: t.name,
      method: "save_as_table",
      format,
      path: location,
      options,
      partitionBy,
      mode,
    } as const;
    return writeTable(c, query(t.query), target, conf);
  }
  if (there) c.drop(t.name, "table", conf);
  const schema = t.columns === undefined ? undefined : nullable(parseDdl(t.columns));
  const format = formatOf(t.format, conf);
  if (schema === undefined && location === undefined && isFileFormat(format)) {
    throw new MillraceError("UNABLE_TO_INFER_SCHEMA", `The table ${quoted(nameParts(t.name))} needs columns.`, {
      hint: "Write CREATE TABLE t (a INT, b STRING), or name a LOCATION that has data.",
    });
  }
  const { partitionBy, comment } = t;
  const made = await c.createTable({ name: t.name, format, schema, location, options, partitionBy, comment }, conf);
  if (!made && !t.ifNotExists) throw alreadyExists(t.name);
}

async function insertInto(c: EmbeddedCatalog, i: Of<"insert">, plan: Relation, conf: Conf): Promise<void> {
  const entry = c.requireTable(i.name, conf);
  const schema = await tableSchema(c, i.name, conf);
  if (i.byName) return insert(c, entry, await byName(c, plan, schema, i.name, conf), i.overwrite, conf);
  if (i.columns === undefined) {
    return insert(c, entry, await byPosition(c, plan, schema, i.name, conf), i.overwrite, conf);
  }
  const named: Relation = { kind: "to_df", input: plan, names: i.columns };
  const given = (await c.engine.schema(plan, conf)).fields.length;
  if (given !== i.columns.length) {
    throw new MillraceError(
      `INSERT_COLUMN_ARITY_MISMATCH.${given > i.columns.length ? "TOO_MANY_DATA_COLUMNS" : "NOT_ENOUGH_DATA_COLUMNS"}`,
      `Cannot write to ${quoted(nameParts(i.name))}: ${i.columns.length} columns are named, the data has ${given}.`,
    );
  }
  return insert(c, entry, await byName(c, named, schema, i.name, conf), i.overwrite, conf);
}

function drop(c: EmbeddedCatalog, d: Of<"drop">, conf: Conf): void {
  if (d.object === "database") {
    dropDatabase(c, d, conf);
    return;
  }
  const parts = nameParts(d.name);
  const views = parts.length === 2 && parts[0]!.toLowerCase() === GLOBAL_TEMP ? globalViews : c.tempViews;
  if (c.view(parts) !== undefined) {
    views.delete(parts.at(-1)!.toLowerCase());
    return;
  }
  if (!c.drop(d.name, d.object, conf) && !d.ifExists) throw notFound(d.name);
}

function dropDatabase(c: EmbeddedCatalog, d: Of<"drop">, conf: Conf): void {
  const store = c.metastore(conf);
  const name = nameParts(d.name).at(-1)!;
  if (store.database(name) === undefined && d.ifExists) return;
  const entry = store.requireDatabase(name);
  if (entry.name === "default") throw new MillraceError("UNSUPPORTED_OPERATION", "Cannot drop the default database.");
  const tables = store.tables(entry.name);
  if (tables.length > 0 && !d.cascade) {
    throw new MillraceError(
      "SCHEMA_NOT_EMPTY",
      `Cannot drop the schema ${quoted(entry.name)} because it contains objects.`,
      {
        hint: "Add CASCADE to drop its tables too.",
        parameters: { schemaName: quoted(entry.name) },
      },
    );
  }
  for (const t of tables) {
    store.dropTable(t.database, t.name);
    if (t.type === "MANAGED" && t.location !== undefined) rmSync(t.location, { recursive: true, force: true });
  }
  store.dropDatabase(entry.name);
  if (c.currentDatabase === entry.name) c.currentDatabase = "default";
}

async function show(c: EmbeddedCatalog, s: Of<"show">, conf: Conf): Promise<CommandResult> {
  const fits = patternOf(s.pattern);
  switch (s.what) {
    case "tables":
    case "views": {
      const rows = listTables(c, s.of, conf)
        .filter(
          (t) => fits(String(t.name)) && (s.what === "tables" || t.tableType === "VIEW" || t.isTemporary === true),
        )
        .map((t) => [(t.namespace as string[])[0] ?? "", t.name as Value, t.isTemporary as Value]);
      const name = s.what === "tables" ? "tableName" : "viewName";
      return table({ namespace: STRING, [name]: STRING, isTemporary: BOOLEAN }, rows);
    }
    case "databases": {
      const names = c
        .metastore(conf)
        .databases()
        .map((d) => d.name);
      return table(
        { namespace: STRING },
        names.filter(fits).map((n) => [n]),
      );
    }
    case "columns": {
      if (s.of === undefined) throw new MillraceError("PARSE_SYNTAX_ERROR", "SHOW COLUMNS needs IN and a table.");
      const { fields } = await tableSchema(c, s.of, conf);
      return table(
        { col_name: STRING },
        fields.map((f) => [f.name]),
      );
    }
    case "functions":
      return table(
        { function: STRING },
        functionNames()
          .filter(fits)
          .map((n) => [n]),
      );
    case "catalogs":
      return table(
        { catalog: STRING },
        [CATALOG].filter(fits).map((n) => [n]),
      );
  }
}

async function describe(c: EmbeddedCatalog, d: Of<"describe">, conf: Conf): Promise<CommandResult> {
  const result = described(await tableSchema(c, d.name, conf), partitionsOf(c, d.name, conf));
  if (!d.extended || c.view(nameParts(d.name)) !== undefined) return result;
  const entry = c.requireTable(d.name, conf);
  const detail: [string, string | undefined][] = [
    ["Catalog", CATALOG],
    ["Database", entry.database],
    ["Table", entry.name],
    ["Type", entry.type],
    ["Provider", entry.format],
    ["Comment", entry.comment],
    ["Location", entry.location === undefined ? undefined : `file:${entry.location}`],
    ["View Text", entry.query],
  ];
  const more = detail.flatMap(([k, v]) => (v === undefined ? [] : [[k, v, ""]]));
  return { ...result, rows: [...result.rows, ["", "", ""], ["# Detailed Table Information", "", ""], ...more] };
}

function described(schema: StructType, partitions: readonly string[]): CommandResult {
  const row = (f: StructType["fields"][number]): Value[] => [
    f.name,
    sqlName(f.type).toLowerCase(),
    (f.metadata?.comment as string | undefined) ?? null,
  ];
  const parts = schema.fields.filter((f) => partitions.includes(f.name)).map(row);
  const more =
    parts.length > 0 ? [["# Partition Information", "", ""], ["# col_name", "data_type", "comment"], ...parts] : [];
  return table({ col_name: STRING, data_type: STRING, comment: STRING }, [...schema.fields.map(row), ...more]);
}

async function cache(c: EmbeddedCatalog, command: Of<"cache">, conf: Conf): Promise<CommandResult> {
  const { action, name } = command;
  if (action === "clear") await answer(c, { kind: "clearCache" }, conf);
  else if (action !== "refresh" && name !== undefined) {
    await answer(c, { kind: action === "cache" ? "cacheTable" : "uncacheTable", tableName: name }, conf);
  }
  return DONE;
}
