import type { Offset, StreamSource } from "../connectors/connector.ts";
import { type Clock, systemClock } from "../streaming/clock.ts";

/** Resolves when one of the sources may have data, or after `timeoutMs` of the clock, or when the signal fires. */
export async function waitForAny(
  sources: readonly StreamSource[],
  position: readonly Offset[],
  timeoutMs: number,
  pollingDelayMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const ended = new AbortController();
  const stop = (): void => ended.abort();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const waits = sources.map((source, i) =>
      source.waitForData === undefined
        ? systemClock.sleep(Math.min(timeoutMs, pollingDelayMs), ended.signal)
        : source.waitForData(position[i]!, timeoutMs, ended.signal),
    );
    await Promise.race([...waits, clock.sleep(timeoutMs, ended.signal)]);
    ended.abort();
    // nobody may be left behind with a rejection
    await Promise.allSettled(waits);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The value, or undefined once the signal has fired and `graceMs` have passed. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal, graceMs = 0): Promise<T | undefined> {
  const ended = new AbortController();
  const aborted = new Promise<undefined>((resolve) => {
    const stop = (): void => void systemClock.sleep(graceMs, ended.signal).then(() => resolve(undefined));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { signal: ended.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    ended.abort();
    // when nobody waits any more, its failure is nobody's business
    promise.catch(() => undefined);
  }
}
