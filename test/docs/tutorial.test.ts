import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "iovalkey";
import pg from "pg";
import { afterAll, expect, test } from "vitest";
import { startStack } from "../../src/stack.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "millrace-tutorial-"));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

/** The program of docs/tutorial.md against a stack, as `millrace dev` would run it. */
function start(env: NodeJS.ProcessEnv): ChildProcess {
  const args = ["src/cli/main.ts", "run", join(root, "examples/tutorial.ts")];
  return spawn(process.execPath, [join(root, args[0]!), ...args.slice(1)], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
}

test("examples/tutorial.ts: rows on the screen, in the lake, the database and the cache; on after a stop, nothing twice", async () => {
  const env: NodeJS.ProcessEnv = {};
  const lake = join(folder, "lake");
  const stack = await startStack({ directory: join(folder, "stack"), env, ports: { kafka: 0, postgres: 0, redis: 0 } });
  env.MILLRACE_LAKE = lake;
  const client = new pg.Client({ connectionString: env.MILLRACE_POSTGRES! });
  const redis = new Redis(env.MILLRACE_REDIS!);
  const stored = async (): Promise<number> => {
    const { rows } = await client.query("SELECT to_regclass('revenue') IS NOT NULL AS yes");
    if (!rows[0].yes) return 0;
    return (await client.query("SELECT coalesce(sum(orders), 0)::int AS n FROM revenue")).rows[0].n;
  };
  try {
    await client.connect();
    let before = 0;
    for (const round of [1, 2]) {
      const child = start(env);
      const ended = once(child, "exit");
      let screen = "";
      child.stdout!.setEncoding("utf8").on("data", (text: string) => {
        screen += text;
      });
      await expect.poll(stored, { timeout: 60_000, interval: 200 }).toBeGreaterThan(before + 50);
      await expect.poll(() => screen, { timeout: 10_000 }).toMatch(/minute\|country\|orders\|revenue\|average/);
      child.kill("SIGINT");
      expect(await ended, `round ${round}`).toEqual([130, null]);
      before = await stored();
    }
    const keys = await redis.keys("revenue:*");
    expect(keys.length).toBeGreaterThan(1);
    const { rows } = await client.query("SELECT * FROM revenue WHERE country = $1 ORDER BY minute DESC LIMIT 1", [
      keys[0]!.split(":")[1],
    ]);
    expect(await redis.hget(keys[0]!, "revenue")).toBe(String(rows[0].revenue));

    const { SparkSession } = await import("../../src/session.ts");
    const spark = new SparkSession();
    const orders = spark.read.format("delta").load(join(lake, "orders"));
    const [counted] = await orders
      .selectExpr("count(*) AS n", "count(DISTINCT id) AS ids", "min(amount) AS least")
      .collect();
    expect(Number(counted.n)).toBeGreaterThan(50);
    expect(counted.ids).toBe(counted.n);
    expect(counted.least).toBeGreaterThan(0);
    await spark.stop();
  } finally {
    redis.disconnect();
    await client.end();
    await stack.stop();
  }
}, 120_000);
