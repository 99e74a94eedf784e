import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SparkSession } from "../session.ts";
import { UsageError } from "./output.ts";

/** A pipeline that was started. */
export interface Pipeline {
  /** Its module has settled and its queries have ended; throws what failed. */
  readonly ended: Promise<void>;
  /** Ends the queries after their batch, and the session. */
  stop(): Promise<void>;
}

/** The module's address; throws when there is no such file. */
export function findPipeline(file: string): URL {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`There is no file ${file}.`, "Give the path of the pipeline's module.");
  return pathToFileURL(path);
}

/** Imports the module, which runs it until it has settled. */
export async function loadPipeline(module: URL): Promise<void> {
  const registered = useThisPackage();
  try {
    await import(module.href);
  } finally {
    registered.deregister();
  }
}

/** Imports the module, which runs it. */
export function startPipeline(module: URL): Pipeline {
  const registered = useThisPackage();
  const ended = (async () => {
    await import(module.href);
    for (;;) {
      const session = SparkSession.getActiveSession();
      const active = session?.streams.active ?? [];
      if (active.length === 0) return;
      await Promise.all(active.map((query) => query.awaitTermination()));
    }
  })();
  ended.catch(() => {}); // whoever waits for it is told
  return {
    ended,
    async stop() {
      await SparkSession.getActiveSession()?.stop();
      registered.deregister();
    },
  };
}

/** A pipeline anywhere on the disk gets this very package as "millrace": a second copy would have a session of its own. */
function useThisPackage(): { deregister(): void } {
  const own = import.meta.resolve("millrace");
  return registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "millrace" ? { url: own, shortCircuit: true, format: null } : next(specifier, context),
  });
}
