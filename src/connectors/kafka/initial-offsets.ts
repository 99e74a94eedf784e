import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { MillraceError } from "../../errors.ts";
import type { PartitionOffset } from "../../kafka/client/index.ts";
import { fromOffset, toOffset } from "./offsets.ts";

/**
 * `sources/<i>/0` in Spark's format: one zero byte (for Spark 2.1), `v1`, the offsets. It is written once, before batch 0, so that
 * "latest" means the same when batch 0 has to be planned again.
 */
export function readInitialOffsets(metadataPath: string): Map<string, PartitionOffset> | undefined {
  const path = join(metadataPath, "0");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
  if (text.startsWith("\0")) text = text.slice(1);
  const lineEnd = text.indexOf("\n");
  const version = lineEnd < 0 ? text : text.slice(0, lineEnd);
  if (version !== "v1") {
    throw new MillraceError(
      /^v\d+$/.test(version) ? "CHECKPOINT_INCOMPATIBLE" : "CHECKPOINT_CORRUPT",
      `${path} has the version "${version.slice(0, 20)}"; "v1" is understood.`,
    );
  }
  try {
    return fromOffset(text.slice(lineEnd + 1).trim());
  } catch (cause) {
    throw new MillraceError("CHECKPOINT_CORRUPT", `${path} does not hold Kafka offsets.`, {
      hint: "Restore the file from a copy, or start with a new checkpoint.",
      cause,
    });
  }
}

/** Writes the file, durable and without ever replacing one that is there. */
export function writeInitialOffsets(metadataPath: string, offsets: Iterable<PartitionOffset>): void {
  mkdirSync(metadataPath, { recursive: true });
  const path = join(metadataPath, "0");
  const temporary = join(metadataPath, `.0.${randomUUID()}.tmp`);
  const fd = openSync(temporary, "wx");
  try {
    writeSync(fd, `\0v1\n${JSON.stringify(toOffset(offsets))}`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  try {
    linkSync(temporary, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new MillraceError("CONCURRENT_QUERY", `Another query has just written ${path}.`, {
      hint: "Only one query may use a checkpoint at a time.",
    });
  } finally {
    unlinkSync(temporary);
  }
  for (const folder of [metadataPath, dirname(metadataPath)]) {
    const directory = openSync(folder, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }
}
