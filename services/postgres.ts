import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";
import type { RunningService } from "./redis.ts";

const exec = promisify(execFile);
const DEBIAN = "/usr/lib/postgresql";

/**
 * A real PostgreSQL on a free port, or the given one, with a data folder of its own, user `postgres`, database `postgres`. Uses an installed one
 * (Debian's place, or `initdb` on PATH); as root on Debian it installs the package. Runs as the user postgres when root.
 * `{ unavailable }` says why there is none.
 */
export async function startPostgres(
  options: { port?: number } = {},
): Promise<(RunningService & { restart(): Promise<void> }) | { unavailable: string }> {
  let bin: string | undefined;
  try {
    bin = await findPrograms();
  } catch (error) {
    return { unavailable: `PostgreSQL could not be installed: ${(error as Error).message}` };
  }
  if (bin === undefined) return { unavailable: "PostgreSQL is not installed, and only root can install it" };

  const directory = await mkdtemp(join(tmpdir(), "millrace-postgres-"));
  const account = await unprivilegedAccount();
  const as = account === undefined ? {} : { uid: account.uid, gid: account.gid };
  if (account !== undefined) await chown(directory, account.uid, account.gid);
  const data = join(directory, "data");
  await exec(
    join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync", "--locale=C"],
    {
      ...as,
      cwd: directory,
    },
  );
  const port = options.port ?? (await freePort());
  const settings = [
    "-c",
    "fsync=off",
    "-c",
    `unix_socket_directories=${directory}`,
    "-c",
    "listen_addresses=127.0.0.1",
  ];
  const start = async (): Promise<() => Promise<void>> => {
    const child = spawn(join(bin, "postgres"), ["-D", data, "-p", `${port}`, ...settings], {
      ...as,
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    leash(child);
    // A test that fails before it stops the server must not leave it behind.
    const kill = (): void => {
      child.kill("SIGQUIT");
    };
    process.once("exit", kill);
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    let output = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes("ready to accept connections")) resolve();
      });
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`postgres ended with ${code}: ${output}`)));
    });
    return async () => {
      process.off("exit", kill);
      kill();
      await ended;
    };
  };
  let halt = await start();
  const { stdout } = await exec(join(bin, "postgres"), ["--version"]);
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    version: /[\d.]+/.exec(stdout)?.[0] ?? "unknown",
    /** Ends the server at once, as a crash would, and starts it again on the same port. */
    async restart() {
      await halt();
      halt = await start();
    },
    async stop() {
      await halt();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function findPrograms(): Promise<string | undefined> {
  const found = await installed();
  if (found !== undefined || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return found;
  const install = (): Promise<unknown> =>
    exec("apt-get", ["install", "-y", "-q", "--no-install-recommends", "postgresql"], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      timeout: 300_000,
    });
  try {
    await install();
  } catch {
    await exec("apt-get", ["update", "-q"], { timeout: 120_000 });
    await install();
  }
  return await installed();
}

async function installed(): Promise<string | undefined> {
  if (existsSync(DEBIAN)) {
    const versions = (await readdir(DEBIAN)).sort((a, b) => Number(b) - Number(a));
    for (const version of versions) {
      if (existsSync(join(DEBIAN, version, "bin", "initdb"))) return join(DEBIAN, version, "bin");
    }
  }
  return (process.env.PATH ?? "")
    .split(":")
    .find((f) => f !== "" && existsSync(join(f, "initdb")) && existsSync(join(f, "postgres")));
}

/** PostgreSQL refuses to run as root. */
async function unprivilegedAccount(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = await Promise.all([exec("id", ["-u", name]), exec("id", ["-g", name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // The account does not exist; the next one may.
    }
  }
  return undefined;
}
