// node scripts/run.mjs FILE [ARGUMENT...]: runs a TypeScript file of this repository, installing first what is missing.
import { resolve } from "node:path";
import { install, root, run } from "./launch.mjs";

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: node scripts/run.mjs FILE [ARGUMENT...]");
  process.exit(2);
}
install();
process.exitCode = await run([resolve(root, file), ...args]);
