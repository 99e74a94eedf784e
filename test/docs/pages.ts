import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A block of code of a page: what stands behind the three back-quotes, and what is between them. */
export interface Fence {
  readonly page: string;
  /** Where its text begins, counted from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** `name` or `name=value` behind the language. */
  readonly marks: ReadonlyMap<string, string>;
}

/** All pages that people read, by their paths in the repository. */
export const pages: readonly string[] = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name.replaceAll("\\", "/")}`)
    .sort(),
];

export function textOf(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

/**
 * The blocks of a page. Marks behind the language say what a test does with one; a browser shows none of them:
 *
 * - `ts`: compiled, and run in an empty folder against embedded servers. `with=NAME` puts test/docs/with/NAME.ts before it; `file=NAME` writes it
 *   to a file for the commands of the page instead; `part=PATH`: the parts of the page together are that file of the repository.
 * - any language with `file=NAME`: the same.
 * - `sh`: lines that begin with `$` are run, the others are what they print.
 * - `json`, `text` with the mark `output`: what the block before printed.
 * - `no-run: reason`: only compiled, or not looked at when it is no TypeScript.
 */
export function fencesOf(page: string): Fence[] {
  const found: Fence[] = [];
  let open: { indent: string; language: string; marks: Map<string, string>; line: number; lines: string[] } | undefined;
  textOf(page)
    .split("\n")
    .forEach((line, i) => {
      const fence = /^( *)```\s*(\S*)\s*(.*)$/.exec(line);
      if (open === undefined) {
        if (fence === null) return;
        open = { indent: fence[1]!, language: fence[2]!, marks: marksOf(fence[3]!), line: i + 2, lines: [] };
      } else if (fence === null) open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
      else {
        const { language, marks, line: start, lines } = open;
        found.push({ page, line: start, language, marks, text: lines.join("\n") });
        open = undefined;
      }
    });
  if (open !== undefined) throw new Error(`${page}:${open.line}: the block has no end`);
  return found;
}

function marksOf(text: string): Map<string, string> {
  const marks = new Map<string, string>();
  const reason = /\bno-run:\s*(.+)$/.exec(text);
  if (reason !== null) marks.set("no-run", reason[1]!.trim());
  for (const word of text.replace(/\bno-run\b.*$/, "").split(/\s+/)) {
    if (word === "") continue;
    const [name, ...value] = word.split("=");
    marks.set(name!, value.join("="));
  }
  return marks;
}

/**
 * Whether `actual` is what a page shows. A line `...` stands for any lines, `...` within one for any text; times, durations, addresses and ids
 * are left out of account.
 */
export function outputMatches(shown: string, actual: string): boolean {
  let pattern = "";
  const lines = masked(shown).split("\n");
  for (const [i, line] of lines.entries()) {
    const last = i === lines.length - 1;
    if (line === "...") pattern += last ? "[^]*" : "(?:.*\\n)*?";
    else
      pattern +=
        quoted(line).replaceAll("\\.\\.\\.", ".*") + (last ? "" : lines[i + 1] === "..." ? "(?:\\n|$)" : "\\n");
  }
  return new RegExp(`^${pattern}$`).test(masked(actual));
}

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Text without what differs from run to run. */
export function masked(text: string): string {
  return text
    .replace(/\u001b\[[0-9;]*m/g, "")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<id>")
    .replace(/\b\d{4}-\d\d-\d\d([T ])\d\d:\d\d(:\d\d(\.\d+)?)?Z?/g, "<time>")
    .replace(/\b\d\d:\d\d:\d\d\b/g, "<time>")
    .replace(/(127\.0\.0\.1|localhost):\d+/g, "<address>")
    .replace(/\b[\d,.]+ (ms|s|min|kB|MB|GB|events\/s)\b/g, "<n> $1")
    .split("\n")
    .map((line) => line.replace(/ +/g, " ").trimEnd())
    .join("\n")
    .trim();
}
