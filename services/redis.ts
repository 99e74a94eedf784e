import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";
import { once } from "./once.ts";

const exec = promisify(execFile);

export interface RunningService {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  stop(): Promise<void>;
}

/** Debian's packages of redis-server and what it links to beyond the C library. */
const PACKAGES = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"];

/**
 * A real redis-server on a free port, without persistence. Uses an installed one, else unpacks Debian's packages into
 * `.services/redis` (no root needed). `{ unavailable }` says why there is none.
 */
export async function startRedis(
  options: { password?: string; port?: number } = {},
): Promise<RunningService | { unavailable: string }> {
  let program: { path: string; libraries: string | undefined };
  try {
    program = await findServer();
  } catch (error) {
    return { unavailable: `redis-server could not be found or fetched: ${(error as Error).message}` };
  }
  const port = options.port ?? (await freePort());
  const directory = await mkdtemp(join(tmpdir(), "millrace-redis-"));
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", directory, "--daemonize", "no"];
  if (options.password !== undefined) args.push("--requirepass", options.password);
  const child = spawn(program.path, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...(program.libraries === undefined ? {} : { LD_LIBRARY_PATH: program.libraries }) },
  });
  leash(child);
  // A test that fails before it stops the server must not leave it behind.
  const kill = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      output += chunk.toString();
      if (/ready to accept connections/i.test(output)) resolve();
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${output}`)));
  });
  return {
    url:
      options.password === undefined ? `redis://127.0.0.1:${port}` : `redis://:${options.password}@127.0.0.1:${port}`,
    port,
    version: /version=([\d.]+)/i.exec(output)?.[1] ?? "unknown",
    async stop() {
      process.off("exit", kill);
      kill();
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function findServer(): Promise<{ path: string; libraries: string | undefined }> {
  for (const folder of (process.env.PATH ?? "").split(":")) {
    for (const name of ["redis-server", "valkey-server"]) {
      if (folder !== "" && existsSync(join(folder, name))) return { path: join(folder, name), libraries: undefined };
    }
  }
  const folder = await once("redis", "debian 1", async (target) => {
    const download = (): Promise<unknown> =>
      exec("apt-get", ["download", ...PACKAGES], { cwd: target, timeout: 120_000 });
    try {
      await download();
    } catch {
      await exec("apt-get", ["update", "-q"], { timeout: 120_000 });
      await download();
    }
    for (const file of await readdir(target)) {
      if (file.endsWith(".deb")) await exec("dpkg", ["-x", file, "."], { cwd: target });
    }
  });
  const libraryRoot = join(folder, "usr", "lib");
  const triplet = (await readdir(libraryRoot)).find((name) => name.includes("-linux-gnu"));
  return {
    path: join(folder, "usr", "bin", "redis-server"),
    libraries: triplet === undefined ? undefined : join(libraryRoot, triplet),
  };
}
