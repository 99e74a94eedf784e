import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import type { ApiError, ProcessInfo, QuerySummary, StreamMessages } from "../api.ts";
import { BEAT_MS, EventStream } from "../event-stream.ts";
import type { QueryRecord } from "../query-log.ts";
import type { App, ObserverParts } from "../server.ts";
import { batchSummary, detail, summarize } from "../summary.ts";

/** Between two messages about the same query, in milliseconds: nobody reads faster. */
const EVERY_MS = 100;

/** `/api/process`, `/api/queries`, `/api/queries/:id` (or its name), `/api/bad-records`, `/api/stream`. */
export function queryRoutes(parts: ObserverParts): App {
  const { log } = parts;
  const app: App = new Hono();
  app.use(async (c, next) => {
    c.header("cache-control", "no-store");
    await next();
  });
  const process_ = (): ProcessInfo => ({
    version: parts.version,
    node: process.versions.node,
    pid: process.pid,
    startedAt: parts.startedAt,
    now: Date.now(),
    servers: parts.servers(),
  });
  const summaries = (): QuerySummary[] => log.queries().map((q) => summarize(q, Date.now()));

  app.get("/process", (c) => c.json(process_()));
  app.get("/queries", (c) => c.json(summaries()));
  app.get("/queries/:id", (c) => {
    const query = log.query(c.req.param("id"));
    if (query !== undefined) return c.json(detail(query, Date.now()));
    const message = `There is no query ${c.req.param("id")}.`;
    const hint = `There are: ${log.queries().map((q) => q.name ?? q.id)}.`;
    return c.json<ApiError>({ error: { code: "NOT_FOUND", message, hint } }, 404);
  });
  app.get("/bad-records", (c) => c.json(log.badRecords()));
  app.get("/stream", (c) => {
    const reader = new EventStream(c.env.outgoing);
    const send = <K extends keyof StreamMessages>(event: K, data: StreamMessages[K], key?: string): void =>
      reader.send(event, data, key === undefined ? {} : { key });
    send("open", { process: process_(), queries: summaries() });

    const changed = new Map<string, QueryRecord>();
    const sentBatch = new Map<string, number>();
    let timer: NodeJS.Timeout | undefined;
    const flush = (): void => {
      timer = undefined;
      for (const query of changed.values()) {
        const batch = query.batches.at(-1);
        const isNew = batch !== undefined && sentBatch.get(query.id) !== batch.batchId;
        if (isNew) sentBatch.set(query.id, batch.batchId);
        send("query", { query: summarize(query, Date.now()), batch: isNew ? batchSummary(batch) : null }, query.id);
      }
      changed.clear();
    };
    const off = log.onChange((query) => {
      changed.set(query.id, query);
      timer ??= setTimeout(flush, EVERY_MS);
    });
    const beat = setInterval(() => send("beat", { now: Date.now() }, "beat"), BEAT_MS);
    const end = (): void => reader.close();
    parts.closing.addEventListener("abort", end, { once: true });
    void reader.closed.then(() => {
      parts.closing.removeEventListener("abort", end);
      clearInterval(beat);
      clearTimeout(timer);
      off();
    });
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}
