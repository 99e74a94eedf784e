import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The git-ignored folder that keeps what the tests fetched. */
const servicesFolder: string = join(dirname(fileURLToPath(import.meta.url)), "..", ".services");

/**
 * Makes something once for all processes that may want it at the same time: `make` fills `<.services>/<name>`, and a file
 * `.complete` in it holding `version` says that it is done. A half-made or outdated folder is removed and made again.
 */
export async function once(name: string, version: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(servicesFolder, name);
  const complete = join(folder, ".complete");
  const lock = join(servicesFolder, `${name}.lock`);
  const isComplete = async (): Promise<boolean> =>
    existsSync(complete) && (await readFile(complete, "utf8")).trim() === version;
  if (await isComplete()) return folder;
  await mkdir(servicesFolder, { recursive: true });
  const me = `${process.pid} ${randomUUID()}`;
  for (;;) {
    try {
      await writeFile(lock, me, { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (await ownerIsGone(lock)) await rm(lock, { force: true });
      else await pause(200);
    }
  }
  try {
    if (await isComplete()) return folder;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await make(folder);
    await writeFile(complete, `${version}\n`);
    return folder;
  } finally {
    await rm(lock, { force: true });
  }
}

async function ownerIsGone(lock: string): Promise<boolean> {
  try {
    const pid = Number((await readFile(lock, "utf8")).split(" ")[0]);
    if (!(pid > 0)) return Date.now() - (await stat(lock)).mtimeMs > 10_000;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
