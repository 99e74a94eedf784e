import { MillraceError } from "../errors.ts";
import { nativeFunction } from "./define.ts";
import { type CompiledRegex, javaRegex } from "./java-regex.ts";

/** Regular expressions in TypeScript, for patterns that RE2 does not read as Java does, and for patterns that come from a column. */

function groupOf(name: string, regex: CompiledRegex, group: number): number {
  if (group < 0 || group > regex.groups) {
    throw new MillraceError(
      "INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX",
      `The value of parameter(s) \`idx\` in \`${name}\` is invalid: Expects group index between 0 and ${regex.groups}, but got ${group}.`,
      { parameters: { parameter: "`idx`", functionName: `\`${name}\`` } },
    );
  }
  return regex.script().places[group]!;
}

/** The replacement as Java reads it: `$1`, `${name}`, and a backslash in front of what is meant as it is. A text says what is wrong with it. */
export function partsOfReplacement(text: string, groups: number): readonly (string | number)[] | string {
  const parts: (string | number)[] = [];
  let plain = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\") {
      if (++i >= text.length) return "character to be escaped is missing";
      plain += text[i];
    } else if (c === "$") {
      if (!/^[0-9]$/.test(text[i + 1] ?? "")) return "illegal group reference";
      let group = Number(text[++i]);
      if (group > groups) return `no group ${group}`;
      // As many digits as make a group that is there.
      while (/^[0-9]$/.test(text[i + 1] ?? "") && group * 10 + Number(text[i + 1]) <= groups)
        group = group * 10 + Number(text[++i]);
      parts.push(plain, group);
      plain = "";
    } else plain += c;
  }
  parts.push(plain);
  return parts.filter((p) => p !== "");
}

function replacementParts(text: string, groups: number): readonly (string | number)[] {
  const parts = partsOfReplacement(text, groups);
  if (typeof parts !== "string") return parts;
  throw new MillraceError("INVALID_REGEXP_REPLACE", `Could not perform regexp_replace: ${parts} in '${text}'.`);
}

export const matches = nativeFunction("rlike", (s: string, pattern: string) => {
  const { regexp } = javaRegex(pattern, "rlike").script();
  regexp.lastIndex = 0;
  return regexp.test(s);
});

export const extract = nativeFunction("regexp_extract", (s: string, pattern: string, group: number) => {
  const regex = javaRegex(pattern, "regexp_extract");
  const { regexp } = regex.script();
  regexp.lastIndex = 0;
  const match = regexp.exec(s);
  return match === null ? "" : (match[groupOf("regexp_extract", regex, group)] ?? "");
});

export const extractAll = nativeFunction("regexp_extract_all", (s: string, pattern: string, group: number) => {
  const regex = javaRegex(pattern, "regexp_extract_all");
  const out: string[] = [];
  for (const match of s.matchAll(regex.script().regexp))
    out.push(match[groupOf("regexp_extract_all", regex, group)] ?? "");
  return out;
});

export const replace = nativeFunction(
  "regexp_replace",
  (s: string, pattern: string, replacement: string, position: number) => {
    const regex = javaRegex(pattern, "regexp_replace");
    const { regexp, places } = regex.script();
    if (position > 1 && position > s.length) return s;
    const head = s.slice(0, position - 1);
    let parts: readonly (string | number)[] | undefined;
    const replaced = s.slice(position - 1).replace(regexp, (...match) => {
      parts ??= replacementParts(replacement, regex.groups);
      return parts.map((p) => (typeof p === "string" ? p : ((match[places[p]!] as string | undefined) ?? ""))).join("");
    });
    return head + replaced;
  },
);

export const count = nativeFunction("regexp_count", (s: string, pattern: string) => {
  let n = 0;
  for (const _ of s.matchAll(javaRegex(pattern, "regexp_count").script().regexp)) n++;
  return n;
});

/** The place of the first match, 1 the first UTF-16 unit, as Java counts. */
export const position = nativeFunction("regexp_instr", (s: string, pattern: string) => {
  const { regexp } = javaRegex(pattern, "regexp_instr").script();
  regexp.lastIndex = 0;
  const match = regexp.exec(s);
  return match === null ? 0 : match.index + 1;
});

export const first = nativeFunction("regexp_substr", (s: string, pattern: string) => {
  const { regexp } = javaRegex(pattern, "regexp_substr").script();
  regexp.lastIndex = 0;
  return regexp.exec(s)?.[0] ?? null;
});

/** Java's String.split: an empty match at the start gives no empty first part; with a limit the rest stays whole. */
export const split = nativeFunction("split", (s: string, pattern: string, limit: number) => {
  if (pattern === "") {
    const all = [...s];
    if (s === "") return [""];
    return limit > 0 && all.length > limit ? [...all.slice(0, limit - 1), all.slice(limit - 1).join("")] : all;
  }
  const parts: string[] = [];
  let from = 0;
  for (const match of s.matchAll(javaRegex(pattern, "split").script().regexp)) {
    if (limit > 0 && parts.length === limit - 1) break;
    const end = match.index + match[0].length;
    if (end === 0) continue;
    parts.push(s.slice(from, match.index));
    from = end;
  }
  parts.push(s.slice(from));
  return parts;
});
