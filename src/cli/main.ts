#!/usr/bin/env node
import module from "node:module";

// The second start finds its modules compiled, in the folder that Node has for it. Older than 22.1, Node has none.
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
