/** Draws the pictures of docs/concepts.md into docs/images from real runs: `npm run pictures [-- NAME...]`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { batches } from "./pictures/batches.ts";
import type { Drawing } from "./pictures/drawing.ts";
import { recovery } from "./pictures/recovery.ts";
import { state } from "./pictures/state.ts";
import { watermark } from "./pictures/watermark.ts";

/** Each draws some of the pictures, by their names. */
export const PICTURES: Readonly<Record<string, () => Promise<Readonly<Record<string, Drawing>>>>> = {
  batches,
  watermark: async () => ({ watermark: await watermark() }),
  state: async () => ({ state: await state() }),
  recovery: async () => ({ recovery: await recovery() }),
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL("../docs/images", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const wanted = process.argv.slice(2);
  for (const [name, draw] of Object.entries(PICTURES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for (const [file, drawing] of Object.entries(await draw())) {
      writeFileSync(join(folder, `${file}.svg`), drawing.toString());
      console.log(`docs/images/${file}.svg  ${drawing.description}`);
    }
  }
}
