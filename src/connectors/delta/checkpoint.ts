import { randomUUID } from "node:crypto";
import { readdir, rename, stat, unlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { sqlString } from "../../types/duckdb-types.ts";
import { durationMs } from "../duration.ts";
import type { Action } from "./actions.ts";
import { withDuckDB } from "./duckdb.ts";
import { eachOf, isMissing, listLog, logFolder, syncFiles, syncFolder, versionName, writeSynced } from "./log-store.ts";
import type { Snapshot } from "./snapshot.ts";

const TEXTS = "MAP(VARCHAR, VARCHAR)";
/** Columns of a checkpoint. https://github.com/delta-io/delta/blob/master/PROTOCOL.md#checkpoint-schema */
const COLUMNS: Readonly<Record<string, string>> = {
  txn: "STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)",
  add: `STRUCT(path VARCHAR, partitionValues ${TEXTS}, size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR, tags ${TEXTS})`,
  remove: `STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, partitionValues ${TEXTS}, size BIGINT)`,
  metaData: `STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options ${TEXTS}), schemaString VARCHAR,
    partitionColumns VARCHAR[], configuration ${TEXTS}, createdTime BIGINT)`,
  protocol:
    "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])",
};

/** Reads the actions of a classic checkpoint, in one or several files. */
export async function readCheckpoint(files: readonly string[]): Promise<Action[]> {
  return await withDuckDB(async (connection) => {
    const from = `read_parquet([${files.map(sqlString).join(", ")}], union_by_name = true, hive_partitioning = false)`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
    const present = described.getRowObjects().map((row) => String(row.column_name));
    const names = Object.keys(COLUMNS).filter((name) => present.includes(name));
    const result = await connection.runAndReadAll(
      `SELECT ${names.map((n) => `CAST(to_json("${n}") AS VARCHAR)`).join(", ")} FROM ${from}`,
    );
    const actions: Action[] = [];
    for (const row of result.getRows()) {
      for (const [i, text] of row.entries()) {
        if (typeof text === "string" && text !== "null") actions.push({ [names[i]!]: JSON.parse(text) });
      }
    }
    return actions;
  });
}

/** True when a checkpoint written by `writeCheckpoint` would lose nothing of the table's state. */
export function canCheckpoint(snapshot: Snapshot): boolean {
  const features = [...(snapshot.protocol.readerFeatures ?? []), ...(snapshot.protocol.writerFeatures ?? [])];
  return !features.includes("deletionVectors") && !features.includes("v2Checkpoint");
}

/** The actions that make a snapshot: a copy, so that the snapshot may move on while the checkpoint is written. */
export function snapshotActions(snapshot: Snapshot, now: number): Action[] {
  const horizon = now - tombstoneRetention(snapshot);
  const actions: Action[] = [{ protocol: snapshot.protocol }, { metaData: snapshot.metadata }];
  for (const [appId, { version, lastUpdated }] of snapshot.transactions) {
    actions.push({ txn: { appId, version, lastUpdated: lastUpdated ?? null } });
  }
  for (const add of snapshot.files.values()) actions.push({ add: { ...add, dataChange: false } });
  for (const remove of snapshot.tombstones.values()) {
    if ((remove.deletionTimestamp ?? 0) > horizon) actions.push({ remove: { ...remove, dataChange: false } });
  }
  return actions;
}

function tombstoneRetention(snapshot: Snapshot): number {
  const name = "delta.deletedFileRetentionDuration";
  return durationMs(name, snapshot.metadata.configuration[name] ?? "1 week");
}

/** Drops tombstones that checkpoints no longer carry, so that a table that is written for months stays small in memory. */
export function forgetExpired(snapshot: Snapshot, now: number): void {
  const horizon = now - tombstoneRetention(snapshot);
  for (const [path, remove] of snapshot.tombstones) {
    if ((remove.deletionTimestamp ?? 0) <= horizon) snapshot.tombstones.delete(path);
  }
}

/** Writes the checkpoint of a version and names it in `_last_checkpoint`. */
export async function writeCheckpoint(table: string, version: number, actions: readonly Action[]): Promise<void> {
  const folder = logFolder(table);
  const name = `${versionName(version)}.checkpoint.parquet`;
  const rows = join(folder, `.${name}.${randomUUID()}.json.tmp`);
  const temporary = join(folder, `.${name}.${randomUUID()}.tmp`);
  try {
    const lines = actions.map((a) => JSON.stringify(a));
    await writeFile(rows, lines.join("\n"));
    // The reader's buffers are a multiple of this, so it is no larger than the longest line needs.
    const longest = lines.reduce((most, line) => Math.max(most, Buffer.byteLength(line)), 1 << 20);
    const columns = Object.entries(COLUMNS).map(([n, type]) => `${n}: ${sqlString(type.replaceAll("\n", " "))}`);
    await withDuckDB((connection) =>
      connection.run(
        `COPY (SELECT * FROM read_json(${sqlString(rows)}, format = 'newline_delimited', columns = {${columns.join(", ")}}, maximum_object_size = ${longest + 1024}))
         TO ${sqlString(temporary)} (FORMAT parquet)`,
      ),
    );
    await syncFiles(folder, [basename(temporary)]);
    const { size } = await stat(temporary);
    await rename(temporary, join(folder, name));
    const last = {
      version,
      size: actions.length,
      sizeInBytes: size,
      numOfAddFiles: actions.filter((a) => a.add).length,
    };
    await writeSynced(`${temporary}.last`, JSON.stringify(last));
    await rename(`${temporary}.last`, join(folder, "_last_checkpoint"));
    await syncFolder(folder);
  } finally {
    for (const file of [rows, temporary, `${temporary}.last`]) await unlink(file).catch(() => undefined);
  }
}

/**
 * Removes log entries that are older than `delta.logRetentionDuration` (30 days) and that no version younger than that needs: everything before the
 * newest checkpoint that is itself that old.
 */
export async function cleanLog(table: string, snapshot: Snapshot, now: number): Promise<number> {
  const { configuration } = snapshot.metadata;
  if (configuration["delta.enableExpiredLogCleanup"] === "false") return 0;
  const retention = durationMs("delta.logRetentionDuration", configuration["delta.logRetentionDuration"] ?? "30 days");
  const listing = await listLog(table);
  if (listing === undefined) return 0;
  const folder = logFolder(table);
  const age = async (file: string): Promise<number> => {
    try {
      return now - (await stat(join(folder, file))).mtimeMs;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
  };
  // What a process left that was killed in the midst of a commit.
  const left = (await readdir(folder)).filter((name) => name.startsWith(".") && name.endsWith(".tmp"));
  await eachOf(left, async (name) => {
    if ((await age(name)) > 86_400_000) await unlink(join(folder, name)).catch(() => undefined);
  });
  let keepFrom: number | undefined;
  for (const checkpoint of [...listing.checkpoints].reverse()) {
    if ((await age(checkpoint.files[0]!)) > retention) {
      keepFrom = checkpoint.version;
      break;
    }
  }
  if (keepFrom === undefined) return 0;
  const expired = [
    ...listing.versions.filter((v) => v < keepFrom).map((v) => `${versionName(v)}.json`),
    ...listing.checkpoints.filter((c) => c.version < keepFrom).flatMap((c) => c.files),
  ];
  await eachOf(expired, async (file) => {
    await unlink(join(folder, file)).catch((error) => {
      if (!isMissing(error)) throw error;
    });
  });
  return expired.length;
}
