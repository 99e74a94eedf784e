import { setTimeout } from "node:timers/promises";
import type { Trigger } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import { type Clock, systemClock } from "../../streaming/clock.ts";
import type { ProgressLog } from "../../streaming/progress.ts";
import { refuses } from "../bridge/address.ts";
import type { BridgedRun } from "../bridge/bridge.ts";
import { causeOf } from "./failure.ts";
import { ListenerBus } from "./listener-bus.ts";
import type { ServerQuery } from "./messages.ts";
import { progressOf } from "./progress.ts";
import type { SinkChoice } from "./sink-choice.ts";

/** What a run tells of, under the handle's names. */
export interface RunContext {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  readonly trigger: Trigger;
  readonly log: ProgressLog;
  readonly sinks: readonly SinkChoice[];
  /** The way of the rows to our own sinks; undefined for a sink of Spark's. */
  readonly bridged: BridgedRun | undefined;
  /** Whether the server's events are listened to; without them progress is asked for. */
  readonly events: boolean;
  /** The server of this run is gone, or has forgotten the session. */
  lost(): void;
}

const CLOCK: Clock = systemClock;
const LOOK_MS = 2_000;
/** A server that is silent for so long is taken for gone. */
const ANSWER_MS = 15_000;
/** How often a server that takes its time is looked for. */
const PROBE_MS = 2_000;
const COMMIT_MS = 10_000;
/** A server that is shutting down ends its queries in good order before it is gone. */
const SHUTDOWN_MS = 1_500;

/** One run of a query on the server: from its start there until it ends there, or the server is gone. */
export class ServerRun {
  readonly #query: ServerQuery;
  readonly #context: RunContext;
  readonly #unlisten: () => void;
  readonly #over = new AbortController();
  #look = new AbortController();
  #stopping = false;
  /** The times of progress events that were told, so that none is told twice. */
  readonly #told = new Set<string>();
  #explaining = false;
  #explained: { simple: string; extended: string } | undefined;
  /** Called after every batch. */
  onProgress: () => void = () => undefined;
  /** Resolves when the run has ended by itself or was stopped; throws what it failed with. */
  readonly ended: Promise<void>;

  constructor(query: ServerQuery, context: RunContext) {
    this.#query = query;
    this.#context = context;
    this.#unlisten = ListenerBus.of(query.client).listen(query.query.runId, {
      progress: (json) => this.#progress(json),
      idle: (timestamp) => publish("query.idle", { id: context.id, runId: context.runId, timestamp }),
      terminated: () => this.look(),
    });
    if (context.bridged !== undefined) context.bridged.onBroken = () => this.look();
    this.ended = this.#watch().finally(() => this.#over.abort());
    this.ended.catch(() => undefined);
  }

  /** Whether it has ended, well or not. */
  get over(): boolean {
    return this.#over.signal.aborted;
  }

  /** Asks the server at once how the query is. */
  look(): void {
    this.#look.abort();
  }

  async processAllAvailable(): Promise<void> {
    await this.#query.processAllAvailable(this.#over.signal);
    // events come a little later than the answer
    await this.#catchUp();
  }

  /** Ends the run after the batch that is being delivered, so that no function of the user's gets it again. */
  async stop(): Promise<void> {
    if (this.#stopping || this.over) return;
    this.#stopping = true;
    const { bridged } = this.#context;
    if (bridged !== undefined) {
      const batch = bridged.current;
      await bridged.quiesce();
      if (batch !== undefined && bridged.lastBatch === batch) await this.#committed(batch);
    }
    try {
      await this.#query.stop(AbortSignal.timeout(ANSWER_MS));
    } catch (error) {
      // it ends with its server too; the run's end says the rest
      if (!(error instanceof MillraceError)) throw error;
    }
    this.look();
  }

  /** Brings status and progress up to the moment. */
  async refresh(): Promise<void> {
    await this.#isActive();
  }

  explained(extended: boolean): string | undefined {
    return extended ? this.#explained?.extended : this.#explained?.simple;
  }

  /** Closes what is open here for this run. */
  async close(error?: Error): Promise<void> {
    this.#unlisten();
    await this.#context.bridged?.end(error);
  }

  // ------------------------------------------------------------------------------------------------------------------ watching

  async #watch(): Promise<void> {
    try {
      for (;;) {
        await this.#pause();
        if (!(await this.#isActive())) break;
      }
      await this.#catchUp();
      const exception = await this.#query.exception(AbortSignal.timeout(ANSWER_MS));
      const failure = this.#context.bridged?.failure;
      if (failure !== undefined) throw failure;
      if (exception !== undefined) throw causeOf(exception, this.#context.bridged?.call);
      await this.#unlessShutDown();
    } catch (error) {
      if (isGone(error)) this.#context.lost();
      if (this.#stopping && isGone(error)) return;
      // what a sink failed with is the reason, whatever became of the server meanwhile
      throw this.#context.bridged?.failure ?? error;
    }
  }

  async #pause(): Promise<void> {
    // a query of somebody else's does not keep this process alive
    const look = setTimeout(LOOK_MS, undefined, { signal: this.#look.signal, ref: this.#context.events });
    await look.catch(() => undefined);
    this.#look = new AbortController();
  }

  async #isActive(): Promise<boolean> {
    const status = await this.#answer((signal) => this.#query.status(signal));
    if (!status.isActive) return false;
    this.#context.log.status = {
      message: status.statusMessage,
      isDataAvailable: status.isDataAvailable,
      isTriggerActive: status.isTriggerActive,
    };
    const bus = ListenerBus.of(this.#query.client);
    if (!this.#context.events || !bus.open) await this.#catchUp();
    if (this.#context.events && !bus.open) await this.#answer(() => bus.ready());
    return true;
  }

  /** A query that nobody stopped and that has no end of its own: its server may be going down. */
  async #unlessShutDown(): Promise<void> {
    const { trigger } = this.#context;
    if (this.#stopping || trigger.kind === "available_now" || trigger.kind === "once") return;
    await CLOCK.sleep(SHUTDOWN_MS, new AbortController().signal);
    await this.#answer((signal) => this.#query.status(signal));
  }

  /** A question to the server; SPARK_UNREACHABLE when it does not answer in time. */
  async #answer<T>(question: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { authority } = this.#query.client;
    const over = new AbortController();
    // the client itself would go on trying for minutes
    let why = `has not answered for ${ANSWER_MS / 1000} s`;
    void (async () => {
      for (let waited = 0; waited < ANSWER_MS && !over.signal.aborted; waited += PROBE_MS) {
        await CLOCK.sleep(PROBE_MS, over.signal);
        if (over.signal.aborted || !(await refuses(authority))) continue;
        why = "is gone: nothing listens there";
        break;
      }
      over.abort();
    })();
    try {
      return await question(over.signal);
    } catch (error) {
      if (!over.signal.aborted) throw error;
      throw new MillraceError("SPARK_UNREACHABLE", `The Spark server at ${authority} ${why}.`, {
        hint: "Look at the server's log.",
        cause: error,
        retryable: true,
      });
    } finally {
      over.abort();
    }
  }

  // ------------------------------------------------------------------------------------------------------------------ progress

  /** Tells the progress that the server knows of and no event has told. */
  async #catchUp(): Promise<void> {
    for (const json of await this.#answer((signal) => this.#query.recentProgress(signal))) this.#progress(json);
  }

  /** Resolves when Spark has committed a batch, which its progress says. */
  async #committed(batchId: number): Promise<void> {
    const deadline = CLOCK.now() + COMMIT_MS;
    const told = (): boolean => (this.#context.log.last?.batchId ?? -1) >= batchId;
    while (!told() && CLOCK.now() < deadline && !this.over) {
      try {
        await this.#catchUp();
      } catch (error) {
        if (error instanceof MillraceError) return;
        throw error;
      }
      if (!told()) await CLOCK.sleep(50, this.#over.signal);
    }
  }

  #progress(json: string): void {
    const { batchId, timestamp, runId } = JSON.parse(json) as { batchId: number; timestamp: string; runId: string };
    const key = `${runId} ${batchId} ${timestamp}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const { log, id, name, bridged, sinks } = this.#context;
    const progress = progressOf(json, {
      runId: this.#context.runId,
      sinks,
      delivered: bridged?.sinksOf(batchId),
    });
    log.add(progress);
    this.onProgress();
    publish("query.progress", { id, runId: this.#context.runId, name, progress });
    if (!this.#explaining) void this.#explain();
  }

  async #explain(): Promise<void> {
    this.#explaining = true;
    try {
      this.#explained = { simple: await this.#query.explain(false), extended: await this.#query.explain(true) };
    } catch (error) {
      // the plan as written is shown then
      if (!(error instanceof MillraceError)) throw error;
    }
  }
}

/** Whether there is nobody left to ask. */
function isGone(error: unknown): error is MillraceError {
  return error instanceof MillraceError && (error.code === "SPARK_SESSION_LOST" || error.code === "SPARK_UNREACHABLE");
}
