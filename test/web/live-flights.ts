import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { leash } from "../../services/leash.ts";

const main = fileURLToPath(new URL("../../examples/flights/main.ts", import.meta.url));

/** What `npm start` runs, as a process that can be killed. */
export interface LiveFlights {
  readonly child: ChildProcess;
  readonly dashboard: string;
  readonly map: string;
  readonly port: number;
  /** Everything that it has printed. */
  readonly output: () => string;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** Starts the example and waits for its addresses. */
export async function startLiveFlights(args: readonly string[]): Promise<LiveFlights> {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  leash(child);
  let output = "";
  const dashboard = await new Promise<string>((resolve, reject) => {
    const read = (text: string): void => {
      output += text;
      const address = /^Dashboard +(http:\S+)$/m.exec(output)?.[1];
      if (address !== undefined && /^Map +http:\S+$/m.test(output)) resolve(address);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    child.once("exit", (code) => reject(new Error(`npm start ended with ${code}:\n${output}`)));
  });
  return {
    child,
    dashboard,
    map: new URL("map/", dashboard).href,
    port: Number(new URL(dashboard).port),
    output: () => output,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** Sends and processes flights at full speed, to the end. */
export async function runFlightsOnce(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [main, "--once", "--json", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  leash(child);
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`npm start -- --once ended with ${code}:\n${output}`);
}
