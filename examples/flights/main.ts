/** `npm start`: servers, replay and queries in one process. */

import { enableCompileCache } from "node:module";
import { FLIGHTS_TOTAL } from "./dataset.ts";
import { type FlightsOptions, HELP, parseOptions, UsageError } from "./options.ts";

let options: FlightsOptions;
try {
  options = parseOptions(process.argv.slice(2), FLIGHTS_TOTAL);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exit(2);
}
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
// Only now the rest: --help and a misspelt option need no engine, and what is loaded from here on is found compiled the next time.
enableCompileCache();
const { run } = await import("./run.ts");
process.exitCode = await run(options);
