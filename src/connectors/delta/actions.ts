import { MillraceError } from "../../errors.ts";

/**
 * The actions of a Delta log entry that a table without special features has.
 * https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions
 */
export interface Protocol {
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  readonly readerFeatures?: readonly string[] | null;
  readonly writerFeatures?: readonly string[] | null;
}

export interface Metadata {
  readonly id: string;
  readonly name?: string | null;
  readonly description?: string | null;
  readonly format: { readonly provider: string; readonly options: Readonly<Record<string, string>> };
  /** Spark's StructType JSON. */
  readonly schemaString: string;
  readonly partitionColumns: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  readonly createdTime?: number | null;
}

export interface AddFile {
  /** Relative to the table and URI-encoded. */
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly size: number;
  readonly modificationTime: number;
  readonly dataChange: boolean;
  /** JSON text. */
  readonly stats?: string | null;
  readonly tags?: Readonly<Record<string, string | null>> | null;
  readonly deletionVector?: { readonly storageType: string; readonly pathOrInlineDv: string } | null;
}

export interface RemoveFile {
  readonly path: string;
  readonly deletionTimestamp?: number | null;
  readonly dataChange: boolean;
  readonly extendedFileMetadata?: boolean | null;
  readonly partitionValues?: Readonly<Record<string, string | null>> | null;
  readonly size?: number | null;
}

export interface Transaction {
  readonly appId: string;
  readonly version: number;
  readonly lastUpdated?: number | null;
}

export interface CommitInfo {
  readonly timestamp?: number;
  readonly operation?: string;
  /** The batch's `offsetsHash`, by which a batch that is delivered again is told from another one with its number. */
  readonly offsetsHash?: string;
  readonly [key: string]: unknown;
}

/** One line of a log entry: exactly one of the keys is there. */
export interface Action {
  readonly protocol?: Protocol | null;
  readonly metaData?: Metadata | null;
  readonly add?: AddFile | null;
  readonly remove?: RemoveFile | null;
  readonly txn?: Transaction | null;
  readonly commitInfo?: CommitInfo | null;
}

/** Reads a log entry. @throws MillraceError DELTA_CORRUPT naming file and line */
export function parseActions(text: string, file: string): Action[] {
  const actions: Action[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      actions.push(JSON.parse(line) as Action);
    } catch (cause) {
      throw new MillraceError("DELTA_CORRUPT", `Line ${i + 1} of ${file} is not JSON.`, {
        hint: "The log entry was cut off or changed: restore it from a copy of the table.",
        cause,
      });
    }
  }
  return actions;
}

export function formatActions(actions: readonly Action[]): string {
  return `${actions.map((a) => JSON.stringify(a)).join("\n")}\n`;
}

/** `day=2001-01-01/part-1.parquet` in the form of `add.path`: URI-encoded, and never taken for an absolute URI. */
export function encodePath(relative: string): string {
  return relative
    .split("/")
    .map((part) => encodeURIComponent(part).replaceAll("%3D", "="))
    .join("/");
}
