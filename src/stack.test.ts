import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { subscribe } from "./events.ts";
import { startStack } from "./stack.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-stack-"));
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));

const anyPorts = { kafka: 0, postgres: 0, redis: 0 };

describe("the stack", () => {
  test("starts what is not set, sets the variables, and unsets them again", async () => {
    const env: NodeJS.ProcessEnv = { MILLRACE_REDIS: "redis://:secret@cache:6379" };
    const stack = await startStack({ directory, env, ports: anyPorts });
    expect(stack.layers).toEqual([
      { name: "kafka", variable: "MILLRACE_KAFKA", address: env.MILLRACE_KAFKA, owner: "embedded" },
      { name: "postgres", variable: "MILLRACE_POSTGRES", address: env.MILLRACE_POSTGRES, owner: "embedded" },
      { name: "redis", variable: "MILLRACE_REDIS", address: "redis://:***@cache:6379", owner: "yours" },
      { name: "lake", variable: "MILLRACE_LAKE", address: join(directory, "lake"), owner: "embedded" },
    ]);
    expect(stack.addresses.redis).toBe("redis://:secret@cache:6379");
    expect(stack.addresses.kafka).toMatch(/^127\.0\.0\.1:\d+$/);
    await stack.ready;
    await stack.stop();
    await stack.stop();
    expect(env).toEqual({ MILLRACE_REDIS: "redis://:secret@cache:6379" });
  });

  test("takes the next port and says so; gives the directory free again", async () => {
    const holder = createServer();
    const taken = await new Promise<number>((resolve) => {
      holder.listen(0, "127.0.0.1", () => resolve((holder.address() as { port: number }).port));
    });
    const warnings: unknown[] = [];
    const off = subscribe("warning", (e) => warnings.push(e.detail));
    const start = () => startStack({ directory, env: {}, want: ["redis"], ports: { redis: taken } });
    const stack = await start();
    const port = Number(new URL(stack.addresses.redis).port);
    expect(port).toBeGreaterThan(taken);
    expect(stack.layers[0]).toMatchObject({ wanted: taken });
    expect(warnings).toEqual([{ server: "redis", wanted: taken, port }]);
    await expect(start()).rejects.toMatchObject({ code: "DIRECTORY_IN_USE" });
    await stack.stop();
    await (await start()).stop();
    off();
    holder.close();
  });

  test("a server that cannot start stops the others", async () => {
    await writeFile(join(directory, "redis"), "not a directory");
    const env: NodeJS.ProcessEnv = {};
    await expect(startStack({ directory, env, ports: anyPorts })).rejects.toMatchObject({
      code: "DIRECTORY_NOT_WRITABLE",
    });
    expect(env).toEqual({});
    await rm(join(directory, "redis"));
    await (await startStack({ directory, env, ports: anyPorts })).stop();
  });

  test.skipIf(process.getuid?.() === 0)("a directory that cannot be written", async () => {
    await chmod(directory, 0o500);
    await expect(startStack({ directory: join(directory, "x"), env: {} })).rejects.toMatchObject({
      code: "DIRECTORY_NOT_WRITABLE",
    });
    await chmod(directory, 0o700);
  });
});
