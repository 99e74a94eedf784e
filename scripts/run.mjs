// node scripts/run.mjs FILE [ARGUMENT...]: runs a TypeScript file of this repository, installing first what is missing.
import { resolve } from "node:path";
import { install, root, run } from "./launch.mjs";
import { ensureWeb } from "./web.mjs";

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: node scripts/run.mjs FILE [ARGUMENT...]");
  process.exit(2);
}
install();
// Of the command line only dev and run show pages.
if (/^(dev|run)$/.test(args[0] ?? "") && file.endsWith("src/cli/main.ts")) ensureWeb();
process.exitCode = await run([resolve(root, file), ...args]);
