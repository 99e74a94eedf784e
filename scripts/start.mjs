import { join } from "node:path";
import { install, root, run } from "./launch.mjs";

install();
process.exitCode = await run([join(root, "examples/flights/main.ts"), ...process.argv.slice(2)], { channel: true });
