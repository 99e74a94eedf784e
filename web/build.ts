/**
 * Builds the pages (scripts/web.mjs says which): each with Vite into its own `dist/`, the dashboard's also with the client for browsers,
 * which plain pages import as `/millrace/client.js`. `npm run web:build`; with `--old` only those that are missing or old, as the scripts
 * do that start something.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
    const made = await build({
      configFile: join(folder, "vite.config.ts"),
      logLevel: "warn",
      build: { outDir: fresh, emptyOutDir: true },
    });
    if (page === "web" && existsSync(client)) await bundleClient(join(fresh, "millrace/client.js"));
    writeFileSync(join(fresh, "third-party-licenses.txt"), licenses(made));
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

/** The licences of the packages that ended up in the page: theirs ask for it. */
function licenses(made: Awaited<ReturnType<typeof build>>): string {
  const outputs = (Array.isArray(made) ? made : [made]).flatMap((m) => ("output" in m ? m.output : []));
  const modules = outputs.flatMap((o) => (o.type === "chunk" ? Object.keys(o.modules) : []));
  // A style sheet's package is that of the script that it belongs to.
  const packages = new Set(
    modules
      .map((id) => /node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(id)?.[1])
      .filter((name) => name !== undefined),
  );
  return [...packages]
    .sort()
    .map((name) => {
      const folder = join(root, "node_modules", name);
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
      if (file === undefined) throw new Error(`${name} has no licence that could be passed on`);
      return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
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
