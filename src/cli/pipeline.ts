import { existsSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ProgramLoader } from "./modules/loader.ts";
import { UsageError } from "./usage-error.ts";

/** The module's address; throws when there is no such file. */
export function findPipeline(file: string): URL {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`There is no file ${file}.`, "Give the path of the pipeline's module.");
  if (statSync(path).isDirectory())
    throw new UsageError(`${file} is a folder.`, "Give the path of the pipeline's module.");
  // As Node names modules: a link is what it leads to.
  return pathToFileURL(realpathSync(path));
}

/** Imports the module, which runs it until it has settled. */
export async function loadPipeline(module: URL): Promise<void> {
  const loader = new ProgramLoader();
  try {
    await loader.load(module);
  } finally {
    loader.release();
  }
}
