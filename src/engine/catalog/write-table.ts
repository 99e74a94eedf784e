import { randomUUID } from "node:crypto";
import { renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Conf, TableTarget } from "../../backend.ts";
import { syncDirectory } from "../../durable.ts";
import { MillraceError } from "../../errors.ts";
import type { Expr } from "../../plan/expr.ts";
import { nameParts, quoted } from "../../plan/names.ts";
import type { Relation } from "../../plan/relation.ts";
import type { StructType } from "../../types/data-type.ts";
import { type EmbeddedCatalog, entryOf, formatOf, isFileFormat, refuseFiles } from "./catalog.ts";
import type { TableEntry } from "./metastore.ts";
import { alreadyExists, notFound, qualify } from "./names.ts";

/** `saveAsTable` and `insertInto`. The rows are written before the metastore names them. */
export async function writeTable(c: EmbeddedCatalog, plan: Relation, target: TableTarget, conf: Conf): Promise<void> {
  const q = qualify(target.name, c.currentDatabase);
  const store = c.metastore(conf);
  const entry = store.table(q.database, q.name);
  if (target.method === "insert_into") {
    if (entry === undefined) throw notFound(target.name);
    const schema = await tableSchema(c, target.name, conf);
    return insert(c, entry, await byPosition(c, plan, schema, target.name, conf), target.mode === "overwrite", conf);
  }
  store.requireDatabase(q.database);
  if (entry !== undefined) {
    if (target.mode === "ignore") return;
    if (target.mode === "error" || entry.type === "VIEW") throw alreadyExists(target.name);
    if (target.mode === "append") {
      const schema = await tableSchema(c, target.name, conf);
      return insert(c, entry, await byName(c, plan, schema, target.name, conf), false, conf);
    }
  }
  const format = formatOf(target.format, conf);
  const external = target.path !== undefined || !isFileFormat(format);
  const location = external ? target.path : store.locationOf(q.database, q.name);
  if (entry === undefined && !external && location !== undefined) refuseFiles(target.name, location);
  const schema = await c.engine.schema(plan, conf);
  if (
    entry?.type === "MANAGED" &&
    entry.location !== undefined &&
    (entry.format !== format || entry.location !== location)
  ) {
    rmSync(entry.location, { recursive: true, force: true });
  }
  const { options, partitionBy } = target;
  const write = (path: string | undefined, mode: "append" | "overwrite"): Promise<void> =>
    c.engine.write(plan, { format, options, path, mode, partitionBy }, conf);
  if (entry === undefined && !external && location !== undefined) await written(target.name, location, write);
  else await write(location, "overwrite");
  const made = entryOf(q, external ? "EXTERNAL" : "MANAGED", {
    format,
    ...(location !== undefined && { location }),
    schema: nullable(schema),
    partitionBy,
    options: external && !isFileFormat(format) ? options : {},
  });
  if (!store.createTable(made, entry !== undefined)) throw alreadyExists(target.name);
}

/** Writes a new table beside its place and moves it there, which succeeds for one of several processes. */
async function written(
  name: string,
  location: string,
  write: (path: string, mode: "append") => Promise<void>,
): Promise<void> {
  const staging = join(dirname(location), `.${basename(location)}.${randomUUID()}`);
  try {
    await write(staging, "append");
    renameSync(staging, location);
    syncDirectory(dirname(location));
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    throw alreadyExists(name);
  }
}

/** The columns of a table, in order. */
export function tableSchema(c: EmbeddedCatalog, name: string, conf: Conf): Promise<StructType> {
  return c.engine.schema({ kind: "named_table", name, options: {}, streaming: false }, conf);
}

/** Writes rows that have the table's columns into its place. */
export async function insert(
  c: EmbeddedCatalog,
  entry: TableEntry,
  plan: Relation,
  overwrite: boolean,
  conf: Conf,
): Promise<void> {
  if (entry.format === undefined) {
    throw new MillraceError("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", `${quoted(entry.name)} is a view.`, {
      hint: "Write into the table that it reads.",
    });
  }
  const { format, options, partitionBy, location: path } = entry;
  await c.engine.write(plan, { format, options, path, mode: overwrite ? "overwrite" : "append", partitionBy }, conf);
}

/** Rows by position, cast to the table's columns. Throws INSERT_COLUMN_ARITY_MISMATCH.*. */
export async function byPosition(
  c: EmbeddedCatalog,
  plan: Relation,
  table: StructType,
  name: string,
  conf: Conf,
): Promise<Relation> {
  const given = await c.engine.schema(plan, conf);
  const many = given.fields.length - table.fields.length;
  if (many !== 0) {
    throw new MillraceError(
      `INSERT_COLUMN_ARITY_MISMATCH.${many > 0 ? "TOO_MANY_DATA_COLUMNS" : "NOT_ENOUGH_DATA_COLUMNS"}`,
      `Cannot write to ${quoted(nameParts(name))}, the reason is that the data has ${given.fields.length} columns, the table ${table.fields.length}: ${table.fields.map((f) => quoted(f.name)).join(", ")}.`,
      { parameters: { tableName: quoted(nameParts(name)) } },
    );
  }
  const input: Relation = { kind: "to_df", input: plan, names: table.fields.map((_, i) => `c${i}`) };
  const exprs = table.fields.map((f, i) => stored({ kind: "attribute", name: `c${i}` }, f));
  return { kind: "project", input, exprs };
}

/** Rows by name, cast to the table's columns and in their order; a column that is not given is null. */
export async function byName(
  c: EmbeddedCatalog,
  plan: Relation,
  table: StructType,
  name: string,
  conf: Conf,
): Promise<Relation> {
  const given = await c.engine.schema(plan, conf);
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
  const extra = given.fields.filter((g) => !table.fields.some((f) => same(f.name, g.name)));
  if (extra.length > 0) {
    throw new MillraceError(
      "INCOMPATIBLE_DATA_FOR_TABLE.EXTRA_COLUMNS",
      `Cannot write incompatible data for the table ${quoted(nameParts(name))}: it has no columns ${extra.map((f) => quoted(f.name)).join(", ")}.`,
      { parameters: { tableName: quoted(nameParts(name)), extraColumns: extra.map((f) => quoted(f.name)).join(", ") } },
    );
  }
  const exprs = table.fields.map((f): Expr => {
    const own = given.fields.find((g) => same(g.name, f.name));
    if (own !== undefined) return stored({ kind: "attribute", name: quoted(own.name) }, f);
    if (f.nullable) return stored({ kind: "literal", value: null, type: { kind: "null" } }, f);
    throw new MillraceError(
      "INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_FIND_DATA",
      `Cannot write incompatible data for the table ${quoted(nameParts(name))}: no data for the column ${quoted(f.name)}.`,
      { parameters: { tableName: quoted(nameParts(name)), colName: quoted(f.name) } },
    );
  });
  return { kind: "project", input: plan, exprs };
}

function stored(child: Expr, field: StructType["fields"][number]): Expr {
  return { kind: "alias", child: { kind: "cast", child, type: field.type, mode: "ansi" }, name: field.name };
}

/** Columns of tables of files may always be null, as in Spark. */
export function nullable(schema: StructType): StructType {
  return { kind: "struct", fields: schema.fields.map((f) => ({ ...f, nullable: true })) };
}
