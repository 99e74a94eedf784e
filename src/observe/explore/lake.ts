import { type Dirent, existsSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { parseActions } from "../../connectors/delta/actions.ts";
import { listLog, logFolder, readEntry, versionName } from "../../connectors/delta/log-store.ts";
import type { Snapshot } from "../../connectors/delta/snapshot.ts";
import { DeltaTable } from "../../connectors/delta/table.ts";
import { tablePath } from "../../connectors/delta/target.ts";
import { type FoundFile, listFiles } from "../../connectors/file/list.ts";
import { sqlName } from "../../types/ddl.ts";
import type { ColumnInfo, LakeTableDetail, LakeTableSummary, RowsPage } from "../api-explore.ts";
import { deltaRows, parquetFacts, parquetRows, RowReader } from "./lake-rows.ts";
import { deadline, Problem, toProblem } from "./problem.ts";

const DEADLINE_MS = 10_000;
const MAX_TABLES = 500;
/** Folders that are looked into while tables are searched. */
const MAX_FOLDERS = 5_000;
const MAX_DEPTH = 6;
const MAX_FILES = 200;
const MAX_VERSIONS = 100;
/** Tables whose state is kept in memory; taking in a new version is then cheap. */
const KEPT_TABLES = 32;

interface DeltaFacts {
  readonly version: number;
  readonly rows: number | null;
  readonly files: number;
  readonly bytes: number;
  readonly modifiedAt: number | null;
}

/** The tables of the lake's folder, by their own metadata. Nothing outside of the folder is ever opened. */
export class LakeExplorer {
  readonly #tables = new Map<string, Promise<DeltaTable>>();
  readonly #facts = new WeakMap<DeltaTable, DeltaFacts>();
  readonly #reader = new RowReader();

  async list(lake: string): Promise<LakeTableSummary[]> {
    const root = await rootOf(lake);
    const found = await findTables(root);
    const work = mapFew(found, (table) => this.#summary(root, table));
    return deadline(work, DEADLINE_MS, "The lake's folder");
  }

  async detail(lake: string, name: string): Promise<LakeTableDetail> {
    const { root, table } = await inside(lake, name);
    return deadline(
      table.format === "delta" ? this.#delta(root, table) : this.#parquet(root, table),
      DEADLINE_MS,
      name,
    );
  }

  async rows(lake: string, name: string, limit: number): Promise<RowsPage> {
    const { table } = await inside(lake, name);
    return deadline(this.#rows(table, limit), DEADLINE_MS, name);
  }

  close(): void {
    this.#reader.close();
    this.#tables.clear();
  }

  async #summary(root: string, table: FoundTable): Promise<LakeTableSummary> {
    const about = { name: nameOf(root, table.path), path: table.path, format: table.format };
    try {
      if (table.format === "parquet") {
        const files = await listFiles([table.path], {});
        return {
          ...about,
          ...sizeOf(files),
          rows: null,
          version: null,
          partitionBy: partitionsOf(files),
          problem: null,
        };
      }
      const delta = await this.#open(table.path);
      const { metadata } = snapshotOf(delta);
      return { ...about, ...(await this.#factsOf(delta)), partitionBy: metadata.partitionColumns, problem: null };
    } catch (error) {
      const nothing = { rows: null, files: 0, bytes: 0, version: null, modifiedAt: null, partitionBy: [] };
      return { ...about, ...nothing, problem: toProblem(error).message };
    }
  }

  async #delta(root: string, table: FoundTable): Promise<LakeTableDetail> {
    const delta = await this.#open(table.path);
    const snapshot = snapshotOf(delta);
    const files = [...snapshot.files.values()].sort((a, b) => b.size - a.size).slice(0, MAX_FILES);
    const { partitionColumns } = snapshot.metadata;
    return {
      name: nameOf(root, table.path),
      path: table.path,
      format: "delta",
      ...(await this.#factsOf(delta)),
      partitionBy: partitionColumns,
      problem: null,
      columns: columnsOf(snapshot.schema.fields),
      largestFiles: files.map((f) => ({
        path: f.path,
        rows: rowsOf(f.stats),
        bytes: f.size,
        partition: f.partitionValues,
      })),
      history: await historyOf(table.path),
    };
  }

  async #parquet(root: string, table: FoundTable): Promise<LakeTableDetail> {
    const files = await listFiles([table.path], {});
    const largest = [...files].sort((a, b) => b.bytes - a.bytes).slice(0, MAX_FILES);
    const facts = await this.#reader.use((connection) => parquetFacts(connection, files));
    return {
      name: nameOf(root, table.path),
      path: table.path,
      format: "parquet",
      ...sizeOf(files),
      rows: facts.rows,
      version: null,
      partitionBy: partitionsOf(files),
      problem: null,
      columns: columnsOf(facts.fields),
      largestFiles: largest.map((f) => ({
        path: relative(table.path, f.path),
        rows: facts.rowsByFile.get(f.path) ?? null,
        bytes: f.bytes,
        partition: f.partitions,
      })),
      history: [],
    };
  }

  async #rows(table: FoundTable, limit: number): Promise<RowsPage> {
    if (table.format === "parquet") {
      const files = await listFiles([table.path], {});
      return this.#reader.use((connection) => parquetRows(connection, files, limit));
    }
    const snapshot = snapshotOf(await this.#open(table.path));
    return this.#reader.use((connection) => deltaRows(connection, table.path, snapshot, limit));
  }

  /** The newest state of a table; one refresh at a time. */
  #open(path: string): Promise<DeltaTable> {
    const before = this.#tables.get(path);
    const opening = (async () => {
      const table = await before?.catch(() => undefined);
      // a table that was made anew begins with version 0 again
      if (table?.snapshot === undefined || !(await hasVersion(path, table.snapshot.version)))
        return DeltaTable.open(path);
      await table.refresh();
      return table;
    })();
    this.#tables.delete(path);
    this.#tables.set(path, opening);
    opening.catch(() => this.#tables.delete(path));
    const [oldest] = this.#tables.keys();
    if (this.#tables.size > KEPT_TABLES && oldest !== undefined) this.#tables.delete(oldest);
    return opening;
  }

  /** Sums over the files of a table, once for each version. */
  async #factsOf(table: DeltaTable): Promise<DeltaFacts> {
    const snapshot = snapshotOf(table);
    const known = this.#facts.get(table);
    if (known?.version === snapshot.version) return known;
    let rows: number | null = 0;
    let bytes = 0;
    for (const file of snapshot.files.values()) {
      bytes += file.size;
      const n: number | null = rows === null ? null : rowsOf(file.stats);
      rows = rows === null || n === null ? null : rows + n;
    }
    const facts: DeltaFacts = {
      version: snapshot.version,
      rows,
      files: snapshot.files.size,
      bytes,
      modifiedAt: await modifiedAt(join(logFolder(table.path), `${versionName(snapshot.version)}.json`)),
    };
    this.#facts.set(table, facts);
    return facts;
  }
}

interface FoundTable {
  readonly path: string;
  readonly format: "delta" | "parquet";
}

/** The lake's folder without symbolic links. */
async function rootOf(lake: string): Promise<string> {
  const given = tablePath({}, lake);
  try {
    return await realpath(given);
  } catch {
    throw new Problem(
      404,
      "PATH_NOT_FOUND",
      `The lake's folder ${given} does not exist.`,
      "It is made when a table is first written.",
    );
  }
}

/** A table by its name, which must lie inside of the lake's folder, links followed. */
async function inside(lake: string, name: string): Promise<{ root: string; table: FoundTable }> {
  const root = await rootOf(lake);
  const missing = new Problem(
    404,
    "TABLE_OR_VIEW_NOT_FOUND",
    `There is no table ${JSON.stringify(name.slice(0, 200))} in the lake.`,
  );
  if (name.includes("\0") || isAbsolute(name) || name.split(/[\\/]/).includes("..")) throw missing;
  let path: string;
  try {
    path = await realpath(resolve(root, name));
  } catch {
    throw missing;
  }
  if (!isWithin(root, path)) throw missing;
  const format = await formatOf(path);
  if (format === undefined) throw missing;
  return { root, table: { path, format } };
}

function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** Tables below a folder, by name. */
async function findTables(root: string): Promise<FoundTable[]> {
  const found: FoundTable[] = [];
  let waiting = [root];
  let folders = 0;
  for (let depth = 0; depth <= MAX_DEPTH && waiting.length > 0; depth++) {
    const below: string[] = [];
    for (const path of waiting) {
      if (found.length >= MAX_TABLES || ++folders > MAX_FOLDERS) break;
      const entries = await entriesOf(path);
      const format = formatBy(path, entries);
      if (format !== undefined) found.push({ path, format });
      else
        below.push(...entries.filter((e) => e.isDirectory() && !/^[._]/.test(e.name)).map((e) => join(path, e.name)));
    }
    waiting = below;
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function entriesOf(path: string): Promise<Dirent[]> {
  try {
    return (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    // Removed meanwhile, or not ours to read: then there is no table to show.
    return [];
  }
}

async function formatOf(path: string): Promise<FoundTable["format"] | undefined> {
  return formatBy(path, await entriesOf(path));
}

function formatBy(path: string, entries: readonly Dirent[]): FoundTable["format"] | undefined {
  if (entries.some((e) => e.name === "_delta_log")) return "delta";
  if (entries.some((e) => e.isFile() && e.name.endsWith(".parquet"))) return "parquet";
  // partitions of a folder of Parquet files; what lies in them is looked at when the table is
  const partition = entries.find((e) => e.isDirectory() && /^[^._=][^=]*=/.test(e.name));
  return partition !== undefined && existsSync(join(path, partition.name)) ? "parquet" : undefined;
}

function snapshotOf(table: DeltaTable): Snapshot {
  if (table.snapshot !== undefined) return table.snapshot;
  throw new Problem(404, "TABLE_OR_VIEW_NOT_FOUND", `The table ${table.path} has no version yet.`);
}

async function hasVersion(path: string, version: number): Promise<boolean> {
  return (await modifiedAt(join(logFolder(path), `${versionName(version)}.json`))) !== null;
}

async function modifiedAt(path: string): Promise<number | null> {
  try {
    return Math.floor((await stat(path)).mtimeMs);
  } catch {
    return null;
  }
}

/** The newest versions, newest first. */
async function historyOf(path: string): Promise<LakeTableDetail["history"]> {
  const versions = ((await listLog(path))?.versions ?? []).slice(-MAX_VERSIONS).toReversed();
  const entries = await mapFew(versions, async (version) => {
    const text = await readEntry(path, version);
    if (text === undefined) return undefined;
    const actions = parseActions(text, versionName(version));
    const info = actions.find((a) => a.commitInfo)?.commitInfo;
    const metrics = (info?.operationMetrics ?? {}) as Readonly<Record<string, string | undefined>>;
    const added = actions.flatMap((a) => a.add ?? []);
    const rows = added.map((a) => rowsOf(a.stats));
    const rowsAdded = metrics.numOutputRows ?? metrics.numAddedRows;
    return {
      version,
      timestamp: info?.timestamp ?? (await modifiedAt(join(logFolder(path), `${versionName(version)}.json`))) ?? 0,
      operation: info?.operation ?? "UNKNOWN",
      rowsAdded:
        rowsAdded !== undefined
          ? Number(rowsAdded)
          : rows.every((n) => n !== null)
            ? rows.reduce((a, b) => a + b, 0)
            : null,
      filesAdded: added.length,
      filesRemoved: actions.filter((a) => a.remove).length,
      writer: writerOf(info?.operationParameters),
    };
  });
  return entries.filter((entry) => entry !== undefined);
}

/** The query and batch that a streaming write names. */
function writerOf(parameters: unknown): string | null {
  const { queryId, epochId } = (parameters ?? {}) as { queryId?: unknown; epochId?: unknown };
  return typeof queryId === "string" && epochId !== undefined ? `query ${queryId}, batch ${epochId}` : null;
}

function rowsOf(stats: string | null | undefined): number | null {
  if (!stats) return null;
  // Statistics hold a minimum and a maximum for each column; the number stands before them, where every writer puts it.
  const head = /^\s*\{\s*"numRecords"\s*:\s*(\d+)/.exec(stats)?.[1];
  if (head !== undefined) return Number(head);
  try {
    const { numRecords } = JSON.parse(stats) as { numRecords?: unknown };
    return typeof numRecords === "number" ? numRecords : null;
  } catch {
    return null;
  }
}

function columnsOf(fields: Snapshot["schema"]["fields"]): ColumnInfo[] {
  return fields.map((f) => ({ name: f.name, type: sqlName(f.type).toLowerCase(), nullable: f.nullable }));
}

function sizeOf(files: readonly FoundFile[]): { files: number; bytes: number; modifiedAt: number | null } {
  return {
    files: files.length,
    bytes: files.reduce((n, f) => n + f.bytes, 0),
    modifiedAt: files.length === 0 ? null : Math.floor(Math.max(...files.map((f) => f.modifiedMs))),
  };
}

function partitionsOf(files: readonly FoundFile[]): string[] {
  return Object.keys(files[0]?.partitions ?? {});
}

function nameOf(root: string, path: string): string {
  return relative(root, path).split(sep).join("/") || ".";
}

/** A few at a time, in order. */
async function mapFew<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += 8) results.push(...(await Promise.all(items.slice(i, i + 8).map(work))));
  return results;
}
