import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DataFrame } from "../dataframe/dataframe.ts";
import { col } from "../dataframe/functions.ts";
import { MillraceError, nearest } from "../errors.ts";
import { KafkaClient } from "../kafka/client/index.ts";
import { DatabaseExplorer } from "../observe/explore/database.ts";
import { LakeExplorer } from "../observe/explore/lake.ts";
import { nameParts, quoted } from "../plan/names.ts";
import type { SparkSession } from "../session.ts";
import { topicTable } from "./topic-table.ts";

/** Names of the places whose tables one query may join. */
export const CATALOGS = ["lake", "database", "topics"] as const;
export type CatalogName = (typeof CATALOGS)[number];

/** Where each place is; undefined where there is none. */
export interface Places {
  /** A folder. */
  readonly lake: string | undefined;
  /** A URL. */
  readonly database: string | undefined;
  /** `host:port`. */
  readonly topics: string | undefined;
}

/** A table that a query may name. */
export interface ListedTable {
  readonly catalog: CatalogName;
  /** Without the catalog, quoted where SQL wants it. */
  readonly name: string;
  /** Exact for the lake, an estimate for the database, a bound from above for topics; null where nobody knows. */
  readonly rows: number | null;
  readonly detail: string;
  /** Of Millrace's own. */
  readonly internal: boolean;
}

/** The catalog that a name begins with; `postgres` means the database. */
export function catalogOf(parts: readonly string[]): CatalogName | undefined {
  if (parts.length < 2) return undefined;
  const first = parts[0]!.toLowerCase();
  if (first === "postgres") return "database";
  if (first === "topic" || first === "kafka") return "topics";
  return CATALOGS.find((name) => name === first);
}

/** The tables of all places, or of one. A place that is not there has none. */
export async function listTables(places: Places, only?: CatalogName): Promise<ListedTable[]> {
  const wanted = CATALOGS.filter((name) => only === undefined || name === only);
  const lists = await Promise.all(wanted.map((name) => LISTS[name](places)));
  return lists.flat();
}

const LISTS: Readonly<Record<CatalogName, (places: Places) => Promise<ListedTable[]>>> = {
  async lake({ lake }) {
    if (lake === undefined || !existsSync(lake)) return [];
    const explorer = new LakeExplorer();
    try {
      return (await explorer.list(lake)).map((t) => ({
        catalog: "lake",
        name: quotedName(t.name.split("/")),
        rows: t.rows,
        detail: t.problem ?? `${t.format}, ${t.files} ${t.files === 1 ? "file" : "files"}`,
        internal: false,
      }));
    } finally {
      explorer.close();
    }
  },
  async database({ database }) {
    if (database === undefined) return [];
    const explorer = new DatabaseExplorer();
    try {
      return (await explorer.list(database)).map((t) => ({
        catalog: "database",
        name: quotedName(t.schema === "public" ? [t.name] : [t.schema, t.name]),
        rows: t.estimatedRows,
        detail: "PostgreSQL, estimated",
        internal: t.name.startsWith("millrace_"),
      }));
    } finally {
      await explorer.close();
    }
  },
  async topics({ topics }) {
    if (topics === undefined) return [];
    const client = KafkaClient.connect({ "bootstrap.servers": topics, "client.id": "millrace-query" });
    try {
      const found = [...(await client.metadata(null)).topics.values()].filter((t) => !t.internal);
      const partitions = found.flatMap((t) =>
        t.partitions.filter((p) => p.leader >= 0).map((p) => ({ topic: t.name, partition: p.partition })),
      );
      const [first, next] = await Promise.all([client.listOffsets(partitions, -2), client.listOffsets(partitions, -1)]);
      const sum = (offsets: typeof next, topic: string): number =>
        offsets.filter((o) => o.topic === topic).reduce((n, o) => n + o.offset, 0);
      return found
        .map((t) => ({
          catalog: "topics" as const,
          name: quotedName([t.name]),
          rows: sum(next, t.name) - sum(first, t.name),
          detail: `${t.partitions.length} ${t.partitions.length === 1 ? "partition" : "partitions"}`,
          internal: false,
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    } finally {
      client.close();
    }
  },
};

/** As SQL takes it: back-quotes only where they are needed. */
function quotedName(parts: readonly string[]): string {
  return parts.map((part) => (/^[A-Za-z_]\w*$/.test(part) ? part : quoted(part))).join(".");
}

/** What a query asks of its tables. */
export interface ReadOptions {
  /** Of topics only records from this time on, in milliseconds. */
  readonly since?: number | undefined;
  /** The text of the query: it says whether a topic's column `json` is wanted. */
  readonly text: string;
}

/** Finds the tables of a query in their places. */
export class TableFinder {
  readonly #spark: SparkSession;
  readonly #places: Places;
  readonly #options: ReadOptions;
  #listed: Promise<ListedTable[]> | undefined;

  constructor(spark: SparkSession, places: Places, options: ReadOptions) {
    this.#spark = spark;
    this.#places = places;
    this.#options = options;
  }

  /**
   * The table of a name: `lake.flights`, `database.public.delays`, `topics.flights`, or the name alone where only one place has it.
   * Undefined when no place has it, which leaves it to the session. Throws TABLE_OR_VIEW_NOT_FOUND with near names.
   */
  async find(name: string): Promise<DataFrame | undefined> {
    const parts = nameParts(name);
    const catalog = catalogOf(parts);
    if (catalog !== undefined) return this.#open(catalog, parts.slice(1), name);
    const last = quotedName(parts).toLowerCase();
    const same = (await this.#all()).filter((t) => t.name.toLowerCase() === last);
    if (same.length > 1) {
      const all = same.map((t) => `${t.catalog}.${t.name}`);
      throw new MillraceError("AMBIGUOUS_REFERENCE", `${quoted(parts)} is in several places.`, {
        hint: `Write ${all.slice(0, -1).join(", ")} or ${all.at(-1)}.`,
      });
    }
    return same[0] === undefined ? undefined : this.#open(same[0].catalog, nameParts(same[0].name), name);
  }

  /** The error for a name that nobody knows. */
  async notFound(name: string): Promise<MillraceError> {
    const known = (await this.#all()).filter((t) => !t.internal).map((t) => `${t.catalog}.${t.name}`);
    const short = new Map(known.map((k) => [k.slice(k.indexOf(".") + 1), k]));
    const near = nearest(name, known) ?? short.get(nearest(nameParts(name).at(-1)!, short.keys()) ?? "");
    const some = known.slice(0, 8).join(", ") + (known.length > 8 ? ", ..." : "");
    const hint =
      (near === undefined ? "" : `Did you mean ${near}? `) +
      (known.length === 0 ? "There are no tables and no topics." : `There are ${some}.`);
    return new MillraceError(
      "TABLE_OR_VIEW_NOT_FOUND",
      `The table or view ${quoted(nameParts(name))} cannot be found.`,
      {
        hint,
        parameters: { relationName: quoted(nameParts(name)) },
      },
    );
  }

  #all(): Promise<ListedTable[]> {
    this.#listed ??= listTables(this.#places);
    return this.#listed;
  }

  async #open(catalog: CatalogName, parts: readonly string[], name: string): Promise<DataFrame> {
    if (this.#places[catalog] === undefined) throw noPlace(catalog, name);
    switch (catalog) {
      case "lake":
        return this.#lake(this.#places.lake!, parts, name);
      case "database":
        return this.#database(this.#places.database!, parts, name);
      case "topics":
        return topicTable(this.#spark, this.#places.topics!, parts.join("."), this.#options);
    }
  }

  async #lake(lake: string, parts: readonly string[], name: string): Promise<DataFrame> {
    const folder = join(lake, ...parts);
    if (existsSync(join(folder, "_delta_log"))) return this.#spark.read.format("delta").load(folder);
    const files = existsSync(folder) ? await readdir(folder, { recursive: true }) : [];
    if (files.some((file) => file.endsWith(".parquet"))) return this.#spark.read.format("parquet").load(folder);
    throw await this.notFound(name);
  }

  async #database(url: string, parts: readonly string[], name: string): Promise<DataFrame> {
    // Names of PostgreSQL are case-sensitive once they are quoted; the list knows how they are written.
    const wanted = quotedName(parts).toLowerCase();
    const found = (await this.#all()).find((t) => t.catalog === "database" && t.name.toLowerCase() === wanted);
    if (found === undefined && parts[0] !== "pg_catalog" && parts[0] !== "information_schema") {
      throw await this.notFound(name);
    }
    const exact = found === undefined ? parts : nameParts(found.name);
    const dbtable = exact.map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
    return this.#spark.read.format("postgres").option("url", url).option("dbtable", dbtable).load();
  }
}

function noPlace(catalog: CatalogName, name: string): MillraceError {
  const [what, variable] = {
    lake: ["lake", "MILLRACE_LAKE"],
    database: ["database", "MILLRACE_POSTGRES"],
    topics: ["Kafka", "MILLRACE_KAFKA"],
  }[catalog];
  return new MillraceError("TABLE_OR_VIEW_NOT_FOUND", `There is no ${what} here to look for ${name}.`, {
    hint: `Go to the folder of a project, start it with \`millrace dev\`, or set ${variable}.`,
  });
}

/** Columns of a DataFrame by their place, whatever their names. */
export function byPlace(df: DataFrame, width: number): { df: DataFrame; columns: ReturnType<typeof col>[] } {
  const names = Array.from({ length: width }, (_, i) => `c${i}`);
  return { df: df.toDF(...names), columns: names.map((name) => col(name)) };
}
