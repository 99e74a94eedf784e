import type { StreamingQueryHandle, StreamingQueryProgress, StreamingQueryStatus, Trigger } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { type Clock, systemClock } from "../streaming/clock.ts";
import { streamFailed } from "../streaming/failure.ts";
import { iso, type ProgressLog } from "../streaming/progress.ts";
import { type RestartPolicy, restartDelay } from "../streaming/restart.ts";
import type { QueryRun } from "./query-run.ts";
import { endsByItself, nextTriggerTime } from "./trigger.ts";

/** How long one wait for data lasts at most; long enough to cost nothing, short enough for a source that cannot tell. */
const WAIT_MS = 10_000;

export interface QueryControl {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  readonly trigger: Trigger;
  readonly clock: Clock;
  readonly log: ProgressLog;
  readonly restart: RestartPolicy;
  readonly idleIntervalMs: number;
  readonly pollingDelayMs: number;
  /** Opens the query at its checkpoint. */
  open(): Promise<QueryRun>;
  /** Gives the checkpoint free. `error`: what ended the query. */
  finish(error: Error | undefined): Promise<void>;
  explain(extended: boolean): string;
}

/** Spark's StreamingQuery: runs triggers until it is stopped, has caught up (AvailableNow, Once) or fails. */
export class StreamingQuery implements StreamingQueryHandle {
  readonly #control: QueryControl;
  readonly #stop = new AbortController();
  #wake = new AbortController();
  #active = true;
  #exception: MillraceError | null = null;
  readonly #ended: Promise<void>;
  #waiters: { resolve(): void; reject(error: Error): void }[] = [];
  #lastIdleMs: number;
  /** The last wait for data ended at once; if nothing was there, the next one must not be begun at once. */
  #wokeAtOnce = false;

  /** `first`: the run that is open already, or the retryable failure of the first try. */
  constructor(control: QueryControl, first: QueryRun | MillraceError) {
    this.#control = control;
    this.#lastIdleMs = control.clock.now();
    this.#ended = this.#live(first);
    // failures are told by awaitTermination, exception and the event; nobody has to wait for them
    this.#ended.catch(() => undefined);
  }

  get id(): string {
    return this.#control.id;
  }

  get runId(): string {
    return this.#control.runId;
  }

  get name(): string | null {
    return this.#control.name;
  }

  get isActive(): boolean {
    return this.#active;
  }

  get status(): StreamingQueryStatus {
    return this.#control.log.status;
  }

  get lastProgress(): StreamingQueryProgress | null {
    return this.#control.log.last;
  }

  get recentProgress(): readonly StreamingQueryProgress[] {
    return this.#control.log.recent;
  }

  get exception(): Error | null {
    return this.#exception;
  }

  processAllAvailable(): Promise<void> {
    if (this.#exception !== null) return Promise.reject(this.#exception);
    if (!this.#active) return Promise.resolve();
    const done = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.#wake.abort();
    return done;
  }

  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    if (timeoutMs === undefined) {
      await this.#ended;
    } else {
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<"timeout">((resolve) => {
        timer = setTimeout(() => resolve("timeout"), timeoutMs);
      });
      try {
        if ((await Promise.race([this.#ended, timeout])) === "timeout") return false;
      } finally {
        clearTimeout(timer);
      }
    }
    if (this.#exception !== null) throw this.#exception;
    return true;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    await this.#ended;
  }

  explain(extended = false): string {
    return this.#control.explain(extended);
  }

  // -------------------------------------------------------------------------------------------------------------- the loop

  async #live(first: QueryRun | MillraceError): Promise<void> {
    let next: QueryRun | MillraceError | undefined = first;
    let attempt = 0;
    let failure: unknown;
    for (;;) {
      let run: QueryRun | undefined;
      try {
        if (next instanceof MillraceError) throw next;
        run = next ?? (await this.#control.open());
        await this.#runTriggers(run, () => {
          attempt = 0;
        });
        await run.close();
        break;
      } catch (error) {
        await run?.close(error as Error);
        if (this.#stop.signal.aborted && isRetryable(error)) break;
        attempt++;
        const delayMs = restartDelay(this.#control.restart, error, attempt);
        if (delayMs === undefined) {
          failure = error;
          break;
        }
        const { id, runId, name, clock } = this.#control;
        publish("query.restarting", { id, runId, name, attempt, delayMs, error: error as Error });
        this.#status(`Restarting after: ${(error as Error).message}`, false);
        await clock.sleep(delayMs, this.#stop.signal);
        if (this.#stop.signal.aborted) break;
      } finally {
        next = undefined;
      }
    }
    await this.#end(failure);
  }

  async #end(failure: unknown): Promise<void> {
    const { id, runId, name } = this.#control;
    let cause = failure;
    try {
      await this.#control.finish(failure as Error | undefined);
    } catch (error) {
      cause ??= error;
    }
    if (cause !== undefined) {
      this.#exception = streamFailed({ id, runId, name }, cause, this.lastProgress?.batchId);
    }
    this.#active = false;
    this.#control.log.status = {
      message: cause === undefined ? "Stopped" : `Terminated with exception: ${(cause as Error).message ?? cause}`,
      isDataAvailable: false,
      isTriggerActive: false,
    };
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#exception === null) waiter.resolve();
      else waiter.reject(this.#exception);
    }
    publish("query.terminated", { id, runId, name, error: this.#exception });
  }

  async #runTriggers(run: QueryRun, succeeded: () => void): Promise<void> {
    const { trigger, clock } = this.#control;
    while (!this.#stop.signal.aborted) {
      // those who came before this trigger asks for offsets are served by it
      const waiting = this.#waiters.length;
      this.#wake = new AbortController();
      const startMs = clock.now();
      const result = await run.trigger(trigger.kind === "once" ? "all" : "options", this.#stop.signal);
      if (result === "ran") succeeded();
      if (this.#stop.signal.aborted) return;
      if (trigger.kind === "once") return;
      if (result === "idle") {
        for (const waiter of this.#waiters.splice(0, waiting)) waiter.resolve();
        if (endsByItself(trigger)) return;
        this.#idle(startMs);
      }
      await this.#pause(run, startMs, result);
    }
  }

  /** Until the next trigger: the next tick, or data. */
  async #pause(run: QueryRun, startMs: number, result: "ran" | "idle"): Promise<void> {
    const { trigger, clock, idleIntervalMs, pollingDelayMs } = this.#control;
    const tick = nextTriggerTime(trigger, startMs);
    // whoever waits for all available data does not wait for ticks
    if (this.#waiters.length > 0) return;
    const signal = this.#wake.signal;
    if (tick !== undefined) {
      const wait = tick - clock.now();
      if (wait <= 0) return;
      this.#status("Waiting for next trigger", result === "ran");
      await clock.sleep(wait, signal);
      return;
    }
    const spins = this.#wokeAtOnce && result === "idle";
    this.#wokeAtOnce = false;
    if (result === "ran") return;
    this.#status("Waiting for data to arrive", false);
    // a source that wakes without data must not spin the query
    if (spins) await systemClock.sleep(pollingDelayMs, signal);
    const timeout = Math.min(WAIT_MS, idleIntervalMs, run.dueInMs() ?? WAIT_MS);
    const before = performance.now();
    await run.waitForData(timeout, signal);
    this.#wokeAtOnce = performance.now() - before < 1;
  }

  #idle(nowMs: number): void {
    const { id, runId, idleIntervalMs, log } = this.#control;
    const last = log.last === null ? this.#lastIdleMs : Math.max(this.#lastIdleMs, Date.parse(log.last.timestamp));
    if (nowMs - last < idleIntervalMs) return;
    this.#lastIdleMs = nowMs;
    publish("query.idle", { id, runId, timestamp: iso(nowMs) });
  }

  #status(message: string, isDataAvailable: boolean): void {
    this.#control.log.status = { message, isDataAvailable, isTriggerActive: false };
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof MillraceError && error.retryable;
}
