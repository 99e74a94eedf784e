import { readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFileLater } from "./files.ts";
import type { StoredProducer } from "./producer-state.ts";

/** What a checkpoint file says: everything up to here is on disk, and this is what the batch headers up to here add up to. */
export interface Checkpoint {
  readonly version: 1;
  readonly logStartOffset: number;
  /** Base offset of the segment that was active. */
  readonly segment: number;
  /** Bytes of that segment that are on disk for certain. */
  readonly position: number;
  /** The next offset at that point. */
  readonly offset: number;
  readonly maxTimestamp: number;
  readonly maxTimestampOffset: number;
  readonly producers: StoredProducer[];
}

const FILE = "checkpoint";

/** The name may take a while longer to reach the disk than the content: until then the former checkpoint counts. */
export function writeCheckpoint(directory: string, checkpoint: Checkpoint): Promise<void> {
  return replaceFileLater(join(directory, FILE), JSON.stringify(checkpoint));
}

/** Undefined when there is none that can be read: it is derived data, without it the whole log is scanned. */
export function readCheckpoint(directory: string): Checkpoint | undefined {
  try {
    const read = JSON.parse(readFileSync(join(directory, FILE), "utf8")) as Checkpoint | null;
    return read?.version === 1 ? read : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
