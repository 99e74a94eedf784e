import { randomUUID } from "node:crypto";
import { lstat, mkdir, readdir, stat, unlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import { quoteIdentifier, sqlString } from "../../types/duckdb-types.ts";
import type { Options, WrittenFile } from "../connector.ts";
import { durationMs } from "../duration.ts";
import type { Action, AddFile } from "./actions.ts";
import { canCheckpoint, cleanLog, forgetExpired, snapshotActions, writeCheckpoint } from "./checkpoint.ts";
import { withDuckDB } from "./duckdb.ts";
import { eachOf, isMissing, mayBeCommitted, syncFiles } from "./log-store.ts";
import { checkWritable } from "./protocol.ts";
import { scanSql } from "./scan.ts";
import type { Snapshot } from "./snapshot.ts";
import { addActions, DeltaTable, ENGINE_INFO, removeAction } from "./table.ts";
import { dataFile, isTrue, sizeBytes, tablePath } from "./target.ts";

const DEFAULT_TARGET = "64mb";
const DEFAULT_MIN_FILES = 16;
/** Files up to this size are the lowest level; each level above is four times as large. */
const LOWEST_LEVEL = 16 * 1024;

/**
 * What a table needs now and then, done behind the batches: a checkpoint of the log every ten commits, and the compaction of small files. Nothing here
 * changes the table's rows, so a failure is only told (event `warning`) and tried again after the next commit.
 */
export class Maintenance {
  readonly #table: DeltaTable;
  readonly #compacts: boolean;
  readonly #targetBytes: number;
  readonly #minFiles: number;
  #work: Promise<void> = Promise.resolve();
  #isCompacting = false;
  /** Number of files when small ones were last looked for. */
  #filesSeen = 0;

  constructor(table: DeltaTable, options: Options) {
    this.#table = table;
    this.#compacts = options.autoCompact === undefined || isTrue(options, "autoCompact");
    this.#targetBytes = sizeBytes("targetFileSize", options.targetFileSize ?? DEFAULT_TARGET);
    this.#minFiles = Math.max(2, Number(options.autoCompactMinFiles ?? DEFAULT_MIN_FILES));
  }

  afterCommit(version: number): void {
    this.#checkpoint(version);
    const { size } = this.#table.snapshot!.files;
    // A look at every file of a large table for every small commit would cost more than it gives.
    if (!this.#compacts || this.#isCompacting || Math.abs(size - this.#filesSeen) < this.#minFiles / 2) return;
    this.#filesSeen = size;
    const groups = smallFiles(this.#table, this.#targetBytes, this.#minFiles);
    if (groups.length === 0) return;
    this.#isCompacting = true;
    this.#enqueue("compact small files", async () => {
      try {
        for await (const { version } of compact(this.#table, groups, "auto")) this.#checkpoint(version);
      } finally {
        this.#isCompacting = false;
      }
    });
  }

  /** Resolves when what was begun is done. */
  async finish(): Promise<void> {
    let seen: Promise<void> | undefined;
    while (seen !== this.#work) {
      seen = this.#work;
      await seen;
    }
  }

  #checkpoint(version: number): void {
    const snapshot = this.#table.snapshot!;
    const interval = Math.max(1, Number(snapshot.metadata.configuration["delta.checkpointInterval"] ?? 10));
    // Another commit may have followed: then its writer, or the next round, makes the checkpoint.
    if (version === 0 || version % interval !== 0 || snapshot.version !== version || !canCheckpoint(snapshot)) return;
    const actions = snapshotActions(snapshot, Date.now());
    forgetExpired(snapshot, Date.now());
    this.#enqueue("write a checkpoint", async () => {
      await writeCheckpoint(this.#table.path, version, actions);
      await cleanLog(this.#table.path, snapshot, Date.now());
    });
  }

  #enqueue(doing: string, work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      publish("warning", {
        code: error instanceof MillraceError ? error.code : "SINK_FAILED",
        message: `Could not ${doing} of the Delta table ${this.#table.path}: ${(error as Error).message}`,
      });
    });
  }
}

/**
 * Small files to merge, by partition. Files are ranked by size in levels of factor four; a level that has `minFiles` is merged together with the
 * levels below it, so that a growing file is not written again for every few new ones.
 */
function smallFiles(table: DeltaTable, targetBytes: number, minFiles: number): AddFile[][] {
  const partitions = new Map<string, AddFile[]>();
  for (const file of table.snapshot!.files.values()) {
    if (file.size >= targetBytes / 2 || file.deletionVector) continue;
    const key = JSON.stringify(file.partitionValues);
    const list = partitions.get(key);
    if (list === undefined) partitions.set(key, [file]);
    else list.push(file);
  }
  const groups: AddFile[][] = [];
  for (const files of partitions.values()) {
    if (files.length < minFiles) continue;
    const levels: AddFile[][] = [];
    for (const file of files) {
      const level = Math.max(0, Math.floor(Math.log(file.size / LOWEST_LEVEL) / Math.log(4)) + 1);
      levels[level] ??= [];
      levels[level].push(file);
    }
    let below: AddFile[] = [];
    for (const level of levels) {
      below = below.concat(level ?? []);
      if ((level?.length ?? 0) >= minFiles || (below.length >= minFiles && level === levels.at(-1))) {
        groups.push(...packed(below, targetBytes));
        break;
      }
    }
  }
  return groups;
}

/** Groups of at most the target size, each of two files at least, oldest files first. */
function packed(files: readonly AddFile[], targetBytes: number): AddFile[][] {
  const groups: AddFile[][] = [];
  let group: AddFile[] = [];
  let bytes = 0;
  for (const file of [...files].sort((a, b) => a.modificationTime - b.modificationTime)) {
    if (group.length > 0 && bytes + file.size > targetBytes) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(file);
    bytes += file.size;
  }
  groups.push(group);
  return groups.filter((g) => g.length > 1);
}

/** How many groups go into one commit: few commits for many partitions, yet little work lost when another writer is faster. */
const GROUPS_PER_COMMIT = 32;

/** Rewrites each group of files, all of one partition, as one file. Gives what each commit replaced. */
async function* compact(
  table: DeltaTable,
  groups: readonly (readonly AddFile[])[],
  trigger: "auto" | "manual",
): AsyncGenerator<{ readonly version: number; readonly removed: number; readonly added: number }> {
  for (let from = 0; from < groups.length; from += GROUPS_PER_COMMIT) {
    const { schema, metadata, protocol } = table.snapshot!;
    checkWritable(table.path, protocol, metadata, schema);
    const merged: Merged[] = [];
    let kept: readonly Merged[] = [];
    try {
      for (const group of groups.slice(from, from + GROUPS_PER_COMMIT)) merged.push(await merge(table, group));
      await syncFiles(
        table.path,
        merged.map((m) => m.path),
      );
      const version = await table.commit((snapshot) => {
        const isChanged =
          snapshot === undefined ||
          snapshot.metadata.schemaString !== metadata.schemaString ||
          snapshot.metadata.partitionColumns.join("\0") !== metadata.partitionColumns.join("\0");
        // A group of which another writer has taken a file away is left as it is.
        kept = isChanged ? [] : merged.filter((m) => m.group.every((file) => snapshot.files.has(file.path)));
        return kept.length === 0 ? undefined : optimizeActions(snapshot!, kept, trigger);
      });
      if (version !== undefined) {
        yield { version, removed: kept.reduce((sum, m) => sum + m.group.length, 0), added: kept.length };
      }
    } catch (error) {
      kept = mayBeCommitted(error) ? merged : [];
      throw error;
    } finally {
      await eachOf(
        merged.filter((m) => !kept.includes(m)),
        async (m) => {
          await unlink(join(table.path, m.path)).catch(() => undefined);
        },
      );
    }
  }
}

/** The file that a group became, and its `add` action. */
interface Merged {
  readonly group: readonly AddFile[];
  readonly path: string;
  readonly add: AddFile;
}

async function merge(table: DeltaTable, group: readonly AddFile[]): Promise<Merged> {
  const { schema, metadata } = table.snapshot!;
  const { partitionColumns } = metadata;
  const folder = relative(table.path, dirname(dataFile(table.path, group[0]!.path)));
  const path = join(folder.startsWith("..") ? "" : folder, `part-00000-${randomUUID()}-c000.snappy.parquet`);
  const target = join(table.path, path);
  await mkdir(dirname(target), { recursive: true });
  const columns = schema.fields.filter((f) => !partitionColumns.includes(f.name)).map((f) => quoteIdentifier(f.name));
  const from = await scanSql(table.path, schema, partitionColumns, group);
  try {
    const written = await withDuckDB(async (connection) => {
      const result = await connection.runAndReadAll(
        `COPY (SELECT ${columns.join(", ")} FROM ${from}) TO ${sqlString(target)} (FORMAT parquet, COMPRESSION snappy, RETURN_STATS)`,
      );
      return writtenFile(result.getRowObjectsJson()[0]!, path);
    });
    const { add } = addActions([written], schema, partitionColumns, false)[0]!;
    // All files of a group have the same partition values.
    return { group, path, add: { ...add!, partitionValues: group[0]!.partitionValues } };
  } catch (error) {
    await unlink(target).catch(() => undefined);
    throw error;
  }
}

function optimizeActions(snapshot: Snapshot, merged: readonly Merged[], trigger: "auto" | "manual"): Action[] {
  const now = Date.now();
  const removed = merged.flatMap((m) => m.group);
  return [
    {
      commitInfo: {
        timestamp: now,
        operation: "OPTIMIZE",
        operationParameters: { predicate: "[]", auto: trigger === "auto" },
        readVersion: snapshot.version,
        isBlindAppend: false,
        operationMetrics: { numRemovedFiles: `${removed.length}`, numAddedFiles: `${merged.length}` },
        engineInfo: ENGINE_INFO,
        txnId: randomUUID(),
      },
    },
    ...removed.map((file) => removeAction(file, false, now)),
    ...merged.map(({ add }) => ({ add })),
  ];
}

/** A row of COPY's RETURN_STATS. */
function writtenFile(row: Record<string, unknown>, path: string): WrittenFile {
  const entries = (value: unknown): [string, unknown][] =>
    ((value ?? []) as { key: string; value: unknown }[]).map((e) => [e.key, e.value]);
  const statistics: Record<string, { min?: unknown; max?: unknown; nullCount: number }> = {};
  for (const [name, values] of entries(row.column_statistics)) {
    // Nested columns come as "a"."b".
    const top = /^"((?:[^"]|"")+)"$/.exec(name)?.[1]?.replaceAll('""', '"');
    if (top === undefined) continue;
    const found = Object.fromEntries(entries(values));
    const isBounded = found.has_nan !== "true";
    statistics[top] = {
      ...(isBounded ? { min: found.min, max: found.max } : {}),
      nullCount: Number(found.null_count),
    };
  }
  return {
    path,
    bytes: Number(row.file_size_bytes),
    rowCount: Number(row.count),
    partitionValues: {},
    statistics,
  };
}

/**
 * Merges the small files of a table, partition by partition, whatever their number.
 *
 * @param options targetFileSize, such as "64mb"
 * @returns how many files were replaced by how many
 * @throws MillraceError PATH_NOT_FOUND, DELTA_UNSUPPORTED, DISK_FULL
 * @example await optimize("flights")
 */
export async function optimize(
  path: string,
  options: { readonly targetFileSize?: string } = {},
): Promise<{ removed: number; added: number }> {
  const table = await openExisting(path);
  const targetBytes = sizeBytes("targetFileSize", options.targetFileSize ?? DEFAULT_TARGET);
  const partitions = new Map<string, AddFile[]>();
  for (const file of table.snapshot!.files.values()) {
    if (file.size >= targetBytes / 2 || file.deletionVector) continue;
    const key = JSON.stringify(file.partitionValues);
    partitions.set(key, [...(partitions.get(key) ?? []), file]);
  }
  const groups = [...partitions.values()].flatMap((files) => packed(files, targetBytes));
  let removed = 0;
  let added = 0;
  for await (const done of compact(table, groups, "manual")) {
    removed += done.removed;
    added += done.added;
  }
  return { removed, added };
}

/**
 * Deletes files in a table's folder that no version within the retention needs: files removed longer ago, and files that no commit ever named.
 * Versions older than the retention can no longer be read.
 *
 * @param options retention, default 7 days (`delta.deletedFileRetentionDuration`); dryRun only lists
 * @returns the deleted files, relative to the table
 * @throws MillraceError PATH_NOT_FOUND, DELTA_UNSUPPORTED, INVALID_OPTION
 * @example await vacuum("flights", { retention: "7 days" })
 */
export async function vacuum(
  path: string,
  options: { readonly retention?: string; readonly dryRun?: boolean } = {},
): Promise<readonly string[]> {
  const table = await openExisting(path);
  const snapshot = table.snapshot!;
  checkWritable(table.path, snapshot.protocol, snapshot.metadata, snapshot.schema);
  const retention = durationMs(
    "retention",
    options.retention ?? snapshot.metadata.configuration["delta.deletedFileRetentionDuration"] ?? "7 days",
  );
  const horizon = Date.now() - retention;
  const keep = new Set<string>();
  for (const file of snapshot.files.values()) keep.add(dataFile(table.path, file.path));
  for (const file of snapshot.tombstones.values()) {
    if ((file.deletionTimestamp ?? 0) >= horizon) keep.add(dataFile(table.path, file.path));
  }
  const partitionColumns = snapshot.metadata.partitionColumns;
  const candidates: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const name = entry.name;
      const isPartition = partitionColumns.some((column) => name.startsWith(`${column}=`));
      if ((name.startsWith("_") || name.startsWith(".")) && !isPartition) continue;
      const full = join(folder, name);
      if (entry.isDirectory()) await walk(full);
      else if (entry.isFile() && !keep.has(full)) candidates.push(full);
    }
  };
  await walk(table.path);
  const expired: string[] = [];
  await eachOf(candidates, async (file) => {
    try {
      // A file younger than the retention may belong to a commit that is on its way.
      if ((await lstat(file)).mtimeMs >= horizon) return;
      if (options.dryRun !== true) await unlink(file);
      expired.push(relative(table.path, file));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  });
  return expired.sort();
}

async function openExisting(path: string): Promise<DeltaTable> {
  const table = await DeltaTable.open(tablePath({ root: process.env.MILLRACE_LAKE ?? "" }, path));
  if (table.snapshot === undefined) {
    const isFolder = await stat(table.path).then(
      (s) => s.isDirectory(),
      () => false,
    );
    throw new MillraceError(
      "PATH_NOT_FOUND",
      `${table.path} ${isFolder ? "is not a Delta table: it has no _delta_log" : "does not exist"}.`,
    );
  }
  return table;
}
