/** The signal of the version of the program that was loaded last. */
let current: AbortSignal | undefined;
const never = new AbortController().signal;

/**
 * A signal that fires when the program has to give up what it opened beside its queries: timers, servers, producers. Under `millrace dev`
 * that is each time when another version of it is loaded, and at the end; under `millrace run` at the end. In a program that you run
 * yourself it never fires. Ask for it while the module is loaded.
 *
 * @example
 * import { stopSignal } from "millrace";
 * const timer = setInterval(() => console.log("still here"), 1_000);
 * stopSignal().addEventListener("abort", () => clearInterval(timer));
 */
export function stopSignal(): AbortSignal {
  return current ?? never;
}

/** Called by who runs programs, before one is loaded. */
export function setStopSignal(signal: AbortSignal | undefined): void {
  current = signal;
}
