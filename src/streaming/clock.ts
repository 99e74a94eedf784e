/** The time that a query lives by. Tests hand in one that they move (testing/manual-clock.ts). */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  /** Resolves after `ms`, or at once when the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep(ms, signal) {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      // setTimeout takes at most 2^31-1 ms; a longer sleep wakes early, which every caller allows
      const timer = setTimeout(done, Math.min(ms, 2_147_483_647));
      signal.addEventListener("abort", done, { once: true });
    });
  },
};
