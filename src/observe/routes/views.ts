import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { MillraceError } from "../../errors.ts";
import { follow, rowsJson, servedView, viewInfos, viewNames } from "../../views/index.ts";
import type { ApiError } from "../api.ts";
import { EventStream } from "../event-stream.ts";
import type { App, ObserverParts } from "../server.ts";

/** `/api/views`, `/api/views/:name`, `/api/views/stream?view=a&view=b`. */
export function viewRoutes(parts: ObserverParts): App {
  const app: App = new Hono();
  app.use(async (c, next) => {
    // What changes all the time is asked anew each time; the ETag spares the rows.
    c.header("cache-control", "no-cache");
    await next();
  });

  app.get("/", (c) => c.json(viewInfos()));

  app.get("/stream", (c) => {
    const names = c.req.queries("view") ?? [];
    const unknown = names.filter((name) => servedView(name) === undefined);
    if (names.length === 0) {
      const message = "Which views?";
      return c.json<ApiError>({ error: { code: "INVALID_ARGUMENT", message, hint: `${hint()}: ?view=...` } }, 400);
    }
    if (unknown.length > 0) return c.json(notFound(unknown[0]!), 404);
    const stream = new EventStream(c.env.outgoing);
    const reader = {
      get isWritable() {
        return stream.isWritable;
      },
      write: (frame: Buffer) => stream.write(frame),
      // Whoever takes nothing, would not take the end of the stream either.
      close: () => void c.env.outgoing.destroy(),
    };
    const following = follow(names, c.req.header("last-event-id") ?? "", reader);
    stream.onDrain(() => following.drained());
    const end = (): void => stream.close();
    parts.closing.addEventListener("abort", end, { once: true });
    void stream.closed.then(() => {
      parts.closing.removeEventListener("abort", end);
      following.leave();
    });
    return RESPONSE_ALREADY_SENT;
  });

  app.get("/:name", async (c) => {
    const name = c.req.param("name");
    const view = servedView(name);
    if (view === undefined) return c.json(notFound(name), 404);
    try {
      await view.fresh();
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      const { code, reason, hint } = error;
      return c.json<ApiError>({ error: { code, message: reason, hint: hint ?? null } }, 503);
    }
    const { epoch, shape } = view;
    const content = view.content!;
    const tag = `"${epoch}.${content.batch}"`;
    c.header("etag", tag);
    const asked = (c.req.header("if-none-match") ?? "").split(",").map((t) => t.trim().replace(/^W\//, ""));
    if (asked.includes(tag) || asked.includes("*")) return c.body(null, 304);
    const { watermark } = view;
    const { key, columns, order } = shape!;
    const head = JSON.stringify({ view: name, epoch, batch: content.batch, watermark, key, columns, orderBy: order });
    c.header("content-type", "application/json");
    return c.body(`${head.slice(0, -1)},"rows":[${rowsJson(view).join(",")}]}`);
  });
  return app;
}

function notFound(name: string): ApiError {
  return { error: { code: "NOT_FOUND", message: `There is no view ${name}.`, hint: `${hint()}.` } };
}

function hint(): string {
  const names = viewNames();
  return names.length === 0 ? "The pipeline declares none yet" : `There are: ${names.join(", ")}`;
}
