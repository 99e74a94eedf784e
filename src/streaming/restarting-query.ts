import type { StreamingQueryHandle, StreamingQueryProgress, StreamingQueryStatus } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { type Clock, systemClock } from "./clock.ts";
import { streamFailed } from "./failure.ts";
import type { ProgressLog } from "./progress.ts";
import { type RestartPolicy, restartDelay } from "./restart.ts";

/** One run of a query, from its checkpoint until it ends or fails. */
export interface QueryRunLike {
  /** Gives free what the run holds; `error`: what it failed with. */
  close(error?: Error): Promise<void>;
}

/** What a query on either engine is made of. */
export interface RestartingQueryControl<R extends QueryRunLike> {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  readonly clock: Clock;
  readonly log: ProgressLog;
  readonly restart: RestartPolicy;
  /** Opens the query at its checkpoint; undefined where it cannot go on from one. */
  readonly open: (() => Promise<R>) | undefined;
  /** Gives free what the query holds. `error`: what ended it. */
  finish(error: Error | undefined): Promise<void>;
}

/**
 * The life of Spark's StreamingQuery, whatever engine runs it: runs follow each other, a failure that may pass starts another one after
 * a delay, any other ends the query with STREAM_FAILED. An engine says what a run does.
 */
export abstract class RestartingQuery<R extends QueryRunLike, C extends RestartingQueryControl<R>>
  implements StreamingQueryHandle
{
  protected readonly control: C;
  /** Aborted when the query is to end. */
  protected readonly stopping = new AbortController();
  #active = true;
  #exception: MillraceError | null = null;
  #ended!: Promise<void>;

  constructor(control: C) {
    this.control = control;
  }

  /** Runs until the run ends by itself or is stopped; throws what it failed with. `succeeded`: failures are counted anew. */
  protected abstract work(run: R, succeeded: () => void): Promise<void>;
  /** The run is over, and so is the wait before the next one. */
  protected left(): void {}
  /** Makes a stop known to the run under way. */
  protected abstract halt(): Promise<void> | void;
  /** The query has ended; told before the event. */
  protected abstract over(): void;
  abstract processAllAvailable(): Promise<void>;
  abstract explain(extended?: boolean): string;

  /** Begins with the run that is open already, or with the retryable failure of the first try. */
  protected begin(first: R | MillraceError): void {
    this.#ended = this.#live(first);
    // failures are told by awaitTermination, exception and the event; nobody has to wait for them
    this.#ended.catch(() => undefined);
  }

  get id(): string {
    return this.control.id;
  }

  /** The first run's, also after the query has started again. */
  get runId(): string {
    return this.control.runId;
  }

  get name(): string | null {
    return this.control.name;
  }

  get isActive(): boolean {
    return this.#active;
  }

  get status(): StreamingQueryStatus {
    return this.control.log.status;
  }

  get lastProgress(): StreamingQueryProgress | null {
    return this.control.log.last;
  }

  get recentProgress(): readonly StreamingQueryProgress[] {
    return this.control.log.recent;
  }

  get exception(): Error | null {
    return this.#exception;
  }

  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    if (timeoutMs === undefined) {
      await this.#ended;
    } else {
      // real time, also where a test moves the query's clock by hand
      const over = new AbortController();
      const timeout = systemClock.sleep(timeoutMs, over.signal).then(() => "timeout" as const);
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
    this.stopping.abort();
    await this.halt();
    await this.#ended;
  }

  async #live(first: R | MillraceError): Promise<void> {
    let next: R | MillraceError | undefined = first;
    let attempt = 0;
    let failure: unknown;
    for (;;) {
      let run: R | undefined;
      try {
        if (next instanceof MillraceError) throw next;
        run = next ?? (await this.control.open!());
        await this.work(run, () => {
          attempt = 0;
        });
        await run.close();
        break;
      } catch (error) {
        await run?.close(error as Error);
        if (this.stopping.signal.aborted && isRetryable(error)) break;
        attempt++;
        const delayMs = restartDelay(this.control.restart, error, attempt);
        if (delayMs === undefined || this.control.open === undefined) {
          failure = error;
          break;
        }
        const { id, runId, name, clock } = this.control;
        publish("query.restarting", { id, runId, name, attempt, delayMs, error: error as Error });
        this.say(`Restarting after: ${(error as Error).message}`);
        await clock.sleep(delayMs, this.stopping.signal);
        if (this.stopping.signal.aborted) break;
      } finally {
        next = undefined;
        this.left();
      }
    }
    await this.#end(failure);
  }

  async #end(failure: unknown): Promise<void> {
    const { id, runId, name } = this.control;
    let cause = failure;
    try {
      await this.control.finish(failure as Error | undefined);
    } catch (error) {
      cause ??= error;
    }
    if (cause !== undefined) this.#exception = streamFailed({ id, runId, name }, cause, this.lastProgress?.batchId);
    this.#active = false;
    this.say(cause === undefined ? "Stopped" : `Terminated with exception: ${(cause as Error).message ?? cause}`);
    this.over();
    publish("query.terminated", { id, runId, name, error: this.#exception });
  }

  /** Sets the status of a query whose trigger is not active. */
  protected say(message: string, isDataAvailable = false): void {
    this.control.log.status = { message, isDataAvailable, isTriggerActive: false };
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof MillraceError && error.retryable;
}
