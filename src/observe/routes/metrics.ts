import { Hono } from "hono";
import { METRICS, metricsText, processMetrics } from "../metrics.ts";
import type { App, ObserverParts } from "../server.ts";

/** `/metrics` as Prometheus reads it. */
export function metricsRoutes({ log, version }: ObserverParts): App {
  const app: App = new Hono();
  const specs = [...METRICS, ...processMetrics(version)];
  app.get("/metrics", (c) =>
    c.body(metricsText(specs, log), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  return app;
}
