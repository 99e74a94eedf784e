import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { MillraceError } from "../../src/errors.ts";
import type { QueryLog } from "../../src/observe/query-log.ts";
import type { Observer } from "../../src/observe/server.ts";
import type { Stack } from "../../src/stack.ts";

/** Where `vite build` puts the page. */
const MAP = fileURLToPath(new URL("page/dist", import.meta.url));
export const version = (): string => createRequire(import.meta.url)("../../package.json").version;

export interface LookOptions {
  /** Default: the usual port or the next free one. */
  readonly port: number | undefined;
  readonly log: QueryLog;
  readonly stack: Stack;
  readonly say: (line: string) => void;
}

/** Starts the dashboard and the map, and says where they are. Without a free port the pipeline runs on alone. */
export async function startLooking(options: LookOptions): Promise<Observer | undefined> {
  const { port, log, stack, say } = options;
  // Loaded here, as nothing of it is needed for the first result.
  const { startObserver } = await import("../../src/observe/server.ts");
  const hasMap = existsSync(MAP);
  try {
    const observer = await startObserver({
      ...(port !== undefined && { port }),
      log,
      version: version(),
      servers: () => stack.layers,
      ...(hasMap && { pages: { "/map/": MAP } }),
    });
    say(`Dashboard  ${observer.url}${hasMap ? `\nMap        ${new URL("map/", observer.url)}` : ""}`);
    return observer;
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "PORT_IN_USE") throw error;
    say(`There is no dashboard: ${error.message}`);
    return undefined;
  }
}
