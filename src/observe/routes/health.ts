import { Hono } from "hono";
import type { App, ObserverParts } from "../server.ts";

/**
 * `/healthz`: the process answers. `/readyz`: 503 with the reasons while a query has failed or starts again; for an orchestrator.
 */
export function healthRoutes({ log }: ObserverParts): App {
  const app: App = new Hono();
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const reasons = log
      .queries()
      .filter((q) => q.state === "failed" || q.state === "restarting")
      .map((q) => ({ query: q.name ?? q.id, state: q.state, code: q.lastError?.code ?? null }));
    return reasons.length === 0 ? c.json({ status: "ok" }) : c.json({ status: "not ready", reasons }, 503);
  });
  return app;
}
