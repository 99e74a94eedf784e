import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Conf, StreamTarget } from "../backend.ts";
import type {
  BatchInput,
  Connector,
  Guarantee,
  Offset,
  ReadLimit,
  SinkFactory,
  SinkMarker,
  StreamSink,
  StreamSource,
} from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";
import { type BatchStep, publish } from "../events.ts";
import type { StructType } from "../types/data-type.ts";
import { type PlannedBatch, sameOffset } from "./batch.ts";
import { type BatchOutcome, BatchRunner, type RunnerParts } from "./batch-runner.ts";
import { type Checkpoint, type OffsetsFile, pinnedConf } from "./checkpoint.ts";
import { makeDirectory } from "./checkpoint-files.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Connection } from "./duckdb.ts";
import { pathsOf } from "./execute.ts";
import { ingest } from "./ingest.ts";
import { type ProgressLog, Stopwatch, type TriggerReport, toProgress } from "./progress.ts";
import { QueryState, stateExists } from "./query-state.ts";
import { type RecoveryAction, recover } from "./recovery.ts";
import type { EventTimeStats } from "./stateful/operator.ts";
import { TransformWithState } from "./stateful/transform-with-state.ts";
import { createSinkBatch } from "./stored-batch.ts";
import type { StreamConf } from "./stream-conf.ts";
import type { StreamPlan } from "./stream-plan.ts";
import { WatermarkTracker } from "./watermark.ts";

/** What stays the same while a query is restarted. */
export interface QuerySetup {
  readonly queryId: string;
  readonly runId: string;
  readonly name: string | null;
  readonly target: StreamTarget;
  readonly schema: StructType;
  readonly conf: Conf;
  readonly settings: StreamConf;
  readonly checkpoint: Checkpoint;
  readonly clock: Clock;
  readonly log: ProgressLog;
  readonly sinks: readonly ResolvedSink[];
  readonly sourceConnectors: readonly {
    readonly connector: Connector;
    readonly options: Readonly<Record<string, string>>;
  }[];
  /** A fresh plan: operators hold what one run knows. */
  plan(): StreamPlan;
  parts(connection: Connection, plan: StreamPlan): Promise<RunnerParts> | RunnerParts;
  readonly memoryLimit: string;
  readonly threads: number;
  readonly timeZone: string;
  readonly engineVersion: string;
}

export interface ResolvedSink {
  readonly name: string;
  readonly format: string;
  readonly factory: SinkFactory;
  readonly options: Readonly<Record<string, string>>;
  readonly path: string | undefined;
  readonly partitionBy: readonly string[];
  readonly guarantee: Guarantee;
}

export type TriggerResult = "ran" | "idle";

/** From here on a batch is so large that fetching the next one meanwhile pays, even if the source held nothing back. */
const FETCH_AHEAD_ROWS = 50_000;

interface OpenSink extends ResolvedSink {
  readonly sink: StreamSink;
}

/**
 * One run of a query from its checkpoint until it stops or fails: sources, sinks and the state database are open, batches follow the
 * protocol of docs/exactly-once.md.
 */
export class QueryRun {
  readonly #setup: QuerySetup;
  readonly #plan: StreamPlan;
  readonly #sources: StreamSource[] = [];
  readonly #sinks: OpenSink[] = [];
  #state!: QueryState;
  #runner!: BatchRunner;
  #tracker!: WatermarkTracker;
  #staged = true;
  #readers: Connection[] = [];
  #conf: Conf = {};

  /** What recovery found to be done first. */
  #pending: RecoveryAction = { kind: "start" };
  #nextId = 0;
  #position: Offset[] = [];
  /** The watermark that the last batch used. */
  #lateMs = 0;
  #ahead: Promise<FetchedAhead | undefined> | undefined;
  #previousTriggerMs: number | undefined;

  private constructor(setup: QuerySetup) {
    this.#setup = setup;
    this.#plan = setup.plan();
  }

  /** Opens everything and finds out where to go on. Throws what a source, a sink or the checkpoint throws. */
  static async open(setup: QuerySetup): Promise<QueryRun> {
    const run = new QueryRun(setup);
    try {
      await run.#open();
      return run;
    } catch (error) {
      await run.close(error as Error);
      throw error;
    }
  }

  async #open(): Promise<void> {
    const { checkpoint, queryId, runId, settings, conf, target } = this.#setup;
    rmSync(checkpoint.temporaryPath, { recursive: true, force: true });
    makeDirectory(checkpoint.temporaryPath);
    const [soleSink] = this.#setup.sinks.length === 1 ? this.#setup.sinks : [];
    const stateful = this.#plan.operators.length > 0;
    // a checkpoint that has staged batches goes on doing so: its last batch may have to be delivered from there
    this.#staged = stateful || soleSink?.factory.atomic !== true || stateExists(checkpoint.statePath);

    this.#status("Initializing sources");
    await this.#openSources();
    for (const [i, sink] of this.#setup.sinks.entries()) {
      const opened = await sink.factory.openStream!({
        options: sink.options,
        path: sink.path,
        partitionBy: sink.partitionBy,
        schema: this.#setup.schema,
        outputMode: target.outputMode,
        queryId,
        sinkName: sink.name,
        sole: this.#setup.sinks.length === 1,
        queryName: this.#setup.name,
        temporaryPath: this.#folder(`sink${i}`),
      });
      this.#sinks.push({ ...sink, sink: opened });
    }
    const markers: (SinkMarker | undefined)[] = [];
    for (const { sink } of this.#sinks) markers.push(await sink.lastBatch());

    const shape = JSON.stringify(this.#plan.operators.map((operator) => operator.shape));
    this.#state = await QueryState.open(this.#staged ? checkpoint.statePath : undefined, {
      queryId,
      shape,
      engineVersion: this.#setup.engineVersion,
      threads: this.#setup.threads,
      memoryLimit: this.#setup.memoryLimit,
      temporaryPath: this.#folder("duckdb"),
      timeZone: this.#setup.timeZone,
    });
    const { connection } = this.#state;
    this.#runner = new BatchRunner(this.#plan, await this.#setup.parts(connection, this.#plan));
    for (const operator of this.#plan.operators) {
      if (operator instanceof TransformWithState) operator.identify(queryId, runId);
      await operator.open(connection);
    }
    const stored = this.#staged ? await this.#state.current() : undefined;

    const latest = checkpoint.latestOffsetsId();
    const commit = checkpoint.latestCommitId();
    const hashes = new Map<number, OffsetsFile | undefined>();
    const offsets = (id: number): OffsetsFile | undefined => {
      if (!hashes.has(id)) hashes.set(id, checkpoint.readOffsets(id));
      return hashes.get(id);
    };
    this.#pending = recover({
      checkpoint: checkpoint.path,
      latestOffsets: latest,
      previousOffsets: latest !== undefined && latest > 0 && offsets(latest - 1) !== undefined,
      latestCommit: commit,
      state: this.#staged ? (stored ?? "none") : "unused",
      stateful,
      sinks: this.#sinks.map(({ name }, i) => ({ name, marker: markers[i] })),
      offsetsHash: (id) => offsets(id)?.hash,
    });
    this.#checkVolatileSinks(markers, commit);

    const last = latest === undefined ? undefined : offsets(latest);
    this.#conf = pinnedConf(conf, last?.conf);
    const policy =
      this.#conf["spark.sql.streaming.multipleWatermarkPolicy"] === "max" ? "max" : settings.watermarkPolicy;
    this.#tracker = new WatermarkTracker(this.#plan.delaysMs, last === undefined ? settings.watermarkPolicy : policy);
    if (stored !== undefined) {
      this.#tracker.restore(stored.watermarks);
      this.#lateMs = stored.lateMs;
    } else if (latest !== undefined && last !== undefined) {
      // no state to ask: Spark's files know the global watermark
      const done = commit === latest;
      const globalMs = done ? (checkpoint.readCommit(latest)?.nextBatchWatermarkMs ?? 0) : last.batchWatermarkMs;
      this.#tracker.restore({ globalMs: Math.max(globalMs, last.batchWatermarkMs), operators: [] });
      this.#lateMs = done ? last.batchWatermarkMs : (offsets(latest - 1)?.batchWatermarkMs ?? 0);
    }

    const from =
      this.#pending.kind === "plan"
        ? this.#pending.batchId - 1
        : this.#pending.kind === "start"
          ? -1
          : this.#pending.batchId - 1;
    this.#nextId = this.#pending.kind === "start" ? 0 : this.#pending.batchId;
    this.#position = await this.#positionAfter(from < 0 ? undefined : offsets(from));
    if (target.trigger.kind === "available_now") {
      for (const source of this.#sources) await source.prepareForAvailableNow?.();
    }
  }

  async #openSources(): Promise<void> {
    const { checkpoint, queryId, sourceConnectors } = this.#setup;
    for (const [i, { scans, columns }] of this.#plan.sources.entries()) {
      const scan = scans[0]!;
      const { connector, options } = sourceConnectors[i]!;
      const source = await connector.source!.openStream!({
        options,
        paths: pathsOf(scan),
        schema: scan.schema,
        columns,
        queryId,
        metadataPath: checkpoint.sourcePath(i),
        temporaryPath: this.#folder(`source${i}`),
      });
      this.#sources.push(source);
    }
  }

  #folder(name: string): string {
    const path = join(this.#setup.checkpoint.temporaryPath, name);
    makeDirectory(path);
    return path;
  }

  async #positionAfter(file: OffsetsFile | undefined): Promise<Offset[]> {
    if (file !== undefined) this.#checkSources(file);
    const position: Offset[] = [];
    for (const [i, source] of this.#sources.entries()) {
      position.push(file?.offsets[i] ?? (await source.initialOffset()));
    }
    return position;
  }

  #checkSources(file: OffsetsFile): void {
    if (file.offsets.length === this.#sources.length) return;
    throw new MillraceError(
      "CHECKPOINT_INCOMPATIBLE",
      `The checkpoint ${this.#setup.checkpoint.path} was written by a query with ${file.offsets.length} source(s); this one has ${this.#sources.length}.`,
      { hint: "Use a checkpointLocation of its own for each query." },
    );
  }

  /** Rows that only a process that is gone has held cannot be carried on. */
  #checkVolatileSinks(markers: readonly (SinkMarker | undefined)[], commit: number | undefined): void {
    if (commit === undefined || this.#setup.target.outputMode === "complete") return;
    this.#sinks.forEach(({ name, factory }, i) => {
      if (factory.durability !== "process" || markers[i] !== undefined) return;
      throw new MillraceError(
        "CHECKPOINT_INCOMPATIBLE",
        `The checkpoint ${this.#setup.checkpoint.path} has delivered batches to the sink ${name}, whose rows lived in a process that is gone.`,
        { hint: "Such a sink cannot go on from a checkpoint: use a new checkpointLocation, or none." },
      );
    });
  }

  // ---------------------------------------------------------------------------------------------------------------- triggers

  /** Runs at most one batch. */
  async trigger(limit: ReadLimit, signal: AbortSignal): Promise<TriggerResult> {
    const watch = new Stopwatch();
    const startMs = this.#setup.clock.now();
    const started = performance.now();
    const batch = await this.#nextBatch(limit, signal, watch, startMs);
    if (batch === undefined) return "idle";
    this.#setup.log.status = { ...this.#setup.log.status, isDataAvailable: true, isTriggerActive: true };
    if (batch.kind === "deliver") await this.#redeliver(batch.batchId, watch, startMs, started);
    else await this.#run(batch.batch, watch, startMs, started);
    this.#previousTriggerMs = startMs;
    return "ran";
  }

  async #nextBatch(
    limit: ReadLimit,
    signal: AbortSignal,
    watch: Stopwatch,
    nowMs: number,
  ): Promise<{ kind: "run"; batch: PlannedBatch } | { kind: "deliver"; batchId: number } | undefined> {
    const pending = this.#pending;
    if (pending.kind === "deliver") return pending;
    if (pending.kind === "run") return { kind: "run", batch: this.#recovered(pending.batchId) };
    const planned = await watch.time("latestOffset", () => this.#plan_(limit, signal));
    if (planned === undefined) return undefined;
    const { checkpoint } = this.#setup;
    this.#step("planned");
    this.#status("Writing offsets to log");
    const { globalMs } = this.#tracker;
    const hash = await watch.time("walCommit", () =>
      checkpoint.writeOffsets(
        this.#nextId,
        { batchWatermarkMs: globalMs, batchTimestampMs: nowMs, conf: this.#conf },
        planned.ends,
      ),
    );
    this.#step("offsets-written");
    return {
      kind: "run",
      batch: {
        id: this.#nextId,
        starts: this.#position,
        ends: planned.ends,
        latest: planned.latest,
        timestampMs: nowMs,
        lateMs: this.#lateMs,
        watermarkMs: globalMs,
        hash,
        inputs: planned.inputs,
      },
    };
  }

  /** The batch that `offsets/N` describes, to be run as it was planned. */
  #recovered(id: number): PlannedBatch {
    const file = this.#setup.checkpoint.readOffsets(id)!;
    this.#checkSources(file);
    return {
      id,
      starts: this.#position,
      ends: file.offsets.map((offset, i) => offset ?? this.#position[i]!),
      latest: file.offsets.map(() => undefined),
      timestampMs: file.batchTimestampMs,
      lateMs: this.#lateMs,
      watermarkMs: file.batchWatermarkMs,
      hash: file.hash,
      inputs: file.offsets.map(() => undefined),
    };
  }

  /** Asks the sources how far the next batch goes; undefined when there is nothing to do. */
  async #plan_(limit: ReadLimit, signal: AbortSignal): Promise<FetchedAhead | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const fetched = await ahead;
    if (fetched !== undefined) return fetched;
    const advances = await abortable(
      Promise.all(
        this.#sources.map((source, i) => {
          this.#status(`Getting offsets from ${source.description}`);
          return source.latestOffset(this.#position[i]!, limit);
        }),
      ),
      signal,
    );
    if (advances === undefined) return undefined;
    const ends = advances.map((advance) => advance.end);
    const latest = advances.map((advance) => advance.latest);
    const plan: FetchedAhead = { ends, latest, inputs: ends.map(() => undefined) };
    if (ends.some((end, i) => !sameOffset(end, this.#position[i]!))) return plan;
    return this.#hasWorkWithoutData() ? plan : undefined;
  }

  #hasWorkWithoutData(): boolean {
    // nothing has been committed that a batch could close
    if (!this.#setup.settings.noDataMicroBatches || this.#nextId === 0) return false;
    const now = this.#setup.clock.now();
    const { globalMs } = this.#tracker;
    if (this.#plan.operators.some((operator) => operator.hasWork(globalMs, now))) return true;
    // Spark would run a batch here that closes nothing; all that remains of it is that the new watermark counts for late rows
    this.#lateMs = globalMs;
    return false;
  }

  /** Milliseconds until an operator has something to do by itself; undefined when only data can bring work. */
  dueInMs(): number | undefined {
    const due = this.#plan.operators.map((operator) => operator.nextDueMs?.()).filter((ms) => ms !== undefined);
    return due.length === 0 ? undefined : Math.max(0, Math.min(...due) - this.#setup.clock.now());
  }

  /** Resolves when a source may have data, or after `timeoutMs`, or when the signal fires. */
  async waitForData(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const ended = new AbortController();
    const stop = (): void => ended.abort();
    signal.addEventListener("abort", stop, { once: true });
    try {
      const { pollingDelayMs } = this.#setup.settings;
      const waits = this.#sources.map((source, i) =>
        source.waitForData === undefined
          ? systemClock.sleep(Math.min(timeoutMs, pollingDelayMs), ended.signal)
          : source.waitForData(this.#position[i]!, timeoutMs, ended.signal),
      );
      await Promise.race([...waits, this.#setup.clock.sleep(timeoutMs, ended.signal)]);
      ended.abort();
      // nobody may be left behind with a rejection
      await Promise.allSettled(waits);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  // ----------------------------------------------------------------------------------------------------------------- batches

  async #run(batch: PlannedBatch, watch: Stopwatch, startMs: number, started: number): Promise<void> {
    const { connection } = this.#state;
    const hasData = batch.ends.some((end, i) => !sameOffset(end, batch.starts[i]!));
    this.#status(hasData ? "Processing new data" : "No new data but cleaning up state");
    const inputs = await watch.time("getBatch", () => this.#read(batch));
    let outcome: BatchOutcome;
    let sinks: Awaited<ReturnType<QueryRun["deliver"]>>;
    let rowCounts: number[];
    try {
      const froms: (string | undefined)[] = [];
      rowCounts = [];
      await watch.time("getBatch", async () => {
        for (const [i, input] of inputs.entries()) {
          const rows = input && (await ingest(connection, input, this.#plan.sources[i]!.scans[0]!, `src${i}`));
          froms.push(rows?.from);
          rowCounts.push(rows?.rowCount ?? 0);
        }
      });
      this.#step("ingested");
      this.#fetchAhead(batch, rowCounts);
      if (this.#staged) {
        outcome = await watch.time("addBatch", () => this.#runner.runStaged(connection, batch, froms, this.#tracker));
        this.#step("state-committed");
      } else {
        outcome = await watch.time("addBatch", () => this.#runner.runUnstaged(connection, batch, froms, this.#tracker));
      }
      sinks = await watch.time("addBatch", () => this.deliver(batch, outcome));
    } finally {
      for (const input of inputs) await input?.release?.();
    }
    this.#tracker.restore(outcome.watermarks);
    await this.#commit(batch, watch);
    this.#report(batch, watch, startMs, started, rowCounts, outcome, sinks);
    // old rows and a long log cost time, which nobody waits for now
    await this.#state.compact();
  }

  async #read(batch: PlannedBatch): Promise<(BatchInput | undefined)[]> {
    return Promise.all(
      this.#sources.map((source, i) => {
        const [start, end] = [batch.starts[i]!, batch.ends[i]!];
        return batch.inputs[i] ?? (sameOffset(start, end) ? undefined : source.read(start, end));
      }),
    );
  }

  /** Fetches the batch after this one while this one runs. Speculation: what it finds is planned only after `commits/N`. */
  #fetchAhead(batch: PlannedBatch, rowCounts: readonly number[]): void {
    const { trigger } = this.#setup.target;
    if (trigger.kind === "once") return;
    const heldBack = batch.latest.some((latest, i) => latest !== undefined && !sameOffset(latest, batch.ends[i]!));
    const large = trigger.kind !== "processing_time" && rowCounts.some((count) => count >= FETCH_AHEAD_ROWS);
    if (!heldBack && !large) return;
    const fetch = async (): Promise<FetchedAhead | undefined> => {
      const advances = await Promise.all(
        this.#sources.map((source, i) => source.latestOffset(batch.ends[i]!, "options")),
      );
      const ends = advances.map((advance) => advance.end);
      if (ends.every((end, i) => sameOffset(end, batch.ends[i]!))) return undefined;
      const inputs = await Promise.all(
        this.#sources.map((source, i) =>
          sameOffset(batch.ends[i]!, ends[i]!) ? undefined : source.read(batch.ends[i]!, ends[i]!),
        ),
      );
      return { ends, latest: advances.map((advance) => advance.latest), inputs };
    };
    // what fails here is tried again, and reported, when it is the batch's turn
    this.#ahead = fetch().catch(() => undefined);
  }

  async deliver(
    batch: { id: number; hash: string; timestampMs: number },
    outcome: BatchOutcome,
  ): Promise<{ readonly sink: OpenSink; readonly metrics: Readonly<Record<string, string>> | undefined }[]> {
    const rowCount = outcome.outputRows;
    const results = await Promise.allSettled(
      this.#sinks.map(async (sink) => {
        this.#step("sink-before", batch.id, sink.name);
        const readers: Connection[] = [];
        const result = await sink.sink.addBatch(
          createSinkBatch({
            acquire: async () => {
              // rows in TEMP tables are only seen by the connection that made them; stored rows are read beside it
              if (!this.#staged) return this.#state.connection;
              const reader = this.#readers.pop() ?? (await this.#state.database.connect());
              readers.push(reader);
              return reader;
            },
            release: (reader) => {
              if (this.#staged) this.#readers.push(reader);
            },
            from: outcome.outputSql === undefined ? "output" : `(${outcome.outputSql})`,
            schema: this.#setup.schema,
            id: batch.id,
            queryId: this.#setup.queryId,
            sinkName: sink.name,
            offsetsHash: batch.hash,
            timestampMs: batch.timestampMs,
            outputMode: this.#setup.target.outputMode,
            rowCount,
          }),
        );
        this.#step("sink-after", batch.id, sink.name);
        return { sink, metrics: result.metrics };
      }),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return results.map(
      (result) =>
        (result as PromiseFulfilledResult<{ sink: OpenSink; metrics: Readonly<Record<string, string>> | undefined }>)
          .value,
    );
  }

  /** Delivers the stored rows of a batch whose state is committed; nothing is computed again. */
  async #redeliver(id: number, watch: Stopwatch, startMs: number, started: number): Promise<void> {
    const stored = (await this.#state.current())!;
    const file = this.#setup.checkpoint.readOffsets(id)!;
    this.#status("Processing new data");
    const batch = this.#recovered(id);
    const outcome: BatchOutcome = {
      watermarks: stored.watermarks,
      eventTime: undefined,
      operators: [],
      outputRows: stored.outputRows,
      outputSql: undefined,
    };
    const sinks = await watch.time("addBatch", () =>
      this.deliver({ id, hash: stored.offsetsHash, timestampMs: file.batchTimestampMs }, outcome),
    );
    await this.#commit(batch, watch);
    this.#report(
      batch,
      watch,
      startMs,
      started,
      batch.ends.map(() => 0),
      outcome,
      sinks,
    );
  }

  async #commit(batch: PlannedBatch, watch: Stopwatch): Promise<void> {
    const { checkpoint, settings } = this.#setup;
    await watch.time("commitOffsets", () => checkpoint.writeCommit(batch.id, this.#tracker.globalMs));
    this.#position = [...batch.ends];
    this.#lateMs = batch.watermarkMs;
    this.#nextId = batch.id + 1;
    this.#pending = { kind: "plan", batchId: this.#nextId };
    this.#step("commits-written", batch.id);
    for (const [i, source] of this.#sources.entries()) await source.commit?.(batch.ends[i]!);
    // in steps, so that a small batch rarely pays for listing the directories
    if (batch.id % 10 === 0) checkpoint.purge(this.#nextId - settings.minBatchesToRetain);
  }

  #report(
    batch: PlannedBatch,
    watch: Stopwatch,
    startMs: number,
    started: number,
    rowCounts: readonly number[],
    outcome: BatchOutcome,
    sinks: readonly { readonly sink: OpenSink; readonly metrics: Readonly<Record<string, string>> | undefined }[],
  ): void {
    const { queryId: id, runId, name, log } = this.#setup;
    const elapsed = performance.now() - started;
    watch.add("triggerExecution", elapsed);
    const report: TriggerReport = {
      id,
      runId,
      name,
      startMs,
      previousStartMs: this.#previousTriggerMs,
      endMs: startMs + elapsed,
      batchId: batch.id,
      durationMs: watch.durations,
      eventTime: this.#tracker.defined
        ? { watermarkMs: batch.watermarkMs, stats: statsOf(outcome.eventTime) }
        : undefined,
      stateOperators: outcome.operators,
      sources: this.#sources.map((source, i) => ({
        description: source.description,
        startOffset: batch.starts[i],
        endOffset: batch.ends[i],
        latestOffset: batch.latest[i] ?? batch.ends[i],
        numInputRows: rowCounts[i]!,
        metrics: source.metrics?.(batch.ends[i]!) ?? {},
      })),
      sinks: sinks.map(({ sink, metrics }) => ({
        name: sink.name,
        guarantee: sink.guarantee,
        description: sink.sink.description,
        numOutputRows: outcome.outputRows ?? Number(metrics?.numOutputRows ?? -1),
        metrics: metrics ?? {},
      })),
    };
    const progress = toProgress(report);
    log.add(progress);
    publish("query.progress", { id, runId, name, progress });
  }

  // ------------------------------------------------------------------------------------------------------------------ ending

  /** Closes everything; failures to close after a failure are not reported over it. */
  async close(error?: Error): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (action: () => unknown): Promise<void> => {
      try {
        await action();
      } catch (failure) {
        failures.push(failure);
      }
    };
    const ahead = await this.#ahead;
    for (const input of ahead?.inputs ?? []) await attempt(() => input?.release?.());
    for (const { sink } of this.#sinks) await attempt(() => sink.close(error));
    for (const source of this.#sources) await attempt(() => source.close());
    for (const operator of this.#plan.operators) await attempt(() => operator.close?.());
    await attempt(() => this.#state?.close());
    if (error === undefined && failures.length > 0) throw failures[0];
  }

  #status(message: string): void {
    this.#setup.log.status = { ...this.#setup.log.status, message };
  }

  #step(step: BatchStep, batchId = this.#nextId, sink?: string): void {
    publish("batch.step", { queryId: this.#setup.queryId, batchId, step, ...(sink !== undefined && { sink }) });
  }
}

interface FetchedAhead {
  readonly ends: readonly Offset[];
  readonly latest: readonly Offset[];
  readonly inputs: readonly (BatchInput | undefined)[];
}

function statsOf(stats: EventTimeStats | undefined): { minMs: number; maxMs: number; avgMs: number } | undefined {
  return stats && { minMs: stats.minMs, maxMs: stats.maxMs, avgMs: stats.avgMs };
}

/** The value, or undefined as soon as the signal fires. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) {
    promise.catch(() => undefined);
    return undefined;
  }
  let stop!: () => void;
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
    promise.catch(() => undefined);
  }
}
