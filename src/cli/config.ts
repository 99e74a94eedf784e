import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { MillraceConfig } from "../config.ts";
import { nearest } from "../errors.ts";
import { ProgramLoader } from "./modules/loader.ts";
import { placeOfName } from "./modules/place.ts";
import { UsageError } from "./usage-error.ts";

/** A config file that was read. */
export interface FoundConfig {
  readonly file: string;
  /** Paths in it are absolute. */
  readonly config: MillraceConfig;
}

const NAMES = ["millrace.config.ts", "millrace.config.mts", "millrace.config.js", "millrace.config.mjs"];

const PORTS = ["kafka", "postgres", "redis", "dashboard"];

/** What each key takes, in words, and whether a value is that. */
const KEYS: Readonly<Record<keyof MillraceConfig, readonly [string, (value: unknown) => boolean]>> = {
  pipeline: ["the path of a file", isText],
  dir: ["a path", isText],
  host: ["an address", isText],
  ports: [`an object of ${PORTS.join(", ")}`, isObject],
  dashboardHost: ["an address", isText],
  allowedHosts: ["a list of names", (value) => Array.isArray(value) && value.every(isText)],
  public: ["the path of a folder", isText],
  env: ["an object of texts", (value) => isObject(value) && Object.values(value).every((v) => typeof v === "string")],
  typeCheck: ["true or false", (value) => typeof value === "boolean"],
};

/** The nearest config file, from the folder upwards; undefined when there is none. Throws UsageError for what it does not understand. */
export async function findConfig(folder = process.cwd()): Promise<FoundConfig | undefined> {
  const file = configFile(resolve(folder));
  if (file === undefined) return undefined;
  const loader = new ProgramLoader();
  try {
    const module = (await loader.load(pathToFileURL(realpathSync(file)))) as { default?: unknown };
    if (!isObject(module.default)) {
      throw new UsageError(`${file} has no settings.`, "Write `export default defineConfig({ ... })`.");
    }
    check(module.default, file);
    const { pipeline, dir, public: pages, ...rest } = module.default as MillraceConfig;
    const beside = (path: string): string => resolve(dirname(file), path);
    return {
      file,
      config: {
        ...rest,
        ...(pipeline !== undefined && { pipeline: beside(pipeline) }),
        ...(pages !== undefined && { public: beside(pages) }),
        dir: beside(dir ?? ".millrace"),
      },
    };
  } finally {
    loader.release();
  }
}

/** Sets the variables of the environment that are not set. */
export function applyEnv(config: MillraceConfig | undefined): void {
  for (const [name, value] of Object.entries(config?.env ?? {})) if (!process.env[name]) process.env[name] = value;
}

function configFile(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const found = NAMES.map((name) => join(at, name)).find((path) => existsSync(path));
    if (found !== undefined) return found;
    // A project ends where its repository does.
    if (existsSync(join(at, ".git")) || dirname(at) === at) return undefined;
  }
}

function check(config: object, file: string): void {
  for (const [key, value] of Object.entries(config)) {
    const known = KEYS[key as keyof MillraceConfig];
    if (known === undefined) throw unknown(key, Object.keys(KEYS), file);
    if (value === undefined) continue;
    const [what, fits] = known;
    if (!fits(value)) throw wrong(`${key} is ${JSON.stringify(value)}`, what, key, file);
  }
  for (const [name, port] of Object.entries((config as MillraceConfig).ports ?? {})) {
    if (!PORTS.includes(name)) throw unknown(name, PORTS, file, "ports.");
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw wrong(`ports.${name} is ${JSON.stringify(port)}`, "a whole number from 0 to 65535", name, file);
    }
  }
}

function unknown(key: string, known: readonly string[], file: string, before = ""): UsageError {
  const near = nearest(key, known);
  return new UsageError(
    `There is no setting ${before}${key}.`,
    near === undefined ? `There are ${known.join(", ")}.` : `Did you mean ${before}${near}?`,
    placeOfName(file, 1, key, Number.POSITIVE_INFINITY),
  );
}

function wrong(found: string, wanted: string, key: string, file: string): UsageError {
  return new UsageError(`${found}, not ${wanted}.`, undefined, placeOfName(file, 1, key, Number.POSITIVE_INFINITY));
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
