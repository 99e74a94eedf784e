import type { StreamMessages } from "../../../src/observe/api.ts";
import { backoffMs, STALE_MS } from "./connection.ts";

/** A message of the stream; its data as they came. */
export type Message = {
  [K in keyof StreamMessages]: { readonly event: K; readonly data: StreamMessages[K] };
}[keyof StreamMessages];

export interface EventsHandler {
  message(message: Message): void;
  /** The line broke; another attempt follows by itself. */
  lost(problem: string | null): void;
}

const NAMES = ["open", "query", "beat"] as const;

/**
 * The process's event stream, opened again whenever it breaks. EventSource by itself gives up for ever when it is answered anything but
 * 200, as by a proxy while the process restarts, and it never notices a line that is open and dead.
 */
export function openEvents(url: string, handler: EventsHandler): { close(): void; retryNow(): void } {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  let closed = false;

  const open = (): void => {
    clearTimeout(timer);
    timer = undefined;
    source?.close();
    const mine = new EventSource(url);
    source = mine;
    watch();
    for (const name of NAMES) {
      mine.addEventListener(name, (event: Event) => {
        // EventSource's own event of the name "open" has no data.
        if (source !== mine || typeof (event as MessageEvent).data !== "string") return;
        attempt = 0;
        watch();
        handler.message({ event: name, data: JSON.parse((event as MessageEvent).data) } as Message);
      });
    }
    mine.onerror = () => {
      if (source === mine) fail();
    };
  };
  const fail = (): void => {
    source?.close();
    source = undefined;
    clearTimeout(watchdog);
    if (closed || timer !== undefined) return;
    timer = setTimeout(open, backoffMs(attempt++));
    handler.lost(null);
    void reason().then((problem) => {
      if (!closed && problem !== null && source === undefined) handler.lost(problem);
    });
  };
  const watch = (): void => {
    clearTimeout(watchdog);
    watchdog = setTimeout(fail, STALE_MS);
  };
  open();
  return {
    close() {
      closed = true;
      source?.close();
      clearTimeout(timer);
      clearTimeout(watchdog);
    },
    retryNow() {
      if (closed || source !== undefined) return;
      attempt = 0;
      open();
    },
  };
}

/** What the process says to a plain request when it refuses the stream: EventSource does not tell. */
async function reason(): Promise<string | null> {
  try {
    const response = await fetch("/api/process", { signal: AbortSignal.timeout(2000) });
    if (response.ok) return null;
    const { error } = (await response.json()) as { error: { message: string; hint: string | null } };
    return [error.message, error.hint].filter(Boolean).join(" ");
  } catch {
    return null; // nothing answers: that the line is lost is all there is to say
  }
}
