import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { startRedis } from "../services/redis.ts";
import { given } from "./needs.ts";

const main = fileURLToPath(new URL("../services/main.ts", import.meta.url));

/** `npm run services` with these arguments, and the first line of what it prints on standard output. */
async function services(...args: string[]): Promise<{ child: ChildProcess; line: string; port: number }> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, line, port: Number(/:(\d+)'$/.exec(line)?.[1]) };
  }
  throw new Error(`it printed nothing: ${said}`);
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

const redis = given(await startRedis());
if (redis !== undefined) await redis.stop();

describe.skipIf(redis === undefined)("npm run services", () => {
  test("prints what to export, and a signal ends what it started", async () => {
    const { child, line, port } = await services("redis", "--redis-port", "0");
    expect(line).toMatch(/^export MILLRACE_REDIS='redis:\/\/127\.0\.0\.1:\d+'$/);
    expect(await listens(port)).toBe(true);
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(await listens(port)).toBe(false);
  });

  test("killed with -9 it leaves nothing behind", async () => {
    const { child, port } = await services("redis", "--redis-port", "0");
    expect(await listens(port)).toBe(true);
    child.kill("SIGKILL");
    await expect.poll(() => listens(port), { timeout: 10_000 }).toBe(false);
  });
});

test("a service that there is not is refused", async () => {
  const child = spawn(process.execPath, [main, "kafak"], { stdio: ["ignore", "ignore", "pipe"] });
  const [text] = await once(child.stderr.setEncoding("utf8"), "data");
  expect(text).toContain("kafak");
  expect(await once(child, "exit")).toEqual([1, null]);
});
