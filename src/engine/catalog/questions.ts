import type { CatalogQuestion, Conf } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import { functions } from "../../functions/index.ts";
import { nameParts, quoted } from "../../plan/names.ts";
import type { AnyRow } from "../../types/data-type.ts";
import { sqlName } from "../../types/ddl.ts";
import type { EmbeddedCatalog } from "./catalog.ts";
import { CATALOG, type DatabaseEntry, type TableEntry } from "./metastore.ts";
import { GLOBAL_TEMP, notFound, patternOf, qualify } from "./names.ts";
import { globalViews } from "./views.ts";
import { nullable, tableSchema } from "./write-table.ts";

const one = (value: AnyRow[string]): AnyRow[] => [{ value }];

/** Answers what `spark.catalog` asks. */
export async function answer(c: EmbeddedCatalog, q: CatalogQuestion, conf: Conf): Promise<readonly AnyRow[]> {
  switch (q.kind) {
    case "currentDatabase":
      return one(c.currentDatabase);
    case "currentCatalog":
      return one(CATALOG);
    case "setCurrentDatabase":
      c.currentDatabase = c.metastore(conf).requireDatabase(nameParts(q.dbName).at(-1)!).name;
      return [];
    case "setCurrentCatalog":
      if (q.catalogName.toLowerCase() === CATALOG) return [];
      throw new MillraceError("CATALOG_NOT_FOUND", `The catalog ${quoted(q.catalogName)} cannot be found.`, {
        hint: `This engine has one catalog, ${CATALOG}.`,
      });
    case "listCatalogs":
      return [CATALOG].filter(patternOf(q.pattern)).map((name) => ({ name, description: null }));
    case "listDatabases":
      return c
        .metastore(conf)
        .databases()
        .filter((d) => patternOf(q.pattern)(d.name))
        .map(databaseRow);
    case "getDatabase":
      return [databaseRow(c.metastore(conf).requireDatabase(nameParts(q.dbName).at(-1)!))];
    case "databaseExists":
      return one(c.metastore(conf).database(nameParts(q.dbName).at(-1)!) !== undefined);
    case "listTables":
      return listTables(c, q.dbName, conf).filter((t) => patternOf(q.pattern)(String(t.name)));
    case "getTable":
      return [tableRow(c, tableName(q), conf)];
    case "tableExists":
      return one(await exists(c, tableName(q), conf));
    case "listColumns":
      return listColumns(c, tableName(q), conf);
    case "listFunctions":
      return functionNames().filter(patternOf(q.pattern)).map(functionRow);
    case "getFunction": {
      const name = nameParts(q.functionName).at(-1)!.toLowerCase();
      if (functions.has(name)) return [functionRow(name)];
      throw new MillraceError("UNRESOLVED_ROUTINE", `Cannot resolve routine ${quoted(name)}.`, {
        parameters: { routineName: quoted(name) },
      });
    }
    case "functionExists":
      return one(functions.has(nameParts(q.functionName).at(-1)!.toLowerCase()));
    case "createTable": {
      const { path, source, options, schema, description } = q;
      const made = await c.createTable(
        {
          name: q.tableName,
          format: source,
          schema: schema && nullable(schema),
          location: path ?? options.path,
          options: Object.fromEntries(Object.entries(options).filter(([k]) => k !== "path")),
          partitionBy: [],
          comment: description,
        },
        conf,
      );
      if (!made) {
        throw new MillraceError("TABLE_OR_VIEW_ALREADY_EXISTS", `The table ${quoted(q.tableName)} already exists.`);
      }
      return [];
    }
    case "dropTempView":
      return one(c.tempViews.delete(q.viewName.toLowerCase()));
    case "dropGlobalTempView":
      return one(globalViews.delete(q.viewName.toLowerCase()));
    case "isCached":
      await required(c, q.tableName, conf);
      return one(c.cached.has(q.tableName.toLowerCase()));
    case "cacheTable":
      await required(c, q.tableName, conf);
      c.cached.add(q.tableName.toLowerCase());
      return [];
    case "uncacheTable":
      await required(c, q.tableName, conf);
      c.cached.delete(q.tableName.toLowerCase());
      return [];
    case "clearCache":
      c.cached.clear();
      return [];
    case "refreshTable":
    case "recoverPartitions":
      await required(c, q.tableName, conf);
      return [];
    case "refreshByPath":
      return [];
  }
}

function tableName(q: { readonly tableName: string; readonly dbName?: string }): string {
  return q.dbName === undefined ? q.tableName : `${quoted(q.dbName)}.${quoted(q.tableName)}`;
}

/** Whether a table or view of that name is there. */
export async function exists(c: EmbeddedCatalog, name: string, conf: Conf): Promise<boolean> {
  return (await c.relation({ kind: "named_table", name, options: {}, streaming: false }, conf)) !== undefined;
}

async function required(c: EmbeddedCatalog, name: string, conf: Conf): Promise<void> {
  if (!(await exists(c, name, conf))) throw notFound(name);
}

function databaseRow(d: DatabaseEntry): AnyRow {
  return { name: d.name, catalog: CATALOG, description: d.comment ?? null, locationUri: `file:${d.location}` };
}

const entryRow = (t: TableEntry): AnyRow => ({
  name: t.name,
  catalog: CATALOG,
  namespace: [t.database],
  description: t.comment ?? null,
  tableType: t.type,
  isTemporary: false,
});

const viewRow = (name: string, global: boolean): AnyRow => ({
  name,
  catalog: null,
  namespace: global ? [GLOBAL_TEMP] : [],
  description: null,
  tableType: "TEMPORARY",
  isTemporary: true,
});

/** Tables of a database, then the session's views, which are in none. */
export function listTables(c: EmbeddedCatalog, database: string | undefined, conf: Conf): AnyRow[] {
  const local = [...c.tempViews.keys()].map((name) => viewRow(name, false));
  const name = database === undefined ? c.currentDatabase : nameParts(database).at(-1)!;
  if (name.toLowerCase() === GLOBAL_TEMP) return [...[...globalViews.keys()].map((n) => viewRow(n, true)), ...local];
  const store = c.metastore(conf);
  return [...store.tables(store.requireDatabase(name).name).map(entryRow), ...local];
}

function tableRow(c: EmbeddedCatalog, name: string, conf: Conf): AnyRow {
  const parts = nameParts(name);
  if (c.view(parts) !== undefined) return viewRow(parts.at(-1)!.toLowerCase(), parts.length > 1);
  const q = qualify(name, c.currentDatabase);
  const entry = c.metastore(conf).table(q.database, q.name);
  if (entry === undefined) throw notFound(name);
  return entryRow(entry);
}

async function listColumns(c: EmbeddedCatalog, name: string, conf: Conf): Promise<AnyRow[]> {
  const schema = await tableSchema(c, name, conf);
  const partitions = partitionsOf(c, name, conf);
  return schema.fields.map((f) => ({
    name: f.name,
    description: (f.metadata?.comment as string | undefined) ?? null,
    dataType: sqlName(f.type).toLowerCase(),
    nullable: f.nullable,
    isPartition: partitions.includes(f.name),
    isBucket: false,
    isCluster: false,
  }));
}

/** The columns that a table is partitioned by. */
export function partitionsOf(c: EmbeddedCatalog, name: string, conf: Conf): readonly string[] {
  if (c.view(nameParts(name)) !== undefined) return [];
  const q = qualify(name, c.currentDatabase);
  return c.metastore(conf).table(q.database, q.name)?.partitionBy ?? [];
}

/** Names of functions that a query may call; operators and those of the engine's own are none. */
export function functionNames(): string[] {
  return [...functions.values()]
    .filter((f) => !f.internal)
    .map((f) => f.name)
    .sort();
}

const functionRow = (name: string): AnyRow => ({
  name,
  catalog: null,
  namespace: null,
  description: null,
  className: "",
  isTemporary: true,
});
