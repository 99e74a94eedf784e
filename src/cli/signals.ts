import { EXIT } from "./output.ts";

/** The wish to stop, from the keyboard or the system. */
export interface StopSignal {
  readonly signal: AbortSignal;
  /** Exit code that belongs to it. */
  code(): number;
  /** Asks to stop as SIGTERM does. */
  ask(): void;
  release(): void;
}

/** The first Ctrl-C or SIGTERM asks to stop; the second ends the process at once. */
export function onStop(asked: (signal: string) => void): StopSignal {
  const controller = new AbortController();
  let code: number = EXIT.ok;
  const handler = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    // A service manager's SIGTERM is answered by an orderly end.
    code = name === "SIGTERM" ? EXIT.ok : EXIT.interrupted;
    asked(name);
    controller.abort();
  };
  const names: NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const name of names) process.on(name, handler);
  return {
    signal: controller.signal,
    code: () => code,
    ask: () => handler("SIGTERM"),
    release() {
      for (const name of names) process.off(name, handler);
    },
  };
}

/** Resolves when it is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener("abort", () => done(), { once: true });
  });
}
