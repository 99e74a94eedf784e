import { useEffect, useState } from "preact/hooks";
import type { ApiError } from "../../src/observe/api.ts";
import { generation } from "./live/store.ts";

/** An answer of the process that is no success, or none at all. */
export class Failure extends Error {
  readonly code: string;
  readonly hint: string | null;

  constructor(code: string, message: string, hint: string | null) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** Asks the process. Throws Failure. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { headers: { accept: "application/json" }, ...(signal && { signal }) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure("UNREACHABLE", "The process does not answer.", "It is asked again as soon as it is back.");
  }
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Failure("BAD_ANSWER", `The process answered ${response.status} with something that is not JSON.`, null);
  }
  if (response.ok) return body as T;
  const { code, message, hint } = (body as ApiError).error ?? { code: "BAD_ANSWER", message: text, hint: null };
  throw new Failure(code, message, hint);
}

/** A path of the API with its query; what is undefined or empty is left out. */
export function path(base: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  return search.size === 0 ? base : `${base}?${search}`;
}

export interface Asked<T> {
  /** The newest answer; stays while the next one is on its way and when it fails. */
  readonly data: T | undefined;
  readonly failure: Failure | undefined;
  readonly loading: boolean;
  refresh(): void;
}

/**
 * The answer to a path, asked again after `everyMs` while the page is looked at, and after a reconnect. No path: nothing is asked.
 */
export function useApi<T>(url: string | undefined, everyMs?: number): Asked<T> {
  const [state, setState] = useState<{ url: string | undefined; data?: T; failure?: Failure; loading: boolean }>({
    url,
    loading: url !== undefined,
  });
  const [turn, setTurn] = useState(0);
  const seen = generation.value;
  useEffect(() => {
    if (url === undefined) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async (): Promise<void> => {
      try {
        const data = await ask<T>(url, stop.signal);
        if (!stop.signal.aborted) setState({ url, data, loading: false });
      } catch (error) {
        if (stop.signal.aborted) return;
        const failure = error instanceof Failure ? error : new Failure("FAILED", String(error), null);
        setState((before) => ({
          url,
          ...(before.url === url && before.data !== undefined && { data: before.data }),
          failure,
          loading: false,
        }));
      }
      if (everyMs !== undefined && !stop.signal.aborted) timer = setTimeout(again, everyMs);
    };
    const again = (): void => {
      // A hidden page asks when it is looked at again: that is a new generation.
      if (document.visibilityState === "visible") void run();
    };
    void run();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [url, everyMs, turn, seen]);
  const own = state.url === url ? state : { url, loading: url !== undefined };
  return {
    data: "data" in own ? own.data : undefined,
    failure: "failure" in own ? own.failure : undefined,
    loading: own.loading,
    refresh: () => setTurn((n) => n + 1),
  };
}
