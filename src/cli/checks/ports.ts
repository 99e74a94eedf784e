import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { readRunFiles } from "../run-file.ts";
import type { Check } from "./check.ts";

/** A port that an embedded server would take, and who has it. A taken one is no fault: the next free one is used. */
export function portCheck(name: string, port: number, option: string): Check {
  return {
    name: `port ${port}`,
    required: false,
    async run({ directory }) {
      if (port === 0 || (await isFree(port))) return { state: "ok", found: `free for ${name}` };
      const holder = await holderOf(port);
      const ours = (await readRunFiles(directory)).find((run) => run.pid === holder?.pid);
      if (ours !== undefined)
        return { state: "ok", found: `${name} of \`millrace ${ours.command}\`, process ${ours.pid}` };
      const who = holder === undefined ? "another program" : `${holder.name} (process ${holder.pid})`;
      const found = `${who} has it; ${name} would take the next free one`;
      const end = holder === undefined ? "" : `   or   kill ${holder.pid}`;
      return { state: "warning", found, fix: `millrace dev ${option} 0${end}` };
    },
  };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(false));
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => done(true)));
  });
}

/** A process that listens. */
export interface Holder {
  readonly pid: number;
  readonly name: string;
}

/** Who listens on a port of this machine; undefined where the system does not tell, as of processes of other users. */
export async function holderOf(port: number): Promise<Holder | undefined> {
  return process.platform === "linux" ? linuxHolder(port) : process.platform === "win32" ? undefined : lsofHolder(port);
}

function linuxHolder(port: number): Holder | undefined {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of text(file).split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      // 0A: listening
      if (fields[3] === "0A" && fields[1]?.endsWith(`:${wanted}`)) inodes.add(fields[9]!);
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of list("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const fd of list(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) return { pid: Number(pid), name: commandOf(pid) };
    }
  }
  return undefined;
}

function commandOf(pid: string): string {
  const [program = "", ...args] = text(`/proc/${pid}/cmdline`).split("\0");
  const script = args.find((arg) => !arg.startsWith("-") && /[./]/.test(arg));
  const base = (path: string): string => path.split("/").at(-1)!;
  return script === undefined ? base(program) : `${base(program)} ${base(script)}`;
}

async function lsofHolder(port: number): Promise<Holder | undefined> {
  try {
    const { stdout } = await promisify(execFile)("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"]);
    const pid = /^p(\d+)$/m.exec(stdout)?.[1];
    const name = /^c(.+)$/m.exec(stdout)?.[1];
    return pid === undefined ? undefined : { pid: Number(pid), name: name ?? "a program" };
  } catch {
    return undefined; // there is no lsof, or nothing that this user may see
  }
}

// Processes come and go while they are looked at, and those of others are closed to us.
function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
