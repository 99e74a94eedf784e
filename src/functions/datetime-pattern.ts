import { MillraceError } from "../errors.ts";

/** Spark's pattern letters (https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html) in DuckDB's strftime. */
const LETTERS: readonly (readonly [pattern: RegExp, strftime: string])[] = [
  [/^yy$/, "%y"],
  [/^[yu]+$/, "%Y"],
  [/^MMMM$/, "%B"],
  [/^MMM$/, "%b"],
  [/^MM$/, "%m"],
  [/^[ML]$/, "%-m"],
  [/^dd$/, "%d"],
  [/^d$/, "%-d"],
  [/^D+$/, "%j"],
  [/^HH$/, "%H"],
  [/^H$/, "%-H"],
  [/^hh$/, "%I"],
  [/^h$/, "%-I"],
  [/^mm$/, "%M"],
  [/^m$/, "%-M"],
  [/^ss$/, "%S"],
  [/^s$/, "%-S"],
  [/^S{1,3}$/, "%g"],
  [/^S{4,6}$/, "%f"],
  [/^S{7,9}$/, "%n"],
  [/^a$/, "%p"],
  [/^E{1,3}$/, "%a"],
  [/^EEEE$/, "%A"],
  [/^X{1,5}$|^x{1,5}$|^Z{1,5}$/, "%z"],
  [/^V+$|^z{1,4}$/, "%Z"],
];

/** Throws INVALID_ARGUMENT for a letter that has no counterpart. */
export function strftimePattern(pattern: string): string {
  let out = "";
  let i = 0;
  while (i < pattern.length) {
    const c = pattern[i]!;
    if (c === "'") {
      const end = pattern.indexOf("'", i + 1);
      if (end === i + 1) out += "'";
      else if (end > 0) out += pattern.slice(i + 1, end).replaceAll("%", "%%");
      else throw invalid(pattern, "a quote is not closed");
      i = end + 1;
      continue;
    }
    if (/[A-Za-z]/.test(c)) {
      let end = i;
      while (pattern[end] === c) end++;
      const run = pattern.slice(i, end);
      const found = LETTERS.find(([p]) => p.test(run));
      if (found === undefined) throw invalid(pattern, `"${run}" is not supported`);
      out += found[1];
      i = end;
      continue;
    }
    out += c === "%" ? "%%" : c === "[" || c === "]" ? "" : c;
    i++;
  }
  return out;
}

function invalid(pattern: string, why: string): MillraceError {
  return new MillraceError("INVALID_ARGUMENT", `The datetime pattern "${pattern}" cannot be used: ${why}.`, {
    hint: "Use letters such as yyyy, MM, dd, HH, mm, ss, SSS; put text in quotes, as in \"yyyy-MM-dd'T'HH:mm:ss\".",
  });
}
