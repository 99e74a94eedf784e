import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const main = fileURLToPath(new URL("../../examples/flights/main.ts", import.meta.url));

export interface FlightsRun {
  readonly child: ChildProcess;
  /** Resolves with how it ended and everything that it printed. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

/** Starts what `npm start` starts, as a process of its own, which does not outlive the test. */
export function startFlights(args: readonly string[], env: Record<string, string> = {}): FlightsRun {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Awaited<FlightsRun["ended"]>>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

/** The summary that `--json` prints. */
export interface FlightsSummary {
  readonly events: number;
  readonly lakeRows: number;
  readonly delaysRows: number;
  readonly airports: number;
  readonly alerts: number;
  readonly eventsPerSecond: number | null;
  readonly firstResultMs: number | null;
  readonly lateRows: number;
  readonly seconds: number;
  readonly peakMemoryMb: number;
  readonly addresses: Readonly<Record<string, string>>;
  /** With `--verify`: how the results differ from the oracle. */
  readonly differences?: readonly string[];
}

/** Runs to the end and reads the summary; throws with what was printed when that fails. */
export async function runFlights(args: readonly string[]): Promise<FlightsSummary> {
  const { code, signal, stdout, stderr } = await startFlights(["--once", "--json", ...args]).ended;
  if (code !== 0) throw new Error(`ended with ${code ?? signal}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout.trim());
}

/** A small seeded generator (mulberry32), so that a failing run can be repeated. */
export function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let x = Math.imul(a ^ (a >>> 15), 1 | a);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
  };
}
