import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** A process of this machine, told from others that had or will have the same number. */
export interface ProcessId {
  readonly pid: number;
  /** When it started, in any notation that stays the same while it lives; `0` where the system does not tell. */
  readonly started: string;
  readonly boot: string;
}

export async function thisProcess(): Promise<ProcessId> {
  return { pid: process.pid, started: (await startOf(process.pid)) ?? "0", boot: await bootId() };
}

/** Whether the process still runs. */
export async function isAlive(h: ProcessId): Promise<boolean> {
  if (h.boot !== (await bootId())) return false;
  try {
    process.kill(h.pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const started = await startOf(h.pid);
  // The id may have been given to a newer process since.
  return started === undefined || h.started === "0" || started === h.started;
}

/** When a process started, in any notation that stays the same while it lives; undefined when the system does not tell. */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    try {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1");
      // The second field is the command's name in parentheses and may hold anything; starttime is the 22nd field.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // A process that ended but was not yet collected by its parent holds nothing any more.
      return fields[0] === "Z" || fields[0] === "X" ? "ended" : fields[19];
    } catch {
      return undefined;
    }
  }
  if (process.platform === "win32") return undefined;
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)]);
    return stdout.trim().replace(/[^0-9A-Za-z]+/g, "_") || undefined;
  } catch {
    return undefined;
  }
}

async function bootId(): Promise<string> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "latin1")).trim().replaceAll("-", "");
  } catch {
    return "0";
  }
}
