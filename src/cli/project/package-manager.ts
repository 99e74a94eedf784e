import { spawn } from "node:child_process";

/** Programs that install packages. */
export const PACKAGE_MANAGERS = ["npm", "pnpm", "yarn", "bun"] as const;
export type PackageManager = (typeof PACKAGE_MANAGERS)[number];

/** The one that started this process, as it says of itself; npm when nobody does. */
export function detectPackageManager(env: NodeJS.ProcessEnv = process.env): PackageManager {
  const name = /^(\w+)\//.exec(env.npm_config_user_agent ?? "")?.[1];
  return PACKAGE_MANAGERS.find((known) => known === name) ?? "npm";
}

/** What people type. */
export const typed = (manager: PackageManager, what: "install" | "dev" | "test"): string =>
  ({
    npm: { install: "npm install", dev: "npx millrace dev", test: "npm test" },
    pnpm: { install: "pnpm install", dev: "pnpm millrace dev", test: "pnpm test" },
    yarn: { install: "yarn install", dev: "yarn millrace dev", test: "yarn test" },
    bun: { install: "bun install", dev: "bunx millrace dev", test: "bun run test" },
  })[manager][what];

/** How a program ended. */
export interface Ended {
  /** Undefined when it could not be started. */
  readonly code: number | null | undefined;
  /** What it said, both outputs in the order in which they came. */
  readonly output: string;
}

/** Runs a program in a folder to its end. */
export function runIn(folder: string, program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((done) => {
    const chunks: Buffer[] = [];
    // npm and its like are scripts on Windows, which only a shell starts.
    const child = spawn(program, args, {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    const output = (): string => Buffer.concat(chunks).toString("utf8").trim();
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", (error) => done({ code: undefined, output: error.message }));
    child.on("close", (code) => done({ code, output: output() }));
  });
}

/** The arguments of an install that says little. */
export function installArguments(manager: PackageManager): string[] {
  return manager === "npm" ? ["install", "--no-audit", "--no-fund", "--loglevel=error"] : ["install"];
}
