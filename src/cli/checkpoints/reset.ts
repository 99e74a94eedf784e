import { randomUUID } from "node:crypto";
import { cpSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Offset } from "../../connectors/connector.ts";
import { Checkpoint } from "../../engine/checkpoint.ts";
import { EARLIEST, KafkaClient, LATEST } from "../../kafka/client/index.ts";
import { UsageError } from "../usage-error.ts";
import type { FoundCheckpoint } from "./find.ts";
import { withState } from "./state-tables.ts";

/** Where a query is to go on. */
export type ResetTo =
  | { readonly kind: "anew" | "earliest" | "latest" }
  | { readonly kind: "batch"; readonly batchId: number };

/** What a reset would do, found out before anything is touched. */
export interface ResetPlan {
  readonly checkpoint: FoundCheckpoint;
  readonly to: ResetTo;
  /** One sentence for the user to agree to. */
  readonly means: string;
  /** Offsets that the query goes on from; undefined for `anew`. */
  readonly offsets: readonly (Offset | undefined)[] | undefined;
  /** The state goes with it. */
  readonly forgetsState: boolean;
}

/** Whether a query keeps state of operators, beside the rows of its last batch. */
async function isStateful(checkpoint: FoundCheckpoint): Promise<boolean> {
  if (checkpoint.statePath === null) return false;
  return withState(checkpoint, async (_, { tables }) => tables.length > 0);
}

/** Throws UsageError for what cannot be done, with what can. */
export async function planReset(
  checkpoint: FoundCheckpoint,
  to: ResetTo,
  servers: () => Promise<string>,
): Promise<ResetPlan> {
  const { name, batchId } = checkpoint;
  if (to.kind === "anew") {
    const means = `${name} begins anew: it forgets its offsets${checkpoint.statePath === null ? "" : " and its state"}, and its sinks take it for a new query.`;
    return { checkpoint, to, means, offsets: undefined, forgetsState: true };
  }
  if (batchId === null) throw new UsageError(`${name} has no batch yet.`, "There is nothing to reset.");
  const stateful = await isStateful(checkpoint);
  const anew = `\`millrace state reset ${name}\` without --to begins anew.`;
  if (to.kind === "latest") {
    const offsets = await kafkaOffsets(checkpoint, await servers(), LATEST);
    const kept = stateful ? "; its state stays" : "";
    return { checkpoint, to, means: `${name} skips what it has not read yet${kept}.`, offsets, forgetsState: false };
  }
  if (stateful) {
    throw new UsageError(
      `${name} keeps state, which is that of its last batch: it cannot go back.`,
      `${anew} Rows from its startingOffsets on then make new state.`,
    );
  }
  if (to.kind !== "batch") {
    const offsets = await kafkaOffsets(checkpoint, await servers(), EARLIEST);
    const means = `${name} reads everything again; what append-only sinks hold already comes a second time.`;
    return { checkpoint, to, means, offsets, forgetsState: true };
  }
  const planned = new Checkpoint(checkpoint.path).readOffsets(to.batchId);
  if (planned === undefined) {
    const kept = readdirSync(join(checkpoint.path, "offsets"))
      .filter((file) => /^\d+$/.test(file))
      .map(Number)
      .sort((a, b) => a - b);
    throw new UsageError(`${name} has no batch ${to.batchId} any more.`, `There are ${kept[0]} to ${kept.at(-1)}.`);
  }
  const means = `${name} goes on after batch ${to.batchId}; what append-only sinks hold of later ones comes a second time.`;
  return { checkpoint, to, means, offsets: planned.offsets, forgetsState: true };
}

/** Offsets of the same partitions at the beginning or at the end of their topics. */
async function kafkaOffsets(checkpoint: FoundCheckpoint, servers: string, at: number): Promise<Offset[]> {
  const client = KafkaClient.connect({ "bootstrap.servers": servers, "client.id": "millrace-state" });
  try {
    const result: Offset[] = [];
    for (const offset of checkpoint.offsets) {
      if (!isKafka(offset)) {
        throw new UsageError(
          `${checkpoint.name} reads something else than Kafka (its offset is ${JSON.stringify(offset)}).`,
          "Only offsets of Kafka can be moved; --to batch N and a reset without --to take any source.",
        );
      }
      const moved: Record<string, Record<string, number>> = {};
      for (const [topic, partitions] of Object.entries(offset)) {
        const all = Object.keys(partitions).map((p) => ({ topic, partition: Number(p) }));
        const found = await client.listOffsets(all, at);
        moved[topic] = Object.fromEntries(found.map((o) => [String(o.partition), o.offset]));
      }
      result.push(moved as unknown as Offset);
    }
    return result;
  } finally {
    client.close();
  }
}

/** `{"flights":{"0":12}}` */
function isKafka(offset: unknown): offset is Record<string, Record<string, number>> {
  if (typeof offset !== "object" || offset === null || Array.isArray(offset)) return false;
  const topics = Object.values(offset);
  return (
    topics.length > 0 &&
    topics.every((p) => typeof p === "object" && p !== null && Object.values(p).every((n) => typeof n === "number"))
  );
}

/** Does it, to a checkpoint that nobody holds; gives the folder where the one before it lies. */
export async function reset({ checkpoint, to, offsets, forgetsState }: ResetPlan): Promise<string> {
  const before = `${checkpoint.path}.removed-${new Date().toISOString().replace(/[-:]/g, "").slice(0, 15)}`;
  if (offsets === undefined) {
    renameSync(checkpoint.path, before);
    removeLocks(before);
    return before;
  }
  cpSync(checkpoint.path, before, { recursive: true, filter: (source) => !/[\\/]\.lock-[^\\/]*$/.test(source) });
  const files = new Checkpoint(checkpoint.path);
  const last = checkpoint.batchId!;
  if (to.kind === "batch") {
    for (const folder of ["offsets", "commits"]) {
      for (const name of readdirSync(join(checkpoint.path, folder))) {
        const id = Number(/^\.?(\d+)(?:\.crc)?$/.exec(name)?.[1] ?? -1);
        if (id > to.batchId) rmSync(join(checkpoint.path, folder, name));
      }
    }
    if (files.readCommit(to.batchId) === undefined) files.writeCommit(to.batchId, 0);
  } else {
    // A batch without rows, whose end is where the query is to go on.
    const planned = files.readOffsets(last)!;
    const watermark = files.readCommit(last)?.nextBatchWatermarkMs ?? planned.batchWatermarkMs;
    if (files.latestCommitId() !== last) files.writeCommit(last, watermark);
    const hash = files.writeOffsets(last + 1, planned, offsets);
    files.writeCommit(last + 1, watermark);
    if (!forgetsState && checkpoint.statePath !== null) await moveState(checkpoint.statePath, last + 1, hash);
  }
  if (forgetsState) {
    for (const end of ["", ".wal"]) rmSync(`${files.statePath}${end}`, { force: true });
    // Sinks remember batches by the query's id, and would say that they hold later ones.
    writeFileSync(join(checkpoint.path, "metadata"), `{"id":"${randomUUID()}"}`);
  }
  return before;
}

/** The lock that the reset itself holds must not lie there for ever. */
function removeLocks(folder: string): void {
  const own = join(folder, "_millrace");
  for (const name of readdirSync(own)) if (name.startsWith(".lock-")) rmSync(join(own, name));
}

/** The state is from here on that of the empty batch. */
async function moveState(path: string, batchId: number, hash: string): Promise<void> {
  const { openDatabase } = await import("../../duckdb/duckdb.ts");
  const { sqlString } = await import("../../types/duckdb-types.ts");
  const database = await openDatabase(path);
  try {
    const connection = await database.connect();
    const { rows } = await connection.query("SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'output'");
    await connection.transaction(() =>
      connection.exec(
        `UPDATE batch SET id = ${batchId}, offsets_hash = ${sqlString(hash)}, output_rows = 0; ${Number(rows[0]!.n) > 0 ? "DELETE FROM output" : ""}`,
      ),
    );
  } finally {
    database.close();
  }
}
