import { accessSync, constants } from "node:fs";
import { debianProgram, onPath } from "./debian.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"];
const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

/**
 * Where a Chromium is: the one that MILLRACE_TEST_CHROMIUM names, one on PATH, or Debian's, installed when this is root on Debian.
 * `{ unavailable }` says why there is none. As root it starts only without its sandbox: Playwright's `chromiumSandbox: false`.
 *
 * ```ts
 * const path = await findChromium();
 * if (typeof path === "string") await chromium.launch({ executablePath: path });
 * ```
 */
export async function findChromium(): Promise<string | { unavailable: string }> {
  const given = process.env.MILLRACE_TEST_CHROMIUM;
  if (given) {
    return runs(given) ? given : { unavailable: `MILLRACE_TEST_CHROMIUM is ${given}, which cannot be run` };
  }
  for (const name of NAMES) {
    const found = onPath(name);
    if (found !== undefined) return found;
  }
  return runs(MAC) ? MAC : await debianProgram("chromium");
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
