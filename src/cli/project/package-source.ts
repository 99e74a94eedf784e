import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "../version.ts";

/** The folder of this very package: of its package.json. */
export function packageFolder(): string {
  // From source it lies three folders up, in the built package two.
  for (const path of ["../../../", "../../"]) {
    const folder = fileURLToPath(new URL(path, import.meta.url));
    if (nameOf(join(folder, "package.json")) === "millrace") return resolve(folder);
  }
  throw new Error("The package millrace has no package.json.");
}

/**
 * How a project in `project` depends on this very package: by version when it came from a registry, by `file:` or its address when it
 * was installed from there, so that a package that was packed here can be tried without publishing it.
 */
export function dependencyOn(project: string, folder: string = packageFolder()): string {
  const modules = dirname(folder);
  // Run from a checkout, or from a folder that was linked.
  if (basename(modules) !== "node_modules") return `file:${pathFrom(project, folder)}`;
  const installer = dirname(modules);
  const wanted = wantedBy(join(installer, "package.json")) ?? resolvedBy(join(modules, ".package-lock.json"));
  if (wanted === undefined) return `^${version()}`;
  if (/^(https?|git\+\w+|git|github):/.test(wanted) && !isRegistry(wanted)) return wanted;
  const path = localPath(wanted);
  if (path === undefined) return `^${version()}`;
  const there = isAbsolute(path) ? path : resolve(installer, path);
  return existsSync(there) ? `file:${pathFrom(project, there)}` : `^${version()}`;
}

/** The tarball of a registry: its version says more. */
function isRegistry(address: string): boolean {
  return /\/millrace\/-\/millrace-[^/]+\.tgz$/.test(address);
}

function localPath(wanted: string): string | undefined {
  const path = /^(?:file|link|portal):(.*)$/.exec(wanted)?.[1];
  if (path !== undefined) return path.startsWith("//") ? fileURLToPath(`file:${path}`) : path;
  return /^(\.{0,2}\/|[A-Za-z]:[\\/])/.test(wanted) ? wanted : undefined;
}

/** What the project that has this package, or npx's own folder, asked for. */
function wantedBy(manifest: string): string | undefined {
  const found = readJson(manifest) as Record<string, Record<string, string> | undefined> | undefined;
  return found?.dependencies?.millrace ?? found?.devDependencies?.millrace;
}

/** Where npm took it from, for a package that another one asked for. */
function resolvedBy(lock: string): string | undefined {
  const found = readJson(lock) as { packages?: Record<string, { resolved?: string }> } | undefined;
  return found?.packages?.["node_modules/millrace"]?.resolved;
}

function pathFrom(project: string, target: string): string {
  const path = relative(project, target).replaceAll("\\", "/");
  return path.startsWith(".") || isAbsolute(path) ? path : `./${path}`;
}

function nameOf(manifest: string): string | undefined {
  return (readJson(manifest) as { name?: string } | undefined)?.name;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // not there, or not ours to complain about
  }
}
