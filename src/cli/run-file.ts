import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, type ProcessId, thisProcess } from "../process-id.ts";
import type { StackLayer } from "../stack.ts";

/** What a `millrace dev` or `run` tells the others about itself, in a file of the folder where its data lie, which only its user can read. */
export interface RunFile extends ProcessId {
  readonly command: "dev" | "run";
  readonly pipeline: string | null;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly version: string;
  readonly layers: readonly Pick<StackLayer, "name" | "address" | "owner">[];
  /** Address of the dashboard and /api, with its token where it has one; null where none was wanted. */
  readonly dashboard: string | null;
}

const folderOf = (dir: string): string => join(dir, "run");

/** Writes the file of this process; returns what removes it. */
export async function writeRunFile(dir: string, about: Omit<RunFile, keyof ProcessId>): Promise<() => void> {
  const folder = folderOf(dir);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${process.pid}.json`);
  const text = `${JSON.stringify({ ...(await thisProcess()), ...about })}\n`;
  // In one step: whoever reads it sees all of it.
  writeFileSync(`${file}.tmp`, text, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
  return () => rmSync(file, { force: true });
}

/** What runs in the folder, the oldest first. Files of processes that are gone are removed. */
export async function readRunFiles(dir: string): Promise<RunFile[]> {
  const folder = folderOf(dir);
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
  const found: RunFile[] = [];
  for (const name of names) {
    const file = join(folder, name);
    let run: RunFile;
    try {
      run = JSON.parse(readFileSync(file, "utf8"));
    } catch {
      // It ended meanwhile.
      continue;
    }
    if (await isAlive(run)) found.push(run);
    else rmSync(file, { force: true });
  }
  return found.sort((a, b) => a.startedAt - b.startedAt);
}
