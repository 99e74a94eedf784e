import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";

const exec = promisify(execFile);
const server = given(await sharedSpark());
const full = process.env.MILLRACE_REAL === "full";

/** Runs the suite in a process of its own; its last line says what came out, and every unexpected difference stands before it. */
async function parity(signal: AbortSignal, ...args: string[]): Promise<string> {
  const run = exec(process.execPath, [fileURLToPath(new URL("run.ts", import.meta.url)), ...args], {
    env: { ...process.env, SPARK_REMOTE: server!.url },
    maxBuffer: 64 * 1024 * 1024,
    // A test that runs out of time leaves nothing running behind.
    signal,
  });
  const { stdout } = await run.catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`npm run parity -- ${args.join(" ")}\n${error.stdout.slice(-20_000)}\n${error.stderr}`);
  });
  return stdout.trimEnd().split("\n").at(-1)!;
}

describe.skipIf(server === undefined)("real Spark and the embedded engine agree", () => {
  if (full) {
    it("on every written case and 5,000 random ones", { timeout: 3_600_000 }, async ({ signal }) => {
      expect(await parity(signal, "--random", "5000", "--seed", "1")).toMatch(/ 0 unexpected /);
    });
  } else {
    it("on every 8th expression, query and plan", { timeout: 900_000 }, async ({ signal }) => {
      expect(await parity(signal, "--every", "8", "--not", "stream")).toMatch(/ 0 unexpected /);
    });
    it("on every 12th streaming query", { timeout: 900_000 }, async ({ signal }) => {
      expect(await parity(signal, "--every", "12", "--only", "stream")).toMatch(/ 0 unexpected /);
    });
  }
});
