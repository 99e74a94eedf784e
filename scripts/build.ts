/**
 * Builds `dist/`: plain JavaScript with type declarations and a package.json of its own, so that `npm pack ./dist` gives a package
 * that runs without type stripping.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureWeb } from "./web.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Builds into `out` (emptied first). Throws when the sources do not compile. */
export function build(out: string = join(root, "dist")): void {
  rmSync(out, { recursive: true, force: true });
  compile(out);
  for (const name of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
    const path = join(root, "src", name);
    if (/\.(ts|md|proto)$/.test(name) || !statSync(path).isFile()) continue;
    mkdirSync(dirname(join(out, name)), { recursive: true });
    copyFileSync(path, join(out, name));
  }
  let files = 0;
  for (const name of readdirSync(out, { recursive: true, encoding: "utf8" })) {
    if (!/\.(js|d\.ts)$/.test(name)) continue;
    files++;
    rewrite(join(out, name));
  }
  cpSync(join(root, "templates"), join(out, "templates"), { recursive: true });
  cpSync(dashboard(), join(out, "web"), { recursive: true, filter: (path) => !path.endsWith(".stamp") });
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
  for (const name of ["README.md", "LICENSE", "CHANGELOG.md", "llms.txt"]) {
    if (existsSync(join(root, name))) copyFileSync(join(root, name), join(out, name));
  }
  // What can be read without the network: pages and their drawings, not the screenshots.
  cpSync(join(root, "docs"), join(out, "docs"), { recursive: true, filter: (path) => !/\.(png|jpe?g)$/.test(path) });
  for (const target of Object.values<string>(manifest().bin)) chmodSync(join(out, target), 0o755);
  console.log(`${out}: ${files} files`);
}

/** The dashboard's files, built if need be. */
function dashboard(): string {
  if (!ensureWeb()) throw new Error("the dashboard could not be built");
  return join(root, "web/dist");
}

function compile(out: string): void {
  const temporary = mkdtempSync(join(tmpdir(), "millrace-build-"));
  const config = join(temporary, "tsconfig.json");
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        rewriteRelativeImportExtensions: true,
        rootDir: join(root, "src"),
        outDir: out,
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: [join(root, "src")],
      exclude: [join(root, "src/**/*.test.ts"), join(root, "src/**/*.test-d.ts"), join(root, "src/**/fixtures")],
    }),
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const result = spawnSync(process.execPath, [tsc, "-p", config], { stdio: "inherit" });
  rmSync(temporary, { recursive: true, force: true });
  if (result.status !== 0) throw new Error(`tsc ended with ${result.status}`);
}

/** Worker files are named by URL, which tsc leaves alone; declarations keep the names that they were written with. */
function rewrite(file: string): void {
  const text = readFileSync(file, "utf8");
  const changed = text
    .replace(/(new URL\(\s*(["'])\.{1,2}\/[^"']*)\.ts\2/g, "$1.js$2")
    .replace(/(\bfrom\s+(["'])\.{1,2}\/[^"']*)\.ts\2/g, "$1.js$2")
    .replace(/(\bimport\((["'])\.{1,2}\/[^"']*)\.ts\2/g, "$1.js$2");
  // Text that chooses by `import.meta.url.endsWith(".ts")` knows both names.
  const lines = file.endsWith(".js") ? changed.replace(/\/\*[\s\S]*?\*\//g, "").split("\n") : [];
  const left = lines.find((line) => /["'`]\.{1,2}\/[^"'`]*\.ts["'`]/.test(line) && !line.includes('endsWith(".ts")'));
  if (left !== undefined) throw new Error(`${file} still names a TypeScript file: ${left.trim()}`);
  if (changed !== text) writeFileSync(file, changed);
}

interface Manifest {
  readonly bin: Record<string, string>;
  readonly [key: string]: unknown;
}

function manifest(): Manifest {
  const source = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const built = (path: string): string => path.replace(/^\.\/src\//, "./").replace(/\.ts$/, ".js");
  const exports = Object.entries<string>(source.exports).map(([name, path]) => {
    if (!path.endsWith(".ts")) return [name, path];
    return [name, { types: built(path).replace(/\.js$/, ".d.ts"), default: built(path) }];
  });
  return {
    name: source.name,
    version: source.version,
    description: source.description,
    license: source.license,
    type: source.type,
    // The API's own floor; the repository itself runs on the Node that it brings along.
    engines: { node: ">=22.22.0" },
    exports: Object.fromEntries(exports),
    bin: Object.fromEntries(Object.entries<string>(source.bin).map(([name, path]) => [name, built(path)])),
    dependencies: source.dependencies,
    ...(source.peerDependencies && { peerDependencies: source.peerDependencies }),
    ...(source.peerDependenciesMeta && { peerDependenciesMeta: source.peerDependenciesMeta }),
    ...(source.optionalDependencies && { optionalDependencies: source.optionalDependencies }),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build(process.argv[2]);
