import { setTimeout } from "node:timers/promises";
import { MillraceError } from "../../errors.ts";
import { isAlive } from "../../process-id.ts";
import { type CommonOptions, EXIT, note, onStderr, print } from "../output.ts";
import { type RunFile, readRunFiles } from "../run-file.ts";
import { runDirectory } from "./status.ts";

export interface StopOptions extends CommonOptions {
  dir?: string;
  /** Seconds. */
  timeout: number;
  force?: boolean;
}

/** `millrace stop`: asks what runs to end after its batch, and waits until it has. 0 also when nothing runs. */
export async function stop(options: StopOptions): Promise<number> {
  const dir = await runDirectory(options.dir);
  const runs = await readRunFiles(dir);
  const startedAt = performance.now();
  for (const run of runs) signal(run, "SIGTERM");
  const stopped: { pid: number; pipeline: string | null; ms: number }[] = [];
  for (const run of runs) {
    if (!(await gone(run, startedAt + options.timeout * 1000))) {
      if (options.force !== true) throw stays(run, options.timeout);
      signal(run, "SIGKILL");
      if (!(await gone(run, performance.now() + 5_000))) throw stays(run, options.timeout);
    }
    const ms = Math.round(performance.now() - startedAt);
    stopped.push({ pid: run.pid, pipeline: run.pipeline, ms });
    if (!options.json) note(`stopped millrace ${run.command}, process ${run.pid}, in ${ms} ms`);
  }
  if (options.json) print(JSON.stringify({ directory: dir, stopped }));
  else if (runs.length === 0) note(onStderr("dim", `Nothing runs in ${dir}.`));
  return EXIT.ok;
}

function signal(run: RunFile, name: NodeJS.Signals): void {
  try {
    process.kill(run.pid, name);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ESRCH") return;
    throw new MillraceError("INVALID_ARGUMENT", `Process ${run.pid} cannot be stopped from here (${code}).`, {
      hint: "It belongs to another user: stop it as that user.",
      cause,
    });
  }
}

async function gone(run: RunFile, untilMs: number): Promise<boolean> {
  for (;;) {
    if (!(await isAlive(run))) return true;
    if (performance.now() > untilMs) return false;
    await setTimeout(25);
  }
}

function stays(run: RunFile, seconds: number): MillraceError {
  return new MillraceError("INVALID_ARGUMENT", `Process ${run.pid} still runs after ${seconds} seconds.`, {
    hint: "Its batch takes longer: wait with --timeout, or end it at once with --force; nothing is lost, the batch runs again at the next start.",
  });
}
