#!/usr/bin/env node
import { main } from "./program.ts";

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
// A pipeline may leave timers and sockets behind; the command is over all the same.
process.exit(await main(process.argv.slice(2)));
