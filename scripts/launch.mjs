// What `npm start`, `npm test` and the other scripts share. Plain JavaScript: this runs on the Node of the machine (20 or newer),
// everything else on the Node that the package `node` brings along.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules", ".bin");
const bundledNode = join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");

/** Child processes find the bundled Node, tsc and vitest first, and are not told about npm's own settings. */
export const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` };

/** Installs what package-lock.json names and node_modules lacks; a second call installs nothing. */
export function install() {
  const missing = firstMissing();
  if (missing === undefined) return;
  const fresh = !existsSync(join(root, "node_modules"));
  console.error(`millrace: installing dependencies (${missing})`);
  // `npm ci` empties node_modules first, which would pull the ground from under other processes of this directory.
  const how = fresh ? ["ci"] : ["install", "--no-save"];
  const cli = process.env.npm_execpath;
  // Unasked: engine warnings of packages that run on the bundled Node, not on this one.
  const flags = ["--no-audit", "--no-fund", "--loglevel=error", "--include=dev"];
  const [command, args] = cli?.endsWith(".js")
    ? [process.execPath, [cli, ...how, ...flags]]
    : ["npm", [...how, ...flags]];
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: command === "npm" && process.platform === "win32",
  });
  if (result.error) fail(`npm could not be started: ${result.error.message}`);
  if (result.status !== 0) fail(`npm ${how[0]} failed. Run \`npm ci\` in ${root} to see why.`, result.status ?? 1);
  const still = firstMissing();
  if (still !== undefined) fail(`npm ${how[0]} ended, but ${still}.`);
}

/** Says what is missing, or undefined. npm writes what it installed to node_modules/.package-lock.json. */
function firstMissing() {
  const installed = readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  if (installed === undefined) return "node_modules is missing";
  const wanted = readJson(join(root, "package-lock.json"))?.packages ?? {};
  for (const [key, entry] of Object.entries(wanted)) {
    if (key === "" || entry.link) continue;
    const there = installed[key];
    if (there === undefined && (entry.optional || entry.peer || entry.devOptional)) continue;
    if (there === undefined) return `${key} is missing`;
    if (there.version !== entry.version) return `${key} is ${there.version}, not ${entry.version}`;
  }
  return undefined;
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // missing or cut short by an interrupted install: either way it has to be installed again
  }
}

/** The Node that runs TypeScript: the bundled one, or this one where install scripts are forbidden and it is new enough. */
export function node() {
  if (existsSync(bundledNode)) return bundledNode;
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  return fail(
    `the bundled Node is missing because install scripts are switched off. ` +
      `Run \`npm rebuild node --ignore-scripts=false\`, or use Node 24 or newer (this is ${process.version}).`,
  );
}

/**
 * Runs a TypeScript or JavaScript file and resolves to its exit code. SIGINT and SIGTERM reach it exactly once each: it has a process
 * group of its own, so that a terminal's Ctrl-C (which goes to the whole group, and which npm passes on as well) does not arrive thrice.
 */
export function run(args, options = {}) {
  const posix = process.platform !== "win32";
  const child = spawn(node(), args, {
    cwd: options.cwd ?? process.cwd(),
    env: { ...env, ...options.env },
    // The channel tells the child when this process is gone, however it ended.
    stdio: ["inherit", options.stdout ?? "inherit", "inherit", ...(options.channel ? ["ipc"] : [])],
    detached: posix && options.channel === true,
  });
  const last = new Map();
  const forward = (signal) => {
    const now = Date.now();
    if (now - (last.get(signal) ?? 0) < 300) return;
    last.set(signal, now);
    // Without a group of its own the child has the terminal's Ctrl-C already.
    if (signal !== "SIGINT" || options.channel || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  return new Promise((resolve) => {
    child.on("error", (error) => fail(`${node()} could not be started: ${error.message}`));
    child.on("exit", (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

function fail(message, code = 1) {
  console.error(`millrace: ${message}`);
  process.exit(code);
}
