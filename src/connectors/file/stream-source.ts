import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { MillraceError } from "../../errors.ts";
import type { StructType } from "../../types/data-type.ts";
import type {
  BatchInput,
  Offset,
  OffsetAdvance,
  Options,
  ReadLimit,
  StreamSource,
  StreamSourceRequest,
} from "../connector.ts";
import { sleep } from "../sleep.ts";
import { type FoundFile, listFiles, localPath } from "./list.ts";
import { BatchLog } from "./log.ts";
import { type FileFormat, readFiles } from "./read.ts";

/** A line of `sources/<i>/<n>`, Spark's FileStreamSource.FileEntry. */
interface FileEntry {
  readonly path: string;
  readonly timestamp: number;
  readonly batchId: number;
}

const POLL_MS = 100;

/**
 * Spark's file source: each new file under the path belongs to one batch. Which files those are is written to the source's private log
 * before the batch begins, so a batch that runs again reads the same files. The offset is the number of the last log entry,
 * `{"logOffset":3}`, and -1 before the first.
 */
export class FileStreamSource implements StreamSource {
  readonly description: string;
  readonly #format: FileFormat;
  readonly #request: StreamSourceRequest;
  readonly #schema: StructType;
  readonly #log: BatchLog<FileEntry>;
  readonly #maxFiles: number;
  readonly #maxBytes: number;
  readonly #maxAgeMs: number;
  /** Keys of the files in the log. */
  #seen: Set<string> | undefined;
  #frozen: Set<string> | undefined;
  #latestModified = 0;

  constructor(format: FileFormat, schema: StructType, request: StreamSourceRequest) {
    this.#format = format;
    this.#schema = schema;
    this.#request = request;
    this.#log = new BatchLog(request.metadataPath);
    const { options, paths } = request;
    if (paths.length !== 1) {
      throw new MillraceError("MISSING_OPTION", "A file stream needs one path.", {
        hint: "Give it with .load(path) or .option('path', ...).",
      });
    }
    this.description = `FileStreamSource[${pathToFileURL(localPath(paths[0]!)).href}]`;
    this.#maxFiles = limitOf(options, "maxFilesPerTrigger");
    this.#maxBytes = limitOf(options, "maxBytesPerTrigger");
    if (this.#maxFiles !== Number.POSITIVE_INFINITY && this.#maxBytes !== Number.POSITIVE_INFINITY) {
      throw new MillraceError("INVALID_OPTION", "Give maxFilesPerTrigger or maxBytesPerTrigger, not both.");
    }
    this.#maxAgeMs =
      options.latestFirst === "true" && this.#maxFiles !== Number.POSITIVE_INFINITY
        ? Number.POSITIVE_INFINITY
        : 7 * 86_400_000;
  }

  async initialOffset(): Promise<Offset> {
    return { logOffset: -1 };
  }

  async latestOffset(start: Offset, limit: ReadLimit): Promise<OffsetAdvance> {
    const from = logOffset(start);
    const logged = (await this.#log.latest()) ?? -1;
    // Entries that were written ahead of a crash form their own batches, one by one.
    if (logged > from && limit !== "all") {
      return { end: { logOffset: from + 1 }, latest: { logOffset: logged } };
    }
    const fresh = await this.#newFiles();
    if (fresh.length === 0) return { end: { logOffset: logged }, latest: { logOffset: logged } };
    const taken = limit === "all" ? fresh : this.#within(fresh);
    const next = logged + 1;
    const entries = taken.map((f) => ({
      path: pathToFileURL(f.path).href,
      timestamp: Math.floor(f.modifiedMs),
      batchId: next,
    }));
    if (!(await this.#log.add(next, entries))) {
      throw new MillraceError("CHECKPOINT_IN_USE", `Another query has written ${this.#log.directory}/${next}.`, {
        hint: "Each query needs its own checkpointLocation.",
      });
    }
    for (const f of taken) this.#seen!.add(this.#key(f.path));
    const held = taken.length < fresh.length;
    return { end: { logOffset: next }, latest: { logOffset: held ? next + 1 : next } };
  }

  async read(start: Offset, end: Offset): Promise<BatchInput> {
    const [from, to] = [logOffset(start), logOffset(end)];
    const entries = (await this.#log.entries()).filter((e) => e.batchId > from && e.batchId <= to);
    const root = this.#request.paths[0]!;
    const files: FoundFile[] = [];
    const all = new Map((await listFiles([root], this.#request.options, "empty")).map((f) => [f.path, f]));
    for (const entry of entries) {
      const path = localPath(entry.path);
      const found = all.get(path);
      if (found === undefined) {
        throw new MillraceError(
          "SOURCE_FAILED",
          `The file ${path}, which batch ${entry.batchId} has to read, is gone.`,
          {
            hint: "Put it back, or start with a new checkpointLocation.",
          },
        );
      }
      files.push(found);
    }
    return readFiles(this.#format, files, this.#schema, this.#request.options, this.#request.columns);
  }

  async waitForData(start: Offset, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    const from = logOffset(start);
    while (!signal.aborted) {
      if (((await this.#log.latest()) ?? -1) > from || (await this.#newFiles()).length > 0) return;
      const left = deadline - Date.now();
      if (left <= 0) return;
      await sleep(Math.min(POLL_MS, left), signal);
    }
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#frozen = new Set((await this.#newFiles()).map((f) => f.path));
  }

  async close(): Promise<void> {}

  async #newFiles(): Promise<FoundFile[]> {
    if (this.#seen === undefined) {
      this.#seen = new Set();
      for (const entry of await this.#log.entries()) {
        this.#seen.add(this.#key(localPath(entry.path)));
        this.#latestModified = Math.max(this.#latestModified, entry.timestamp);
      }
    }
    const seen = this.#seen;
    const files = await listFiles(this.#request.paths, this.#request.options, "empty");
    for (const f of files) this.#latestModified = Math.max(this.#latestModified, f.modifiedMs);
    const oldest = this.#latestModified - this.#maxAgeMs;
    const fresh = files.filter(
      (f) =>
        f.modifiedMs >= oldest &&
        !seen.has(this.#key(f.path)) &&
        (this.#frozen === undefined || this.#frozen.has(f.path)),
    );
    const sign = this.#request.options.latestFirst === "true" ? -1 : 1;
    return fresh.sort((a, b) => sign * (a.modifiedMs - b.modifiedMs || (a.path < b.path ? -1 : 1)));
  }

  #within(files: readonly FoundFile[]): readonly FoundFile[] {
    if (this.#maxBytes === Number.POSITIVE_INFINITY) return files.slice(0, this.#maxFiles);
    let bytes = 0;
    const end = files.findIndex((f, i) => {
      bytes += f.bytes;
      return bytes > this.#maxBytes && i > 0;
    });
    return end < 0 ? files : files.slice(0, end);
  }

  #key(path: string): string {
    return this.#request.options.fileNameOnly === "true" ? basename(path) : path;
  }
}

function limitOf(options: Options, name: string): number {
  const text = options[name];
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const limit = Number(text);
  if (!(limit > 0)) throw new MillraceError("INVALID_OPTION", `\`${name}\` must be greater than 0, not ${text}.`);
  return limit;
}

function logOffset(offset: Offset): number {
  const value =
    typeof offset === "object" && offset !== null && !Array.isArray(offset)
      ? (offset as { [key: string]: Offset }).logOffset
      : offset;
  if (typeof value !== "number") {
    throw new MillraceError("CHECKPOINT_CORRUPT", `${JSON.stringify(offset)} is not an offset of a file source.`);
  }
  return value;
}
