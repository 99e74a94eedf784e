import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Conf } from "../backend.ts";
import type { Offset } from "../connectors/connector.ts";
import { createFile, fileError, listDirectory, makeDirectory, readFileIfThere } from "../durable-files.ts";
import { MillraceError } from "../errors.ts";
import { offsetsHash } from "../streaming/checkpoint.ts";

/**
 * A checkpoint directory in Spark's own layout and JSON: `metadata`, `offsets/N`, `commits/N`, `sources/i`. What is ours alone lies
 * under `_millrace`, so that a checkpoint of a query without state can be carried on by Spark, and one of Spark's by us.
 * https://github.com/apache/spark/tree/master/sql/core/src/main/scala/org/apache/spark/sql/execution/streaming/checkpointing
 */
export class Checkpoint {
  readonly path: string;
  readonly #offsets: string;
  readonly #commits: string;

  constructor(path: string) {
    this.path = path;
    this.#offsets = join(path, "offsets");
    this.#commits = join(path, "commits");
  }

  /** Our own folder: lock, state database, temporary files. */
  get privatePath(): string {
    return join(this.path, "_millrace");
  }

  get statePath(): string {
    return join(this.privatePath, "state.duckdb");
  }

  get temporaryPath(): string {
    return join(this.privatePath, "tmp");
  }

  sourcePath(index: number): string {
    return join(this.path, "sources", String(index));
  }

  /**
   * Creates what is missing and gives the query's id, which lives as long as the checkpoint.
   * Throws CHECKPOINT_INCOMPATIBLE when the directory holds state that Spark wrote, or offsets without `metadata`.
   */
  open(): string {
    if (fs.existsSync(this.path) && !fs.statSync(this.path).isDirectory()) {
      throw new MillraceError("DIRECTORY_NOT_WRITABLE", `The checkpoint location ${this.path} is not a directory.`);
    }
    const sparkState = listDirectory(join(this.path, "state")).filter((name) => !name.startsWith("."));
    if (sparkState.length > 0) {
      throw new MillraceError(
        "CHECKPOINT_INCOMPATIBLE",
        `The checkpoint ${this.path} holds state written by Spark (${join("state", sparkState[0]!)}).`,
        { hint: "State cannot be carried over between engines: start this query with a new checkpointLocation." },
      );
    }
    for (const directory of [this.#offsets, this.#commits, join(this.path, "sources"), this.privatePath]) {
      makeDirectory(directory);
    }
    this.#removeLeftovers();
    const file = join(this.path, "metadata");
    const text = readFileIfThere(file);
    if (text !== undefined) {
      const id = (parseJson(file, text) as { id?: unknown } | null)?.id;
      if (typeof id !== "string" || id === "") throw corrupt(file, "it has no id");
      return id;
    }
    if (this.latestOffsetsId() !== undefined || this.latestCommitId() !== undefined) {
      throw new MillraceError(
        "CHECKPOINT_CORRUPT",
        `The checkpoint ${this.path} has batches but no file ${file}, which holds the query's id.`,
        { hint: "Restore the file, or start with a new checkpointLocation." },
      );
    }
    const id = randomUUID();
    if (!createFile(file, `{"id":"${id}"}`)) return this.open();
    return id;
  }

  latestOffsetsId(): number | undefined {
    return latest(this.#offsets);
  }

  latestCommitId(): number | undefined {
    return latest(this.#commits);
  }

  /** `offsets/N`, or undefined when there is none. Throws CHECKPOINT_CORRUPT or CHECKPOINT_INCOMPATIBLE. */
  readOffsets(batchId: number): OffsetsFile | undefined {
    const file = join(this.#offsets, String(batchId));
    const text = readFileIfThere(file);
    return text === undefined ? undefined : parseOffsets(file, text);
  }

  /** Writes `offsets/N`; CONCURRENT_QUERY when the file is there already. Returns its hash. */
  writeOffsets(batchId: number, metadata: OffsetsMetadata, offsets: readonly (Offset | undefined)[]): string {
    const text = formatOffsets(metadata, offsets);
    this.#create(join(this.#offsets, String(batchId)), text);
    return offsetsHash(text);
  }

  /** `nextBatchWatermarkMs` of `commits/N`, or undefined when there is none. */
  readCommit(batchId: number): { readonly nextBatchWatermarkMs: number } | undefined {
    const file = join(this.#commits, String(batchId));
    const text = readFileIfThere(file);
    if (text === undefined) return undefined;
    const lines = text.split("\n");
    checkVersion(file, lines[0]);
    const line = lines[1] === undefined || lines[1].trim() === "" ? {} : parseJson(file, lines[1]);
    const value = (line as { nextBatchWatermarkMs?: unknown }).nextBatchWatermarkMs ?? 0;
    if (typeof value !== "number") throw corrupt(file, "nextBatchWatermarkMs is not a number");
    return { nextBatchWatermarkMs: value };
  }

  writeCommit(batchId: number, nextBatchWatermarkMs: number): void {
    this.#create(join(this.#commits, String(batchId)), `v1\n{"nextBatchWatermarkMs":${nextBatchWatermarkMs}}`);
  }

  /** Removes offsets and commits of batches before `keepFrom`, and the checksum files that Hadoop keeps beside them. */
  purge(keepFrom: number): void {
    for (const directory of [this.#commits, this.#offsets]) {
      for (const name of listDirectory(directory)) {
        const id = batchIdOf(/^\.\d+\.crc$/.test(name) ? name.slice(1, -4) : name);
        if (id !== undefined && id < keepFrom) {
          try {
            fs.rmSync(join(directory, name), { force: true });
          } catch (error) {
            throw fileError(join(directory, name), error);
          }
        }
      }
    }
  }

  #create(file: string, text: string): void {
    if (createFile(file, text)) return;
    throw new MillraceError("CONCURRENT_QUERY", `${file} was written by another run of this query.`, {
      hint: "Only one process may run a query on a checkpoint: stop the other one.",
    });
  }

  #removeLeftovers(): void {
    for (const directory of [this.path, this.#offsets, this.#commits]) {
      for (const name of listDirectory(directory)) {
        if (/^\..+\.[0-9a-f-]{36}\.tmp$/.test(name)) fs.rmSync(join(directory, name), { force: true });
      }
    }
  }
}

export interface OffsetsMetadata {
  /** The global watermark that batch N uses. */
  readonly batchWatermarkMs: number;
  /** The clock of the trigger: what `current_timestamp()` is inside the batch. */
  readonly batchTimestampMs: number;
  readonly conf: Conf;
}

export interface OffsetsFile extends OffsetsMetadata {
  /** One for each source in order; undefined where the source had no offset yet (`-`). */
  readonly offsets: readonly (Offset | undefined)[];
  /** SHA-256 of the file, hexadecimal. */
  readonly hash: string;
}

export function formatOffsets(metadata: OffsetsMetadata, offsets: readonly (Offset | undefined)[]): string {
  const { batchWatermarkMs, batchTimestampMs, conf } = metadata;
  return [
    "v1",
    JSON.stringify({ batchWatermarkMs, batchTimestampMs, conf }),
    ...offsets.map((offset) => (offset === undefined ? "-" : JSON.stringify(offset))),
  ].join("\n");
}

export function parseOffsets(file: string, text: string): OffsetsFile {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  checkVersion(file, lines[0]);
  if (lines.length < 3) throw corrupt(file, "it is cut off");
  const metadata = (lines[1] === "" ? {} : parseJson(file, lines[1]!)) as Partial<OffsetsMetadata>;
  if (typeof metadata !== "object" || metadata === null) throw corrupt(file, "its second line is not an object");
  const { batchWatermarkMs = 0, batchTimestampMs = 0, conf = {} } = metadata;
  if (typeof batchWatermarkMs !== "number" || typeof batchTimestampMs !== "number" || typeof conf !== "object") {
    throw corrupt(file, "its second line does not hold the batch's watermark, time and conf");
  }
  return {
    batchWatermarkMs,
    batchTimestampMs,
    conf,
    offsets: lines.slice(2).map((line) => (line === "-" ? undefined : (parseJson(file, line) as Offset))),
    hash: offsetsHash(text),
  };
}

/**
 * The settings that Spark 4.0 pins in every offsets file, with its defaults. We write all of them so that a later start on Spark
 * pins the same ones.
 */
const PINNED_CONF: Conf = {
  "spark.sql.streaming.stateStore.providerClass":
    "org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider",
  "spark.sql.streaming.stateStore.encodingFormat": "unsaferow",
  "spark.sql.streaming.stateStore.rocksdb.formatVersion": "5",
  "spark.sql.streaming.statefulOperator.useStrictDistribution": "true",
  "spark.sql.streaming.flatMapGroupsWithState.stateFormatVersion": "2",
  "spark.sql.streaming.multipleWatermarkPolicy": "min",
  "spark.sql.streaming.aggregation.stateFormatVersion": "2",
  "spark.sql.shuffle.partitions": "200",
  "spark.sql.streaming.join.stateFormatVersion": "2",
  "spark.sql.streaming.stateStore.compression.codec": "lz4",
  "spark.sql.optimizer.pruneFiltersCanPruneStreamingSubplan": "false",
};

/** The conf to pin: what the log says, else the session's value, else Spark's default. Unknown keys of the log are kept. */
export function pinnedConf(session: Conf, logged: Conf | undefined): Conf {
  const conf: Record<string, string> = { ...PINNED_CONF };
  for (const key of Object.keys(PINNED_CONF)) {
    const value = session[key];
    if (value !== undefined) conf[key] = value;
  }
  return { ...conf, ...logged };
}

function latest(directory: string): number | undefined {
  let highest: number | undefined;
  for (const name of listDirectory(directory)) {
    const id = batchIdOf(name);
    if (id !== undefined && (highest === undefined || id > highest)) highest = id;
  }
  return highest;
}

function batchIdOf(name: string): number | undefined {
  return /^\d{1,15}$/.test(name) ? Number(name) : undefined;
}

function checkVersion(file: string, line: string | undefined): void {
  const version = /^v(\d+)$/.exec(line?.trim() ?? "")?.[1];
  if (version === undefined) throw corrupt(file, line ? `its first line is ${JSON.stringify(line)}` : "it is empty");
  if (version !== "1") {
    throw new MillraceError(
      "CHECKPOINT_INCOMPATIBLE",
      `${file} has format version ${version}; version 1 is understood.`,
      {
        hint: "Checkpoints of queries with named sources (Spark 4.2) cannot be read: start with a new checkpointLocation.",
      },
    );
  }
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw corrupt(file, `it is not complete JSON (${(error as Error).message})`, error);
  }
}

function corrupt(file: string, what: string, cause?: unknown): MillraceError {
  return new MillraceError("CHECKPOINT_CORRUPT", `The checkpoint file ${file} cannot be read: ${what}.`, {
    cause,
    hint: "Restore the checkpoint from a copy, or start with a new checkpointLocation.",
  });
}
