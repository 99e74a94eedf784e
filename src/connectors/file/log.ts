import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../../errors.ts";

/** Spark's CompactibleFileStreamLog: files named by number, every tenth repeating all entries so far as `<n>.compact`. */
const COMPACT_INTERVAL = 10;
/** How long files that a compact file has replaced are kept for readers that have listed them. */
const CLEANUP_DELAY_MS = 10 * 60_000;

export interface LogFile {
  readonly id: number;
  readonly name: string;
  readonly compact: boolean;
}

/**
 * An append-only log of entries by batch, in Spark's layout: `v1`, then one JSON object per line. Used for the manifest of the streaming
 * file sink (`_spark_metadata`) and for the file source (`sources/<i>`).
 */
export class BatchLog<T> {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Batches on disk by rising number; a compact file and a plain one of the same number count once (the compact one). */
  async files(): Promise<LogFile[]> {
    let names: string[];
    try {
      names = await readdir(this.directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
    const byId = new Map<number, LogFile>();
    for (const name of names) {
      const match = /^(\d+)(\.compact)?$/.exec(name);
      if (match === null) continue;
      const id = Number(match[1]);
      const compact = match[2] !== undefined;
      if (compact || !byId.has(id)) byId.set(id, { id, name, compact });
    }
    return [...byId.values()].sort((a, b) => a.id - b.id);
  }

  /** The greatest batch number, or undefined. */
  async latest(): Promise<number | undefined> {
    return (await this.files()).at(-1)?.id;
  }

  /** All entries: those of the last compact file, then those of the batches after it. */
  async entries(): Promise<T[]> {
    const files = await this.files();
    const from = files.findLastIndex((f) => f.compact);
    const entries: T[] = [];
    for (const file of files.slice(Math.max(from, 0))) entries.push(...(await this.#read(file.name)));
    return entries;
  }

  /**
   * Writes the entries of a batch unless it is there; false when it is. The file appears whole or not at all and is on disk when the
   * promise resolves. Every tenth file repeats all entries.
   */
  async add(id: number, entries: readonly T[]): Promise<boolean> {
    const compact = (id + 1) % COMPACT_INTERVAL === 0;
    const all = compact ? [...(await this.entries()), ...entries] : entries;
    const text = ["v1", ...all.map((e) => JSON.stringify(e))].join("\n");
    await mkdir(this.directory, { recursive: true });
    const target = join(this.directory, compact ? `${id}.compact` : String(id));
    const temporary = join(this.directory, `.${id}.${randomUUID()}.tmp`);
    try {
      const handle = await open(temporary, "wx");
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      // A hard link fails where the name is taken, which a rename would not.
      await link(temporary, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw writeError(error, this.directory);
    } finally {
      await rm(temporary, { force: true });
    }
    await syncDirectory(this.directory);
    if (compact) await this.#clean(id);
    return true;
  }

  async #clean(compacted: number): Promise<void> {
    for (const file of await this.files()) {
      if (file.id >= compacted) continue;
      const path = join(this.directory, file.name);
      if ((await stat(path)).mtimeMs < Date.now() - CLEANUP_DELAY_MS) await unlink(path);
    }
  }

  async #read(name: string): Promise<T[]> {
    const path = join(this.directory, name);
    const [version, ...lines] = (await readFile(path, "utf8")).split("\n");
    try {
      if (version !== "v1") throw new Error(`its first line is ${JSON.stringify(version)}, not v1`);
      return lines.filter((l) => l.trim() !== "").map((l) => JSON.parse(l) as T);
    } catch (error) {
      throw new MillraceError(
        "CHECKPOINT_CORRUPT",
        `The log file ${path} cannot be read: ${(error as Error).message}.`,
        {
          cause: error,
          hint: "Restore it from a copy.",
        },
      );
    }
  }
}

/** Makes new names in a folder durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A failed write of the file system as an error with a code. */
export function writeError(error: unknown, where: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new MillraceError("DISK_FULL", `There is no space left to write to ${where}.`, {
      retryable: true,
      cause: error,
      hint: "Free some space; the query goes on where it stopped.",
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOTDIR") {
    const why = code === "ENOTDIR" ? "a part of this path is a file" : code;
    return new MillraceError("DIRECTORY_NOT_WRITABLE", `${where} cannot be written to (${why}).`, {
      cause: error,
      hint: "Give the process the right to write there, or choose another folder.",
    });
  }
  return new MillraceError("SINK_FAILED", `Writing to ${where} failed: ${(error as Error).message}.`, { cause: error });
}
