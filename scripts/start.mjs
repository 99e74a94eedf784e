import { join } from "node:path";
import { install, root, run } from "./launch.mjs";
import { ensureWeb } from "./web.mjs";

install();
ensureWeb();
process.exitCode = await run([join(root, "examples/flights/main.ts"), ...process.argv.slice(2)], { channel: true });
