import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { once } from "./once.ts";

const exec = promisify(execFile);

/** What the tests need of Python: delta-rs, a Delta implementation that is not ours and not Spark's. */
const REQUIREMENTS = ["deltalake==1.6.6"];

export type Python = { run(code: string, args?: readonly string[]): Promise<string> } | { unavailable: string };

let made: Promise<Python> | undefined;

/** Python with `deltalake`, in a virtual environment that is made on first use. `run` gives what the program printed. */
export function python(): Promise<Python> {
  made ??= make();
  return made;
}

async function make(): Promise<Python> {
  let folder: string;
  try {
    folder = await once("python", REQUIREMENTS.join(" "), async (target) => {
      await exec("python3", ["-m", "venv", target], { timeout: 120_000 });
      await exec(join(target, "bin", "python"), ["-m", "pip", "install", "-q", ...REQUIREMENTS], { timeout: 300_000 });
    });
  } catch (error) {
    return { unavailable: `Python with ${REQUIREMENTS.join(", ")} could not be set up: ${(error as Error).message}` };
  }
  return {
    async run(code, args = []) {
      const { stdout } = await exec(join(folder, "bin", "python"), ["-c", code, ...args], {
        maxBuffer: 64 << 20,
        timeout: 120_000,
      });
      return stdout;
    },
  };
}
