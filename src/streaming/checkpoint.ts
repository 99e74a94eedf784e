import { createHash } from "node:crypto";
import { type DirectoryLock, lockDirectory } from "../dir-lock.ts";
import { MillraceError } from "../errors.ts";
import type { ResolvedSink } from "./sinks.ts";

/** What both engines say and do about a query's checkpoint. */

/** SHA-256 (hexadecimal) of the text of `offsets/N`: what sinks know a batch by. A checkpoint may move between the engines. */
export function offsetsHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The first sink whose rows outlast the query, so that a temporary checkpoint will not do; undefined when there is none. */
export function durableSink(sinks: readonly ResolvedSink[]): ResolvedSink | undefined {
  return sinks.find(({ factory }) => (factory.durability ?? "durable") === "durable");
}

/** MISSING_OPTION for a query that has no checkpoint and needs one. */
export function needsCheckpoint(sink: ResolvedSink): MillraceError {
  return new MillraceError("MISSING_OPTION", `The sink ${sink.name} needs a checkpointLocation.`, {
    hint: 'Set it with .option("checkpointLocation", "..."), or spark.sql.streaming.checkpointLocation for all queries.',
    parameters: { option: "checkpointLocation" },
  });
}

/** Locks the folder that stands for a checkpoint. Throws CHECKPOINT_IN_USE, which names the checkpoint and who has it. */
export async function lockCheckpoint(folder: string, checkpoint: string | undefined): Promise<DirectoryLock> {
  try {
    return await lockDirectory(folder);
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "DIRECTORY_IN_USE") throw error;
    const { pid } = error.parameters;
    const whose = pid === undefined ? "" : pid === String(process.pid) ? " of this process" : ` (process ${pid})`;
    throw new MillraceError("CHECKPOINT_IN_USE", `The checkpoint ${checkpoint} is in use by another query${whose}.`, {
      cause: error,
      hint: "Stop that query, or give each query a checkpointLocation of its own.",
      parameters: { ...error.parameters },
    });
  }
}
