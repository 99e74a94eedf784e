import { join } from "node:path";
import { BatchLog } from "./log.ts";

/** A line of `_spark_metadata/<batch>`, Spark's SinkFileStatus. */
export interface ManifestEntry {
  /** Absolute URI. */
  readonly path: string;
  readonly size: number;
  readonly isDir: boolean;
  readonly modificationTime: number;
  readonly blockReplication: number;
  readonly blockSize: number;
  readonly action: "add" | "delete";
}

/** Where the streaming file sink under `root` keeps its manifest. */
export function manifestDirectory(root: string): string {
  return join(root, "_spark_metadata");
}

export function manifestLog(root: string): BatchLog<ManifestEntry> {
  return new BatchLog(manifestDirectory(root));
}

/** Files of the committed batches. */
export async function liveEntries(root: string): Promise<ManifestEntry[]> {
  const live = new Map<string, ManifestEntry>();
  for (const entry of await manifestLog(root).entries()) {
    if (entry.action === "delete") live.delete(entry.path);
    else live.set(entry.path, entry);
  }
  return [...live.values()];
}
