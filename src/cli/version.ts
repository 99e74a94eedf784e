import { readFileSync } from "node:fs";

/** The version of the package, or `unknown`. */
export function version(): string {
  // From source it lies two folders up, in the built package one.
  for (const path of ["../../package.json", "../package.json"]) {
    try {
      const found = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as {
        name?: string;
        version: string;
      };
      if (found.name === "millrace") return found.version;
    } catch {
      // not this one
    }
  }
  return "unknown";
}
