import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type DebianProgram, debianProgram } from "../services/debian.ts";

export type Tool = "java" | "mvn" | "kcat" | "psql" | "redis-cli" | "python3";

/**
 * Whether a program that a test needs is installed. Where the whole check runs (CI=true) a missing one is an error; elsewhere the tests
 * that need it are skipped and the reason is printed.
 *
 * ```ts
 * describe.skipIf(!needs("kcat"))("kcat", () => { ... });
 * ```
 */
export function needs(tool: Tool): boolean {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      // not in this folder
    }
  }
  return missing(`${tool} is not installed`);
}

/** Where a program is, installed when that is possible; throws when it cannot be had. For tests that are worth nothing without it. */
export async function need(program: DebianProgram): Promise<string> {
  const found = await debianProgram(program);
  if (typeof found === "string") return found;
  throw new Error(`This test must run, but ${found.unavailable}.`);
}

/**
 * What a helper of `services/` gave, or undefined when it could not: then the tests that need it are skipped, or fail where the whole
 * check runs (CI=true).
 *
 * ```ts
 * const tools = given(await kafkaTools());
 * describe.skipIf(tools === undefined)("Kafka's tools", () => { ... });
 * ```
 */
export function given<T>(result: T | { unavailable: string }): T | undefined {
  if (typeof result === "object" && result !== null && "unavailable" in result) {
    missing(result.unavailable);
    return undefined;
  }
  return result as T;
}

function missing(reason: string): false {
  if (process.env.CI === "true") throw new Error(`These tests must run here, but ${reason}.`);
  console.warn(`skipped: ${reason}`);
  return false;
}
