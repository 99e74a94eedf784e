import type { StreamingQueryHandle, StreamingQueryProgress, StreamingQueryStatus } from "../backend.ts";
import { MillraceError } from "../errors.ts";

/**
 * The query as the program has it. What runs behind it may be exchanged, or not be there yet; a program that was replaced keeps handles
 * that are silent for ever, so that its code does not go on as if its queries had ended.
 */
export class QueryProxy implements StreamingQueryHandle {
  readonly name: string | null;
  #real: StreamingQueryHandle | undefined;
  #retired = false;
  /** Of the next time that something runs behind it. */
  #bound = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #wanted: () => void;
  #waits = 0;

  /** `wanted`: the program waits for the query, so it should be running. */
  constructor(name: string | null, wanted: () => void) {
    this.name = name;
    this.#wanted = wanted;
    this.#ended.promise.catch(() => {});
  }

  /** From here on it stands for `real`. */
  bind(real: StreamingQueryHandle): void {
    this.#real = real;
    this.#bound.resolve();
    const over = (end: () => void): void => {
      if (this.#real === real && !this.#retired) end();
    };
    real.awaitTermination().then(
      () => over(() => this.#ended.resolve()),
      (error: unknown) => over(() => this.#ended.reject(error)),
    );
  }

  /** What runs behind it is about to be stopped, and another follows. */
  detach(): void {
    if (this.#real === undefined) return;
    this.#real = undefined;
    this.#bound = Promise.withResolvers<void>();
  }

  /** The program was replaced: nothing is told any more. */
  retire(): void {
    this.#retired = true;
    this.#real = undefined;
  }

  get id(): string {
    return this.#real?.id ?? "";
  }
  get runId(): string {
    return this.#real?.runId ?? "";
  }
  get isActive(): boolean {
    return !this.#retired && (this.#real?.isActive ?? true);
  }
  get status(): StreamingQueryStatus {
    return this.#real?.status ?? { message: "Starting", isDataAvailable: false, isTriggerActive: false };
  }
  get lastProgress(): StreamingQueryProgress | null {
    return this.#real?.lastProgress ?? null;
  }
  get recentProgress(): readonly StreamingQueryProgress[] {
    return this.#real?.recentProgress ?? [];
  }
  get exception(): Error | null {
    return this.#real?.exception ?? null;
  }

  async processAllAvailable(): Promise<void> {
    for (;;) {
      const real = await this.#running();
      await real.processAllAvailable();
      if (this.#real === real) return;
    }
  }

  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    // The session itself waits once for every query.
    if (this.#waits++ > 0) this.#wanted();
    if (timeoutMs === undefined) {
      await this.#ended.promise;
      return true;
    }
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    try {
      return await Promise.race([this.#ended.promise.then(() => true), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    if (this.#retired) return;
    await (await this.#running()).stop();
  }

  explain(extended?: boolean): string {
    return this.#real?.explain(extended) ?? "";
  }

  async #running(): Promise<StreamingQueryHandle> {
    if (this.#retired) {
      throw new MillraceError("STOPPED", "The query belongs to a version of the program that was replaced.");
    }
    this.#wanted();
    while (this.#real === undefined) await this.#bound.promise;
    return this.#real;
  }
}
