import { glob, readdir, readFile, stat } from "node:fs/promises";
import { basename, join, matchesGlob, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { MillraceError } from "../../errors.ts";
import type { Options } from "../connector.ts";
import { liveEntries, manifestDirectory } from "./manifest.ts";

/** One data file found under the paths of a reader. */
export interface FoundFile {
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  /** `col=value` folders between the given path and the file, decoded; null for Hive's default partition. */
  readonly partitions: Readonly<Record<string, string | null>>;
}

/** Where an address of a file system is: a plain path or a `file:` URL. */
export function localPath(path: string): string {
  if (path.startsWith("file:"))
    return path.startsWith("file:///") ? fileURLToPath(path) : resolve(path.slice("file:".length));
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(path);
  if (scheme !== null) {
    throw new MillraceError("UNSUPPORTED_FEATURE", `Paths on ${scheme[1]}:// cannot be read or written: ${path}.`, {
      hint: "Use a path of the local file system.",
    });
  }
  return resolve(path);
}

/**
 * The data files under the paths, sorted by path. Names that begin with `_` or `.` are left out, as in Spark. Where a streaming file
 * sink has written (`_spark_metadata`), only the files of its committed batches count.
 *
 * @throws MillraceError PATH_NOT_FOUND (`missing: "error"`)
 */
export async function listFiles(
  paths: readonly string[],
  options: Options,
  missing: "error" | "empty" = "error",
): Promise<FoundFile[]> {
  const found = new Map<string, FoundFile>();
  for (const given of paths) {
    const roots = await expand(localPath(given));
    let any = false;
    for (const root of roots) {
      const info = await statOf(root);
      if (info === undefined) continue;
      any = true;
      if (info.isFile()) {
        found.set(root, { path: root, bytes: Number(info.size), modifiedMs: Number(info.mtimeMs), partitions: {} });
      } else if ((await statOf(manifestDirectory(root))) !== undefined) {
        for (const file of await fromManifest(root)) found.set(file.path, file);
      } else {
        await walk(root, root, options.recursiveFileLookup === "true", found);
      }
    }
    if (!any && missing === "error") {
      throw new MillraceError("PATH_NOT_FOUND", `Path does not exist: ${given}.`, { parameters: { path: given } });
    }
  }
  const pattern = options.pathGlobFilter;
  const files = [...found.values()].filter((f) => pattern === undefined || matchesGlob(basename(f.path), pattern));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function expand(path: string): Promise<string[]> {
  if (!/[*?[{]/.test(path) || (await statOf(path)) !== undefined) return [path];
  const matches: string[] = [];
  for await (const match of glob(path)) matches.push(resolve(match));
  return matches.sort();
}

async function statOf(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new MillraceError("SOURCE_FAILED", `${path} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}

async function walk(root: string, folder: string, flat: boolean, found: Map<string, FoundFile>): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (/^[_.]/.test(entry.name) && !entry.name.includes("=")) continue;
    const path = join(folder, entry.name);
    const info = entry.isSymbolicLink() || entry.isFile() ? await statOf(path) : undefined;
    if (entry.isDirectory() || info?.isDirectory()) await walk(root, path, flat, found);
    else if (info !== undefined) {
      found.set(path, {
        path,
        bytes: Number(info.size),
        modifiedMs: Number(info.mtimeMs),
        partitions: flat ? {} : partitionsOf(root, path),
      });
    }
  }
}

async function fromManifest(root: string): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  for (const entry of await liveEntries(root)) {
    const path = localPath(entry.path);
    files.push({
      path,
      bytes: entry.size,
      modifiedMs: entry.modificationTime,
      partitions: partitionsOf(root, path),
    });
  }
  return files;
}

function partitionsOf(root: string, path: string): Record<string, string | null> {
  const values: Record<string, string | null> = {};
  for (const part of relative(root, path).split(sep).slice(0, -1)) {
    const at = part.indexOf("=");
    if (at <= 0) continue;
    const text = decode(part.slice(at + 1));
    values[decode(part.slice(0, at))] = text === "__HIVE_DEFAULT_PARTITION__" ? null : text;
  }
  return values;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Reads a small text file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
