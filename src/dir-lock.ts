import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "./errors.ts";
import { isAlive, type ProcessId, thisProcess } from "./process-id.ts";

/** A held lock on a directory. */
export interface DirectoryLock {
  /** Gives the directory free. Calling it again does nothing. */
  release(): Promise<void>;
}

/**
 * Takes a directory for this process, creating it when it is missing; nobody else gets it until `release()` or the end of
 * the process, however it ends. A lock left behind by a process that was killed is taken over. Meant for a directory on a
 * local disk: processes are told apart by their id and start time, which another machine cannot see.
 *
 * Throws `DIRECTORY_IN_USE` (naming the holder's process id) while another holder lives, this process included, and
 * `DIRECTORY_NOT_WRITABLE` when the directory cannot be made or written.
 *
 * ```ts
 * const lock = await lockDirectory(".millrace/kafka");
 * try { ... } finally { await lock.release(); }
 * ```
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const own = await thisProcess();
  const name = fileName(own);
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw notWritable(directory, error);
  }
  // Announce first, look around second: of two that come at once at least one sees the other, so never do both stay.
  // Every file has a name of its own, so clearing a dead one can never hit a live one.
  for (let attempt = 0; ; attempt++) {
    await announce(directory, name);
    const rival = await liveRival(directory, name);
    if (rival === undefined) break;
    await rm(join(directory, name), { force: true });
    if (attempt === 4) {
      const who = rival.pid === process.pid ? "this process" : `process ${rival.pid}`;
      throw new MillraceError("DIRECTORY_IN_USE", `The directory ${directory} is in use by ${who}.`, {
        hint: "Stop that process, or choose another directory.",
        parameters: { directory, pid: String(rival.pid) },
      });
    }
    // Both may have stepped back at once; a random pause lets one of them through.
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 40));
  }
  let released: Promise<void> | undefined;
  return {
    release() {
      released ??= rm(join(directory, name), { force: true });
      return released;
    },
  };
}

const PREFIX = ".lock-";

function fileName(h: ProcessId): string {
  return `${PREFIX}${h.pid}-${h.started}-${h.boot}-${randomBytes(6).toString("hex")}`;
}

function parse(name: string): ProcessId | undefined {
  const m = /^\.lock-(\d+)-([^-]+)-([^-]+)-[0-9a-f]{12}$/.exec(name);
  return m ? { pid: Number(m[1]), started: m[2]!, boot: m[3]! } : undefined;
}

async function announce(directory: string, name: string): Promise<void> {
  try {
    const file = await open(join(directory, name), "wx");
    await file.close();
  } catch (error) {
    throw notWritable(directory, error);
  }
}

async function liveRival(directory: string, own: string): Promise<ProcessId | undefined> {
  for (const name of await readdir(directory)) {
    if (name === own || !name.startsWith(PREFIX)) continue;
    const holder = parse(name);
    if (holder === undefined) continue;
    if (await isAlive(holder)) return holder;
    await rm(join(directory, name), { force: true });
  }
  return undefined;
}

function notWritable(directory: string, cause: unknown): MillraceError {
  const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
  if (reason === "ENOSPC") {
    return new MillraceError("DISK_FULL", `No space is left for the directory ${directory}.`, { cause });
  }
  const isFile = reason === "ENOTDIR" || reason === "EEXIST";
  const why = isFile ? "a part of this path is a file" : reason;
  return new MillraceError("DIRECTORY_NOT_WRITABLE", `The directory ${directory} cannot be written (${why}).`, {
    hint: isFile ? "Choose another directory." : "Give this user write permission there, or choose another directory.",
    cause,
    parameters: { directory },
  });
}
