import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { ensureWeb, isFresh, pages } from "../../scripts/web.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (page: string, name: string): string => readFileSync(join(root, page, "dist", name), "utf8");

beforeAll(() => {
  expect(ensureWeb()).toBe(true);
}, 120_000);

describe.each(pages())("the built page of %s", (page) => {
  const html = () => read(page, "index.html");

  test("is of the present sources", () => {
    expect(isFresh(page)).toBe(true);
  });

  test("has one script and one style sheet, named by their content, and no source maps", () => {
    const names = readdirSync(join(root, page, "dist/assets"));
    expect(names.map((name) => name.replace(/-[\w-]{8}\./, "-HASH.")).sort()).toEqual([
      expect.stringMatching(/-HASH\.js$/),
      expect.stringMatching(/-HASH\.css$/),
    ]);
    for (const name of names) expect(html()).toContain(name);
  });

  test("asks nothing of elsewhere, and has no script within the page, which its policy forbids", () => {
    expect(html()).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html()).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    for (const name of readdirSync(join(root, page, "dist/assets"))) {
      const text = read(page, `assets/${name}`);
      expect(text).not.toMatch(/url\(["']?(?:https?:|data:)/);
      // Names of XML's vocabularies are no addresses.
      const addresses = [...text.matchAll(/https?:\/\/[\w.-]+/g)].map(([address]) => address);
      expect(addresses.filter((address) => !/www\.w3\.org|127\.0\.0\.1/.test(address))).toEqual([]);
    }
  });

  test("brings the licences of what is in it", () => {
    const text = read(page, "third-party-licenses.txt");
    expect(text).toMatch(/^preact \d/m);
    expect(text).toMatch(/Permission (?:is hereby granted|to use)/);
  });
});

test("plain pages get the client of live views, whole", () => {
  expect(existsSync(join(root, "web/dist/millrace/client.js"))).toBe(true);
  const client = read("web", "millrace/client.js");
  expect(client).toMatch(/export\s*\{[^}]*\bas client\b/);
  expect(client).not.toMatch(/\bfrom\s*["']|\bimport\s*["'(]/);
});
