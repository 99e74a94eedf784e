import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { promisify } from "node:util";

/** A process that listens. */
export interface Listener {
  readonly pid: number;
  /** Of its program; empty where it is not told. */
  readonly name: string;
}

/** Who listens on a port of this machine, where the system tells this user; else undefined. */
export async function portListener(port: number): Promise<Listener | undefined> {
  try {
    const pid = process.platform === "linux" ? listenerOnLinux(port) : await listenerByLsof(port);
    return pid === undefined ? undefined : { pid, name: nameOf(pid) };
  } catch {
    // It is only told where it can be found.
    return undefined;
  }
}

/** The same in words, `process 1234 (node)`. */
export async function portHolder(port: number): Promise<string | undefined> {
  const found = await portListener(port);
  return found && `process ${found.pid}${found.name === "" ? "" : ` (${found.name})`}`;
}

/** A socket has a number in the kernel's table, and the process that holds it has a descriptor of that name. */
function listenerOnLinux(port: number): number | undefined {
  const LISTENING = "0A";
  const wanted = new Set<string>();
  for (const table of ["tcp", "tcp6"]) {
    for (const line of readFileSync(`/proc/net/${table}`, "latin1").split("\n").slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === LISTENING && Number.parseInt(local!.split(":").at(-1)!, 16) === port)
        wanted.add(`socket:[${inode}]`);
    }
  }
  if (wanted.size === 0) return undefined;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    let descriptors: string[];
    try {
      descriptors = readdirSync(`/proc/${pid}/fd`);
    } catch {
      // another user's
      continue;
    }
    for (const descriptor of descriptors) {
      try {
        if (wanted.has(readlinkSync(`/proc/${pid}/fd/${descriptor}`))) return Number(pid);
      } catch {
        // closed meanwhile
      }
    }
  }
  return undefined;
}

async function listenerByLsof(port: number): Promise<number | undefined> {
  if (process.platform === "win32") return undefined;
  const { stdout } = await promisify(execFile)("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-t"], {
    timeout: 1_000,
  });
  const pid = Number(stdout.trim().split("\n")[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}
