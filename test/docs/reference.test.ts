import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PAGES } from "../../scripts/docs.ts";
import { WARNINGS, warningCodes } from "../../scripts/reference/errors.ts";
import {
  namesInSources,
  namesInTable,
  variablesInSources,
  variablesInTable,
} from "../../scripts/reference/settings.ts";
import { root } from "./pages.ts";

test.each(Object.entries(PAGES))("%s is what the sources say (`npm run docs` writes it)", (file, page) => {
  const text = readFileSync(join(root, file), "utf8");
  expect(page(text)).toBe(text);
});

test("every setting that the sources read is described (scripts/reference/settings.ts), and no other", () => {
  expect(namesInTable()).toEqual(namesInSources());
  expect(variablesInTable()).toEqual(variablesInSources());
});

test("every warning is described (scripts/reference/errors.ts)", () => {
  expect(Object.keys(WARNINGS)).toEqual(warningCodes());
});
