/**
 * Runs the TypeScript blocks of a page, one after the other, each in an empty folder: `node run-page.ts RESULT FOLDER FILE...`. A streaming query
 * that would run for ever is stopped when it has done all there is. What each block printed goes to RESULT as JSON.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { SparkSession, StreamingQueryManager } from "../../src/session.ts";

const [result, folder, ...files] = process.argv.slice(2) as [string, string, ...string[]];
export interface BlockResult {
  readonly file: string;
  readonly output: string;
  readonly error?: string;
  readonly ms: number;
}

/** Set while a block waits for a query that nobody ends. */
let waiting = false;
const { prototype } = StreamingQueryManager;
const register = prototype["~register"];
prototype["~register"] = function (query) {
  register.call(this, query);
  const wait = query.awaitTermination.bind(query);
  query.awaitTermination = (timeout?: number) => {
    if (timeout === undefined) waiting = true;
    return timeout === undefined ? wait() : wait(timeout);
  };
};
const any = prototype.awaitAnyTermination;
prototype.awaitAnyTermination = function (timeout?: number) {
  if (timeout === undefined) waiting = true;
  return any.call(this, timeout);
};

let printed = "";
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
  printed += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
  const done = rest.find((r) => typeof r === "function") as (() => void) | undefined;
  done?.();
  return true;
};

/** Lets the running queries do what there is, then stops them; the error of one that failed. */
async function drain(): Promise<void> {
  const session = SparkSession.getActiveSession();
  for (const query of session?.streams.active ?? []) {
    await query.processAllAvailable();
    await query.stop();
  }
}

const results: BlockResult[] = [];
for (const [number, file] of files.entries()) {
  const here = join(folder, String(number));
  mkdirSync(here, { recursive: true });
  process.chdir(here);
  printed = "";
  waiting = false;
  const started = performance.now();
  let error: string | undefined;
  try {
    let settled = false;
    const running = import(pathToFileURL(file).href).finally(() => {
      settled = true;
    });
    running.catch(() => {});
    while (!settled && !waiting) await Promise.race([running, setTimeout(20)]);
    await drain();
    await running;
    await drain();
    await SparkSession.getActiveSession()?.stop();
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    await SparkSession.getActiveSession()
      ?.stop()
      .catch(() => {});
  }
  results.push({ file, output: printed, ms: performance.now() - started, ...(error !== undefined && { error }) });
}
writeFileSync(result, JSON.stringify(results));
process.stdout.write = write;
process.exit(0);
