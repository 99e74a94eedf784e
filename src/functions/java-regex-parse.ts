import {
  bracketed,
  type CharSet,
  negatedShort,
  POSIX,
  propertyName,
  range,
  SHORT,
  simple,
  V_SPACE,
  V_SPACE_RE2,
} from "./java-regex-classes.ts";

/** A pattern of Java's as a tree. */
export interface Regex {
  readonly root: RegexNode;
  readonly groups: number;
}

export type Anchor = "start" | "end" | "end_of_line" | "line_start" | "line_end" | "word" | "not_word";
export type RegexNode =
  | { readonly kind: "char"; readonly code: number; readonly fold: boolean }
  | { readonly kind: "dot"; readonly all: boolean; readonly unixLines: boolean }
  /** `set`: also RE2's; `script`, `folded`: JavaScript's (flag v), without and with the other case of ASCII letters. */
  | {
      readonly kind: "class";
      readonly set: { readonly re2: string } | undefined;
      readonly script: string;
      readonly folded: string;
      readonly fold: boolean;
    }
  | { readonly kind: "sequence"; readonly items: readonly RegexNode[] }
  | { readonly kind: "either"; readonly options: readonly RegexNode[] }
  | {
      readonly kind: "repeat";
      readonly item: RegexNode;
      readonly min: number;
      readonly max: number;
      readonly mode: "greedy" | "lazy" | "possessive";
    }
  | {
      readonly kind: "group";
      readonly item: RegexNode;
      readonly index?: number;
      readonly look?: "ahead" | "not_ahead" | "behind" | "not_behind";
      readonly atomic?: boolean;
    }
  | { readonly kind: "back"; readonly group: number }
  | { readonly kind: "anchor"; readonly at: Anchor };

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly x: boolean;
  readonly d: boolean;
}

type Fail = (why: string) => never;

/** Parses a pattern of java.util.regex. `fail` is called with what is wrong with it. */
export function parseJavaRegex(pattern: string, fail: Fail): Regex {
  const parser = new Parser(pattern, fail);
  const root = parser.all();
  return { root, groups: parser.groups };
}

class Parser {
  readonly #p: readonly string[];
  readonly #fail: Fail;
  #i = 0;
  groups = 0;
  readonly #names = new Map<string, number>();
  #flags: Flags = { i: false, m: false, s: false, x: false, d: false };

  constructor(pattern: string, fail: Fail) {
    this.#p = [...pattern];
    this.#fail = fail;
  }

  all(): RegexNode {
    const root = this.#either();
    if (this.#i < this.#p.length) this.#fail("unmatched closing ')'");
    return root;
  }

  #either(): RegexNode {
    const flags = this.#flags;
    const options = [this.#sequence()];
    while (this.#p[this.#i] === "|") {
      this.#i++;
      options.push(this.#sequence());
    }
    this.#flags = flags;
    return options.length === 1 ? options[0]! : { kind: "either", options };
  }

  #sequence(): RegexNode {
    const items: RegexNode[] = [];
    for (;;) {
      if (this.#flags.x) this.#skipComments();
      const c = this.#p[this.#i];
      if (c === undefined || c === "|" || c === ")") break;
      if (c === "\\" && this.#p[this.#i + 1] === "Q") {
        this.#i += 2;
        while (this.#i < this.#p.length && !(this.#p[this.#i] === "\\" && this.#p[this.#i + 1] === "E"))
          items.push(this.#char(this.#p[this.#i++]!));
        this.#i += 2;
        // What follows repeats the last character.
        if (items.length > 0) items.push(this.#quantified(items.pop()!));
        continue;
      }
      const atom = this.#atom();
      if (atom !== undefined) items.push(this.#quantified(atom));
    }
    return items.length === 1 ? items[0]! : { kind: "sequence", items };
  }

  #skipComments(): void {
    for (;;) {
      const c = this.#p[this.#i];
      if (c !== undefined && /^[ \t\n\v\f\r]$/.test(c)) this.#i++;
      else if (c === "#") {
        while (this.#i < this.#p.length && this.#p[this.#i] !== "\n") this.#i++;
      } else return;
    }
  }

  #quantified(item: RegexNode): RegexNode {
    let result = item;
    for (;;) {
      if (this.#flags.x) this.#skipComments();
      const c = this.#p[this.#i];
      let min: number;
      let max: number;
      if (c === "*" || c === "+" || c === "?") {
        this.#i++;
        [min, max] = c === "*" ? [0, Infinity] : c === "+" ? [1, Infinity] : [0, 1];
      } else if (c === "{") {
        const m = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#p.slice(this.#i, this.#i + 24).join(""));
        if (m === null) return this.#fail("illegal repetition");
        this.#i += m[0].length;
        min = Number(m[1]);
        max = m[2] === undefined ? min : m[3] === "" ? Infinity : Number(m[3]);
        if (max < min) this.#fail("illegal repetition range");
      } else return result;
      const next = this.#p[this.#i];
      const mode = next === "?" ? "lazy" : next === "+" ? "possessive" : "greedy";
      if (mode !== "greedy") this.#i++;
      result = { kind: "repeat", item: result, min, max, mode };
    }
  }

  #char(c: string): RegexNode {
    return { kind: "char", code: c.codePointAt(0)!, fold: this.#flags.i && /^[A-Za-z]$/.test(c) };
  }

  #atom(): RegexNode | undefined {
    const c = this.#p[this.#i++]!;
    switch (c) {
      case "(":
        return this.#group();
      case "[":
        return this.#classNode(this.#class());
      case ".":
        return { kind: "dot", all: this.#flags.s, unixLines: this.#flags.d };
      case "^":
        return { kind: "anchor", at: this.#flags.m ? "line_start" : "start" };
      case "$":
        return { kind: "anchor", at: this.#flags.m ? "line_end" : "end_of_line" };
      case "*":
      case "+":
      case "?":
        return this.#fail(`dangling meta character '${c}'`);
      case "{":
        return this.#fail("illegal repetition");
      case "\\":
        return this.#escape();
      default:
        return this.#char(c);
    }
  }

  #classNode(set: CharSet): RegexNode {
    return {
      kind: "class",
      set: set.re2 === undefined ? undefined : { re2: set.re2 },
      script: set.script,
      folded: set.folded,
      fold: this.#flags.i,
    };
  }

  #group(): RegexNode | undefined {
    const close = (item: RegexNode): RegexNode => {
      if (this.#p[this.#i++] !== ")") this.#fail("unclosed group");
      return item;
    };
    if (this.#p[this.#i] !== "?") {
      const index = ++this.groups;
      return { kind: "group", index, item: close(this.#either()) };
    }
    this.#i++;
    const rest = this.#p.slice(this.#i, this.#i + 80).join("");
    const look = /^(<=|<!|=|!)/.exec(rest)?.[0];
    if (look !== undefined) {
      this.#i += look.length;
      const kind = ({ "=": "ahead", "!": "not_ahead", "<=": "behind", "<!": "not_behind" } as const)[look as "="];
      return { kind: "group", look: kind, item: close(this.#either()) };
    }
    if (rest.startsWith(":")) {
      this.#i++;
      return { kind: "group", item: close(this.#either()) };
    }
    if (rest.startsWith(">")) {
      this.#i++;
      return { kind: "group", atomic: true, item: close(this.#either()) };
    }
    const name = /^<([A-Za-z][A-Za-z0-9]*)>/.exec(rest);
    if (name !== null) {
      this.#i += name[0].length;
      const index = ++this.groups;
      if (this.#names.has(name[1]!)) this.#fail(`the group '${name[1]}' is defined twice`);
      this.#names.set(name[1]!, index);
      return { kind: "group", index, item: close(this.#either()) };
    }
    const flags = /^([idmsuxU]*)(?:-([idmsuxU]*))?([:)])/.exec(rest);
    if (flags === null) return this.#fail("unknown inline modifier");
    // The flags u and U widen the case and the classes to Unicode.
    if (/[uU]/.test(flags[1]!)) this.#fail("the flags u and U are not supported");
    this.#i += flags[0].length;
    const before = this.#flags;
    const changed: Record<string, boolean> = { ...before };
    for (const f of flags[1]!) changed[f] = true;
    for (const f of flags[2] ?? "") changed[f] = false;
    this.#flags = changed as unknown as Flags;
    if (flags[3] === ")") return undefined;
    const item = close(this.#either());
    this.#flags = before;
    return { kind: "group", item };
  }

  #escape(): RegexNode {
    const c = this.#p[this.#i];
    switch (c) {
      case undefined:
        return this.#fail("unexpected internal error: the pattern ends with a backslash");
      case "b":
      case "B":
        this.#i++;
        return { kind: "anchor", at: c === "b" ? "word" : "not_word" };
      case "A":
        this.#i++;
        return { kind: "anchor", at: "start" };
      case "z":
        this.#i++;
        return { kind: "anchor", at: "end" };
      case "Z":
        this.#i++;
        return { kind: "anchor", at: "end_of_line" };
      case "R": {
        this.#i++;
        const any = this.#classNode(simple(`[${V_SPACE_RE2}]`, `[${V_SPACE}]`));
        const pair = { kind: "sequence", items: [this.#char("\r"), this.#char("\n")] } as const;
        return { kind: "group", item: { kind: "either", options: [pair, any] } };
      }
      case "G":
      case "X":
        return this.#fail(`\\${c} is not supported`);
      case "k": {
        const m = /^k<([A-Za-z][A-Za-z0-9]*)>/.exec(this.#p.slice(this.#i, this.#i + 80).join(""));
        const group = this.#names.get(m?.[1] ?? "");
        if (m === null || group === undefined) return this.#fail("\\k is not followed by the name of a group");
        this.#i += m[0].length;
        return { kind: "back", group };
      }
    }
    if (/^[1-9]$/.test(c)) {
      this.#i++;
      let group = Number(c);
      // More digits belong to the number as long as there are that many groups.
      while (/^[0-9]$/.test(this.#p[this.#i] ?? "") && group * 10 + Number(this.#p[this.#i]) <= this.groups)
        group = group * 10 + Number(this.#p[this.#i++]);
      if (group > this.groups)
        return { kind: "class", set: { re2: "[^\\x00-\\x{10FFFF}]" }, script: "[]", folded: "[]", fold: false };
      return { kind: "back", group };
    }
    const set = this.#setEscape();
    if (set !== undefined) return this.#classNode({ ...set, ...bracketed(set) });
    const code = this.#charEscape();
    return { kind: "char", code, fold: this.#flags.i && /^[A-Za-z]$/.test(String.fromCodePoint(code)) };
  }

  /** `\d`, `\W`, `\p{...}`: the contents of a class, at the letter behind the backslash. Undefined for other escapes. */
  #setEscape(): CharSet | undefined {
    const c = this.#p[this.#i]!;
    const short = SHORT[c.toLowerCase()];
    if (short !== undefined) {
      this.#i++;
      const [re2, script] = short;
      if (c === c.toLowerCase()) return { re2, script, folded: script };
      return { re2: `[^${re2}]`, script: `[^${script}]`, folded: `[^${script}]` };
    }
    if (c !== "p" && c !== "P") return undefined;
    this.#i++;
    let name: string;
    if (this.#p[this.#i] === "{") {
      const end = this.#p.indexOf("}", this.#i);
      if (end < 0) return this.#fail("unclosed character family");
      name = this.#p.slice(this.#i + 1, end).join("");
      this.#i = end + 1;
    } else name = this.#p[this.#i++] ?? "";
    const negative = c === "P";
    const posix = POSIX[name];
    if (posix !== undefined) {
      if (!negative) return { re2: posix, script: posix, folded: posix };
      return { re2: `[^${posix}]`, script: `[^${posix}]`, folded: `[^${posix}]` };
    }
    const script = propertyName(name, this.#fail);
    // RE2's tables are of another Unicode version: only general categories go there.
    const re2 = /^(?:L|Lu|Ll|M|N|Nd|P|S|Z|Zs)$/.test(name) ? `\\${c}{${name}}` : undefined;
    const text = `\\${c}{${script}}`;
    return { re2, script: text, folded: text };
  }

  /** A single character behind a backslash. */
  #charEscape(): number {
    const c = this.#p[this.#i++]!;
    const rest = this.#p.slice(this.#i, this.#i + 12).join("");
    const take = (m: RegExpExecArray | null, digits: string | undefined, base: number): number => {
      if (m === null || digits === undefined) return this.#fail(`illegal escape sequence \\${c}`);
      this.#i += m[0].length;
      const code = Number.parseInt(digits, base);
      if (code > 0x10ffff) this.#fail("the code point is out of range");
      return code;
    };
    switch (c) {
      case "t":
        return 9;
      case "n":
        return 10;
      case "r":
        return 13;
      case "f":
        return 12;
      case "a":
        return 7;
      case "e":
        return 27;
      case "0": {
        const m = /^(?:[0-3][0-7]{0,2}|[0-7]{1,2})/.exec(rest);
        return take(m, m?.[0], 8);
      }
      case "x": {
        const m = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]+)\})/.exec(rest);
        return take(m, m?.[1] ?? m?.[2], 16);
      }
      case "u": {
        const m = /^([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?/.exec(rest);
        if (m?.[2] !== undefined && /^[dD][89abAB]/.test(m[1]!)) {
          this.#i += m[0].length;
          return String.fromCharCode(Number.parseInt(m[1]!, 16), Number.parseInt(m[2], 16)).codePointAt(0)!;
        }
        const one = /^([0-9a-fA-F]{4})/.exec(rest);
        return take(one, one?.[1], 16);
      }
      case "c": {
        const m = /^[\s\S]/.exec(rest);
        if (m === null) return this.#fail("illegal control escape sequence");
        this.#i++;
        return m[0].codePointAt(0)! ^ 64;
      }
    }
    if (/^[A-Za-z]$/.test(c)) return this.#fail(`illegal/unsupported escape sequence \\${c}`);
    return c.codePointAt(0)!;
  }

  /** A class behind its opening bracket, as a complete class. */
  #class(): CharSet {
    const negative = this.#p[this.#i] === "^";
    if (negative) this.#i++;
    let union: { re2: (string | undefined)[]; script: string[]; folded: string[] } = {
      re2: [],
      script: [],
      folded: [],
    };
    const operands: CharSet[] = [];
    const add = (s: CharSet): void => {
      union.re2.push(s.re2);
      union.script.push(s.script);
      union.folded.push(s.folded);
    };
    const finish = (): CharSet => {
      const re2 = union.re2.includes(undefined) ? undefined : union.re2.join("");
      return { re2, script: union.script.join(""), folded: union.folded.join("") };
    };
    let first = true;
    for (;;) {
      const c = this.#p[this.#i];
      if (c === undefined) return this.#fail("unclosed character class");
      if (c === "]" && !first) {
        this.#i++;
        break;
      }
      if (c === "]" && first && operands.length === 0) {
        this.#i++;
        add(range(93, 93));
        first = false;
        continue;
      }
      first = false;
      if (c === "[") {
        this.#i++;
        const inner = this.#class();
        // RE2 has no class in a class.
        const flat = inner.re2?.startsWith("[^") === false ? inner.re2.slice(1, -1) : undefined;
        add({ re2: flat, script: inner.script, folded: inner.folded });
        continue;
      }
      if (c === "&" && this.#p[this.#i + 1] === "&") {
        this.#i += 2;
        operands.push(finish());
        union = { re2: [], script: [], folded: [] };
        continue;
      }
      if (this.#flags.x && /^[ \t\n\v\f\r]$/.test(c)) {
        this.#i++;
        continue;
      }
      if (c === "\\" && this.#p[this.#i + 1] === "Q") {
        this.#i += 2;
        while (this.#i < this.#p.length && !(this.#p[this.#i] === "\\" && this.#p[this.#i + 1] === "E")) {
          const code = this.#p[this.#i++]!.codePointAt(0)!;
          add(range(code, code));
        }
        this.#i += 2;
        continue;
      }
      let low: number;
      if (c === "\\") {
        this.#i++;
        const set = this.#setEscape();
        if (set !== undefined) {
          // A negated set within a class is a class in a class.
          add(set.re2?.startsWith("[^") ? { ...set, re2: negatedShort(set.re2) } : set);
          continue;
        }
        low = this.#charEscape();
      } else {
        this.#i++;
        low = c.codePointAt(0)!;
      }
      let high = low;
      if (
        this.#p[this.#i] === "-" &&
        this.#p[this.#i + 1] !== "]" &&
        this.#p[this.#i + 1] !== "[" &&
        this.#p[this.#i + 1] !== undefined
      ) {
        this.#i++;
        const h = this.#p[this.#i++]!;
        high = h === "\\" ? this.#charEscape() : h.codePointAt(0)!;
        if (high < low) this.#fail("illegal character range");
      }
      add(range(low, high));
    }
    const mark = negative ? "^" : "";
    if (operands.length > 0) {
      operands.push(finish());
      const both = (side: "script" | "folded"): string =>
        `[${mark}${operands
          .filter((o) => o[side] !== "")
          .map((o) => `[${o[side]}]`)
          .join("&&")}]`;
      return { re2: undefined, script: both("script"), folded: both("folded") };
    }
    const all = finish();
    return {
      re2: all.re2 === undefined ? undefined : `[${mark}${all.re2}]`,
      script: `[${mark}${all.script}]`,
      folded: `[${mark}${all.folded}]`,
    };
  }
}
