import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Conf } from "../backend.ts";
import type { BatchInput, Offset, ReadLimit, StreamSource } from "../connectors/connector.ts";
import type { Connection } from "../duckdb/duckdb.ts";
import { makeDirectory } from "../durable-files.ts";
import { MillraceError } from "../errors.ts";
import { type BatchStep, publish } from "../events.ts";
import { type Delivered, deliver } from "../streaming/delivery.ts";
import { Stopwatch, type TriggerReport, toProgress } from "../streaming/progress.ts";
import type { OpenSink } from "../streaming/sinks.ts";
import { type PlannedBatch, sameOffset } from "./batch.ts";
import { publishMeasured, sinksProgress, sourcesProgress } from "./batch-report.ts";
import { type BatchOutcome, BatchRunner } from "./batch-runner.ts";
import { pathsOf } from "./execute.ts";
import { ingest } from "./ingest.ts";
import type { QuerySetup } from "./query-setup.ts";
import { QueryState, stateExists } from "./query-state.ts";
import type { RecoveryAction } from "./recovery.ts";
import { checkSources, resume } from "./resume.ts";
import { TransformWithState } from "./stateful/transform-with-state.ts";
import type { StreamPlan } from "./stream-plan.ts";
import { abortable, waitForAny } from "./waiting.ts";
import type { WatermarkTracker } from "./watermark.ts";

export type TriggerResult = "ran" | "idle";

/** From here on a batch is so large that fetching the next one meanwhile pays, even if the source held nothing back. */
const FETCH_AHEAD_ROWS = 50_000;
/** How long a stop waits for a source that is reading; it may be trying to reach a server that is gone. */
const STOP_GRACE_MS = 3_000;

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
  /** Connections that read stored rows, for the next to ask. */
  readonly #readers: Connection[] = [];
  #conf: Conf = {};

  /** What recovery found to be done first. */
  #pending: RecoveryAction = { kind: "start" };
  #nextId = 0;
  #position: Offset[] = [];
  /** The watermark that the last batch used. */
  #lateMs = 0;
  /** How much state there is; before the first batch nobody has counted. */
  #stateRows = Number.POSITIVE_INFINITY;
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
    const { checkpoint, queryId, runId, target } = this.#setup;
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
    // in words for people, and what the tables of the state are made of
    const shape = JSON.stringify([...this.#setup.shape, ...this.#plan.operators.map((operator) => operator.shape)]);
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
    const point = await resume(this.#setup, {
      plan: this.#plan,
      sources: this.#sources,
      sinks: this.#sinks,
      staged: this.#staged,
      stored: this.#staged ? await this.#state.current() : undefined,
    });
    this.#pending = point.action;
    this.#nextId = point.nextId;
    this.#position = point.position;
    this.#tracker = point.tracker;
    this.#lateMs = point.lateMs;
    this.#conf = point.conf;
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
    else await this.#run(batch.batch, signal, watch, startMs, started);
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
    checkSources(this.#setup, file, this.#sources.length);
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
    if (this.#ahead !== undefined) {
      const fetched = await abortable(this.#ahead, signal);
      if (signal.aborted) return undefined;
      this.#ahead = undefined;
      if (fetched !== undefined) return fetched;
    }
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
  waitForData(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#setup;
    return waitForAny(this.#sources, this.#position, timeoutMs, settings.pollingDelayMs, clock, signal);
  }

  // ----------------------------------------------------------------------------------------------------------------- batches

  async #run(
    batch: PlannedBatch,
    signal: AbortSignal,
    watch: Stopwatch,
    startMs: number,
    started: number,
  ): Promise<void> {
    const { connection } = this.#state;
    const hasData = batch.ends.some((end, i) => !sameOffset(end, batch.starts[i]!));
    this.#status(hasData ? "Processing new data" : "No new data but cleaning up state");
    const inputs = await watch.time("getBatch", () => abortable(this.#read(batch), signal, STOP_GRACE_MS));
    if (inputs === undefined) {
      // offsets/N is written: the next start runs this batch
      throw new MillraceError("STOPPED", "The query was stopped while it waited for its sources.", { retryable: true });
    }
    let outcome: BatchOutcome;
    let sinks: readonly Delivered[];
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
      // static data may be of any size
      const batchRows = this.#plan.staticScans.length > 0 ? Number.POSITIVE_INFINITY : sum(rowCounts);
      await this.#state.fit(batchRows, this.#stateRows);
      if (this.#staged) {
        outcome = await watch.time("addBatch", () => this.#runner.runStaged(connection, batch, froms, this.#tracker));
        this.#step("state-committed");
      } else {
        outcome = await watch.time("addBatch", () => this.#runner.runUnstaged(connection, batch, froms, this.#tracker));
      }
      sinks = await watch.time("addBatch", () => this.#deliver(batch, outcome));
    } finally {
      for (const input of inputs) await input?.release?.();
    }
    this.#tracker.restore(outcome.watermarks);
    this.#stateRows = sum(outcome.operators.map((operator) => operator.numRowsTotal));
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

  /** Delivers the stored rows of a batch whose state is committed; nothing is computed again. */
  async #redeliver(id: number, watch: Stopwatch, startMs: number, started: number): Promise<void> {
    const stored = (await this.#state.current())!;
    this.#status("Processing new data");
    const batch = this.#recovered(id);
    const outcome: BatchOutcome = {
      watermarks: stored.watermarks,
      eventTime: undefined,
      operators: [],
      outputRows: stored.outputRows,
      outputSql: undefined,
    };
    const sinks = await watch.time("addBatch", () => this.#deliver(batch, outcome));
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

  #deliver(batch: PlannedBatch, outcome: BatchOutcome): Promise<readonly Delivered[]> {
    const { queryId, schema, target } = this.#setup;
    return deliver(
      {
        queryId,
        schema,
        outputMode: target.outputMode,
        // rows in TEMP tables are only seen by the connection that made them; stored rows are read beside it
        acquire: async () =>
          this.#staged ? (this.#readers.pop() ?? (await this.#state.database.connect())) : this.#state.connection,
        release: (reader) => {
          if (this.#staged) this.#readers.push(reader);
        },
      },
      this.#sinks,
      batch,
      {
        from: outcome.outputSql === undefined ? "output" : `(${outcome.outputSql})`,
        rowCount: outcome.outputRows,
      },
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
    sinks: readonly Delivered[],
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
      eventTime: this.#tracker.defined ? { watermarkMs: batch.watermarkMs, stats: outcome.eventTime } : undefined,
      stateOperators: outcome.operators,
      sources: sourcesProgress(this.#sources, batch, rowCounts),
      sinks: sinksProgress(sinks, outcome),
    };
    const progress = log.add(toProgress(report));
    publishMeasured(id, batch.id, outcome, this.#state);
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
    for (const { sink } of this.#sinks) await attempt(() => sink.close(error));
    // closing a source ends what it is still fetching ahead
    for (const source of this.#sources) await attempt(() => source.close());
    const ahead = await this.#ahead;
    for (const input of ahead?.inputs ?? []) await attempt(() => input?.release?.());
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

interface FetchedAhead {
  readonly ends: readonly Offset[];
  readonly latest: readonly Offset[];
  readonly inputs: readonly (BatchInput | undefined)[];
}
