/** Writes the reference pages from what the program itself reads: `npm run docs`. A test fails when one is not up to date. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { monitoringFiles } from "./monitoring.ts";
import { apiPage } from "./reference/api.ts";
import { commandsPage } from "./reference/commands.ts";
import { withOptionTables } from "./reference/connectors.ts";
import { errorsPage } from "./reference/errors.ts";
import { llmsText } from "./reference/llms.ts";
import { settingsPage } from "./reference/settings.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Files and what they should hold, given what they hold. llms.txt reads the others, so it comes last. */
export const PAGES: Readonly<Record<string, (text: string) => string>> = {
  "docs/connectors.md": withOptionTables,
  "docs/commands.md": commandsPage,
  "docs/api.md": apiPage,
  "docs/errors.md": errorsPage,
  "docs/settings.md": settingsPage,
  ...Object.fromEntries(Object.entries(monitoringFiles()).map(([file, text]) => [file, () => text])),
  "llms.txt": llmsText,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, page] of Object.entries(PAGES)) {
    const path = join(root, file);
    const before = existsSync(path) ? readFileSync(path, "utf8") : "";
    const after = page(before);
    if (after !== before) writeFileSync(path, after);
    console.log(`${after === before ? "same   " : "written"} ${file}`);
  }
}
