import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../../errors.ts";
import type { StructType } from "../../types/data-type.ts";
import { structFromSparkJson } from "../../types/struct-json.ts";
import { type Action, type AddFile, type Metadata, type Protocol, parseActions, type RemoveFile } from "./actions.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { isMissing, listLog, logFolder, readEntry, versionName } from "./log-store.ts";
import { checkReadable } from "./protocol.ts";

/** The state of a table after one version of its log. `apply` moves it on. */
export class Snapshot {
  version = -1;
  /** Set by the first entry or checkpoint; a snapshot handed out always has both. */
  protocol!: Protocol;
  metadata!: Metadata;
  schema!: StructType;
  /** By path. */
  readonly files = new Map<string, AddFile>();
  /** Files that are no longer part of the table but may still be read by older snapshots. */
  readonly tombstones = new Map<string, RemoveFile>();
  /** The last transaction of each writing application. */
  readonly transactions = new Map<string, { readonly version: number; readonly lastUpdated: number | undefined }>();

  apply(version: number, actions: Iterable<Action>): void {
    for (const action of actions) {
      if (action.protocol) this.protocol = action.protocol;
      if (action.metaData) {
        this.metadata = { ...action.metaData, configuration: action.metaData.configuration ?? {} };
        this.schema = structFromSparkJson(action.metaData.schemaString);
      }
      if (action.txn) {
        this.transactions.set(action.txn.appId, {
          version: Number(action.txn.version),
          lastUpdated: action.txn.lastUpdated ?? undefined,
        });
      }
      if (action.remove) {
        this.files.delete(action.remove.path);
        this.tombstones.set(action.remove.path, action.remove);
      }
      if (action.add) {
        this.tombstones.delete(action.add.path);
        this.files.set(action.add.path, action.add);
      }
    }
    this.version = version;
  }
}

/**
 * Reads a table's state from its newest checkpoint and the log entries after it.
 *
 * @param atVersion the version to read; the newest without it
 * @returns undefined when there is no table
 * @throws MillraceError DELTA_CORRUPT, DELTA_UNSUPPORTED, INVALID_OPTION (no such version)
 */
export async function loadSnapshot(table: string, atVersion?: number): Promise<Snapshot | undefined> {
  const listing = await listLog(table);
  if (listing === undefined || (listing.versions.length === 0 && listing.checkpoints.length === 0)) return undefined;
  const newest = Math.max(listing.versions.at(-1) ?? -1, listing.checkpoints.at(-1)?.version ?? -1);
  const target = atVersion ?? newest;
  if (target > newest || target < 0) {
    throw new MillraceError(
      "INVALID_OPTION",
      `The Delta table ${table} has no version ${target}; its newest is ${newest}.`,
      {
        hint: `Choose a version from ${listing.versions[0] ?? newest} to ${newest}.`,
      },
    );
  }
  const snapshot = new Snapshot();
  let unreadable: unknown;
  for (const checkpoint of [...listing.checkpoints].reverse()) {
    if (checkpoint.version > target) continue;
    try {
      const actions = await readCheckpoint(checkpoint.files.map((f) => join(logFolder(table), f)));
      snapshot.apply(checkpoint.version, actions);
      break;
    } catch (error) {
      // An older checkpoint, or the entries from the first one on, give the same state.
      unreadable = error;
    }
  }
  for (let version = snapshot.version + 1; version <= target; version++) {
    const text = await readEntry(table, version);
    if (text === undefined) {
      if (listing.v2Checkpoints.some((v) => v >= version && v <= target)) {
        throw new MillraceError(
          "DELTA_UNSUPPORTED",
          `The Delta table ${table} needs the feature v2Checkpoint, which is not supported.`,
          {
            hint: "Write a classic checkpoint (delta.checkpointPolicy=classic) with the engine that wrote it.",
          },
        );
      }
      throw new MillraceError(
        "DELTA_CORRUPT",
        `The log of ${table} lacks version ${version}, which version ${target} needs.`,
        {
          hint:
            atVersion === undefined
              ? "Restore _delta_log from a copy of the table."
              : "Old log entries have been cleaned up: choose a newer version.",
          cause: unreadable,
        },
      );
    }
    snapshot.apply(version, parseActions(text, `${logFolder(table)}/${versionName(version)}.json`));
  }
  if (snapshot.protocol === undefined || snapshot.metadata === undefined) {
    throw new MillraceError(
      "DELTA_CORRUPT",
      `The log of ${table} has no protocol or no metaData up to version ${target}.`,
      {
        hint: "Restore _delta_log from a copy of the table.",
      },
    );
  }
  checkReadable(table, snapshot.protocol, snapshot.metadata);
  return snapshot;
}

/**
 * The newest version that was committed at or before a time, by the files' modification times, as Spark does it.
 *
 * @throws MillraceError INVALID_OPTION when the table is younger
 */
export async function versionAt(table: string, timestampMs: number): Promise<number> {
  const listing = await listLog(table);
  let found: number | undefined;
  let first: number | undefined;
  for (const version of listing?.versions ?? []) {
    const time = await commitTime(table, version);
    if (time === undefined) continue;
    first ??= time;
    if (time <= timestampMs) found = version;
    else break;
  }
  if (found === undefined) {
    throw new MillraceError(
      "INVALID_OPTION",
      `The Delta table ${table} has no version as of ${new Date(timestampMs).toISOString()}.`,
      first === undefined ? {} : { hint: `Its oldest version is of ${new Date(first).toISOString()}.` },
    );
  }
  return found;
}

async function commitTime(table: string, version: number): Promise<number | undefined> {
  try {
    return Math.floor((await stat(join(logFolder(table), `${versionName(version)}.json`))).mtimeMs);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Finds the commit that holds a transaction, looking backwards from `from`: its `offsetsHash`, `null` when the commit has none (another
 * engine wrote it), undefined when no such commit is left in the log.
 */
export async function findTransactionHash(
  table: string,
  from: number,
  appId: string,
  batchId: number,
): Promise<string | null | undefined> {
  for (let version = from; version >= 0; version--) {
    let text: string;
    try {
      text = await readFile(join(logFolder(table), `${versionName(version)}.json`), "utf8");
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    if (!text.includes('"txn"')) continue;
    const actions = parseActions(text, versionName(version));
    const own = actions.find((a) => a.txn?.appId === appId)?.txn;
    if (!own) continue;
    if (Number(own.version) < batchId) return undefined;
    if (Number(own.version) === batchId) {
      const hash = actions.find((a) => a.commitInfo)?.commitInfo?.offsetsHash;
      return typeof hash === "string" ? hash : null;
    }
  }
  return undefined;
}
