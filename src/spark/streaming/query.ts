import { MillraceError } from "../../errors.ts";
import { RestartingQuery, type RestartingQueryControl } from "../../streaming/restarting-query.ts";
import type { ServerRun } from "./run.ts";

/** What a query on Spark is made of. */
export interface SparkQueryControl extends RestartingQueryControl<ServerRun> {
  /** The plan, until the server has one to show. */
  readonly plan: string;
}

/**
 * Spark's StreamingQuery on a server. What its properties say comes from the server's listener bus and a question every two seconds. A
 * failure that may pass (a sink that cannot be reached, a server that is gone) starts the query again from its checkpoint, as embedded.
 */
export class SparkStreamingQuery extends RestartingQuery<ServerRun, SparkQueryControl> {
  #run: ServerRun | undefined;
  /** Settles when another run has begun or the query has ended. */
  #change!: Promise<void>;
  #changed!: () => void;

  /** `first`: the run that was started, or the retryable failure of the first try. */
  constructor(control: SparkQueryControl, first: ServerRun | MillraceError) {
    super(control);
    this.#renew();
    if (!(first instanceof MillraceError)) this.#enter(first);
    this.begin(first);
  }

  async processAllAvailable(): Promise<void> {
    while (this.isActive) {
      const run = this.#run;
      const change = this.#change;
      if (run !== undefined) {
        try {
          await run.processAllAvailable();
          return;
        } catch (error) {
          // the run's end says what it was, and whether another begins
          run.look();
          if (this.#run === run && this.isActive && !run.over) {
            await Promise.race([
              change,
              run.ended.catch(() => undefined),
              this.control.clock.sleep(5_000, this.stopping.signal),
            ]);
            if (this.#run === run && this.isActive && !run.over) throw error;
          }
        }
      }
      await change;
    }
    if (this.exception !== null) throw this.exception;
  }

  override async awaitTermination(timeoutMs?: number): Promise<boolean> {
    if (timeoutMs !== undefined) return super.awaitTermination(timeoutMs);
    // whoever waits wants the process to stay
    const stay = setInterval(() => undefined, 60_000);
    try {
      return await super.awaitTermination();
    } finally {
      clearInterval(stay);
    }
  }

  explain(extended = false): string {
    return this.#run?.explained(extended) ?? this.control.plan;
  }

  protected async work(run: ServerRun, succeeded: () => void): Promise<void> {
    if (this.#run !== run) this.#enter(run);
    run.onProgress = succeeded;
    // stopped while it was being started
    if (this.stopping.signal.aborted) await run.stop();
    await run.ended;
  }

  protected override left(): void {
    this.#run = undefined;
  }

  protected async halt(): Promise<void> {
    await this.#run?.stop();
  }

  protected over(): void {
    this.#changed();
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
}
