import { mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../../errors.ts";
import type { StructType } from "../../types/data-type.ts";
import { structFromSparkJson } from "../../types/struct-json.ts";
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
import { type AddFile, parseActions } from "./actions.ts";
import { isMissing, listLog, logFolder, readEntry, versionName, writeSynced } from "./log-store.ts";
import { scanSql } from "./scan.ts";
import { loadSnapshot, type Snapshot, versionAt } from "./snapshot.ts";
import { timestampMs } from "./source.ts";
import { isTrue, sizeBytes, tablePath } from "./target.ts";

/** Spark's offset of a Delta source: files up to `index` of `reservoirVersion` are read; -1 is none. */
interface DeltaOffset {
  readonly sourceVersion: 1;
  /** The table's id. */
  readonly reservoirId: string;
  readonly reservoirVersion: number;
  readonly index: number;
  /** The version is read as a whole (the table as it stood when the query first started), not as a commit. */
  readonly isStartingVersion: boolean;
}

const POLL_MS = 25;

export async function openDeltaStream(request: StreamSourceRequest): Promise<StreamSource> {
  const path = tablePath(request.options, request.paths[0]);
  const snapshot = await loadSnapshot(path);
  if (snapshot === undefined) {
    throw new MillraceError("PATH_NOT_FOUND", `There is no Delta table at ${path}.`, {
      hint: "Check the path; relative names lie below MILLRACE_LAKE.",
      parameters: { path },
    });
  }
  return new DeltaStreamSource(path, snapshot, request);
}

class DeltaStreamSource implements StreamSource {
  readonly description: string;
  readonly #path: string;
  readonly #id: string;
  readonly #schema: StructType;
  readonly #partitionColumns: readonly string[];
  readonly #options: Options;
  readonly #metadataPath: string;
  readonly #maxFiles: number;
  readonly #maxBytes: number;
  #newest: number;
  #frozenAt: number | undefined;
  /** Files of the versions read last; a version never changes. */
  readonly #commits = new Map<number, readonly AddFile[]>();
  #starting: { readonly version: number; readonly files: readonly AddFile[] } | undefined;

  constructor(path: string, snapshot: Snapshot, request: StreamSourceRequest) {
    this.description = `DeltaSource[${path}]`;
    this.#path = path;
    this.#id = snapshot.metadata.id;
    this.#schema = snapshot.schema;
    this.#partitionColumns = snapshot.metadata.partitionColumns;
    this.#options = request.options;
    this.#metadataPath = request.metadataPath;
    this.#newest = snapshot.version;
    this.#maxFiles = Math.max(1, Number(request.options.maxFilesPerTrigger ?? 1000));
    const bytes = request.options.maxBytesPerTrigger;
    this.#maxBytes =
      bytes === undefined ? Number.POSITIVE_INFINITY : Math.max(1, sizeBytes("maxBytesPerTrigger", bytes));
  }

  async initialOffset(): Promise<Offset> {
    const file = join(this.#metadataPath, "0");
    try {
      return JSON.parse(await readFile(file, "utf8")) as Offset;
    } catch (error) {
      if (!isMissing(error)) {
        throw new MillraceError(
          "CHECKPOINT_CORRUPT",
          `The checkpoint file ${file} does not hold where the query started.`,
          {
            hint: "Restore the checkpoint from a copy, or start with a new checkpointLocation.",
            cause: error,
          },
        );
      }
    }
    const offset = await this.#firstOffset();
    await mkdir(this.#metadataPath, { recursive: true });
    await writeSynced(`${file}.tmp`, JSON.stringify(offset));
    await rename(`${file}.tmp`, file);
    return offset as unknown as Offset;
  }

  async #firstOffset(): Promise<DeltaOffset> {
    const { startingVersion, startingTimestamp } = this.#options;
    if (startingVersion !== undefined && startingTimestamp !== undefined) {
      throw new MillraceError(
        "INVALID_OPTION",
        "The options startingVersion and startingTimestamp exclude each other.",
      );
    }
    if (startingTimestamp !== undefined) {
      const time = timestampMs("startingTimestamp", startingTimestamp);
      const listing = await listLog(this.#path);
      // The first commit at or after the time.
      const before = await versionAt(this.#path, time - 1).catch(() => (listing?.versions[0] ?? 0) - 1);
      return this.#offset(before + 1, -1, false);
    }
    if (startingVersion === undefined) return this.#offset(this.#newest, -1, true);
    if (startingVersion.toLowerCase() === "latest") return this.#offset(this.#newest + 1, -1, false);
    const version = Number(startingVersion);
    if (!Number.isInteger(version) || version < 0) {
      throw new MillraceError("INVALID_OPTION", `The option startingVersion is ${JSON.stringify(startingVersion)}.`, {
        hint: "Give a version number, or latest.",
        parameters: { option: "startingVersion" },
      });
    }
    return this.#offset(version, -1, false);
  }

  async latestOffset(start: Offset, limit: ReadLimit): Promise<OffsetAdvance> {
    const from = this.#check(start);
    await this.#findNewest();
    const last = this.#frozenAt ?? this.#newest;
    const latest = this.#offset(last + 1, -1, false);
    if (from.reservoirVersion > last) return { end: start, latest: start };
    let files = 0;
    let bytes = 0;
    let end: DeltaOffset = from;
    for (let version = from.reservoirVersion; version <= last; version++) {
      const isStarting = from.isStartingVersion && version === from.reservoirVersion;
      const all = isStarting ? await this.#startingFiles(version) : await this.#addedFiles(version);
      const skip = version === from.reservoirVersion ? from.index : -1;
      for (const [index, file] of all.entries()) {
        if (index <= skip) continue;
        const isFull = files >= this.#maxFiles || (files > 0 && bytes + file.size > this.#maxBytes);
        if (limit === "options" && isFull)
          return { end: end as unknown as Offset, latest: latest as unknown as Offset };
        files++;
        bytes += file.size;
        end = this.#offset(version, index, isStarting);
      }
      // Moving on over versions without files (compactions, metadata) alone would make empty batches.
      if (files > 0) end = this.#offset(version + 1, -1, false);
    }
    if (files === 0) return { end: start, latest: start };
    return { end: end as unknown as Offset, latest: latest as unknown as Offset };
  }

  async read(start: Offset, end: Offset): Promise<BatchInput> {
    const from = this.#check(start);
    const to = this.#check(end);
    const files: AddFile[] = [];
    for (let version = from.reservoirVersion; version <= to.reservoirVersion; version++) {
      if (version === to.reservoirVersion && to.index < 0) break;
      const isStarting =
        (from.isStartingVersion && version === from.reservoirVersion) ||
        (to.isStartingVersion && version === to.reservoirVersion);
      const all = isStarting ? await this.#startingFiles(version) : await this.#addedFiles(version);
      for (const [index, file] of all.entries()) {
        if (version === from.reservoirVersion && index <= from.index) continue;
        if (version === to.reservoirVersion && index > to.index) break;
        files.push(file);
      }
    }
    const counts = files.map((f) => recordCount(f));
    const rowCount = counts.every((n) => n !== undefined) ? counts.reduce<number>((sum, n) => sum + n!, 0) : undefined;
    return {
      kind: "sql",
      from: await scanSql(this.#path, this.#schema, this.#partitionColumns, files),
      ...(rowCount === undefined ? {} : { rowCount }),
    };
  }

  async waitForData(start: Offset, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const from = this.#check(start);
    if (from.index >= 0) return;
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      await this.#findNewest();
      // Versions that brought nothing have been looked at: only one that has not is news.
      if (this.#newest >= from.reservoirVersion && !this.#commits.has(this.#newest)) return;
      const left = deadline - Date.now();
      if (left <= 0 || signal.aborted) return;
      await sleep(Math.min(POLL_MS, left), signal);
      if (signal.aborted) return;
    }
  }

  async prepareForAvailableNow(): Promise<void> {
    await this.#findNewest();
    this.#frozenAt = this.#newest;
  }

  async commit(end: Offset): Promise<void> {
    const { reservoirVersion } = this.#check(end);
    for (const version of this.#commits.keys()) if (version < reservoirVersion - 1) this.#commits.delete(version);
  }

  async close(): Promise<void> {
    this.#commits.clear();
  }

  #offset(version: number, index: number, isStartingVersion: boolean): DeltaOffset {
    return { sourceVersion: 1, reservoirId: this.#id, reservoirVersion: version, index, isStartingVersion };
  }

  #check(offset: Offset): DeltaOffset {
    const o = offset as unknown as DeltaOffset | null;
    if (typeof o?.reservoirVersion !== "number" || typeof o.index !== "number") {
      throw new MillraceError("CHECKPOINT_CORRUPT", `${JSON.stringify(offset)} is not an offset of a Delta table.`, {
        hint: "Start with a new checkpointLocation.",
      });
    }
    if (o.reservoirId !== this.#id) {
      throw new MillraceError(
        "CHECKPOINT_DIVERGED",
        `The checkpoint has read another table than the one at ${this.#path}.`,
        {
          hint: `Its id is ${o.reservoirId}, the table's is ${this.#id}: the table was replaced. Start with a new checkpointLocation.`,
        },
      );
    }
    return o;
  }

  async #findNewest(): Promise<void> {
    while ((await this.#entry(this.#newest + 1)) !== undefined) this.#newest++;
  }

  async #entry(version: number): Promise<string | undefined> {
    return await readEntry(this.#path, version);
  }

  /** The files of the table as it stood when the query first started, oldest first. */
  async #startingFiles(version: number): Promise<readonly AddFile[]> {
    if (this.#starting?.version === version) return this.#starting.files;
    const snapshot = (await loadSnapshot(this.#path, version))!;
    const files = [...snapshot.files.values()].sort(
      (a, b) => a.modificationTime - b.modificationTime || (a.path < b.path ? -1 : 1),
    );
    this.#starting = { version, files };
    return files;
  }

  /** The files that a commit added, if its changes are additions only. */
  async #addedFiles(version: number): Promise<readonly AddFile[]> {
    const held = this.#commits.get(version);
    if (held !== undefined) return held;
    const text = await this.#entry(version);
    if (text === undefined) {
      throw new MillraceError(
        "SOURCE_FAILED",
        `Version ${version} of the Delta table ${this.#path} is no longer in its log.`,
        {
          hint: "It was cleaned up before the query read it: start with a new checkpointLocation, or keep the log longer (delta.logRetentionDuration).",
        },
      );
    }
    const actions = parseActions(text, join(logFolder(this.#path), `${versionName(version)}.json`));
    const removed = actions.some((a) => a.remove?.dataChange);
    let added = actions.flatMap((a) => (a.add?.dataChange ? [a.add] : []));
    if (removed && isTrue(this.#options, "skipChangeCommits")) added = [];
    else if (removed && !(isTrue(this.#options, "ignoreDeletes") && added.length === 0)) {
      throw new MillraceError(
        "SOURCE_FAILED",
        `Version ${version} of the Delta table ${this.#path} changes or deletes rows.`,
        {
          hint: "A stream reads additions: set skipChangeCommits to leave such versions out, or ignoreDeletes for those that only delete.",
        },
      );
    }
    const metadata = actions.find((a) => a.metaData)?.metaData;
    if (metadata && version > 0 && !sameColumns(structFromSparkJson(metadata.schemaString), this.#schema)) {
      throw new MillraceError(
        "SOURCE_FAILED",
        `The schema of the Delta table ${this.#path} changed in version ${version}.`,
        {
          hint: "Start the query again, which then reads the new columns.",
        },
      );
    }
    this.#commits.set(version, added);
    return added;
  }
}

/** True when every column that is read is there as before. */
function sameColumns(now: StructType, read: StructType): boolean {
  const types = new Map(now.fields.map((f) => [f.name, JSON.stringify(f.type)]));
  return (
    read.fields.every((f) => types.get(f.name) === JSON.stringify(f.type)) && now.fields.length <= read.fields.length
  );
}

function recordCount(file: AddFile): number | undefined {
  if (!file.stats) return undefined;
  try {
    const count = (JSON.parse(file.stats) as { numRecords?: unknown }).numRecords;
    return typeof count === "number" ? count : undefined;
  } catch {
    // Statistics are a courtesy; the rows are counted when they are read.
    return undefined;
  }
}
