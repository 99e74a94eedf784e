import type { Backend, Conf, StreamingQueryHandle } from "../backend.ts";
import type { Relation } from "../plan/relation.ts";

/** What a DataFrame needs of its session. */
export interface SessionContext {
  /** The engine; loaded on first use, so that building plans costs nothing. What it does waits for the session's commands. */
  backend(): Promise<Backend>;
  /** Runs a command with the engine after those that were given before; it keeps its place from this call on. */
  command<T>(run: (engine: Backend) => Promise<T>): Promise<T>;
  confValues(): Conf;
  /** A query has started: the session's `streams` knows it from now on. */
  register(query: StreamingQueryHandle): void;
  /** Temporary views that the session was given, by name in lower case: says of a name whether it is a stream. */
  readonly views: Map<string, Relation>;
  /** The session itself. */
  readonly owner: object;
}

let lastPlanId = 0;
/** Plan ids are unique in the process, so that plans of any sessions can be joined. */
export const nextPlanId = (): number => ++lastPlanId;
