import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "iovalkey";
import pg from "pg";
import { type Observer, startObserver } from "../../src/observe/server.ts";
import { SparkSession } from "../../src/session.ts";
import { type Stack, startStack } from "../../src/stack.ts";

/** A database, a cache, a session and the server that people look through, in a folder of their own. */
export interface World extends AsyncDisposable {
  readonly spark: SparkSession;
  readonly observer: Observer;
  readonly database: pg.Client;
  readonly cache: Redis;
  readonly stack: Stack<"postgres" | "redis">;
  readonly folder: string;
  /** A new checkpoint folder. */
  checkpoint(): string;
}

export async function startWorld(options: Parameters<typeof startObserver>[0] = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-views-"));
  const stack = await startStack({
    directory: join(folder, "stack"),
    want: ["postgres", "redis"],
    ports: { postgres: 0, redis: 0 },
  });
  const database = new pg.Client({ connectionString: process.env.MILLRACE_POSTGRES! });
  await database.connect();
  const cache = new Redis(process.env.MILLRACE_REDIS!);
  const spark = new SparkSession();
  const observer = await startObserver({ port: 0, ...options });
  let checkpoints = 0;
  return {
    spark,
    observer,
    database,
    cache,
    stack,
    folder,
    checkpoint: () => join(folder, `checkpoint-${checkpoints++}`),
    async [Symbol.asyncDispose]() {
      await observer.close();
      await spark.stop();
      await database.end().catch(() => undefined);
      cache.disconnect();
      await stack.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
