import type { Backend, Conf, StreamingQueryHandle } from "../backend.ts";

/** What a DataFrame needs of its session. */
export interface SessionContext {
  /** The engine; loaded on first use, so that building plans costs nothing. */
  backend(): Promise<Backend>;
  confValues(): Conf;
  /** A query has started: the session's `streams` knows it from now on. */
  register(query: StreamingQueryHandle): void;
}

let lastPlanId = 0;
/** Plan ids are unique in the process, so that plans of any sessions can be joined. */
export const nextPlanId = (): number => ++lastPlanId;
