import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../../errors.ts";
import type { StructType } from "../../types/data-type.ts";
import { toSparkJson } from "../../types/struct-json.ts";
import type { WrittenFile } from "../connector.ts";
import {
  type Action,
  type AddFile,
  encodePath,
  formatActions,
  type Metadata,
  type Protocol,
  parseActions,
} from "./actions.ts";
import { isMissing, listLog, logFolder, putEntry, readEntry, versionName } from "./log-store.ts";
import { loadSnapshot, Snapshot } from "./snapshot.ts";
import { partitionValue, statsText } from "./statistics.ts";

export const ENGINE_INFO = "Millrace";
const MAX_ATTEMPTS = 1000;

/** A table that is written by this process and perhaps by others: its newest known state, and optimistic commits. */
export class DeltaTable {
  readonly path: string;
  /** Undefined while there is no table. */
  snapshot: Snapshot | undefined;
  #commits: Promise<unknown> = Promise.resolve();

  private constructor(path: string, snapshot: Snapshot | undefined) {
    this.path = path;
    this.snapshot = snapshot;
  }

  static async open(path: string): Promise<DeltaTable> {
    return new DeltaTable(path, await loadSnapshot(path));
  }

  /** Takes in what others have committed. */
  async refresh(): Promise<void> {
    if (this.snapshot === undefined) {
      this.snapshot = await loadSnapshot(this.path);
      return;
    }
    for (;;) {
      const version = this.snapshot.version + 1;
      const text = await readEntry(this.path, version);
      if (text === undefined) return;
      this.snapshot.apply(version, parseActions(text, join(logFolder(this.path), `${versionName(version)}.json`)));
    }
  }

  /**
   * Commits what `prepare` makes of the newest state. When another writer was faster, its commit is taken in and `prepare` is asked again:
   * it throws when the two do not go together, and gives undefined when there is nothing left to do.
   */
  async commit(
    prepare: (snapshot: Snapshot | undefined) => readonly Action[] | undefined,
  ): Promise<number | undefined> {
    const result = this.#commits.then(() => this.#commit(prepare));
    this.#commits = result.catch(() => undefined);
    return await result;
  }

  async #commit(
    prepare: (snapshot: Snapshot | undefined) => readonly Action[] | undefined,
  ): Promise<number | undefined> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const actions = prepare(this.snapshot);
      if (actions === undefined) return undefined;
      const version = (this.snapshot?.version ?? -1) + 1;
      if (version > 0) await this.#expectEntry(version - 1);
      if (await putEntry(this.path, version, formatActions(actions))) {
        this.snapshot ??= new Snapshot();
        this.snapshot.apply(version, actions);
        return version;
      }
      await this.refresh();
    }
    throw new MillraceError(
      "DELTA_CONFLICT",
      `Other writers of ${this.path} were faster ${MAX_ATTEMPTS} times in a row.`,
      {
        retryable: true,
      },
    );
  }

  /** A table that was deleted, or replaced by another one, must not get an entry out of the blue. */
  async #expectEntry(version: number): Promise<void> {
    try {
      await stat(join(logFolder(this.path), `${versionName(version)}.json`));
    } catch (error) {
      if (!isMissing(error)) throw error;
      const listing = await listLog(this.path);
      if (listing?.checkpoints.some((c) => c.version === version)) return;
      throw new MillraceError(
        "DELTA_CONFLICT",
        `The Delta table ${this.path} was deleted or replaced while it was written.`,
        {
          hint: "Start the query again; to write a new table, start it with a new checkpoint location.",
        },
      );
    }
  }
}

/** Protocol and metadata of a new table. */
export function createActions(
  schema: StructType,
  partitionColumns: readonly string[],
  configuration: Readonly<Record<string, string>> = {},
): { protocol: Protocol; metaData: Metadata } {
  return {
    protocol: protocolFor(schema),
    metaData: {
      id: randomUUID(),
      format: { provider: "parquet", options: {} },
      schemaString: JSON.stringify(toSparkJson(schema)),
      partitionColumns,
      configuration,
      createdTime: Date.now(),
    },
  };
}

/** The simple protocol of 2019, unless a column needs more. */
export function protocolFor(schema: StructType): Protocol {
  if (!usesTimestampNtz(schema)) return { minReaderVersion: 1, minWriterVersion: 2 };
  return {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ["timestampNtz"],
    writerFeatures: ["timestampNtz", "appendOnly", "invariants"],
  };
}

export function usesTimestampNtz(schema: StructType): boolean {
  return JSON.stringify(toSparkJson(schema)).includes('"timestamp_ntz"');
}

/** `add` actions of new files. */
export function addActions(
  files: readonly WrittenFile[],
  schema: StructType,
  partitionColumns: readonly string[],
  dataChange: boolean,
): Action[] {
  const types = new Map(schema.fields.map((f) => [f.name, f.type]));
  const modificationTime = Date.now();
  return files.map((file) => {
    const partitionValues: Record<string, string | null> = {};
    for (const name of partitionColumns) {
      partitionValues[name] = partitionValue(file.partitionValues[name] ?? null, types.get(name)!);
    }
    return {
      add: {
        path: encodePath(file.path),
        partitionValues,
        size: file.bytes,
        modificationTime,
        dataChange,
        stats: statsText(file, schema, partitionColumns),
      },
    };
  });
}

/** The `remove` action of a live file. */
export function removeAction(file: AddFile, dataChange: boolean, now: number): Action {
  return {
    remove: {
      path: file.path,
      deletionTimestamp: now,
      dataChange,
      extendedFileMetadata: true,
      partitionValues: file.partitionValues,
      size: file.size,
    },
  };
}
