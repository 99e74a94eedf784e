import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { conformancePage } from "../../scripts/conformance.ts";

it("docs/conformance.md is what the tables say (npm run conformance writes it)", async () => {
  const text = readFileSync(new URL("../../docs/conformance.md", import.meta.url), "utf8");
  expect(await conformancePage()).toBe(text);
});
