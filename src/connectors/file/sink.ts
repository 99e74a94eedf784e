import { mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { MillraceError } from "../../errors.ts";
import { toStrptime } from "../../formats/datetime-pattern.ts";
import { sqlString } from "../../types/duckdb-types.ts";
import type {
  BatchWriteRequest,
  Options,
  SinkBatch,
  SinkMarker,
  SinkRequest,
  SinkResult,
  StreamSink,
  StreamSinkRequest,
  WriteFilesRequest,
} from "../connector.ts";
import { localPath, readIfThere } from "./list.ts";
import { syncDirectory, writeError } from "./log.ts";
import { manifestDirectory, manifestLog } from "./manifest.ts";
import type { FileFormat } from "./read.ts";

/** Checks what a file sink is given before anything runs. */
export function validateFileSink(format: FileFormat, request: SinkRequest): void {
  pathOf(request);
  for (const name of request.partitionBy) {
    if (!request.schema.fields.some((f) => f.name === name)) {
      throw new MillraceError("INVALID_OPTION", `There is no column \`${name}\` to partition by.`, {
        hint: `The columns are ${request.schema.fields.map((f) => f.name).join(", ")}.`,
      });
    }
  }
  if (request.partitionBy.length > 0 && request.partitionBy.length === request.schema.fields.length) {
    throw new MillraceError(
      "INVALID_OPTION",
      "Not all columns can be partition columns: nothing would be left to write.",
    );
  }
  const seen = new Set<string>();
  for (const f of request.schema.fields) {
    if (seen.has(f.name.toLowerCase())) {
      throw new MillraceError("COLUMN_ALREADY_EXISTS", `The column \`${f.name}\` already exists.`, {
        hint: "Rename one of them.",
      });
    }
    seen.add(f.name.toLowerCase());
    if (format === "csv" && ["array", "map", "struct", "binary"].includes(f.type.kind)) {
      throw new MillraceError("UNSUPPORTED_DATATYPE", `CSV cannot hold column \`${f.name}\` of type ${f.type.kind}.`, {
        hint: "Make it text first, for instance with to_json, or write parquet or json.",
      });
    }
  }
}

function pathOf(request: { readonly path: string | undefined }): string {
  if (request.path === undefined || request.path === "") {
    throw new MillraceError("MISSING_OPTION", "A file sink needs a path.", {
      hint: 'Set it with .option("path", ...), .start(path) or .save(path).',
      parameters: { option: "path" },
    });
  }
  return localPath(request.path);
}

function filesRequest(format: FileFormat, directory: string, request: SinkRequest): WriteFilesRequest {
  const { options, partitionBy } = request;
  return {
    format,
    directory,
    partitionBy,
    ...(options.compression !== undefined && { compression: options.compression }),
    ...(format === "csv" && { copyOptions: csvOptions(options) }),
  };
}

function csvOptions(options: Options): string {
  const parts = [
    `HEADER ${options.header === "true"}`,
    `DELIMITER ${sqlString(options.sep === "\\t" ? "\t" : (options.sep ?? ","))}`,
    `QUOTE ${sqlString(options.quote ?? '"')}`,
    `ESCAPE ${sqlString(options.escape ?? options.quote ?? '"')}`,
    `NULLSTR ${sqlString(options.nullValue ?? "")}`,
  ];
  if (options.dateFormat !== undefined) parts.push(`DATEFORMAT ${sqlString(toStrptime(options.dateFormat).format)}`);
  return parts.join(", ");
}

// ---------------------------------------------------------------------------------------------------------------------- batch

/** `df.write.format(...).save(path)` with Spark's save modes. */
export async function writeFileBatch(format: FileFormat, request: BatchWriteRequest): Promise<void> {
  const directory = pathOf(request);
  const exists = await hasEntries(directory);
  if (exists && request.mode === "error") {
    throw new MillraceError("PATH_ALREADY_EXISTS", `Path ${directory} already exists.`, {
      hint: 'Set mode as "overwrite" to overwrite the existing path.',
      parameters: { outputPath: directory },
    });
  }
  if (exists && request.mode === "ignore") return;
  try {
    await mkdir(directory, { recursive: true });
    const old = request.mode === "overwrite" ? await readdir(directory) : [];
    // The new files go to a folder of their own first: a failed write leaves what was there, and an overwrite is never mixed.
    const staging = join(directory, `_temporary-${process.pid}-${Date.now()}`);
    try {
      const files = await request.batch.writeFiles(filesRequest(format, staging, request));
      for (const name of old) await rm(join(directory, name), { recursive: true, force: true });
      for (const file of files) {
        const target = join(directory, file.path);
        await mkdir(dirname(target), { recursive: true });
        await syncFile(join(staging, file.path));
        await rename(join(staging, file.path), target);
      }
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
    await writeFile(join(directory, "_SUCCESS"), "");
    await syncDirectory(directory);
  } catch (error) {
    throw writeError(error, directory);
  }
}

async function hasEntries(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length > 0;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return false;
    if (code === "ENOTDIR") {
      throw new MillraceError("PATH_ALREADY_EXISTS", `${directory} is a file, not a folder.`, {
        parameters: { outputPath: directory },
      });
    }
    throw writeError(error, directory);
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

// -------------------------------------------------------------------------------------------------------------------- streams

/** Which query writes here and the hash of its last batch, beside Spark's manifest (Spark ignores names that are not numbers). */
interface Owner {
  readonly queryId: string;
  readonly sinkName: string;
  readonly batchId: number;
  readonly offsetsHash: string;
}

/**
 * Spark's streaming file sink: data files under names of their own, then `_spark_metadata/<batch>` lists them. A batch that the manifest
 * has is skipped; files that it does not list are invisible to readers that know the manifest (Spark and Millrace).
 */
export class FileStreamSink implements StreamSink {
  readonly description: string;
  readonly #format: FileFormat;
  readonly #request: StreamSinkRequest;
  readonly #root: string;
  #owner: Owner | undefined;

  private constructor(format: FileFormat, request: StreamSinkRequest, root: string) {
    this.#format = format;
    this.#request = request;
    this.#root = root;
    this.description = `FileSink[${pathToFileURL(root).href}]`;
  }

  static async open(format: FileFormat, request: StreamSinkRequest): Promise<FileStreamSink> {
    const root = pathOf(request);
    try {
      await mkdir(root, { recursive: true });
    } catch (error) {
      throw writeError(error, root);
    }
    const sink = new FileStreamSink(format, request, root);
    const text = await readIfThere(sink.#ownerPath());
    if (text !== undefined) {
      try {
        sink.#owner = JSON.parse(text) as Owner;
      } catch (error) {
        throw new MillraceError("CHECKPOINT_CORRUPT", `${sink.#ownerPath()} is not JSON.`, { cause: error });
      }
      const { queryId, sinkName } = sink.#owner;
      if (queryId !== request.queryId || sinkName !== request.sinkName) {
        throw new MillraceError(
          "CHECKPOINT_DIVERGED",
          `The folder ${root} holds the output of another query (${queryId}, sink ${sinkName}).`,
          { hint: "Give each query a folder of its own, or go on with that query's checkpointLocation." },
        );
      }
    }
    return sink;
  }

  async lastBatch(): Promise<SinkMarker | undefined> {
    const latest = await manifestLog(this.#root).latest();
    if (latest === undefined) return undefined;
    return this.#owner?.batchId === latest ? { batchId: latest, hash: this.#owner.offsetsHash } : { batchId: latest };
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    const log = manifestLog(this.#root);
    const latest = await log.latest();
    if (latest !== undefined && batch.id <= latest) {
      const owner = this.#owner;
      if (owner?.batchId === batch.id && owner.offsetsHash !== batch.offsetsHash) {
        throw new MillraceError(
          "CHECKPOINT_DIVERGED",
          `The folder ${this.#root} holds another batch ${batch.id}: the checkpoint was restored from an older copy.`,
          { hint: "Write to a new folder with a new checkpointLocation." },
        );
      }
      return {};
    }
    try {
      const files = await batch.writeFiles(filesRequest(this.#format, this.#root, this.#request));
      const entries = [];
      const folders = new Set([this.#root]);
      for (const file of files) {
        const path = join(this.#root, file.path);
        await syncFile(path);
        for (let folder = dirname(path); folder.length > this.#root.length; folder = dirname(folder))
          folders.add(folder);
        entries.push({
          path: pathToFileURL(path).href,
          size: file.bytes,
          isDir: false,
          modificationTime: Math.floor((await stat(path)).mtimeMs),
          blockReplication: 1,
          blockSize: 33554432,
          action: "add" as const,
        });
      }
      for (const folder of folders) await syncDirectory(folder);
      await this.#writeOwner(batch);
      if (!(await log.add(batch.id, entries))) {
        throw new MillraceError(
          "CHECKPOINT_IN_USE",
          `Another process has written batch ${batch.id} to ${this.#root}.`,
          {
            hint: "Stop one of the two.",
          },
        );
      }
      return { metrics: { numFiles: String(files.length) } };
    } catch (error) {
      throw writeError(error, this.#root);
    }
  }

  async close(): Promise<void> {}

  /** Written before the manifest: a crash between the two leaves a number that the manifest does not have, which says nothing. */
  async #writeOwner(batch: SinkBatch): Promise<void> {
    const owner: Owner = {
      queryId: batch.queryId,
      sinkName: batch.sinkName,
      batchId: batch.id,
      offsetsHash: batch.offsetsHash,
    };
    await mkdir(manifestDirectory(this.#root), { recursive: true });
    const temporary = `${this.#ownerPath()}.tmp`;
    const handle = await open(temporary, "w");
    try {
      await handle.writeFile(JSON.stringify(owner));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, this.#ownerPath());
    this.#owner = owner;
  }

  #ownerPath(): string {
    return join(manifestDirectory(this.#root), ".millrace");
  }
}
