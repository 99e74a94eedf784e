/** A set of characters in both dialects; `re2` undefined where RE2 has no words for it. Without its brackets' meaning of negation. */
export interface CharSet {
  readonly re2: string | undefined;
  readonly script: string;
  readonly folded: string;
}

export const simple = (re2: string, script = re2): CharSet => ({ re2, script, folded: script });
const SPACE = " \\t\\n\\x0B\\f\\r";
const H_SPACE = " \\t\\xA0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000";
const H_SPACE_RE2 = " \\t\\x{A0}\\x{1680}\\x{180e}\\x{2000}-\\x{200a}\\x{202f}\\x{205f}\\x{3000}";
export const V_SPACE = "\\n\\x0B\\f\\r\\x85\\u2028\\u2029";
export const V_SPACE_RE2 = "\\n\\x0B\\f\\r\\x{85}\\x{2028}\\x{2029}";

/** `\d` and its like, the contents of a class. */
export const SHORT: Readonly<Record<string, readonly [re2: string, script: string]>> = {
  d: ["0-9", "0-9"],
  w: ["a-zA-Z0-9_", "a-zA-Z0-9_"],
  s: [SPACE, SPACE],
  h: [H_SPACE_RE2, H_SPACE],
  v: [V_SPACE_RE2, V_SPACE],
};

/** POSIX classes, ASCII only. */
export const POSIX: Readonly<Record<string, string>> = {
  Lower: "a-z",
  Upper: "A-Z",
  ASCII: "\\x00-\\x7F",
  Alpha: "a-zA-Z",
  Digit: "0-9",
  Alnum: "a-zA-Z0-9",
  Punct: "!-\\/:-@\\[-`\\{-~",
  Graph: "!-~",
  Print: " -~",
  Blank: " \\t",
  Cntrl: "\\x00-\\x1F\\x7F",
  XDigit: "0-9a-fA-F",
  Space: SPACE,
};

export const SCRIPT_PROPERTY: Readonly<Record<string, string>> = {
  IsAlphabetic: "Alphabetic",
  IsIdeographic: "Ideographic",
  IsLetter: "L",
  IsLowercase: "Lowercase",
  IsUppercase: "Uppercase",
  IsDigit: "Nd",
  IsPunctuation: "P",
  IsWhite_Space: "White_Space",
  javaLowerCase: "Lowercase",
  javaUpperCase: "Uppercase",
  javaLetter: "L",
  javaDigit: "Nd",
};

/** RE2's name of a negated short class inside a class, where it has one. */
export function negatedShort(re2: string): string | undefined {
  return re2 === "[^0-9]" ? "\\D" : re2 === "[^a-zA-Z0-9_]" ? "\\W" : undefined;
}

/** The contents of a class as a class, unless they are one. */
export function bracketed(set: CharSet): CharSet {
  const wrap = (s: string): string => (s.startsWith("[") ? s : `[${s}]`);
  return { re2: set.re2 === undefined ? undefined : wrap(set.re2), script: wrap(set.script), folded: wrap(set.folded) };
}

export function range(low: number, high: number): CharSet {
  const re2 = (n: number): string => (n > 0x7f && n < 0xd800 ? String.fromCodePoint(n) : `\\x{${n.toString(16)}}`);
  const script = (n: number): string => `\\u{${n.toString(16)}}`;
  const text = low === high ? script(low) : `${script(low)}-${script(high)}`;
  let folded = text;
  // The other case of the ASCII letters within.
  for (const [from, to, shift] of [
    [0x41, 0x5a, 32],
    [0x61, 0x7a, -32],
  ] as const) {
    const a = Math.max(low, from);
    const b = Math.min(high, to);
    if (a <= b) folded += `${script(a + shift)}-${script(b + shift)}`;
  }
  const plain = low === high ? re2(low) : `${re2(low)}-${re2(high)}`;
  return {
    re2:
      (low >= 0xd800 && low <= 0xdfff) || low === 0
        ? low === 0 && high > 0
          ? `\\x00-${re2(high)}`
          : undefined
        : plain,
    script: text,
    folded,
  };
}

/** The name of a property of characters in JavaScript. */
export function propertyName(name: string, fail: (why: string) => never): string {
  const known = SCRIPT_PROPERTY[name];
  if (known !== undefined) return known;
  const value = /^(?:(?:Is|script=|sc=|IsScript=)(.+)|(.+))$/.exec(name)!;
  for (const candidate of value[1] ? [value[1], `Script=${value[1]}`] : [value[2]!]) {
    try {
      new RegExp(`\\p{${candidate}}`, "v");
      return candidate;
    } catch {
      // the next form of the name
    }
  }
  return fail(`unknown character property {${name}}`);
}
