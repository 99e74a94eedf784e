import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { withOptionTables } from "../scripts/connector-docs.ts";

it("docs/connectors.md lists every option as it is (node scripts/run.mjs scripts/connector-docs.ts writes it)", () => {
  const text = readFileSync(new URL("../docs/connectors.md", import.meta.url), "utf8");
  expect(withOptionTables(text)).toBe(text);
});
