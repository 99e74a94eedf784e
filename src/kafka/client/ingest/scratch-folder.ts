import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError } from "../../../errors.ts";

const PREFIX = "millrace-ingest-";
const MEMORY = "/dev/shm";
/** With less free memory than this the files go to disk from the start. */
const LEAST_FREE_BYTES = 256 << 20;

/**
 * Where the files of one reader lie for the moments between fetching and computing: in memory (`/dev/shm`) where there is room, else in
 * the folder given. Names carry the process id, and what a killed process left behind is removed by the next reader.
 */
export class ScratchFolder {
  readonly #fallback: string;
  #folder: string | undefined;
  readonly #mine: string[] = [];
  #inMemory = false;
  #number = 0;

  constructor(fallback: string = tmpdir()) {
    this.#fallback = fallback;
  }

  /** A path for a new file. */
  next(): string {
    if (this.#folder === undefined) this.#open(memoryIsUsable());
    return join(this.#folder!, `${this.#number++}.parquet`);
  }

  /** Goes from memory to disk when memory is full; false when it is on disk already. */
  leaveMemory(): boolean {
    if (!this.#inMemory) return false;
    this.#open(false);
    return true;
  }

  #open(inMemory: boolean): void {
    const parent = inMemory ? MEMORY : this.#fallback;
    try {
      mkdirSync(parent, { recursive: true });
      sweep(parent);
      this.#folder = mkdtempSync(join(parent, `${PREFIX}${process.pid}-`));
      this.#inMemory = inMemory;
      open.add(this.#folder);
      this.#mine.push(this.#folder);
      removeAtExit();
    } catch (cause) {
      throw new MillraceError("DIRECTORY_NOT_WRITABLE", `No temporary file can be made in ${parent}.`, { cause });
    }
  }

  /** Removes the folder (both, when it went from memory to disk) and everything in it. */
  close(): void {
    for (const folder of this.#mine.splice(0)) remove(folder);
    this.#folder = undefined;
  }
}

/** Removes a file of a scratch folder, which may be gone. `rmSync` looks at it in many ways first, a millisecond for each batch. */
export function discard(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

const open = new Set<string>();
let registered = false;

function removeAtExit(): void {
  if (registered) return;
  registered = true;
  process.on("exit", () => {
    for (const folder of open) rmSync(folder, { recursive: true, force: true });
  });
}

function remove(folder: string): void {
  open.delete(folder);
  rmSync(folder, { recursive: true, force: true });
}

function memoryIsUsable(): boolean {
  if (process.platform !== "linux") return false;
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= LEAST_FREE_BYTES;
  } catch {
    return false;
  }
}

/** Removes folders of processes that are gone. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const match = new RegExp(`^${PREFIX}(\\d+)-`).exec(name);
    if (match === null || alive(Number(match[1]))) continue;
    // Of another user perhaps: then it is theirs to remove.
    try {
      rmSync(join(parent, name), { recursive: true, force: true });
    } catch {}
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
