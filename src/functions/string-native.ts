import { MillraceError } from "../errors.ts";
import { nativeFunction } from "./define.ts";

/** Text functions in TypeScript, for what DuckDB has no words for. */

/** Changes between two texts by characters; with a threshold -1 where there are more. */
function distance(a: string, b: string): number {
  const x = [...a];
  const y = [...b];
  let row = Array.from({ length: y.length + 1 }, (_, i) => i);
  for (let i = 1; i <= x.length; i++) {
    const next = [i];
    for (let j = 1; j <= y.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (x[i - 1] === y[j - 1] ? 0 : 1));
    row = next;
  }
  return row[y.length]!;
}

export const levenshtein = nativeFunction("levenshtein", distance);
export const levenshteinWithin = nativeFunction("levenshtein", (a: string, b: string, limit: number) => {
  const d = distance(a, b);
  return d <= limit ? d : -1;
});

const SOUNDEX = "01230127022455012623010202";

/** Apache Hive's soundex: H and W are passed over, a text that does not start with a letter stays. */
export const soundex = nativeFunction("soundex", (s: string) => {
  if (!/^[A-Za-z]/.test(s)) return s;
  let out = s[0]!.toUpperCase();
  let last = SOUNDEX[out.charCodeAt(0) - 65]!;
  for (let i = 1; i < s.length && out.length < 4; i++) {
    const c = s[i]!.toUpperCase();
    if (!/^[A-Z]$/.test(c)) {
      last = "0";
      continue;
    }
    const code = SOUNDEX[c.charCodeAt(0) - 65]!;
    if (code === "7") continue;
    if (code !== "0" && code !== last) out += code;
    if (c !== "H" && c !== "W") last = code;
  }
  return out.padEnd(4, "0");
});

/** Upper-case letters, lower-case letters, digits and other characters, each by the character given, or left where that is null. */
export const mask = nativeFunction(
  "mask",
  (s: string | null, upper: string | null, lower: string | null, digit: string | null, other: string | null) => {
    if (s === null) return null;
    let out = "";
    // Java looks at UTF-16 units one by one.
    for (let i = 0; i < s.length; i++) {
      const c = s[i]!;
      const by = /^\p{Lu}$/u.test(c) ? upper : /^\p{Ll}$/u.test(c) ? lower : /^\p{Nd}$/u.test(c) ? digit : other;
      out += by ?? c;
    }
    return out;
  },
  { nulls: true },
);

export const luhnCheck = nativeFunction("luhn_check", (s: string) => {
  if (!/^[0-9]+$/.test(s)) return false;
  let sum = 0;
  for (let i = 0; i < s.length; i++) {
    let d = s.charCodeAt(s.length - 1 - i) - 48;
    if (i % 2 === 1) d = d > 4 ? d * 2 - 9 : d * 2;
    sum += d;
  }
  return sum % 10 === 0;
});

export const upper = nativeFunction("upper", (s: string) => s.toUpperCase());
export const lower = nativeFunction("lower", (s: string) => s.toLowerCase());

/** Base 64 as Java's MIME decoder reads it: characters of no alphabet are passed over, the end may lack its padding. */
export const unbase64 = nativeFunction("unbase64", (s: string) => {
  const [, body, end] = /^([^=]*)(=?[\s\S]*)$/.exec(s)!;
  const digits = body!.replace(/[^A-Za-z0-9+/]/g, "");
  const open = digits.length % 4;
  // Padding has to stand where two or one digits are missing, both of its characters side by side.
  const misplaced = end !== "" && (open === 0 || (open === 2 && end![1] !== "="));
  const rest = open === 2 ? end!.slice(2) : end!.slice(1);
  if (open === 1 || misplaced || /[A-Za-z0-9+/=]/.test(rest)) {
    throw new MillraceError(
      "CONVERSION_INVALID_INPUT",
      `The value '${s}' (BASE64) cannot be converted to "BINARY" because it is malformed.`,
      { hint: "Use `try_to_binary` to tolerate malformed input and return NULL instead." },
    );
  }
  return Buffer.from(digits, "base64");
});

/** Base 64 as RFC 4648 has it, null where it is not: whitespace may stand in it, padding must be right. */
export const strictBase64 = nativeFunction("to_binary", (s: string) => {
  const text = s.replace(/[\r\n\t ]/g, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const body = text.replace(/=+$/, "");
  if (body.length % 4 === 1 || (text.length !== body.length && text.length % 4 !== 0)) return null;
  return Buffer.from(body, "base64");
});

export const join = nativeFunction("concat_ws", (separator: string, parts: readonly string[]) => parts.join(separator));

export const containsBytes = nativeFunction("contains", (a: Uint8Array, b: Uint8Array) =>
  Buffer.from(a).includes(Buffer.from(b)),
);

/** Each delimiter is looked for one character behind the start of the one before. */
export const substringIndex = nativeFunction("substring_index", (s: string, delimiter: string, count: number) => {
  if (count === 0 || delimiter === "") return "";
  if (count > 0) {
    let at = -1;
    for (let i = 0; i < count; i++) {
      at = s.indexOf(delimiter, at + 1);
      if (at < 0) return s;
    }
    return s.slice(0, at);
  }
  let at = s.length - delimiter.length + 1;
  for (let i = 0; i > count; i--) {
    at = at <= 0 ? -1 : s.lastIndexOf(delimiter, at - 1);
    if (at < 0) return s;
  }
  return s.slice(at + delimiter.length);
});

export const isUtf8 = nativeFunction("is_valid_utf8", (b: Uint8Array) => {
  try {
    strict.decode(b);
    return true;
  } catch {
    return false;
  }
});
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// ------------------------------------------------------------------------------------------------------------- character sets

const CHARSETS = new Set(["US-ASCII", "ISO-8859-1", "UTF-8", "UTF-16BE", "UTF-16LE", "UTF-16", "UTF-32"]);

function charsetOf(name: string, functionName: string): string {
  const upperName = name.toUpperCase();
  if (CHARSETS.has(upperName)) return upperName;
  throw new MillraceError(
    "INVALID_PARAMETER_VALUE.CHARSET",
    `The value of parameter(s) \`charset\` in \`${functionName}\` is invalid: expects one of the ${[...CHARSETS].join(", ")}, but got ${name}.`,
    { parameters: { parameter: "`charset`", functionName: `\`${functionName}\``, charset: name } },
  );
}

function malformed(functionName: string, charset: string): MillraceError {
  return new MillraceError(
    "MALFORMED_CHARACTER_CODING",
    `Invalid value found when performing \`${functionName}\` with ${charset}`,
    { parameters: { function: `\`${functionName}\``, charset } },
  );
}

export const encode = nativeFunction("encode", (s: string, name: string) => {
  const charset = charsetOf(name, "encode");
  switch (charset) {
    case "UTF-8":
      return Buffer.from(s, "utf8");
    case "US-ASCII":
    case "ISO-8859-1": {
      const limit = charset === "US-ASCII" ? 0x7f : 0xff;
      for (let i = 0; i < s.length; i++) if (s.charCodeAt(i) > limit) throw malformed("encode", charset);
      return Buffer.from(s, "latin1");
    }
    case "UTF-32": {
      const codes = [...s].map((c) => c.codePointAt(0)!);
      const out = Buffer.alloc(codes.length * 4);
      for (const [i, c] of codes.entries()) out.writeUInt32BE(c, i * 4);
      return out;
    }
    default: {
      const little = Buffer.from(s, "utf16le");
      if (charset === "UTF-16LE") return little;
      const big = little.swap16();
      return charset === "UTF-16BE" || s === "" ? big : Buffer.concat([Buffer.from([0xfe, 0xff]), big]);
    }
  }
});

export const decode = nativeFunction("decode", (b: Uint8Array, name: string) => {
  const charset = charsetOf(name, "decode");
  const fatal = (label: string, bytes: Uint8Array): string => {
    try {
      return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw malformed("decode", charset);
    }
  };
  switch (charset) {
    case "UTF-8":
      return fatal("utf-8", b);
    case "US-ASCII":
      if (b.some((x) => x > 0x7f)) throw malformed("decode", charset);
      return Buffer.from(b).toString("latin1");
    case "ISO-8859-1":
      return Buffer.from(b).toString("latin1");
    case "UTF-32": {
      const view = Buffer.from(b);
      if (view.length % 4 !== 0) throw malformed("decode", charset);
      let out = "";
      for (let i = 0; i < view.length; i += 4) {
        const code = view.readUInt32BE(i);
        if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw malformed("decode", charset);
        if (i > 0 || code !== 0xfeff) out += String.fromCodePoint(code);
      }
      return out;
    }
    case "UTF-16LE":
      return fatal("utf-16le", b);
    case "UTF-16BE":
      return fatal("utf-16be", b);
    default: {
      // With no byte order mark it is big-endian.
      if (b[0] === 0xff && b[1] === 0xfe) return fatal("utf-16le", b.slice(2));
      return fatal("utf-16be", b[0] === 0xfe && b[1] === 0xff ? b.slice(2) : b);
    }
  }
});
