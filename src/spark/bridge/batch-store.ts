import * as fs from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../../durable.ts";
import { createFile, fileError, listDirectory, makeDirectory, readFileIfThere } from "../../durable-files.ts";
import { MillraceError } from "../../errors.ts";
import type { StructType } from "../../types/data-type.ts";
import { sqlString } from "../../types/duckdb-types.ts";
import { emptyColumn, storedColumn } from "./stored-columns.ts";

/** A batch whose rows are all here. */
export interface KeptBatch {
  readonly queryId: string;
  readonly id: number;
  /** SHA-256 of `offsets/N`. */
  readonly hash: string;
  readonly timestampMs: number;
  /** Parquet files in the order of their partitions. */
  readonly files: readonly string[];
  readonly rowCount: number;
}

/** A file of rows that a task has sent. */
export interface Part {
  readonly partition: number;
  readonly attempt: number;
  readonly rows: number;
}

const MANIFEST = "batch.json";

/**
 * The rows of a query's batches on their way to its sinks: `<folder>/<batch>/<partition>-<attempt>.parquet`, and `batch.json` once they are
 * all there. What that file names is synced to disk, so a batch is stored whole or not at all.
 */
export class BatchStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    makeDirectory(folder);
  }

  /** The batch when it is stored whole, of that query. */
  find(queryId: string, id: number): KeptBatch | undefined {
    const text = readFileIfThere(join(this.#path(id), MANIFEST));
    if (text === undefined) return undefined;
    const kept = JSON.parse(text) as KeptBatch;
    return kept.queryId === queryId ? kept : undefined;
  }

  /** Makes room for a batch: removes what is left of it, and all other batches, which are committed or of another life of the checkpoint. */
  begin(id: number): void {
    for (const name of listDirectory(this.#folder)) {
      if (/^\d+$/.test(name)) fs.rmSync(join(this.#folder, name), { recursive: true, force: true });
    }
    makeDirectory(this.#path(id));
  }

  /** Writes what a task sends, piece by piece; synced when it resolves. */
  async receive(id: number, partition: number, attempt: number, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(this.#path(id), fileName(partition, attempt));
    try {
      const file = await open(path, "wx");
      try {
        for await (const piece of pieces) {
          for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
        }
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof Error && "syscall" in error) throw fileError(path, error);
      throw error;
    }
  }

  /** Declares a batch whole: the parts of the attempts that Spark took; what other attempts left is removed. */
  seal(queryId: string, id: number, hash: string, timestampMs: number, parts: readonly Part[]): KeptBatch {
    const path = this.#path(id);
    const names = [...parts].sort((a, b) => a.partition - b.partition).map((p) => fileName(p.partition, p.attempt));
    const there = new Set(listDirectory(path));
    for (const name of names) {
      if (there.delete(name)) continue;
      throw new MillraceError("INTERNAL", `Spark says that it has sent ${name} of batch ${id}, which is not here.`);
    }
    for (const name of there) fs.rmSync(join(path, name), { force: true });
    const kept: KeptBatch = {
      queryId,
      id,
      hash,
      timestampMs,
      files: names,
      rowCount: parts.reduce((sum, part) => sum + part.rows, 0),
    };
    syncDirectory(path);
    createFile(join(path, MANIFEST), JSON.stringify(kept));
    return kept;
  }

  /** The batch as a table expression: its columns under their names with their exact types, its rows in order. */
  sql(batch: KeptBatch, schema: StructType): string {
    const columns = schema.fields.map(batch.files.length === 0 ? emptyColumn : storedColumn);
    const list = columns.length === 0 ? "NULL AS none" : columns.join(", ");
    if (batch.files.length === 0) return `(SELECT ${list} WHERE false)`;
    const files = batch.files.map((name) => sqlString(join(this.#path(batch.id), name)));
    return `(SELECT ${list} FROM read_parquet([${files.join(", ")}], hive_partitioning = false))`;
  }

  #path(id: number): string {
    return join(this.#folder, String(id));
  }
}

function fileName(partition: number, attempt: number): string {
  return `${String(partition).padStart(5, "0")}-${attempt}.parquet`;
}

/** `batchTimestampMs` of the text of `offsets/N`: the time of the batch. */
export function batchTimestamp(text: string): number {
  for (const line of text.split("\n")) {
    const time = /"batchTimestampMs"\s*:\s*(\d+)/.exec(line)?.[1];
    if (time !== undefined) return Number(time);
  }
  return 0;
}
