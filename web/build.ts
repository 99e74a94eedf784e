/**
 * Builds the pages (scripts/web.mjs says which): each with Vite into its own `dist/`, the dashboard's also with the client for browsers,
 * which plain pages import as `/millrace/client.js`. `npm run web:build`; with `--old` only those that are missing or old, as the scripts
 * do that start something.
 */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";
import { build } from "vite";
import { isFresh, pages, stampOf } from "../scripts/web.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const client = join(root, "src/client/index.ts");

/** Into a folder beside it first: whoever looks at the page meanwhile gets the old files, not half of the new ones. */
async function buildPage(page: string): Promise<void> {
  const stamp = stampOf(page);
  const folder = join(root, page);
  const [dist, fresh] = [join(folder, "dist"), join(folder, `dist-${process.pid}`)];
  try {
    await build({
      configFile: join(folder, "vite.config.ts"),
      logLevel: "warn",
      build: { outDir: fresh, emptyOutDir: true },
    });
    if (page === "web" && existsSync(client)) await bundleClient(join(fresh, "millrace/client.js"));
    writeFileSync(join(fresh, ".stamp"), stamp);
    replace(dist, fresh);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Another process may build the same at the same moment: the later one stays. */
function replace(dist: string, fresh: string): void {
  for (let attempt = 0; ; attempt++) {
    rmSync(dist, { recursive: true, force: true });
    try {
      renameSync(fresh, dist);
      return;
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function bundleClient(outfile: string): Promise<void> {
  await bundle({
    entryPoints: [client],
    outfile,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    logLevel: "warning",
  });
}

for (const page of pages()) {
  if (!process.argv.includes("--old") || !isFresh(page)) await buildPage(page);
}
