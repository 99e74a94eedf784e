import { randomUUID } from "node:crypto";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../../errors.ts";
import type {
  BatchWriteRequest,
  SinkBatch,
  SinkMarker,
  SinkRequest,
  SinkResult,
  StreamSink,
  StreamSinkRequest,
  WrittenFile,
} from "../connector.ts";
import type { Action } from "./actions.ts";
import { eachOf, ioError, mayBeCommitted, syncFiles } from "./log-store.ts";
import { Maintenance } from "./maintenance.ts";
import { findTransactionHash, type Snapshot } from "./snapshot.ts";
import { addActions, DeltaTable, ENGINE_INFO, removeAction } from "./table.ts";
import { metadataFor, tablePath } from "./target.ts";

export async function openDeltaSink(request: StreamSinkRequest): Promise<StreamSink> {
  const table = await DeltaTable.open(tablePath(request.options, request.path));
  metadataFor(table.path, table.snapshot, request, request.outputMode === "complete");
  return new DeltaSink(table, request);
}

class DeltaSink implements StreamSink {
  readonly description: string;
  readonly #table: DeltaTable;
  readonly #request: StreamSinkRequest;
  readonly #maintenance: Maintenance;
  /** Spark's rule for a sole sink; two sinks of one query must not share a transaction. */
  readonly #appId: string;

  constructor(table: DeltaTable, request: StreamSinkRequest) {
    this.#table = table;
    this.#request = request;
    this.#maintenance = new Maintenance(table, request.options);
    this.#appId = request.sole ? request.queryId : `${request.queryId}:${request.sinkName}`;
    this.description = `DeltaSink[${table.path}]`;
  }

  async lastBatch(): Promise<SinkMarker | undefined> {
    await this.#table.refresh();
    const snapshot = this.#table.snapshot;
    const held = snapshot?.transactions.get(this.#appId);
    if (snapshot === undefined || held === undefined) return undefined;
    const hash = await findTransactionHash(this.#table.path, snapshot.version, this.#appId, held.version);
    return typeof hash === "string" ? { batchId: held.version, hash } : { batchId: held.version };
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    if (await this.#alreadyHeld(batch)) return {};
    const request = { ...this.#request, schema: batch.schema };
    const isComplete = batch.outputMode === "complete";
    const { partitionColumns } = metadataFor(this.#table.path, this.#table.snapshot, request, isComplete);
    const files = await writeDataFiles(this.#table.path, batch, partitionColumns);
    let result: SinkResult = {};
    let version: number | undefined;
    try {
      version = await this.#table.commit((snapshot) => {
        const held = snapshot?.transactions.get(this.#appId);
        // The same query runs twice, and the other one was faster.
        if (held !== undefined && held.version >= batch.id) return undefined;
        const prepared = appendActions(this.#table.path, snapshot, request, files, partitionColumns, isComplete);
        result = { metrics: prepared.metrics };
        return [
          {
            commitInfo: {
              timestamp: Date.now(),
              operation: "STREAMING UPDATE",
              operationParameters: {
                outputMode: isComplete ? "Complete" : "Append",
                queryId: this.#request.queryId,
                epochId: `${batch.id}`,
              },
              ...(snapshot === undefined ? {} : { readVersion: snapshot.version }),
              isBlindAppend: !isComplete,
              operationMetrics: prepared.metrics,
              engineInfo: ENGINE_INFO,
              txnId: randomUUID(),
              offsetsHash: batch.offsetsHash,
              sinkName: this.#request.sinkName,
            },
          },
          { txn: { appId: this.#appId, version: batch.id, lastUpdated: Date.now() } },
          ...prepared.actions,
        ];
      });
    } catch (error) {
      if (!mayBeCommitted(error)) await discard(this.#table.path, files);
      throw error;
    }
    if (version === undefined) {
      await discard(this.#table.path, files);
      await this.#alreadyHeld(batch);
      return {};
    }
    this.#maintenance.afterCommit(version);
    return { metrics: { ...result.metrics, version: `${version}` } };
  }

  async close(): Promise<void> {
    await this.#maintenance.finish();
  }

  /** True when the table has this very batch. @throws MillraceError CHECKPOINT_DIVERGED when it has another one of that number */
  async #alreadyHeld(batch: SinkBatch): Promise<boolean> {
    const snapshot = this.#table.snapshot;
    const held = snapshot?.transactions.get(this.#appId);
    if (snapshot === undefined || held === undefined || held.version < batch.id) return false;
    const hash = await findTransactionHash(this.#table.path, snapshot.version, this.#appId, batch.id);
    // A commit without a hash was made by Spark from the same checkpoint: its rule is the number alone.
    if (hash === batch.offsetsHash || hash === null || (hash === undefined && held.version === batch.id)) return true;
    throw new MillraceError(
      "CHECKPOINT_DIVERGED",
      `The Delta table ${this.#table.path} holds batch ${held.version} of query ${this.#request.queryId}${
        hash === undefined ? `, and batch ${batch.id} was delivered` : `, and batch ${batch.id} with other offsets`
      }.`,
      {
        hint: "The checkpoint is an older copy, or another one with the same id. Use the checkpoint that wrote the table, or start a new query into a new table.",
        parameters: { table: this.#table.path, batchId: `${batch.id}` },
      },
    );
  }
}

/** Data files of a batch, on disk before the log names them. Files that no commit names are never seen, and `vacuum` removes them. */
async function writeDataFiles(
  path: string,
  batch: SinkBatch,
  partitionColumns: readonly string[],
): Promise<readonly WrittenFile[]> {
  let files: readonly WrittenFile[] = [];
  try {
    files = await batch.writeFiles({
      format: "parquet",
      directory: path,
      partitionBy: partitionColumns,
      compression: "snappy",
      statistics: true,
    });
    await syncFiles(
      path,
      files.map((f) => f.path),
    );
    return files;
  } catch (error) {
    await discard(path, files);
    throw ioError(error, `write data files of ${path}`);
  }
}

/** Removes files that no commit names. One that cannot be removed does no harm. */
async function discard(path: string, files: readonly WrittenFile[]): Promise<void> {
  await eachOf(files, async (file) => {
    await unlink(join(path, file.path)).catch(() => undefined);
  });
}

/** The actions of new files, with what the table's metadata needs; `replaces` removes every file that is there. */
function appendActions(
  path: string,
  snapshot: Snapshot | undefined,
  request: SinkRequest,
  files: readonly WrittenFile[],
  partitionColumns: readonly string[],
  replaces: boolean,
): { readonly actions: readonly Action[]; readonly metrics: Record<string, string> } {
  const metadata = metadataFor(path, snapshot, request, replaces);
  if (metadata.partitionColumns.join("\0") !== partitionColumns.join("\0")) {
    throw new MillraceError(
      "DELTA_CONFLICT",
      `The partitioning of the Delta table ${path} was changed by another writer.`,
      {
        retryable: true,
      },
    );
  }
  const now = Date.now();
  const removed = replaces ? [...(snapshot?.files.values() ?? [])] : [];
  return {
    actions: [
      ...metadata.actions,
      ...removed.map((file) => removeAction(file, true, now)),
      ...addActions(files, request.schema, partitionColumns, true),
    ],
    metrics: {
      numAddedFiles: `${files.length}`,
      numRemovedFiles: `${removed.length}`,
      numOutputRows: `${files.reduce((sum, f) => sum + f.rowCount, 0)}`,
      numOutputBytes: `${files.reduce((sum, f) => sum + f.bytes, 0)}`,
    },
  };
}

/** `df.write.format("delta")`: one commit. */
export async function writeDelta(request: BatchWriteRequest): Promise<void> {
  const table = await DeltaTable.open(tablePath(request.options, request.path));
  const exists = (): MillraceError =>
    new MillraceError("PATH_ALREADY_EXISTS", `The Delta table ${table.path} exists.`, {
      hint: 'Use mode("append") or mode("overwrite").',
      parameters: { outputPath: table.path },
    });
  if (table.snapshot !== undefined && request.mode === "error") throw exists();
  if (table.snapshot !== undefined && request.mode === "ignore") return;
  const txn = transactionOf(request);
  const isHeld = (snapshot: Snapshot | undefined): boolean =>
    txn !== undefined && (snapshot?.transactions.get(txn.appId)?.version ?? -1) >= txn.version;
  if (isHeld(table.snapshot)) return;
  const replaces = request.mode === "overwrite";
  const { partitionColumns } = metadataFor(table.path, table.snapshot, request, replaces);
  const files = await writeDataFiles(table.path, request.batch, partitionColumns);
  let version: number | undefined;
  try {
    version = await table.commit((snapshot) => {
      if (snapshot !== undefined && request.mode === "error") throw exists();
      if ((snapshot !== undefined && request.mode === "ignore") || isHeld(snapshot)) return undefined;
      const { actions, metrics } = appendActions(table.path, snapshot, request, files, partitionColumns, replaces);
      return [
        {
          commitInfo: {
            timestamp: Date.now(),
            operation: "WRITE",
            operationParameters: {
              mode: { append: "Append", overwrite: "Overwrite", error: "ErrorIfExists", ignore: "Ignore" }[
                request.mode
              ],
              partitionBy: JSON.stringify(partitionColumns),
            },
            ...(snapshot === undefined ? {} : { readVersion: snapshot.version }),
            isBlindAppend: !replaces,
            operationMetrics: metrics,
            engineInfo: ENGINE_INFO,
            txnId: randomUUID(),
          },
        },
        ...(txn === undefined ? [] : [{ txn: { ...txn, lastUpdated: Date.now() } }]),
        ...actions,
      ];
    });
  } catch (error) {
    if (!mayBeCommitted(error)) await discard(table.path, files);
    throw error;
  }
  if (version === undefined) {
    await discard(table.path, files);
    return;
  }
  const maintenance = new Maintenance(table, request.options);
  maintenance.afterCommit(version);
  await maintenance.finish();
}

/** The options `txnAppId` and `txnVersion`, by which a write that is repeated (in foreachBatch, say) is recognised. */
function transactionOf(request: SinkRequest): { readonly appId: string; readonly version: number } | undefined {
  const { txnAppId: appId, txnVersion } = request.options;
  if (appId === undefined && txnVersion === undefined) return undefined;
  const version = Number(txnVersion ?? Number.NaN);
  if (appId === undefined || !Number.isSafeInteger(version) || version < 0) {
    throw new MillraceError(
      "INVALID_OPTION",
      "The options txnAppId and txnVersion go together; txnVersion is a whole number.",
      {
        hint: "Give the same txnAppId for every write of an application, and a txnVersion that rises, such as the batch id.",
        parameters: { option: appId === undefined ? "txnAppId" : "txnVersion" },
      },
    );
  }
  return { appId, version };
}
