import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { HANDLERS } from "./index.ts";

test("docs/kafka.md lists the APIs and versions that are spoken", () => {
  const page = readFileSync(new URL("../../../docs/kafka.md", import.meta.url), "utf8");
  const documented = [...page.matchAll(/^\| (\d+) \| (\w+) \| (\d+)-(\d+)/gm)].map((m) => m.slice(1).join(" "));
  const spoken = [...HANDLERS]
    .sort((a, b) => a.api.key - b.api.key)
    // Produce 0-2 are answered, with a refusal.
    .map(({ api }) => `${api.key} ${api.name} ${api.name === "Produce" ? 3 : api.min} ${api.max}`);
  expect(documented).toEqual(spoken);
});
