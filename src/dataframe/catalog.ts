import type { CatalogQuestion } from "../backend.ts";
import { nameParts } from "../plan/names.ts";
import { parseSchemaOrDdl } from "../plan/parse.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { type SchemaLike, structOf } from "../types/schema.ts";
import type { SessionContext } from "./context.ts";
import { DataFrame } from "./dataframe.ts";

/** A table or view, as `listTables` gives it. */
export interface CatalogTable {
  readonly name: string;
  readonly catalog: string | null;
  readonly namespace: readonly string[] | null;
  readonly description: string | null;
  /** MANAGED, EXTERNAL, VIEW or TEMPORARY. */
  readonly tableType: string;
  readonly isTemporary: boolean;
}
/** A database; `locationUri` is where its managed tables lie. */
export interface CatalogDatabase {
  readonly name: string;
  readonly catalog: string | null;
  readonly description: string | null;
  readonly locationUri: string;
}
/** A column of a table; `dataType` as in DDL. */
export interface CatalogColumn {
  readonly name: string;
  readonly description: string | null;
  readonly dataType: string;
  readonly nullable: boolean;
  readonly isPartition: boolean;
  readonly isBucket: boolean;
}
/** A function that SQL may call. */
export interface CatalogFunction {
  readonly name: string;
  readonly catalog: string | null;
  readonly namespace: readonly string[] | null;
  readonly description: string | null;
  readonly className: string;
  readonly isTemporary: boolean;
}
/** A catalog of databases. */
export interface CatalogMetadata {
  readonly name: string;
  readonly description: string | null;
}

/**
 * Databases, tables, views and functions: `spark.catalog`. Names are `table`, `database.table` or `global_temp.view`; a pattern takes
 * `*` and `|`. https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/catalog.html
 */
export class Catalog {
  readonly #session: SessionContext;

  constructor(session: SessionContext) {
    this.#session = session;
  }

  async #ask(question: CatalogQuestion): Promise<readonly AnyRow[]> {
    const conf = this.#session.confValues();
    return this.#session.command((engine) => engine.catalog.ask(question, conf));
  }
  async #value<T>(question: CatalogQuestion): Promise<T> {
    const row = (await this.#ask(question))[0] ?? {};
    return Object.values(row)[0] as T;
  }

  /** The database that names without one are looked up in. */
  currentDatabase(): Promise<string> {
    return this.#value({ kind: "currentDatabase" });
  }
  /** Looks names up in another database from here on. Throws SCHEMA_NOT_FOUND. */
  async setCurrentDatabase(dbName: string): Promise<void> {
    await this.#ask({ kind: "setCurrentDatabase", dbName });
  }
  /** The catalog in use: `spark_catalog`. */
  currentCatalog(): Promise<string> {
    return this.#value({ kind: "currentCatalog" });
  }
  /** Uses another catalog, on a Spark that has several. Throws CATALOG_NOT_FOUND. */
  async setCurrentCatalog(catalogName: string): Promise<void> {
    await this.#ask({ kind: "setCurrentCatalog", catalogName });
  }
  /** The catalogs there are. */
  async listCatalogs(pattern?: string): Promise<CatalogMetadata[]> {
    return [...(await this.#ask({ kind: "listCatalogs", ...given({ pattern }) }))] as unknown as CatalogMetadata[];
  }
  /** The databases there are. */
  async listDatabases(pattern?: string): Promise<CatalogDatabase[]> {
    return [...(await this.#ask({ kind: "listDatabases", ...given({ pattern }) }))] as unknown as CatalogDatabase[];
  }
  /** A database. Throws SCHEMA_NOT_FOUND. */
  async getDatabase(dbName: string): Promise<CatalogDatabase> {
    return (await this.#ask({ kind: "getDatabase", dbName }))[0] as unknown as CatalogDatabase;
  }
  /** Whether there is such a database. */
  databaseExists(dbName: string): Promise<boolean> {
    return this.#value({ kind: "databaseExists", dbName });
  }
  /** Tables and views of a database (default: the current one) and the session's temporary views. */
  async listTables(dbName?: string, pattern?: string): Promise<CatalogTable[]> {
    return [...(await this.#ask({ kind: "listTables", ...given({ dbName, pattern }) }))] as unknown as CatalogTable[];
  }
  /** A table or view. Throws TABLE_OR_VIEW_NOT_FOUND. */
  async getTable(tableName: string): Promise<CatalogTable> {
    return (await this.#ask({ kind: "getTable", tableName }))[0] as unknown as CatalogTable;
  }
  /** Whether there is such a table or view. */
  tableExists(tableName: string, dbName?: string): Promise<boolean> {
    return this.#value({ kind: "tableExists", tableName, ...given({ dbName }) });
  }
  /** The columns of a table or view. Throws TABLE_OR_VIEW_NOT_FOUND. */
  async listColumns(tableName: string, dbName?: string): Promise<CatalogColumn[]> {
    const rows = await this.#ask({ kind: "listColumns", tableName, ...given({ dbName }) });
    return [...rows] as unknown as CatalogColumn[];
  }
  /** The functions that SQL may call. */
  async listFunctions(dbName?: string, pattern?: string): Promise<CatalogFunction[]> {
    return [
      ...(await this.#ask({ kind: "listFunctions", ...given({ dbName, pattern }) })),
    ] as unknown as CatalogFunction[];
  }
  /** A function. Throws UNRESOLVED_ROUTINE. */
  async getFunction(functionName: string): Promise<CatalogFunction> {
    return (await this.#ask({ kind: "getFunction", functionName }))[0] as unknown as CatalogFunction;
  }
  /** Whether there is such a function. */
  functionExists(functionName: string, dbName?: string): Promise<boolean> {
    return this.#value({ kind: "functionExists", functionName, ...given({ dbName }) });
  }

  /** Makes a table, empty or over what lies at `path`. `source`: default `spark.sql.sources.default`. Throws TABLE_OR_VIEW_ALREADY_EXISTS. */
  async createTable(
    tableName: string,
    options: {
      readonly path?: string;
      readonly source?: string;
      readonly schema?: SchemaLike | string | StructType;
      readonly description?: string;
      readonly options?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<DataFrame<any>> {
    const { schema, path, source, description } = options;
    const struct =
      schema === undefined ? undefined : typeof schema === "string" ? parseSchemaOrDdl(schema) : structOf(schema);
    await this.#ask({
      kind: "createTable",
      tableName,
      options: options.options ?? {},
      ...given({ path, source, description, schema: struct }),
    });
    return new DataFrame(this.#session, { kind: "named_table", name: tableName, options: {}, streaming: false });
  }
  /** As `createTable` over what lies at `path`. */
  createExternalTable(
    tableName: string,
    options: Parameters<Catalog["createTable"]>[1] & { readonly path: string },
  ): Promise<DataFrame<any>> {
    return this.createTable(tableName, options);
  }
  /** Forgets a temporary view; false when there was none. */
  dropTempView(viewName: string): Promise<boolean> {
    this.#session.views.delete(viewName.toLowerCase());
    return this.#value({ kind: "dropTempView", viewName });
  }
  /** Forgets a view of all sessions, given without `global_temp`; false when there was none. */
  dropGlobalTempView(viewName: string): Promise<boolean> {
    const name = nameParts(viewName).at(-1)!;
    this.#session.views.delete(`global_temp.${name.toLowerCase()}`);
    return this.#value({ kind: "dropGlobalTempView", viewName: name });
  }

  /** Whether a table was cached. */
  isCached(tableName: string): Promise<boolean> {
    return this.#value({ kind: "isCached", tableName });
  }
  /** Spark keeps the rows in memory from the first use on. The embedded engine reads them again each time: results are the same. */
  async cacheTable(tableName: string): Promise<void> {
    await this.#ask({ kind: "cacheTable", tableName });
  }
  /** Undoes `cacheTable`. */
  async uncacheTable(tableName: string): Promise<void> {
    await this.#ask({ kind: "uncacheTable", tableName });
  }
  /** Undoes every `cacheTable`. */
  async clearCache(): Promise<void> {
    await this.#ask({ kind: "clearCache" });
  }
  /** Looks a table's files up again. */
  async refreshTable(tableName: string): Promise<void> {
    await this.#ask({ kind: "refreshTable", tableName });
  }
  /** Looks the files below a path up again. */
  async refreshByPath(path: string): Promise<void> {
    await this.#ask({ kind: "refreshByPath", path });
  }
  /** Finds partitions that were added as folders. The embedded engine finds them by itself. */
  async recoverPartitions(tableName: string): Promise<void> {
    await this.#ask({ kind: "recoverPartitions", tableName });
  }
}

/** Only what is given. */
function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined)) as never;
}
