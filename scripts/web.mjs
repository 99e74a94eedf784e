// The pages in the browser: the dashboard (web/) and the map of the flights (examples/flights/page/). Each is built into its own dist/
// when that is missing or older than what it is made from. Plain JavaScript, as launch.mjs.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { env, node, root } from "./launch.mjs";

/** Folders with a vite.config.ts. */
const PAGES = ["web", "examples/flights/page"];
/** Packages that end up in pages, and what builds them. */
const PACKAGES = ["vite", "esbuild", "preact", "@preact/signals", "uplot", "d3-geo", "topojson-client", "us-atlas"];
const SKIP = /^dist(-\d+)?\/|\.test\.tsx?$/;

/** The pages that are there, as paths below the repository. */
export function pages() {
  return PAGES.filter((page) => existsSync(join(root, page, "vite.config.ts")));
}

/** A hash of names, sizes and times of change of what a page is made from: no file is read. */
export function stampOf(page) {
  const hash = createHash("sha256");
  const add = (file) => {
    const info = statSync(join(root, file), { throwIfNoEntry: false });
    if (info?.isFile()) hash.update(`${file} ${info.size} ${info.mtimeMs}\n`);
  };
  add("web/build.ts");
  for (const folder of [page, "src/client"]) {
    if (!existsSync(join(root, folder))) continue;
    for (const name of readdirSync(join(root, folder), { recursive: true }).sort()) {
      if (!SKIP.test(name.replaceAll("\\", "/"))) add(`${folder}/${name}`);
    }
  }
  for (const name of PACKAGES) {
    const file = join(root, "node_modules", name, "package.json");
    if (existsSync(file)) hash.update(`${name} ${JSON.parse(readFileSync(file, "utf8")).version}\n`);
  }
  return hash.digest("hex");
}

/** Whether a page's dist/ is of the present sources. */
export function isFresh(page) {
  try {
    return readFileSync(join(root, page, "dist/.stamp"), "utf8") === stampOf(page);
  } catch {
    return false; // not built yet
  }
}

/**
 * Builds the pages that are not fresh; says so when that fails, and goes on: everything else works without them. Returns whether all of
 * them are there.
 */
export function ensureWeb() {
  if (pages().every(isFresh)) return true;
  const result = spawnSync(node(), [join(root, "web/build.ts"), "--old"], { cwd: root, env, encoding: "utf8" });
  if (result.status === 0) return true;
  const why = result.error?.message ?? result.stderr.trim().split("\n").slice(0, 6).join("\n");
  console.error(`millrace: the pages could not be built; \`npm run web:build\` shows why.\n${why}`);
  return false;
}
