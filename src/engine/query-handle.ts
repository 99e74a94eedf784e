import type { Trigger } from "../backend.ts";
import type { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { systemClock } from "../streaming/clock.ts";
import { iso } from "../streaming/progress.ts";
import { RestartingQuery, type RestartingQueryControl } from "../streaming/restarting-query.ts";
import type { QueryRun } from "./query-run.ts";
import { endsByItself, nextTriggerTime } from "./trigger.ts";

/** How long one wait for data lasts at most; long enough to cost nothing, short enough for a source that cannot tell. */
const WAIT_MS = 10_000;

export interface QueryControl extends RestartingQueryControl<QueryRun> {
  readonly trigger: Trigger;
  readonly idleIntervalMs: number;
  readonly pollingDelayMs: number;
  explain(extended: boolean): string;
}

/** Spark's StreamingQuery: runs triggers until it is stopped, has caught up (AvailableNow, Once) or fails. */
export class StreamingQuery extends RestartingQuery<QueryRun, QueryControl> {
  #wake = new AbortController();
  #waiters: { resolve(): void; reject(error: Error): void }[] = [];
  #lastIdleMs: number;
  /** The last wait for data ended at once; if nothing was there, the next one must not be begun at once. */
  #wokeAtOnce = false;

  /** `first`: the run that is open already, or the retryable failure of the first try. */
  constructor(control: QueryControl, first: QueryRun | MillraceError) {
    super(control);
    this.#lastIdleMs = control.clock.now();
    this.begin(first);
  }

  processAllAvailable(): Promise<void> {
    if (this.exception !== null) return Promise.reject(this.exception);
    if (!this.isActive) return Promise.resolve();
    const done = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.#wake.abort();
    return done;
  }

  explain(extended = false): string {
    return this.control.explain(extended);
  }

  protected halt(): void {
    this.#wake.abort();
  }

  protected over(): void {
    for (const waiter of this.#waiters.splice(0)) {
      if (this.exception === null) waiter.resolve();
      else waiter.reject(this.exception);
    }
  }

  // -------------------------------------------------------------------------------------------------------------- the loop

  protected async work(run: QueryRun, succeeded: () => void): Promise<void> {
    const { trigger, clock } = this.control;
    while (!this.stopping.signal.aborted) {
      // those who came before this trigger asks for offsets are served by it
      const waiting = this.#waiters.length;
      this.#wake = new AbortController();
      const startMs = clock.now();
      const result = await run.trigger(trigger.kind === "once" ? "all" : "options", this.stopping.signal);
      if (result === "ran") succeeded();
      if (this.stopping.signal.aborted) return;
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
    const { trigger, clock, idleIntervalMs, pollingDelayMs } = this.control;
    const tick = nextTriggerTime(trigger, startMs);
    // whoever waits for all available data does not wait for ticks
    if (this.#waiters.length > 0) return;
    const signal = this.#wake.signal;
    if (tick !== undefined) {
      const wait = tick - clock.now();
      if (wait <= 0) return;
      this.say("Waiting for next trigger", result === "ran");
      await clock.sleep(wait, signal);
      return;
    }
    const spins = this.#wokeAtOnce && result === "idle";
    this.#wokeAtOnce = false;
    if (result === "ran") return;
    this.say("Waiting for data to arrive");
    // a source that wakes without data must not spin the query
    if (spins) await systemClock.sleep(pollingDelayMs, signal);
    const timeout = Math.min(WAIT_MS, idleIntervalMs, run.dueInMs() ?? WAIT_MS);
    const before = performance.now();
    await run.waitForData(timeout, signal);
    this.#wokeAtOnce = performance.now() - before < 1;
  }

  #idle(nowMs: number): void {
    const { id, runId, idleIntervalMs, log } = this.control;
    const last = log.last === null ? this.#lastIdleMs : Math.max(this.#lastIdleMs, Date.parse(log.last.timestamp));
    if (nowMs - last < idleIntervalMs) return;
    this.#lastIdleMs = nowMs;
    publish("query.idle", { id, runId, timestamp: iso(nowMs) });
  }
}
