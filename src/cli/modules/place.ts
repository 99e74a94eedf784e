import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A place in a file of the user's; lines and columns from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number | undefined;
}

/** Where this package lies, whose frames are nobody's fault. */
const OURS = fileURLToPath(new URL("../../", import.meta.url));

/** The first frame of a stack outside of Node, of packages and of this one. */
export function placeOfStack(stack: string | undefined): Place | undefined {
  for (const line of stack?.split("\n") ?? []) {
    const place = placeOfFrame(line);
    if (place !== undefined) return place;
  }
  return undefined;
}

/** Node puts the place of what it cannot parse or link before the stack: `file:///x.ts:3`, the line, and a mark below it. */
export function placeOfUnread(stack: string | undefined): Place | undefined {
  const [head, , mark] = stack?.split("\n") ?? [];
  const found = /^((?:file:\/\/)?\/.+|[A-Za-z]:\\.+):(\d+)$/.exec(head ?? "");
  if (found === null) return undefined;
  const column = /^\s*\^/.test(mark ?? "") ? mark!.indexOf("^") + 1 : undefined;
  return { file: pathOf(found[1]!), line: Number(found[2]), column };
}

function placeOfFrame(line: string): Place | undefined {
  const found = /(?:\(|at (?:async )?)((?:file:\/\/|\/|[A-Za-z]:\\)[^()]*?):(\d+):(\d+)\)?$/.exec(line);
  if (found === null) return undefined;
  const file = pathOf(found[1]!);
  if (file.includes("/node_modules/") || file.includes("\\node_modules\\") || file.startsWith(OURS)) return undefined;
  return { file, line: Number(found[2]), column: Number(found[3]) };
}

function pathOf(address: string): string {
  const plain = address.replace(/\?.*$/, "");
  return plain.startsWith("file:") ? fileURLToPath(plain) : plain;
}

/** So many lines around a call belong to it. */
const NEAR = 25;

/** The place of a name as a string or word of the file that is nearest to a line; undefined where it does not stand there. */
export function placeOfName(file: string, line: number, name: string, within = NEAR): Place | undefined {
  let lines: string[];
  try {
    lines = readFileSync(file, "utf8").split("\n");
  } catch {
    return undefined;
  }
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  // In quotes first: names of columns and options are text; a dotted name may end with it.
  for (const pattern of [`(?<=["'\`])${escaped}(?=["'\`])`, `(?<![\\w$])${escaped}(?![\\w$])`]) {
    const found = lines.flatMap((text, i) => {
      const column = text.search(new RegExp(pattern));
      return column < 0 || Math.abs(i + 1 - line) > within ? [] : [{ file, line: i + 1, column: column + 1 }];
    });
    // What a call is given stands behind its beginning.
    found.sort((a, b) => distance(a.line, line) - distance(b.line, line));
    if (found[0] !== undefined) return found[0];
  }
  return undefined;
}

const distance = (a: number, line: number): number => (a >= line ? a - line : (line - a) * 1.5);
