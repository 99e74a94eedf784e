import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setPriority } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Place } from "./modules/place.ts";

/** An error of the types, as TypeScript tells it. */
export interface TypeFault {
  readonly code: string;
  readonly message: string;
  readonly place: Place;
}

/** Where the project has TypeScript and a tsconfig.json, checks its types beside everything else; never in anybody's way. */
export class TypeCheck {
  readonly #tsc: string;
  readonly #config: string;
  readonly #told: (faults: readonly TypeFault[]) => void;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(tsc: string, config: string, told: (faults: readonly TypeFault[]) => void) {
    this.#tsc = tsc;
    this.#config = config;
    this.#told = told;
  }

  /** The check of the project that a file belongs to; undefined where it cannot be checked. `told` gets what each run found. */
  static of(entry: string, told: (faults: readonly TypeFault[]) => void): TypeCheck | undefined {
    const config = nearestConfig(dirname(entry));
    const tsc = compilerOf(entry);
    return config === undefined || tsc === undefined ? undefined : new TypeCheck(tsc, config, told);
  }

  /** Checks after a while; a check that runs is given up, as the files have changed. */
  start(delayMs: number): void {
    this.stop();
    this.#timer = setTimeout(() => this.#run(), delayMs);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#child?.kill();
    this.#child = undefined;
  }

  #run(): void {
    const args = [this.#tsc, "--noEmit", "--pretty", "false", "-p", this.#config];
    const child = spawn(process.execPath, args, { cwd: dirname(this.#config), stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    try {
      // The pipeline goes first.
      if (child.pid !== undefined) setPriority(child.pid, 10);
    } catch {
      // It is over already, or the system has no priorities.
    }
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
    });
    child.on("error", () => {});
    child.on("close", () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#told(faultsOf(text, dirname(this.#config)));
    });
  }
}

/** Reads `src/a.ts(3,5): error TS2322: Type ...`; further lines of a message are its details. */
export function faultsOf(text: string, folder: string): TypeFault[] {
  const faults: TypeFault[] = [];
  for (const line of text.split("\n")) {
    const found = /^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/.exec(line.trimEnd());
    if (found === null) continue;
    const [, file, row, column, code, message] = found;
    faults.push({
      code: code!,
      message: message!,
      place: { file: resolve(folder, file!), line: Number(row), column: Number(column) },
    });
  }
  return faults;
}

function nearestConfig(folder: string): string | undefined {
  const file = join(folder, "tsconfig.json");
  if (existsSync(file)) return file;
  return dirname(folder) === folder ? undefined : nearestConfig(dirname(folder));
}

/** The program `tsc` of the project's TypeScript. */
function compilerOf(entry: string): string | undefined {
  try {
    const manifest = createRequire(entry).resolve("typescript/package.json");
    const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin?: { tsc?: string } };
    return bin?.tsc === undefined ? undefined : join(dirname(manifest), bin.tsc);
  } catch {
    return undefined;
  }
}
