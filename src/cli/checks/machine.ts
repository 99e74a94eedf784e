import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, open, rm, stat, statfs } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { version } from "../version.ts";
import { bytesText, type Check, type CheckContext, type Finding } from "./check.ts";

const NODE_NEEDED = [22, 22, 0] as const;

export const node: Check = {
  name: "Node",
  required: true,
  async run() {
    const parts = process.versions.node.split(".").map(Number);
    const differs = NODE_NEEDED.findIndex((n, i) => parts[i] !== n);
    const isOld = differs >= 0 && parts[differs]! < NODE_NEEDED[differs]!;
    const found = `${process.versions.node} on ${process.platform}-${process.arch}, Millrace ${version()}`;
    if (!isOld) return { state: "ok", found };
    return {
      state: "failed",
      found,
      fix: `Install Node ${NODE_NEEDED.slice(0, 2).join(".")} or newer: https://nodejs.org`,
    };
  },
};

export const duckdb: Check = {
  name: "DuckDB",
  required: true,
  async run() {
    try {
      const { openDatabase } = await import("../../duckdb/duckdb.ts");
      const database = await openDatabase(":memory:", {});
      const connection = await database.connect();
      const { rows } = await connection.query("SELECT version() AS version, sum(range) AS sum FROM range(1000)");
      database.close();
      if (Number(rows[0]!.sum) !== 499_500) return { state: "failed", found: "it computes wrong sums", fix: REINSTALL };
      return { state: "ok", found: String(rows[0]!.version) };
    } catch (error) {
      return { state: "failed", found: firstLine(error), fix: REINSTALL };
    }
  },
};

const REINSTALL = "rm -rf node_modules && npm install   (with optional dependencies: its library comes as one)";

/** What a pipeline of any size wants. */
const LITTLE_MEMORY = 1e9;

export const memory: Check = {
  name: "memory",
  required: false,
  async run() {
    const limit = cgroupLimit();
    const total = Math.min(totalmem(), limit ?? Number.POSITIVE_INFINITY);
    const free = available() ?? freemem();
    const found = `${bytesText(free)} of ${bytesText(total)} free`;
    if (total < LITTLE_MEMORY) {
      return {
        state: "warning",
        found,
        fix: "Set millrace.engine.memoryLimit, such as 512MiB, and give the process more.",
      };
    }
    return free < LITTLE_MEMORY / 2
      ? { state: "warning", found, fix: "End other programs, or give the machine more." }
      : { state: "ok", found };
  },
};

/** What a container may use; undefined where it is not bounded. */
function cgroupLimit(): number | undefined {
  const text = readText("/sys/fs/cgroup/memory.max") ?? readText("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  const bytes = Number(text);
  return text === undefined || !Number.isFinite(bytes) || bytes > 2 ** 60 ? undefined : bytes;
}

/** Caches that the system gives back count as free. */
function available(): number | undefined {
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(readText("/proc/meminfo") ?? "")?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

const FILES_NEEDED = 1024;

export const files: Check = {
  name: "open files",
  required: false,
  async run() {
    if (process.platform === "win32") return { state: "skipped", found: "no limit on Windows" };
    const limits = readText("/proc/self/limits");
    let soft = /^Max open files\s+(\S+)/m.exec(limits ?? "")?.[1];
    soft ??= (await promisify(execFile)("sh", ["-c", "ulimit -n"])).stdout.trim();
    if (soft === "unlimited" || Number(soft) >= FILES_NEEDED) return { state: "ok", found: `at most ${soft}` };
    return { state: "warning", found: `at most ${soft}`, fix: `ulimit -n ${FILES_NEEDED * 8}` };
  },
};

/** The clock goes forward as the monotonic one does, and is not of another century. */
export const clock: Check = {
  name: "clock",
  required: false,
  async run() {
    const [wall, steady] = [Date.now(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 100));
    const drift = Math.abs(Date.now() - wall - (performance.now() - steady));
    const found = `${new Date().toISOString().slice(0, 19)}Z, time zone ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
    const built = await stat(new URL(import.meta.url)).then((s) => s.mtimeMs);
    if (Date.now() < built - 86_400_000) {
      return { state: "warning", found: `${found}: older than this program`, fix: "timedatectl set-ntp true" };
    }
    if (drift > 50) return { state: "warning", found: `${found}: it jumps`, fix: "timedatectl set-ntp true" };
    return { state: "ok", found };
  },
};

const LITTLE_SPACE = 1e9;
const SLOW_SYNC_MS = 50;
const TEST_BYTES = 8 * 1024 * 1024;

/** The folder can be written; how much room there is, and how long a write takes to be safe. */
export const disk: Check = {
  name: "disk",
  required: true,
  async run({ directory }) {
    const folder = nearestFolder(directory);
    const file = join(folder, `.millrace-doctor-${process.pid}`);
    try {
      const { bavail, bsize } = await statfs(folder);
      const free = bavail * bsize;
      const { mbPerSecond, syncMs } = await writeSpeed(file);
      const found = `${bytesText(free)} free, ${mbPerSecond} MB/s, a safe write in ${syncMs} ms (${folder})`;
      if (free < LITTLE_SPACE / 10)
        return { state: "failed", found, fix: "Make room, or choose another disk with --dir." };
      if (free < LITTLE_SPACE) return { state: "warning", found, fix: "Make room, or choose another disk with --dir." };
      if (syncMs > SLOW_SYNC_MS) {
        return {
          state: "warning",
          found,
          fix: "Every batch waits for several safe writes: choose a faster disk with --dir.",
        };
      }
      return { state: "ok", found };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const fix =
        code === "EACCES" || code === "EPERM" ? `sudo chown -R "$USER" ${folder}` : "Choose another folder with --dir.";
      return { state: "failed", found: `${folder} cannot be written (${code ?? firstLine(error)})`, fix };
    } finally {
      await rm(file, { force: true }).catch(() => {}); // it could not be made
    }
  },
};

async function writeSpeed(file: string): Promise<{ mbPerSecond: number; syncMs: number }> {
  const handle = await open(file, "w");
  try {
    const block = randomBytes(1024 * 1024);
    const startedAt = performance.now();
    for (let written = 0; written < TEST_BYTES; written += block.length) await handle.write(block);
    await handle.sync();
    const seconds = (performance.now() - startedAt) / 1000;
    const syncs: number[] = [];
    for (let i = 0; i < 5; i++) {
      const before = performance.now();
      await handle.write(block.subarray(0, 512), 0, 512, 0);
      await handle.sync();
      syncs.push(performance.now() - before);
    }
    syncs.sort((a, b) => a - b);
    return { mbPerSecond: Math.round(TEST_BYTES / 1e6 / seconds), syncMs: Math.round(syncs[2]! * 10) / 10 };
  } finally {
    await handle.close();
  }
}

/** Who has the folder: `dev`, or something that was not ended in order. */
export const directory: Check = {
  name: "directory",
  required: true,
  async run(about: CheckContext): Promise<Finding> {
    const path = about.directory;
    if (!existsSync(path)) return { state: "ok", found: `${path} is not there yet` };
    const { readRunFiles } = await import("../run-file.ts");
    const [run] = await readRunFiles(path);
    if (run !== undefined)
      return { state: "ok", found: `${path}: \`millrace ${run.command}\` works in it, process ${run.pid}` };
    const { uid } = await stat(path);
    const own = process.getuid?.();
    if (own !== undefined && own !== 0 && uid !== own) {
      return {
        state: "failed",
        found: `${path} belongs to another user (${uid})`,
        fix: `sudo chown -R "$USER" ${path}`,
      };
    }
    const { lockDirectory } = await import("../../dir-lock.ts");
    try {
      await mkdir(path, { recursive: true });
      await (await lockDirectory(path)).release();
      return { state: "ok", found: `${path} is free` };
    } catch (error) {
      const { parameters } = error as { parameters?: Record<string, string> };
      const pid = parameters?.pid;
      return {
        state: "failed",
        found: firstLine(error),
        fix: pid === undefined ? "Choose another folder with --dir." : `kill ${pid}`,
      };
    }
  },
};

/** The folder itself, or the nearest above it that there is. */
function nearestFolder(path: string): string {
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

export function firstLine(error: unknown): string {
  return (error instanceof Error ? ((error as { reason?: string }).reason ?? error.message) : String(error)).split(
    "\n",
  )[0]!;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined; // another system
  }
}
