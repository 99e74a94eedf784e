import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PICTURES } from "../../scripts/pictures.ts";
import { root } from "./pages.ts";

// The other pictures show times, which differ from run to run.
test.each(["watermark", "state", "recovery"])(
  "docs/images/%s.svg is what a run gives (`npm run pictures`)",
  { timeout: 60_000 },
  async (name) => {
    const drawn = await PICTURES[name]!();
    for (const [file, drawing] of Object.entries(drawn)) {
      expect(drawing.toString()).toBe(readFileSync(join(root, "docs/images", `${file}.svg`), "utf8"));
    }
  },
);
