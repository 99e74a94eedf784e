import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** The program `millrace`, from source. */
export const entry = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export type CliProcess = ChildProcessByStdio<null, Readable, Readable>;

export interface CliEnded {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  /** In place of what the environment of the tests says. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The environment of the tests without addresses of servers and without colours that were asked for. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const { MILLRACE_KAFKA, MILLRACE_POSTGRES, MILLRACE_REDIS, MILLRACE_LAKE, SPARK_REMOTE, FORCE_COLOR, ...rest } =
    process.env;
  return rest;
}

/** Starts `millrace` with these arguments; its output is piped. */
export function startCli(args: readonly string[], { cwd, env }: CliOptions): CliProcess {
  return spawn(process.execPath, [entry, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd,
    env: { ...plainEnvironment(), ...env },
  });
}

/** Waits until it has ended; gives all that it printed. */
export async function ended(child: Pick<CliProcess, "stdout" | "stderr" | "once">): Promise<CliEnded> {
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (data) => out.push(data));
  child.stderr.on("data", (data) => err.push(data));
  const [code] = await once(child as CliProcess, "close");
  return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

/** Runs `millrace` to its end. */
export const runCli = (args: readonly string[], options: CliOptions): Promise<CliEnded> =>
  ended(startCli(args, options));
