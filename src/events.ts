import { channel } from "node:diagnostics_channel";

/**
 * What the running system tells about itself. Every part publishes here and none listens to another part:
 * the dashboard, metrics, logs and tests subscribe. This module imports nothing of ours.
 */
export interface Events {
  /** `plan` works out what the query does, step by step (`QueryPlan` of plan/query-plan.ts), when somebody wants to see it. */
  "query.started": {
    id: string;
    runId: string;
    name: string | null;
    timestamp: string;
    plan?: () => Promise<unknown>;
    /** Milliseconds between the starts of two batches; 0 when one starts as soon as there is data. */
    triggerMs?: number;
  };
  "query.progress": { id: string; runId: string; name: string | null; progress: unknown };
  "query.idle": { id: string; runId: string; timestamp: string };
  "query.terminated": { id: string; runId: string; name: string | null; error: Error | null };
  /** A retryable failure: the query starts again after `delayMs`. */
  "query.restarting": {
    id: string;
    runId: string;
    name?: string | null;
    attempt: number;
    delayMs: number;
    error: Error;
  };
  /** One point of the batch protocol was passed; crash tests stop the process at these. */
  "batch.step": { queryId: string; batchId: number; step: BatchStep; sink?: string };
  /**
   * What the embedded engine counted in a batch beside its progress, just before `query.progress`. `operator` is the position in
   * `stateOperators` and the name, such as `0 stateStoreSave`. `lateSamples`: a few of the rows that came too late, at most once a second.
   */
  "batch.measured": {
    queryId: string;
    batchId: number;
    operators: readonly {
      operator: string;
      inputRows?: number;
      outputRows?: number;
      lateSamples: readonly Readonly<Record<string, unknown>>[];
    }[];
    /** Files of the state on disk. */
    stateBytes: number;
  };
  /** A record that could not be used, where it came from and why. */
  "record.bad": { source: string; partition?: string; offset?: string; reason: string; sample?: string };
  "server.listening": { server: string; host: string; port: number; wanted: number };
  "server.error": { server: string; error: Error };
  "client.error": { client: string; error: Error };
  warning: { code: string; message: string; detail?: Record<string, unknown> };
}

/** The points of one micro-batch, in order (see docs/architecture.md, "The way of an event"). */
export type BatchStep =
  | "planned"
  | "offsets-written"
  | "ingested"
  | "state-committed"
  | "sink-before"
  | "sink-after"
  | "commits-written";

const channels = new Map<string, ReturnType<typeof channel>>();

function of(name: string): ReturnType<typeof channel> {
  let c = channels.get(name);
  if (c === undefined) {
    c = channel(`millrace:${name}`);
    channels.set(name, c);
  }
  return c;
}

/**
 * Publishes an event; costs one comparison when nobody listens. What a person must hear of, a warning, a query that starts again and
 * again, a server in trouble, then becomes a warning of Node.js on standard error (`node --disable-warning=MillraceWarning` hides it).
 */
export function publish<K extends keyof Events>(name: K, event: Events[K]): void {
  const c = of(name);
  if (c.hasSubscribers) c.publish(event);
  else LOUD[name]?.(event);
}

const LOUD: { readonly [K in keyof Events]?: (event: Events[K]) => void } = {
  warning: (e) => warn(e.message, e.code),
  "server.error": (e) => warn(`${e.server}: ${e.error.message}`),
  "query.restarting": (e) =>
    warn(`Query ${e.name ?? e.id} starts again in ${Math.round(e.delayMs / 100) / 10} s after: ${e.error.message}`),
};

function warn(message: string, code?: string): void {
  process.emitWarning(message, { type: "MillraceWarning", ...(code !== undefined && { code }) });
}

/** Whether somebody listens: what costs more than the publishing itself is only done then. */
export function hasListeners(name: keyof Events): boolean {
  return of(name).hasSubscribers;
}

/** Calls `listener` for every event of that name until the returned function is called. */
export function subscribe<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void {
  const c = of(name);
  const handler = (message: unknown): void => listener(message as Events[K]);
  c.subscribe(handler);
  return () => {
    c.unsubscribe(handler);
  };
}
