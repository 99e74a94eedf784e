/**
 * Brings Spark's own notations into ones that the SQL parser knows: strings with backslash escapes, double-quoted and raw strings,
 * number suffixes (10L, 1.5D), intervals of several units. Keeps track of positions, for messages.
 */
export interface Scanned {
  readonly sql: string;
  /** The position in the given text for one in `sql`. */
  position(at: number): number;
}

/** The fields of `EXTRACT(field FROM x)` are not those that the parser knows: `__extract('field', x)`. */
export const EXTRACT_FUNCTION = "__extract";
export const INTERVAL_FUNCTION = "__interval";
/** A number with a suffix: `__number('1.5D')`. */
export const NUMBER_FUNCTION = "__number";
/** Between the sides of a shift, `a & __shift & b`: as tight as `&` in the parser, and tighter once the tree is read. */
export const SHIFTS = {
  "<<": "__shift_left",
  ">>": "__shift_right",
  ">>>": "__shift_right_unsigned",
} as const;
/** Before the fields of an interval type, which the parser does not know: `__interval_type_interval_day_to_second`. */
export const INTERVAL_TYPE = "__interval_type_";

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", "0": "\0", Z: "\x1a" };
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(BD|D|F|S|Y)?(?![A-Za-z0-9_])/iy;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const UNITS = "microseconds?|milliseconds?|seconds?|minutes?|hours?|days?|weeks?|months?|years?";
const INTERVAL = new RegExp(
  `interval\\s+(?:'([^']*[a-zA-Z][^']*)'(?!\\s*(?:${UNITS})\\b)|((?:[+-]?\\s*(?:\\d+(?:\\.\\d+)?|'[+-]?\\d+(?:\\.\\d+)?')\\s*(?:${UNITS})\\b\\s*)+))`,
  "iy",
);

const FIELDS = "year|month|day|hour|minute|second";
const INTERVAL_FIELDS = new RegExp(`interval\\s+(?:${FIELDS})(?:\\s+to\\s+(?:${FIELDS}))?(?=\\s*[),>])`, "iy");
const EXTRACT_FIELD = /extract\s*\(\s*(\w+)\s+from\b/iy;
/** A `?` is the parameter of this name and its number from 0. */
export const POSITION = "__position_";

/** The end of the comment that begins here, else `start`. Hints are comments too. */
function commentEnd(text: string, start: number): number {
  if (text.startsWith("--", start)) {
    const end = text.indexOf("\n", start);
    return end < 0 ? text.length : end;
  }
  if (!text.startsWith("/*", start)) return start;
  let depth = 0;
  for (let i = start; i < text.length - 1; i++) {
    if (text.startsWith("/*", i)) {
      depth++;
      i++;
    } else if (text.startsWith("*/", i)) {
      i++;
      if (--depth === 0) return i + 1;
    }
  }
  return start;
}

export function scan(text: string): Scanned {
  let sql = "";
  const marks: [out: number, given: number][] = [[0, 0]];
  const replace = (by: string, from: number, to: number): void => {
    marks.push([sql.length, from]);
    sql += by;
    marks.push([sql.length, to]);
  };
  let i = 0;
  let parameters = 0;
  let types = 0;
  while (i < text.length) {
    const c = text[i]!;
    const comment = commentEnd(text, i);
    if (comment > i) {
      replace(" ", i, comment);
      i = comment;
      continue;
    }
    if (c === "?") {
      replace(`:${POSITION}${parameters++}`, i, i + 1);
      i++;
      continue;
    }
    if (c === "`") {
      const end = quotedEnd(text, i, "`");
      sql += text.slice(i, end);
      i = end;
      continue;
    }
    if (c === "'" || c === '"') {
      const s = readString(text, i, false);
      replace(s.sql, i, s.end);
      i = s.end;
      continue;
    }
    if ((c === "r" || c === "R") && (text[i + 1] === "'" || text[i + 1] === '"')) {
      const s = readString(text, i + 1, true);
      replace(s.sql, i, s.end);
      i = s.end;
      continue;
    }
    if (/[0-9.]/.test(c)) {
      NUMBER.lastIndex = i;
      const m = NUMBER.exec(text);
      if (m !== null) {
        if (m[1] === undefined) sql += m[0];
        else replace(`${NUMBER_FUNCTION}('${m[0]}')`, i, i + m[0].length);
        i += m[0].length;
        continue;
      }
    }
    WORD.lastIndex = i;
    const word = WORD.exec(text);
    if (word !== null) {
      if (/^interval$/i.test(word[0])) {
        INTERVAL.lastIndex = i;
        const m = INTERVAL.exec(text);
        if (m !== null) {
          const body = (m[1] ?? m[2]!).replaceAll("'", "").trim();
          replace(`${INTERVAL_FUNCTION}('${body}') `, i, i + m[0].length);
          i += m[0].length;
          continue;
        }
        INTERVAL_FIELDS.lastIndex = i;
        const type = INTERVAL_FIELDS.exec(text);
        if (type !== null) {
          replace(`${INTERVAL_TYPE}${type[0].toLowerCase().split(/\s+/).join("_")}`, i, i + type[0].length);
          i += type[0].length;
          continue;
        }
      }
      if (/^extract$/i.test(word[0])) {
        EXTRACT_FIELD.lastIndex = i;
        const m = EXTRACT_FIELD.exec(text);
        if (m !== null) {
          replace(`${EXTRACT_FUNCTION}('${m[1]}',`, i, i + m[0].length);
          i += m[0].length;
          continue;
        }
      }
      if (/^timestamp_ltz$/i.test(word[0]) && /^\s*['"]/.test(text.slice(i + word[0].length))) {
        replace("timestamp", i, i + word[0].length);
        i += word[0].length;
        continue;
      }
      // TRIM(LEADING FROM x) trims spaces.
      if (/^(?:both|leading|trailing)$/i.test(word[0])) {
        const from = /^\s+from\b/i.exec(text.slice(i + word[0].length));
        if (from !== null) {
          const end = i + word[0].length + from[0].length;
          replace(word[0], i, end);
          i = end;
          continue;
        }
      }
      // With a comma it is a plain function.
      if (/^trim$/i.test(word[0]) && hasComma(text, i + word[0].length)) {
        replace(`\`${word[0]}\``, i, i + word[0].length);
        i += word[0].length;
        continue;
      }
      // The parser takes this NULL for the words of a column's definition.
      if (/^(?:rlike|regexp)$/i.test(word[0])) {
        const none = /^\s+null\b/i.exec(text.slice(i + word[0].length));
        if (none !== null) {
          const end = i + word[0].length + none[0].length;
          replace(`${word[0]} (null)`, i, end);
          i = end;
          continue;
        }
      }
      // The brackets of types are no shifts: array<array<int>>.
      if (/^(?:array|map|struct)$/i.test(word[0]) && /^\s*<(?![<=>])/.test(text.slice(i + word[0].length))) types++;
      // exists(array, lambda) is a function; EXISTS (SELECT ...) is not.
      if (/^exists$/i.test(word[0]) && /^\s*\(\s*(?!select\b|with\b|values\b)/i.test(text.slice(i + word[0].length))) {
        replace(`\`${word[0]}\``, i, i + word[0].length);
        i += word[0].length;
        continue;
      }
      sql += word[0];
      i += word[0].length;
      // A number may follow a word directly only as part of it.
      continue;
    }
    const shift = (["<<", ">>>", ">>"] as const).find((s) => types === 0 && text.startsWith(s, i));
    if (shift !== undefined) {
      replace(`& ${SHIFTS[shift]} &`, i, i + shift.length);
      i += shift.length;
      continue;
    }
    if (c === ">" && types > 0) types--;
    sql += c;
    i++;
  }
  return {
    sql,
    position(at) {
      let [out, given] = marks[0]!;
      for (const [o, g] of marks) if (o <= at) [out, given] = [o, g];
      return Math.min(given + (at - out), text.length);
    },
  };
}

/** Whether the bracket that opens behind `start` has a comma of its own in it. */
function hasComma(text: string, start: number): boolean {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text[i]!;
    if (c === "'" || c === '"') i = readString(text, i, false).end - 1;
    else if (c === "`") i = quotedEnd(text, i, "`") - 1;
    else if (c === "(") depth++;
    else if (depth === 0 && !/\s/.test(c)) return false;
    else if (c === ")") depth--;
    else if (c === "," && depth === 1) return true;
    if (c === ")" && depth === 0) return false;
  }
  return false;
}

function quotedEnd(text: string, start: number, quote: string): number {
  let i = start + 1;
  while (i < text.length) {
    if (text[i] === quote) {
      if (text[i + 1] !== quote) return i + 1;
      i++;
    }
    i++;
  }
  return text.length;
}

/** A Spark string literal, decoded and written again with doubled quotes. An open string is left open for the parser to refuse. */
function readString(text: string, start: number, raw: boolean): { sql: string; end: number } {
  const quote = text[start]!;
  let value = "";
  let i = start + 1;
  while (i < text.length) {
    const c = text[i]!;
    if (c === quote) {
      if (text[i + 1] !== quote || raw) return { sql: `'${value.replaceAll("'", "''")}'`, end: i + 1 };
      value += quote;
      i += 2;
    } else if (c === "\\" && !raw && i + 1 < text.length) {
      const unicode = /^\\u([0-9a-fA-F]{4})/.exec(text.slice(i, i + 6));
      if (unicode) {
        value += String.fromCharCode(Number.parseInt(unicode[1]!, 16));
        i += 6;
        continue;
      }
      const next = text[i + 1]!;
      // \% and \_ keep the backslash: LIKE gives it a meaning.
      value += next === "%" || next === "_" ? `\\${next}` : (ESCAPES[next] ?? next);
      i += 2;
    } else {
      value += c;
      i++;
    }
  }
  return { sql: `'${value.replaceAll("'", "''")}`, end: text.length };
}
