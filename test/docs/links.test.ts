import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { pages, root, textOf } from "./pages.ts";

/** A page without its code. */
const prose = (page: string): string => textOf(page).replace(/^( *)```[\s\S]*?^\1```/gm, "");

/** The addresses of a page's headings, as GitHub makes them. */
function anchors(page: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading] of prose(page).matchAll(/^#+ +(.+)$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    let name = slug;
    for (let n = 1; found.has(name); n++) name = `${slug}-${n}`;
    found.add(name);
  }
  return found;
}

describe.each(pages)("%s", (page) => {
  const links = [
    ...prose(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g),
    ...prose(page).matchAll(/\b(?:src|srcset|href)="(?!https?:)([^"]+)"/g),
  ].map((match) => match[1]!);

  test("its links lead to files and headings that exist", () => {
    const broken = links.filter((link) => {
      const [path, anchor] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path!);
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && target.endsWith(".md") && !anchors(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  test("its npm scripts exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const named = [...textOf(page).matchAll(/npm run ([\w:]+)/g), ...textOf(page).matchAll(/npm (start|test)\b/g)];
    expect(named.map((match) => match[1]!).filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
