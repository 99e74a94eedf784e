import type { StreamMessages } from "../../../src/observe/api.ts";
import { STALE_MS } from "./connection.ts";
import { type EventsHandler, type Message, openEvents } from "./events.ts";

const NAME = "millrace-stream";

export interface Shared {
  /** The page is looked at again, or the network is back: make sure that what it shows is of now. */
  wake(): void;
  close(): void;
}

interface Talk {
  readonly kind: "message" | "lost" | "hello";
  readonly message?: Message;
  readonly problem?: string | null;
}

/**
 * One stream for all of a browser's tabs: a browser opens six connections to a process at most, and each stream holds one. The tab that
 * has the lock reads the stream and passes every message on; when it closes, the next one takes over. When it is frozen, a tab that is
 * looked at takes the lock away. Where a browser has no locks (pages that are not from this machine, without TLS) every tab reads its own.
 */
export function shareEvents(url: string, handler: EventsHandler, current: () => StreamMessages["open"] | null): Shared {
  if (!("locks" in navigator) || typeof BroadcastChannel === "undefined") {
    const alone = openEvents(url, handler);
    return { wake: () => alone.retryNow(), close: () => alone.close() };
  }
  const channel = new BroadcastChannel(NAME);
  const closing = new AbortController();
  let own: ReturnType<typeof openEvents> | undefined;
  let heardAt = Date.now();
  const say = (talk: Talk): void => channel.postMessage(talk);

  const lead = (): Promise<void> =>
    new Promise((resolve) => {
      own = openEvents(url, {
        message(message) {
          say({ kind: "message", message });
          handler.message(message);
        },
        lost(problem) {
          say({ kind: "lost", problem });
          handler.lost(problem);
        },
      });
      closing.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  const retire = (): void => {
    own?.close();
    own = undefined;
  };
  const queue = (steal: boolean): void => {
    if (closing.signal.aborted) return;
    navigator.locks.request(NAME, steal ? { steal: true } : { signal: closing.signal }, lead).catch(() => {
      // Another tab took the lock, or this one closes.
      retire();
      heardAt = Date.now();
      queue(false);
    });
  };
  const takeOverIfSilent = (): void => {
    if (own === undefined && document.visibilityState === "visible" && Date.now() - heardAt > STALE_MS) {
      heardAt = Date.now();
      queue(true);
    }
  };
  channel.onmessage = ({ data }: MessageEvent<Talk>) => {
    if (data.kind === "hello") {
      const open = own === undefined ? null : current();
      if (open !== null) say({ kind: "message", message: { event: "open", data: open } });
      return;
    }
    if (own !== undefined) return;
    heardAt = Date.now();
    if (data.kind === "lost") handler.lost(data.problem ?? null);
    else handler.message(data.message!);
  };
  const watch = setInterval(takeOverIfSilent, 1000);
  queue(false);
  say({ kind: "hello" });
  return {
    wake() {
      if (own !== undefined) own.retryNow();
      else {
        say({ kind: "hello" });
        takeOverIfSilent();
      }
    },
    close() {
      clearInterval(watch);
      closing.abort();
      retire();
      channel.close();
    },
  };
}
