import type { StreamingQueryHandle, StreamingQueryProgress, StreamingQueryStatus, Trigger } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import { type Clock, systemClock } from "../../streaming/clock.ts";
import { streamFailed } from "../../streaming/failure.ts";
import type { ProgressLog } from "../../streaming/progress.ts";
import { type RestartPolicy, restartDelay } from "../../streaming/restart.ts";
import type { ServerRun } from "./run.ts";

/** What a query on Spark is made of. */
export interface SparkQueryControl {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  readonly trigger: Trigger;
  readonly log: ProgressLog;
  readonly restart: RestartPolicy;
  /** Starts the query on the server, from its checkpoint; undefined where that cannot be done again. */
  readonly open: (() => Promise<ServerRun>) | undefined;
  /** Gives free what the query holds here. */
  finish(): Promise<void>;
  /** The plan, until the server has one to show. */
  readonly plan: string;
}

const CLOCK: Clock = systemClock;

/**
 * Spark's StreamingQuery on a server. What its properties say comes from the server's listener bus and a question every two seconds. A
 * failure that may pass (a sink that cannot be reached, a server that is gone) starts the query again from its checkpoint, as embedded.
 */
export class SparkStreamingQuery implements StreamingQueryHandle {
  readonly #control: SparkQueryControl;
  readonly #stop = new AbortController();
  #active = true;
  #exception: MillraceError | null = null;
  #run: ServerRun | undefined;
  /** Settles when another run has begun or the query has ended. */
  #change!: Promise<void>;
  #changed!: () => void;
  readonly #ended: Promise<void>;

  /** `first`: the run that was started, or the retryable failure of the first try. */
  constructor(control: SparkQueryControl, first: ServerRun | MillraceError) {
    this.#control = control;
    this.#renew();
    if (!(first instanceof MillraceError)) this.#enter(first);
    this.#ended = this.#live(first);
    // failures are told by awaitTermination, exception and the event; nobody has to wait for them
    this.#ended.catch(() => undefined);
  }

  get id(): string {
    return this.#control.id;
  }

  /** The first run's; the server's own changes when the query starts again. */
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

  async processAllAvailable(): Promise<void> {
    while (this.#active) {
      const run = this.#run;
      const change = this.#change;
      if (run !== undefined) {
        try {
          await run.processAllAvailable();
          return;
        } catch (error) {
          // the run's end says what it was, and whether another begins
          run.look();
          if (this.#run === run && this.#active && !run.over) {
            await Promise.race([change, run.ended.catch(() => undefined), CLOCK.sleep(5_000, this.#stop.signal)]);
            if (this.#run === run && this.#active && !run.over) throw error;
          }
        }
      }
      await change;
    }
    if (this.#exception !== null) throw this.#exception;
  }

  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    if (timeoutMs === undefined) {
      // whoever waits wants the process to stay
      const stay = setInterval(() => undefined, 60_000);
      try {
        await this.#ended;
      } finally {
        clearInterval(stay);
      }
    } else {
      const over = new AbortController();
      const timeout = CLOCK.sleep(timeoutMs, over.signal).then(() => "timeout" as const);
      try {
        if ((await Promise.race([this.#ended, timeout])) === "timeout" && this.#active) return false;
      } finally {
        over.abort();
      }
    }
    if (this.#exception !== null) throw this.#exception;
    return true;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#run?.stop();
    await this.#ended;
  }

  explain(extended = false): string {
    return this.#run?.explained(extended) ?? this.#control.plan;
  }

  // ------------------------------------------------------------------------------------------------------------------ runs

  async #live(first: ServerRun | MillraceError): Promise<void> {
    let next: ServerRun | MillraceError | undefined = first;
    let attempt = 0;
    let failure: unknown;
    for (;;) {
      let run: ServerRun | undefined;
      try {
        if (next instanceof MillraceError) throw next;
        run = next ?? (await this.#control.open!());
        if (next === undefined) this.#enter(run);
        run.onProgress = () => {
          attempt = 0;
        };
        // stopped while it was being started
        if (this.#stop.signal.aborted) await run.stop();
        await run.ended;
        await run.close();
        break;
      } catch (error) {
        await run?.close(error as Error);
        if (this.#stop.signal.aborted && isRetryable(error)) break;
        attempt++;
        const delayMs = restartDelay(this.#control.restart, error, attempt);
        if (delayMs === undefined || this.#control.open === undefined) {
          failure = error;
          break;
        }
        const { id, runId, name, log } = this.#control;
        publish("query.restarting", { id, runId, name, attempt, delayMs, error: error as Error });
        log.status = {
          message: `Restarting after: ${(error as Error).message}`,
          isDataAvailable: false,
          isTriggerActive: false,
        };
        await CLOCK.sleep(delayMs, this.#stop.signal);
        if (this.#stop.signal.aborted) break;
      } finally {
        next = undefined;
        this.#run = undefined;
      }
    }
    await this.#end(failure);
  }

  #enter(run: ServerRun): void {
    this.#run = run;
    const changed = this.#changed;
    this.#renew();
    changed();
  }

  #renew(): void {
    this.#change = new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  async #end(failure: unknown): Promise<void> {
    const { id, runId, name, log } = this.#control;
    let cause = failure;
    try {
      await this.#control.finish();
    } catch (error) {
      cause ??= error;
    }
    if (cause !== undefined) this.#exception = streamFailed({ id, runId, name }, cause, this.lastProgress?.batchId);
    this.#active = false;
    log.status = {
      message: cause === undefined ? "Stopped" : `Terminated with exception: ${(cause as Error).message ?? cause}`,
      isDataAvailable: false,
      isTriggerActive: false,
    };
    this.#changed();
    publish("query.terminated", { id, runId, name, error: this.#exception });
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof MillraceError && error.retryable;
}
