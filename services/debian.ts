import { execFile } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** Programs that strangers use beside us, and the Debian packages that hold them. Without a font a browser draws no text. */
const PACKAGES = {
  kcat: ["kcat"],
  psql: ["postgresql-client"],
  "redis-cli": ["redis-tools"],
  promtool: ["prometheus"],
  chromium: ["chromium", "fonts-inter", "fonts-dejavu-core"],
} as const;

export type DebianProgram = keyof typeof PACKAGES;

/**
 * Where a program is: on PATH, or installed with apt-get when this is root on Debian. `{ unavailable }` says why there is none.
 *
 * ```ts
 * const kcat = await debianProgram("kcat");
 * if (typeof kcat !== "string") return kcat.unavailable;
 * ```
 */
export async function debianProgram(name: DebianProgram): Promise<string | { unavailable: string }> {
  const found = onPath(name);
  if (found !== undefined) return found;
  const wanted = PACKAGES[name];
  if (!existsSync("/usr/bin/apt-get")) return { unavailable: `${name} is not installed` };
  if (process.getuid?.() !== 0)
    return { unavailable: `${name} is not installed, and only root can install ${wanted[0]}` };
  try {
    await install(wanted);
  } catch (error) {
    return { unavailable: `apt-get could not install ${wanted.join(" ")}: ${(error as Error).message}` };
  }
  return onPath(name) ?? { unavailable: `${wanted[0]} is installed, but ${name} is not on PATH` };
}

async function install(names: readonly string[]): Promise<void> {
  // Two test files may ask at the same time: apt waits for its own lock.
  const options = ["-o", "DPkg::Lock::Timeout=300", "-q", "-y"];
  // At runlevel 1 a package that brings a server does not start it.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const settings = { env, timeout: 300_000 };
  const packages = ["install", ...options, "--no-install-recommends", ...names];
  try {
    await exec("apt-get", packages, settings);
  } catch {
    // A fresh machine knows no packages yet.
    await exec("apt-get", ["update", ...options], settings);
    await exec("apt-get", packages, settings);
  }
}

/** The program of that name on PATH. */
export function onPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}
