import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { syncDirectory } from "./durable.ts";
import { MillraceError } from "./errors.ts";

/**
 * Small files that are either wholly there or not there at all. Synchronous on purpose: one of these takes about 0.6 ms, half of
 * what the same calls take through the thread pool, which DuckDB's queries may have filled.
 */

/** Creates `path` with `content`, durably; false when it exists already. Never leaves a partial file under that name. */
export function createFile(path: string, content: string): boolean {
  const directory = dirname(path);
  const temporary = join(directory, `.${path.slice(directory.length + 1)}.${randomUUID()}.tmp`);
  try {
    const fd = fs.openSync(temporary, "wx", 0o644);
    try {
      // writeSync may write a part only, such as what still fits on a full disk
      fs.writeFileSync(fd, content);
      fs.fsyncSync(fd);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    } finally {
      fs.closeSync(fd);
    }
    try {
      // link refuses an existing target; rename would overwrite it
      fs.linkSync(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    } finally {
      fs.unlinkSync(temporary);
    }
    syncDirectory(directory);
    return true;
  } catch (error) {
    throw fileError(path, error);
  }
}

/** The content of a file, or undefined when it does not exist. */
export function readFileIfThere(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError(path, error);
  }
}

/** Creates a directory and its parents, durably. */
export function makeDirectory(path: string): void {
  try {
    const first = fs.mkdirSync(path, { recursive: true });
    if (first !== undefined) syncDirectory(dirname(first));
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Names in a directory; none when it does not exist. */
export function listDirectory(path: string): string[] {
  try {
    return fs.readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError(path, error);
  }
}

/** What a failed file operation means to the user. */
export function fileError(path: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new MillraceError("DISK_FULL", `No space left while writing ${path}.`, {
      cause: error,
      retryable: true,
      hint: "Free some space; the query goes on from its checkpoint.",
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOTDIR" || code === "EEXIST") {
    const reason = code === "ENOTDIR" || code === "EEXIST" ? "a part of this path is a file, not a directory" : code;
    return new MillraceError("DIRECTORY_NOT_WRITABLE", `Cannot write ${path} (${reason}).`, {
      cause: error,
      hint: "Give the process the right to write there or choose another directory.",
    });
  }
  return new MillraceError("ENGINE_FAILED", `Reading or writing ${path} failed: ${(error as Error).message}.`, {
    cause: error,
  });
}
