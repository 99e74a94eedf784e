import { type Context, Hono } from "hono";
import type { CacheExplorer } from "../explore/cache.ts";
import type { DatabaseExplorer } from "../explore/database.ts";
import type { LakeExplorer } from "../explore/lake.ts";
import { Problem, toProblem } from "../explore/problem.ts";
import type { TopicExplorer } from "../explore/topics.ts";
import type { App, ObserverParts } from "../server.ts";

/** Addresses of the servers behind the pipeline, as its connectors find them. */
export interface Addresses {
  readonly kafka?: string | undefined;
  readonly postgres?: string | undefined;
  readonly redis?: string | undefined;
  readonly lake?: string | undefined;
}

/** The addresses of the environment, where the embedded servers put theirs as well. */
export function addressesOf(env: NodeJS.ProcessEnv = process.env): Addresses {
  return {
    kafka: env.MILLRACE_KAFKA || undefined,
    postgres: env.MILLRACE_POSTGRES || undefined,
    redis: env.MILLRACE_REDIS || undefined,
    lake: env.MILLRACE_LAKE || undefined,
  };
}

/** Rows and messages of a page. */
const USUAL = 50;
const MOST = 200;

/**
 * `/api/topics`, `/api/lake`, `/api/database`, `/api/cache`: what lies behind the pipeline (see api-explore.ts). Reads only. What cannot be
 * reached is an answer of its own, so that the other pages go on.
 */
export function exploreRoutes({ log, closing, addresses }: ObserverParts): App {
  const app: App = new Hono();
  // Clients and readers are loaded when somebody looks: a pipeline that nobody watches starts as fast as ever.
  const topics = onFirstUse<TopicExplorer>(closing, async () => {
    const { TopicExplorer } = await import("../explore/topics.ts");
    return new TopicExplorer(log);
  });
  const lake = onFirstUse<LakeExplorer>(closing, async () => {
    const { LakeExplorer } = await import("../explore/lake.ts");
    return new LakeExplorer();
  });
  const database = onFirstUse<DatabaseExplorer>(closing, async () => {
    const { DatabaseExplorer } = await import("../explore/database.ts");
    return new DatabaseExplorer();
  });
  const cache = onFirstUse<CacheExplorer>(closing, async () => {
    const { CacheExplorer } = await import("../explore/cache.ts");
    return new CacheExplorer();
  });
  const at = (name: keyof Addresses): string => {
    const address = addresses()[name];
    if (address !== undefined) return address;
    throw new Problem(
      404,
      "NOT_CONFIGURED",
      `This process knows no ${TITLES[name]}.`,
      `Set MILLRACE_${name.toUpperCase()}, or start with millrace dev.`,
    );
  };
  app.use(async (c, next) => {
    c.header("cache-control", "no-store");
    await next();
  });

  app.get("/topics", async (c) => c.json(await (await topics()).list(at("kafka"))));
  app.get("/topics/:name", async (c) => c.json(await (await topics()).detail(at("kafka"), c.req.param("name"))));
  app.get("/topics/:name/messages", async (c) => {
    const { parseFrom } = await import("../explore/messages.ts");
    const request = {
      from: parseFrom(c.req.query("from") || "latest"),
      partition: c.req.query("partition") ? number(c, "partition", 0, 0, 1_000_000) : undefined,
      limit: number(c, "limit", USUAL, 1, MOST),
      search: (c.req.query("search") ?? "").slice(0, 200).toLowerCase(),
    };
    return c.json(await (await topics()).messages(at("kafka"), c.req.param("name"), request));
  });

  app.get("/lake", async (c) => c.json(await (await lake()).list(at("lake"))));
  app.get("/lake/table", async (c) => c.json(await (await lake()).detail(at("lake"), text(c, "name"))));
  app.get("/lake/rows", async (c) =>
    c.json(await (await lake()).rows(at("lake"), text(c, "name"), number(c, "limit", USUAL, 1, MOST))),
  );

  app.get("/database", async (c) => c.json(await (await database()).list(at("postgres"))));
  app.get("/database/table", async (c) =>
    c.json(await (await database()).detail(at("postgres"), text(c, "schema"), text(c, "table"))),
  );
  app.get("/database/rows", async (c) => {
    const limit = number(c, "limit", USUAL, 1, MOST);
    return c.json(await (await database()).rows(at("postgres"), text(c, "schema"), text(c, "table"), limit));
  });

  app.get("/cache", async (c) => {
    const match = (c.req.query("match") || "*").slice(0, 1_000);
    return c.json(await (await cache()).page(at("redis"), match, c.req.query("cursor") || "0"));
  });
  app.get("/cache/key", async (c) => c.json(await (await cache()).value(at("redis"), text(c, "key"))));

  app.onError((error, c) => {
    const problem = toProblem(error);
    return c.json(problem.body, problem.status);
  });
  return app;
}

const TITLES: Readonly<Record<keyof Addresses, string>> = {
  kafka: "Kafka",
  postgres: "database",
  redis: "cache",
  lake: "lake",
};

/** Made at the first call, closed with the server. */
function onFirstUse<T extends { close(): void }>(closing: AbortSignal, make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().then((it) => {
      if (closing.aborted) it.close();
      else closing.addEventListener("abort", () => it.close(), { once: true });
      return it;
    });
    return made;
  };
}

function text(c: Context, name: string): string {
  const value = c.req.query(name);
  if (value) return value;
  throw new Problem(400, "INVALID_ARGUMENT", `The parameter ${name} is missing.`);
}

function number(c: Context, name: string, usual: number, from: number, to: number): number {
  const value = c.req.query(name);
  if (!value) return usual;
  const n = Number(value);
  if (/^\d{1,9}$/.test(value) && n >= from && n <= to) return n;
  throw new Problem(400, "INVALID_ARGUMENT", `${name} must be a whole number from ${from} to ${to}.`);
}
