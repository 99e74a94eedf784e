import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Conf } from "../../backend.ts";
import { syncDirectory } from "../../durable.ts";
import { createFile, fileError, makeDirectory, readFileIfThere } from "../../durable-files.ts";
import { MillraceError } from "../../errors.ts";
import { quoted } from "../../plan/names.ts";

/** A table or view as the metastore keeps it. */
export interface TableEntry {
  readonly name: string;
  readonly database: string;
  readonly type: "MANAGED" | "EXTERNAL" | "VIEW";
  /** Format of the files; of a view: none. */
  readonly format?: string;
  readonly location?: string;
  /** Spark's JSON of the schema; formats that keep their own, as Delta, have none here. */
  readonly schema?: string;
  readonly partitionBy: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly comment?: string;
  /** The query of a view. */
  readonly query?: string;
}

export interface DatabaseEntry {
  readonly name: string;
  readonly location: string;
  readonly comment?: string;
}

export const DEFAULT_DATABASE = "default";
export const CATALOG = "spark_catalog";

/** Where managed tables lie: `spark.sql.warehouse.dir`, `spark-warehouse` in the working directory by default. */
export function warehouseOf(conf: Conf): string {
  const given = conf["spark.sql.warehouse.dir"] ?? "spark-warehouse";
  return given.startsWith("file:") ? fileURLToPath(given.replace(/^file:(?!\/\/)/, "file://")) : resolve(given);
}

/**
 * What tables and databases there are, as small files below `_catalog/` in the warehouse: one for each table. A file appears by one
 * step of the file system and goes by one, so that several processes can use a warehouse without a lock, and a crash leaves no half of one.
 */
export class Metastore {
  readonly warehouse: string;
  readonly #root: string;

  constructor(warehouse: string) {
    this.warehouse = warehouse;
    this.#root = join(warehouse, "_catalog");
  }

  databases(): DatabaseEntry[] {
    const names = list(this.#root, (n) => existsSync(join(this.#root, n, DATABASE_FILE)));
    return [...new Set([DEFAULT_DATABASE, ...names])].sort().map((n) => this.database(n)!);
  }

  database(name: string): DatabaseEntry | undefined {
    const lower = name.toLowerCase();
    const text = readFileIfThere(join(this.#root, lower, DATABASE_FILE));
    if (text !== undefined) return JSON.parse(text) as DatabaseEntry;
    if (lower !== DEFAULT_DATABASE) return undefined;
    return { name: DEFAULT_DATABASE, location: this.warehouse, comment: "default database" };
  }

  /** The database. Throws SCHEMA_NOT_FOUND. */
  requireDatabase(name: string): DatabaseEntry {
    const found = this.database(name);
    if (found) return found;
    throw new MillraceError("SCHEMA_NOT_FOUND", `The schema ${quoted([CATALOG, name])} cannot be found.`, {
      hint: "Check the name, or make it with CREATE DATABASE.",
      parameters: { schemaName: quoted(name) },
    });
  }

  /** False when it is there already. */
  createDatabase(name: string, location: string | undefined, comment: string | undefined): boolean {
    const lower = checkedName(name);
    if (this.database(lower) !== undefined) return false;
    const folder = join(this.#root, lower);
    const path = location === undefined ? join(this.warehouse, `${lower}.db`) : resolve(location);
    makeDirectory(folder);
    const entry: DatabaseEntry = { name: lower, location: path, ...(comment !== undefined && { comment }) };
    return createFile(join(folder, DATABASE_FILE), `${JSON.stringify(entry)}\n`);
  }

  dropDatabase(name: string): void {
    const entry = this.requireDatabase(name);
    removeFile(join(this.#root, entry.name, DATABASE_FILE));
    for (const folder of [join(this.#root, entry.name), entry.location]) {
      if (list(folder).length === 0) rmSync(folder, { recursive: true, force: true });
    }
  }

  tables(database: string): TableEntry[] {
    const folder = join(this.#root, database.toLowerCase());
    return list(folder, (n) => n.endsWith(".json") && n !== DATABASE_FILE)
      .map((n) => this.table(database, n.slice(0, -".json".length)))
      .filter((t) => t !== undefined);
  }

  table(database: string, name: string): TableEntry | undefined {
    const path = this.#file(database, name);
    const text = path === undefined ? undefined : readFileIfThere(path);
    return text === undefined ? undefined : (JSON.parse(text) as TableEntry);
  }

  /** False when there is one of that name already, and `replace` does not say to put this in its place. */
  createTable(entry: TableEntry, replace = false): boolean {
    const name = checkedName(entry.name);
    const folder = join(this.#root, entry.database);
    makeDirectory(folder);
    const path = join(folder, `${name}.json`);
    const text = `${JSON.stringify(entry)}\n`;
    if (createFile(path, text)) return true;
    if (!replace) return false;
    const next = join(folder, `.${name}.${randomUUID()}`);
    createFile(next, text);
    renameSync(next, path);
    syncDirectory(folder);
    return true;
  }

  /** Forgets a table; its files are the caller's. False when there was none. */
  dropTable(database: string, name: string): boolean {
    const path = this.#file(database, name);
    return path !== undefined && removeFile(path);
  }

  /** Where a managed table lies. */
  locationOf(database: string, name: string): string {
    return join(this.requireDatabase(database).location, name.toLowerCase());
  }

  #file(database: string, name: string): string | undefined {
    if (!NAME.test(name) || !NAME.test(database)) return undefined;
    return join(this.#root, database.toLowerCase(), `${name.toLowerCase()}.json`);
  }
}

const DATABASE_FILE = "_database.json";
const NAME = /^\w+$/;

function checkedName(name: string): string {
  if (NAME.test(name)) return name.toLowerCase();
  throw new MillraceError(
    "INVALID_SCHEMA_OR_RELATION_NAME",
    `${quoted(name)} is not a valid name for tables or schemas: they are letters, digits and underscores.`,
    { parameters: { name: quoted(name) } },
  );
}

function list(folder: string, keep: (name: string) => boolean = () => true): string[] {
  try {
    return readdirSync(folder).filter((n) => !n.startsWith(".") && keep(n));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError(folder, error);
  }
}

function removeFile(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    rmSync(path);
    syncDirectory(join(path, ".."));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw fileError(path, error);
  }
}
