import { constants, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";

/**
 * Makes the database's directory when it is missing. It appears whole or not at all, so a kill in the middle does no harm. Making
 * one takes seconds of computing; a copy of the first one is kept beside the installed packages and copied from then on.
 */
export async function ensureDataDirectory(directory: string): Promise<void> {
  if (existsSync(join(directory, "PG_VERSION"))) return;
  const fresh = `${directory}.new`;
  rmSync(fresh, { recursive: true, force: true });
  const template = templatePath();
  if (template !== undefined && existsSync(join(template, "PG_VERSION"))) copy(template, fresh);
  else {
    await initialise(fresh);
    if (template !== undefined) keep(fresh, template);
  }
  rmSync(directory, { recursive: true, force: true });
  renameSync(fresh, directory);
}

/** An empty database, shut down in order. */
async function initialise(directory: string): Promise<void> {
  const pg = await PGlite.create({ dataDir: directory, relaxedDurability: true });
  await pg.close();
}

function keep(fresh: string, template: string): void {
  const own = `${template}.${process.pid}-${performance.now().toString(36).replace(".", "")}`;
  try {
    mkdirSync(dirname(template), { recursive: true });
    copy(fresh, own);
    renameSync(own, template);
  } catch {
    // Packages may be installed where this user cannot write, or another process was first: then there is nothing to keep.
    rmSync(own, { recursive: true, force: true });
  }
}

function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE, preserveTimestamps: true });
}

/** In `node_modules/.cache`, per version of PGlite; undefined when it is not installed in a `node_modules`. */
function templatePath(): string | undefined {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite");
  const marker = join("node_modules", "@electric-sql", "pglite");
  const at = entry.lastIndexOf(marker);
  if (at < 0) return undefined;
  const { version } = JSON.parse(readFileSync(join(entry.slice(0, at), marker, "package.json"), "utf8")) as {
    version: string;
  };
  return join(entry.slice(0, at), "node_modules", ".cache", "millrace", `postgres-${version}`);
}
