import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import type { Offset } from "../../connectors/connector.ts";
import { Checkpoint } from "../../engine/checkpoint.ts";
import { nearest } from "../../errors.ts";
import { UsageError } from "../usage-error.ts";

/** A query's checkpoint, by its files alone. */
export interface FoundCheckpoint {
  /** Its folder's name below `checkpoints`, or below the directory. */
  readonly name: string;
  readonly path: string;
  readonly queryId: string | null;
  /** The last batch that was planned; null before the first. */
  readonly batchId: number | null;
  readonly committedBatchId: number | null;
  /** When that batch was planned, and its watermark; milliseconds, null where there is none. */
  readonly timestamp: number | null;
  readonly watermark: number | null;
  /** End of each source in that batch. */
  readonly offsets: readonly (Offset | null)[];
  /** The state database; null for a query that keeps none. */
  readonly statePath: string | null;
  readonly stateBytes: number;
}

/** How deep checkpoints are looked for, and what is none of them. */
const DEPTH = 5;
const OTHERS = new Set(["kafka", "postgres", "redis", "lake", "run", "node_modules", ".git"]);
/** What a reset leaves behind. */
export const REMOVED = /\.removed-\d{8}T\d{6}$/;

/** The checkpoints below a directory, by name. */
export function findCheckpoints(directory: string): FoundCheckpoint[] {
  const found: FoundCheckpoint[] = [];
  const look = (folder: string, depth: number): void => {
    if (isCheckpoint(folder)) {
      found.push(readCheckpoint(folder, directory));
      return;
    }
    if (depth === DEPTH) return;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory() || REMOVED.test(entry.name)) continue;
      if (depth === 0 && OTHERS.has(entry.name)) continue;
      look(join(folder, entry.name), depth + 1);
    }
  };
  if (existsSync(directory)) look(directory, 0);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A checkpoint by its name, its query's id or its folder. Throws UsageError with near names. */
export function findCheckpoint(given: string, directory: string): FoundCheckpoint {
  const known = findCheckpoints(directory);
  const found = known.find((c) => c.name === given || c.queryId === given || basename(c.path) === given);
  if (found !== undefined) return found;
  if (existsSync(given) && isCheckpoint(resolve(given))) return readCheckpoint(resolve(given), directory);
  const names = known.map((c) => c.name);
  const near = nearest(given, names);
  throw new UsageError(
    `There is no checkpoint ${given} in ${directory}.`,
    names.length === 0
      ? "Give its folder, or the directory with --dir."
      : near === undefined
        ? `There are ${names.join(", ")}.`
        : `Did you mean ${near}?`,
  );
}

function isCheckpoint(folder: string): boolean {
  return existsSync(join(folder, "offsets")) && existsSync(join(folder, "commits"));
}

function readCheckpoint(path: string, directory: string): FoundCheckpoint {
  const checkpoint = new Checkpoint(path);
  const batchId = checkpoint.latestOffsetsId() ?? null;
  const planned = batchId === null ? undefined : checkpoint.readOffsets(batchId);
  const stateSize = sizeOf(checkpoint.statePath) + sizeOf(`${checkpoint.statePath}.wal`);
  return {
    name:
      relative(directory, path)
        .replaceAll("\\", "/")
        .replace(/^checkpoints\//, "") || basename(path),
    path,
    queryId: queryIdOf(path),
    batchId,
    committedBatchId: checkpoint.latestCommitId() ?? null,
    timestamp: planned?.batchTimestampMs || null,
    watermark: planned?.batchWatermarkMs || null,
    offsets: (planned?.offsets ?? []).map((offset) => offset ?? null),
    statePath: existsSync(checkpoint.statePath) ? checkpoint.statePath : null,
    stateBytes: stateSize,
  };
}

function queryIdOf(path: string): string | null {
  try {
    return (JSON.parse(readFileSync(join(path, "metadata"), "utf8")) as { id?: string }).id ?? null;
  } catch {
    return null; // not written yet
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
