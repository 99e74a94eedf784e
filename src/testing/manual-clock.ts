import type { Clock } from "../streaming/clock.ts";

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number;
  #sleepers: { readonly at: number; wake(): void }[] = [];

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        at: this.#now + ms,
        wake: (): void => {
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          signal.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      signal.addEventListener("abort", sleeper.wake, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Moves the clock on and wakes whoever slept until then. */
  advance(ms: number): void {
    this.set(this.#now + ms);
  }

  /** Sets the clock; it never goes back. */
  set(now: number): void {
    this.#now = Math.max(this.#now, now);
    for (const sleeper of this.#sleepers.filter(({ at }) => at <= this.#now)) sleeper.wake();
  }

  /** How many sleep now; for tests that wait until a query waits. */
  get sleeping(): number {
    return this.#sleepers.length;
  }
}
