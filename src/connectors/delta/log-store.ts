import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MillraceError } from "../../errors.ts";

/** Files of `_delta_log`, and how they are made so that a crash or another writer never leaves half of one. */

const JSON_FILE = /^(\d{20})\.json$/;
const CHECKPOINT_FILE = /^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$/;
const V2_CHECKPOINT_FILE = /^(\d{20})\.checkpoint\.[0-9a-f-]{36}\.(json|parquet)$/;

export interface LogListing {
  /** Rising. */
  readonly versions: readonly number[];
  /** Complete classic checkpoints, rising. */
  readonly checkpoints: readonly { readonly version: number; readonly files: readonly string[] }[];
  /** Versions that have a checkpoint of the V2 kind, which is not read. */
  readonly v2Checkpoints: readonly number[];
}

export function logFolder(table: string): string {
  return join(table, "_delta_log");
}

export function versionName(version: number): string {
  return `${version}`.padStart(20, "0");
}

/** Undefined when there is no log. */
export async function listLog(table: string): Promise<LogListing | undefined> {
  let names: string[];
  try {
    names = await readdir(logFolder(table));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw ioError(error, `read ${logFolder(table)}`);
  }
  const versions: number[] = [];
  const v2Checkpoints: number[] = [];
  const parts = new Map<string, { version: number; total: number; files: string[] }>();
  for (const name of names.sort()) {
    const json = JSON_FILE.exec(name);
    if (json !== null) versions.push(Number(json[1]));
    const v2 = V2_CHECKPOINT_FILE.exec(name);
    if (v2 !== null) v2Checkpoints.push(Number(v2[1]));
    const checkpoint = CHECKPOINT_FILE.exec(name);
    if (checkpoint === null) continue;
    const version = Number(checkpoint[1]);
    const total = Number(checkpoint[3] ?? 1);
    const key = `${version}/${total}`;
    const entry = parts.get(key) ?? { version, total, files: [] };
    entry.files.push(name);
    parts.set(key, entry);
  }
  const checkpoints = [...parts.values()]
    .filter((c) => c.files.length === c.total)
    .sort((a, b) => a.version - b.version)
    .map(({ version, files }) => ({ version, files }));
  return { versions, checkpoints, v2Checkpoints };
}

/** The text of a log entry, undefined when that version does not exist. */
export async function readEntry(table: string, version: number): Promise<string | undefined> {
  try {
    return await readFile(join(logFolder(table), `${versionName(version)}.json`), "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw ioError(error, `read version ${version} of ${table}`);
  }
}

/**
 * Makes a log entry if that version does not exist: the text becomes visible all at once, on disk, or not at all.
 *
 * @returns false when another writer has made that version
 */
export async function putEntry(table: string, version: number, text: string): Promise<boolean> {
  const folder = logFolder(table);
  const target = join(folder, `${versionName(version)}.json`);
  const temporary = join(folder, `.${versionName(version)}.json.${randomUUID()}.tmp`);
  let isUncertain = false;
  try {
    await mkdir(folder, { recursive: true });
    if (version === 0) {
      await syncFolder(table);
      await syncFolder(dirname(table));
    }
    await writeSynced(temporary, text);
    try {
      // A hard link is created only if the name is free, unlike a rename.
      await link(temporary, target);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EEXIST") return false;
      if (code === "EPERM" || code === "ENOTSUP" || code === "EOPNOTSUPP" || code === "ENOSYS") {
        throw new MillraceError("DELTA_UNSUPPORTED", `The file system of ${table} has no hard links.`, {
          hint: "A commit needs them to be safe with several writers: put the table on another file system.",
          cause: error,
        });
      }
      isUncertain = true;
      throw error;
    }
    isUncertain = true;
    await syncFolder(folder);
    return true;
  } catch (error) {
    const failure = ioError(error, `commit version ${version} of ${table}`);
    if (isUncertain) uncertain.add(failure);
    throw failure;
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

const uncertain = new WeakSet<Error>();

/** True when a commit that failed with this error may be visible all the same: its data files must stay. */
export function mayBeCommitted(error: unknown): boolean {
  return error instanceof Error && uncertain.has(error);
}

export async function writeSynced(path: string, data: string | Uint8Array): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } catch (error) {
    // Some systems cannot sync a folder; their renames and links are durable in order anyway, or there is nothing that could help.
    if (!["EINVAL", "EPERM", "EISDIR", "ENOTSUP"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    await folder.close();
  }
}

/** Brings new data files and the folders they are in to disk, so that no log entry can name a file that a power loss took. */
export async function syncFiles(root: string, files: readonly string[]): Promise<void> {
  const folders = new Set<string>();
  const addFolders = (file: string): void => {
    for (let folder = dirname(file); ; folder = dirname(folder)) {
      folders.add(folder);
      if (folder === root || folder === dirname(folder)) return;
    }
  };
  await eachOf(files, async (file) => {
    const path = join(root, file);
    addFolders(path);
    const handle = await open(path, "r+");
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
  });
  await eachOf([...folders], syncFolder);
}

/** Runs work for every item, a few at a time (as many as Node has threads for files). */
export async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(4, items.length) }, worker));
}

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** A failure of the file system as one of ours: DISK_FULL, DIRECTORY_NOT_WRITABLE or SINK_FAILED. */
export function ioError(error: unknown, doing: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const e = error as NodeJS.ErrnoException;
  const text = e.message.replace(/\.$/, "");
  if (e.code === "ENOSPC" || e.code === "EDQUOT" || /No space left on device|Disk quota exceeded/i.test(text)) {
    return new MillraceError("DISK_FULL", `Could not ${doing}: the disk is full.`, {
      hint: "Make room; nothing of this batch is visible, and it is written again.",
      cause: error,
    });
  }
  if (e.code === "EACCES" || e.code === "EROFS" || e.code === "EPERM") {
    return new MillraceError("DIRECTORY_NOT_WRITABLE", `Could not ${doing}: ${text}.`, {
      hint: "Check the permissions of the folder.",
      cause: error,
    });
  }
  return new MillraceError("SINK_FAILED", `Could not ${doing}: ${text}.`, { cause: error });
}
