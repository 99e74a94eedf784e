import { MillraceError } from "../errors.ts";

/** Splits a possibly dotted name, `a.b`, "`a.b`.c", into its parts. Throws PARSE_SYNTAX_ERROR. */
export function nameParts(name: string): string[] {
  if (!name.includes(".") && !name.includes("`")) return [name];
  const parts: string[] = [];
  const pattern = /(?:`((?:[^`]|``)*)`|([^.`]+))(\.|$)/gy;
  while (pattern.lastIndex < name.length) {
    const at = pattern.lastIndex;
    const m = pattern.exec(name);
    if (m === null || (m[3] === "." && pattern.lastIndex === name.length)) {
      throw new MillraceError(
        "PARSE_SYNTAX_ERROR",
        `The column name "${name}" is not well formed at position ${at + 1}.`,
        {
          hint: "Put a name that has dots or spaces in back-quotes, as in `a.b`.",
        },
      );
    }
    parts.push(m[1] !== undefined ? m[1].replaceAll("``", "`") : m[2]!);
  }
  return parts;
}

/** A name as Spark's messages print it: each part in back-quotes. */
export function quoted(parts: readonly string[] | string): string {
  return (typeof parts === "string" ? [parts] : parts).map((p) => `\`${p.replaceAll("`", "``")}\``).join(".");
}
