#!/usr/bin/env node
import module from "node:module";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
/** `init` gives a project a Node of its own where that of the machine is too old. */
const ANY_NODE = ["init", "help", "completion", "--help", "-h", "--version", "-V"];
if ((major < 22 || (major === 22 && minor < 22)) && (major < 20 || !ANY_NODE.includes(process.argv[2] ?? ""))) {
  process.stderr.write(
    `error millrace needs Node.js 22.22 or newer; this is ${process.versions.node}.\n      Install one (https://nodejs.org), or give the project its own: \`npm install --save-dev node@24\`, then run it with npx.\n`,
  );
  process.exit(2);
}
// The second start finds its modules compiled, in the folder that Node has for it.
module.enableCompileCache?.();
const { main } = await import("./program.ts");

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
const code = await main(process.argv.slice(2));
// What was written may still be on its way to a slow reader.
await new Promise<void>((written) => process.stdout.write("", () => written()));
// A pipeline may leave timers and sockets behind; the command is over all the same.
process.exit(code);
