import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { packageFolder } from "./package-source.ts";

/** The projects that `init` can write; the first is the default. */
export const TEMPLATES = {
  flights: "Departures come in all day: how late is each airport? To a lake and a database.",
  clickstream: "A small web shop sends its clicks by HTTP: pages by the minute, sessions of visitors.",
  tutorial: "The classic: read a topic, parse its JSON, count by window.",
} as const;

export type TemplateName = keyof typeof TEMPLATES;

/** What stands in a template's files for what is known only when they are written. */
export interface TemplateValues {
  readonly NAME: string;
  /** What package.json says of millrace: a version or where it lies. */
  readonly MILLRACE: string;
}

/** npm leaves files of these names out of a package, or reads them, so they are kept under other ones. */
const RENAMED: Readonly<Record<string, string>> = { _gitignore: ".gitignore", "_package.json": "package.json" };

/** Writes a template's files into a folder, which is made; gives their paths there. */
export function writeTemplate(template: TemplateName, folder: string, values: TemplateValues): string[] {
  const root = join(packageFolder(), "templates");
  const written: string[] = [];
  for (const source of [join(root, "shared"), join(root, template)]) {
    for (const name of readdirSync(source, { recursive: true, encoding: "utf8" }).sort()) {
      const from = join(source, name);
      if (!statSync(from).isFile()) continue;
      const to = join(folder, dirname(name), RENAMED[basename(name)] ?? basename(name));
      mkdirSync(dirname(to), { recursive: true });
      if (/\.(csv|gz|png|ico)$/.test(name)) copyFileSync(from, to);
      else writeFileSync(to, filled(readFileSync(from, "utf8"), values));
      written.push(relative(folder, to).replaceAll("\\", "/"));
    }
  }
  return written;
}

/** The oldest Node that runs TypeScript as it is, and what Millrace needs. */
const NODE_NEEDED = [22, 22] as const;

/**
 * Where this machine's Node is too old, the project gets its own from the package `node`: npx and npm scripts find it before any other.
 * Gives what was added.
 */
export function bringNode(folder: string, version: string = process.versions.node): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [needed, least] = NODE_NEEDED;
  if (major > needed || (major === needed && minor >= least)) return undefined;
  const path = join(folder, "package.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Record<string, Record<string, unknown>>;
  const range = "^24.11.0";
  manifest.devDependencies = { ...manifest.devDependencies, node: range };
  // npm asks before it lets a package run its own installer, which here fetches the program for this machine.
  manifest.allowScripts = { node: true };
  writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`);
  return range;
}

function filled(text: string, values: TemplateValues): string {
  return text.replace(/__([A-Z]+)__/g, (all, name: string) => values[name as keyof TemplateValues] ?? all);
}

/** What a version control system or an editor may have put there before. */
const HARMLESS = new Set([".git", ".DS_Store", ".idea", ".hg", "Thumbs.db"]);

/** The files that would be in the way of a new project. */
export function filesInTheWay(folder: string): string[] {
  if (!existsSync(folder)) return [];
  if (!statSync(folder).isDirectory()) return [basename(folder)];
  return readdirSync(folder).filter((name) => !HARMLESS.has(name));
}

/** A name that npm takes, made of a folder's. */
export function packageNameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|-+$/g, "");
  return name === "" || name === "node_modules" ? "pipeline" : name.slice(0, 214);
}
