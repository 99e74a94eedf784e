import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import type { ApiError, Explanations, ProcessInfo, QuerySummary, StreamMessages } from "../api.ts";
import { BEAT_MS, EventStream } from "../event-stream.ts";
import { EXPLANATIONS } from "../explain.ts";
import { drawingNow, drawingOf } from "../graph.ts";
import type { QueryRecord } from "../query-log.ts";
import type { App, ObserverParts } from "../server.ts";
import { batchDetail, batchSummary, detail, summarize } from "../summary.ts";
import { withinMs } from "../within.ts";

/** Between two messages about the same query, in milliseconds: nobody reads faster. */
const EVERY_MS = 100;
/** How long a page waits for a plan that a server has to be asked for. */
const DRAWING_MS = 2_000;

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
    memoryBytes: process.memoryUsage.rss(),
    servers: parts.servers(),
  });
  const summaries = (): QuerySummary[] => log.queries().map((q) => summarize(q, Date.now()));

  app.get("/process", (c) => c.json(process_()));
  app.get("/queries", (c) => c.json(summaries()));
  const noQuery = (name: string): ApiError => {
    const known = log.queries().map((q) => q.name ?? q.id);
    const hint = known.length === 0 ? "No query has started yet." : `There are: ${known.join(", ")}.`;
    return { error: { code: "NOT_FOUND", message: `There is no query ${name}.`, hint } };
  };
  app.get("/queries/:id", async (c) => {
    const query = log.query(c.req.param("id"));
    if (query === undefined) return c.json(noQuery(c.req.param("id")), 404);
    const drawing = await withinMs(drawingOf(query), DRAWING_MS, null);
    return c.json(detail(query, drawing, Date.now()));
  });
  app.get("/queries/:id/batches/:batchId", (c) => {
    const query = log.query(c.req.param("id"));
    if (query === undefined) return c.json(noQuery(c.req.param("id")), 404);
    const asked = c.req.param("batchId");
    const batch = /^\d+$/.test(asked) ? batchDetail(query, Number(asked)) : undefined;
    if (batch !== undefined) return c.json(batch);
    const [oldest, newest] = [query.batches[0]?.batchId, query.batches.at(-1)?.batchId];
    const hint = oldest === undefined ? "No batch has ended yet." : `Batches ${oldest} to ${newest} are kept.`;
    return c.json<ApiError>({ error: { code: "NOT_FOUND", message: `There is no batch ${asked}.`, hint } }, 404);
  });
  app.get("/explain", (c) => c.json<Explanations>(EXPLANATIONS));
  app.get("/bad-records", (c) => c.json(log.badRecords()));
  app.get("/stream", (c) => {
    const reader = new EventStream(c.env.outgoing);
    const send = <K extends keyof StreamMessages>(event: K, data: StreamMessages[K], key?: string): void =>
      reader.send(event, data, key === undefined ? {} : { key });
    send("open", { process: process_(), queries: summaries() });
    // rows on the edges need the graph
    for (const query of log.queries()) void drawingOf(query);

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
      if (drawingNow(query) === undefined) void drawingOf(query);
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
