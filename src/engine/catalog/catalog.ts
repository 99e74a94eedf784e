import { existsSync, readdirSync, rmSync } from "node:fs";
import type {
  Backend,
  BackendCatalog,
  CatalogQuestion,
  CommandResult,
  Conf,
  SinkTarget,
  TableTarget,
  ViewTarget,
} from "../../backend.ts";
import { lookupConnector, memoryTable } from "../../connectors/index.ts";
import { MillraceError } from "../../errors.ts";
import { nameParts, quoted } from "../../plan/names.ts";
import type { Relation } from "../../plan/relation.ts";
import { parseQuery } from "../../plan/sql/parse-query.ts";
import { relationInputs, relationSubqueries } from "../../plan/walk.ts";
import type { AnyRow, StructType } from "../../types/data-type.ts";
import { structFromSparkJson, toSparkJson } from "../../types/struct-json.ts";
import { expandPlan } from "../expand.ts";
import { runCommand } from "./commands.ts";
import { CATALOG, DEFAULT_DATABASE, Metastore, type TableEntry, warehouseOf } from "./metastore.ts";
import { alreadyExists, GLOBAL_TEMP, notFound, qualify } from "./names.ts";
import { answer } from "./questions.ts";
import { bound, globalViews } from "./views.ts";
import { writeTable } from "./write-table.ts";

type NamedTable = Extract<Relation, { kind: "named_table" }>;

/** The tables and views of one session of the embedded engine: temporary views in memory, the rest in the warehouse. */
export class EmbeddedCatalog implements BackendCatalog {
  readonly engine: Backend;
  /** By name in lower case. */
  readonly tempViews = new Map<string, Relation>();
  readonly cached = new Set<string>();
  currentDatabase = DEFAULT_DATABASE;

  constructor(engine: Backend) {
    this.engine = engine;
  }

  metastore(conf: Conf): Metastore {
    return new Metastore(warehouseOf(conf));
  }

  command(sql: Extract<Relation, { kind: "sql" }>, conf: Conf): Promise<CommandResult> {
    return runCommand(this, sql, conf);
  }

  async ask(question: CatalogQuestion, conf: Conf): Promise<readonly AnyRow[]> {
    return answer(this, question, conf);
  }

  async writeTable(plan: Relation, target: TableTarget, conf: Conf): Promise<void> {
    await writeTable(this, plan, target, conf);
  }

  async createView(plan: Relation, view: ViewTarget, conf: Conf): Promise<void> {
    const parts = nameParts(view.name);
    const name = parts.at(-1)!;
    const global = view.global || (parts.length === 2 && parts[0]!.toLowerCase() === GLOBAL_TEMP);
    if (parts.length > (global ? 2 : 1)) {
      throw new MillraceError(
        "TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS",
        `A temporary view has a name without a database, not ${quoted(parts)}.`,
      );
    }
    const expanded = await expandPlan(plan, (table) => this.relation(table, conf));
    const fixed = bound(plan, expanded);
    await this.engine.schema(fixed, conf);
    this.#put(global ? globalViews : this.tempViews, name, fixed, view.replace);
  }

  #put(views: Map<string, Relation>, name: string, plan: Relation, replace: boolean): void {
    const key = name.toLowerCase();
    if (!replace && views.has(key)) {
      throw new MillraceError(
        "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
        `Cannot create the temporary view ${quoted(name)} because it already exists.`,
        { hint: "Replace it, or choose another name.", parameters: { relationName: quoted(name) } },
      );
    }
    views.set(key, plan);
  }

  /** A temporary view of SQL text: its names are looked up when it is used. */
  async createSqlView(query: Relation, view: ViewTarget, conf: Conf): Promise<void> {
    const views = view.global ? globalViews : this.tempViews;
    const name = nameParts(view.name).at(-1)!;
    let plan = query;
    if (views.has(name.toLowerCase())) await this.refuseRecursion(view.name, query, conf);
    // A view that hides a table of its own name goes on meaning the table.
    else if (await this.#mentions(view.name, query, conf)) {
      plan = bound(query, await expandPlan(query, (table) => this.relation(table, conf)));
    }
    await this.engine.schema(plan, conf);
    this.#put(views, name, plan, view.replace);
  }

  async #mentions(name: string, query: Relation, conf: Conf): Promise<boolean> {
    const { meaning } = await expandPlan(query, (table) => this.relation(table, conf));
    return [...meaning.keys()].some((n) => n.kind === "named_table" && n.name.toLowerCase() === name.toLowerCase());
  }

  /** A view must not read itself, also not through others. */
  async refuseRecursion(name: string, query: Relation, conf: Conf): Promise<void> {
    const own = quoted(nameParts(name)).toLowerCase();
    await expandPlan(query, async (table) => {
      if (quoted(nameParts(table.name)).toLowerCase() !== own) return this.relation(table, conf);
      if ((await this.relation(table, conf)) === undefined) return undefined;
      throw new MillraceError("RECURSIVE_VIEW", `The view ${quoted(nameParts(name))} would read itself.`, {
        hint: "Choose another name for the new view.",
      });
    });
  }

  /** What a name in a plan means; undefined where there is nothing of that name. */
  async relation(table: NamedTable, conf: Conf): Promise<Relation | undefined> {
    const parts = nameParts(table.name);
    const view = this.view(parts);
    if (view !== undefined) return view;
    if (parts.length === 2) {
      const format = parts[0]!.toLowerCase();
      const file = lookupConnector(format)?.source !== undefined && this.metastore(conf).database(format) === undefined;
      if (file) return { kind: "read", format, options: table.options, paths: [parts[1]!], streaming: table.streaming };
    }
    const name = qualify(table.name, this.currentDatabase);
    const entry = this.metastore(conf).table(name.database, name.name);
    if (entry !== undefined) return this.#read(entry, table);
    return name.given === undefined && !table.streaming ? memoryRelation(name.name) : undefined;
  }

  /** The temporary view of that name. */
  view(parts: readonly string[]): Relation | undefined {
    if (parts.length === 1) return this.tempViews.get(parts[0]!.toLowerCase());
    if (parts.length === 2 && parts[0]!.toLowerCase() === GLOBAL_TEMP) return globalViews.get(parts[1]!.toLowerCase());
    return undefined;
  }

  #read(entry: TableEntry, table: NamedTable): Relation {
    if (entry.type === "VIEW") return inDatabase(parseQuery(entry.query!), entry.database);
    return {
      kind: "read",
      format: entry.format!,
      ...(entry.schema !== undefined && { schema: structFromSparkJson(entry.schema) }),
      options: { ...entry.options, ...table.options },
      paths: entry.location === undefined ? [] : [entry.location],
      streaming: table.streaming,
    };
  }

  /** The table of that name. Throws TABLE_OR_VIEW_NOT_FOUND. */
  requireTable(name: string, conf: Conf): TableEntry {
    const q = qualify(name, this.currentDatabase);
    const entry = this.metastore(conf).table(q.database, q.name);
    if (entry === undefined) throw notFound(name);
    return entry;
  }

  /**
   * Makes an empty table. `schema` undefined: what lies at the location has one. False when there is one of that name.
   * Throws SCHEMA_NOT_FOUND, DATA_SOURCE_NOT_FOUND, LOCATION_ALREADY_EXISTS.
   */
  async createTable(
    table: {
      readonly name: string;
      readonly format: string | undefined;
      readonly schema: StructType | undefined;
      readonly location: string | undefined;
      readonly options: Readonly<Record<string, string>>;
      readonly partitionBy: readonly string[];
      readonly comment?: string | undefined;
    },
    conf: Conf,
  ): Promise<boolean> {
    const q = qualify(table.name, this.currentDatabase);
    const store = this.metastore(conf);
    store.requireDatabase(q.database);
    if (store.table(q.database, q.name) !== undefined) return false;
    const format = formatOf(table.format, conf);
    const location = table.location ?? (isFileFormat(format) ? store.locationOf(q.database, q.name) : undefined);
    if (table.location === undefined && location !== undefined) refuseFiles(table.name, location);
    const { schema } = table;
    const empty = location !== undefined && !hasFiles(location);
    if (schema !== undefined && empty) {
      const target = { format, options: {}, path: location, mode: "append", partitionBy: table.partitionBy } as const;
      await this.engine.write({ kind: "local", schema, rows: [] }, target, conf);
    }
    return store.createTable(
      entryOf(q, table.location === undefined && location !== undefined ? "MANAGED" : "EXTERNAL", {
        format,
        ...(location !== undefined && { location }),
        schema,
        partitionBy: table.partitionBy,
        options: table.options,
        comment: table.comment,
      }),
    );
  }

  /** A sink of `toTable` as one of the table's format and place; the table is made where it is not there. */
  async sink(sink: SinkTarget, plan: Relation, conf: Conf): Promise<SinkTarget> {
    if (sink.table === undefined) return sink;
    const { table: name, ...rest } = sink;
    const q = qualify(name, this.currentDatabase);
    const store = this.metastore(conf);
    let entry = store.table(q.database, q.name);
    if (entry === undefined) {
      const schema = await this.engine.schema(plan, conf);
      const { options, partitionBy } = sink;
      const location = sink.path;
      const format = sink.format === "" ? undefined : sink.format;
      await this.createTable({ name, format, schema, location, options, partitionBy }, conf);
      entry = store.table(q.database, q.name);
    }
    if (entry?.format === undefined) throw alreadyExists(name);
    const format = entry.format;
    return {
      ...rest,
      name: rest.name === "" ? format : rest.name,
      format,
      path: entry.location,
      partitionBy: entry.partitionBy,
    };
  }

  /** Drops a table or a persistent view; the files of a managed table go with it. */
  drop(name: string, object: "table" | "view", conf: Conf): boolean {
    const q = qualify(name, this.currentDatabase);
    const store = this.metastore(conf);
    const entry = store.table(q.database, q.name);
    if (entry === undefined) return false;
    if ((entry.type === "VIEW") !== (object === "view")) {
      throw new MillraceError(
        object === "view" ? "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE" : "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
        `${quoted([CATALOG, q.database, q.name])} is a ${object === "view" ? "table" : "view"}.`,
        { hint: `Use DROP ${object === "view" ? "TABLE" : "VIEW"}.` },
      );
    }
    store.dropTable(q.database, q.name);
    if (entry.type === "MANAGED" && entry.location !== undefined)
      rmSync(entry.location, { recursive: true, force: true });
    return true;
  }
}

/** A metastore's entry from its parts. */
export function entryOf(
  q: { readonly database: string; readonly name: string },
  type: TableEntry["type"],
  more: {
    readonly format?: string;
    readonly location?: string;
    readonly schema?: StructType | undefined;
    readonly partitionBy?: readonly string[];
    readonly options?: Readonly<Record<string, string>>;
    readonly comment?: string | undefined;
    readonly query?: string;
  },
): TableEntry {
  const { schema, comment, ...rest } = more;
  // Delta knows its own schema, which may grow.
  const keep = schema !== undefined && more.format !== "delta";
  return {
    name: q.name.toLowerCase(),
    database: q.database,
    type,
    partitionBy: [],
    options: {},
    ...rest,
    ...(comment !== undefined && { comment }),
    ...(keep && { schema: JSON.stringify(toSparkJson(schema)) }),
  };
}

/** The format of a new table, by `spark.sql.sources.default` where none is given. */
export function formatOf(given: string | undefined, conf: Conf): string {
  const format = (given ?? conf["spark.sql.sources.default"] ?? "parquet").toLowerCase();
  const connector = lookupConnector(format);
  if (connector === undefined) {
    throw new MillraceError("DATA_SOURCE_NOT_FOUND", `Failed to find the data source: \`${format}\`.`, {
      hint: "Tables are of delta, parquet, json or csv.",
      parameters: { provider: format },
    });
  }
  return connector.name;
}

export function isFileFormat(format: string): boolean {
  return ["delta", "parquet", "json", "csv", "text"].includes(format);
}

function hasFiles(path: string): boolean {
  return existsSync(path) && readdirSync(path).length > 0;
}

/** Whatever lies where a new managed table would, is somebody's. */
export function refuseFiles(name: string, location: string): void {
  if (!hasFiles(location)) return;
  throw new MillraceError(
    "LOCATION_ALREADY_EXISTS",
    `Cannot name the managed table ${quoted(nameParts(name))}, as its location ${location} already has files.`,
    { hint: "Remove the folder, or make an external table of it with LOCATION.", parameters: { location } },
  );
}

/** The rows that a query with the memory sink has delivered so far, under the query's name. */
function memoryRelation(name: string): Relation | undefined {
  const table = memoryTable(name);
  if (table === undefined) return undefined;
  const rows = table.rows.map((row) => table.schema.fields.map((f) => row[f.name] ?? null));
  return { kind: "local", schema: table.schema, rows };
}

/** A view's plan with its names in the view's own database. */
function inDatabase(plan: Relation, database: string): Relation {
  const meaning = new Map<NamedTable, Relation>();
  const pending = [plan];
  while (pending.length > 0) {
    const node = pending.pop()!;
    if (node.kind === "named_table" && nameParts(node.name).length === 1) {
      meaning.set(node, { ...node, name: `${quoted(database)}.${node.name}` });
    } else pending.push(...relationInputs(node), ...relationSubqueries(node));
  }
  return bound(plan, { meaning, reads: new Set() });
}
