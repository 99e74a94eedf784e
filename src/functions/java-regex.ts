import { MillraceError } from "../errors.ts";
import { parseJavaRegex, type Regex, type RegexNode } from "./java-regex-parse.ts";

/**
 * Regular expressions as java.util.regex (17) reads them, in the two dialects at hand: RE2, which DuckDB has built in and is fast, and
 * JavaScript's, which has look-around and back references. What RE2 does not mean the same way goes to JavaScript.
 */
export interface CompiledRegex {
  readonly groups: number;
  /** RE2 with the same meaning, for texts that `condition` holds for; undefined where there is none. */
  readonly re2: string | undefined;
  /** What RE2 asks of the text: only ASCII (`\b`, case), or no line ends (`$`). */
  readonly ascii: boolean;
  readonly noLineEnd: boolean;
  /** Whether it can match the empty text: where and how often that happens differs between engines. */
  readonly empty: boolean;
  /** The text, where the pattern is nothing but that. */
  readonly literal: string | undefined;
  /** A JavaScript expression (flags g and v), and the place of each of Java's groups in it. */
  script(): { readonly regexp: RegExp; readonly places: readonly number[] };
}

const compiled = new Map<string, CompiledRegex>();

/**
 * Reads a pattern of Java's; the last thousand are kept.
 *
 * @throws MillraceError INVALID_PARAMETER_VALUE.PATTERN
 */
export function javaRegex(pattern: string, functionName: string): CompiledRegex {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const fail = (why: string): never => {
    throw new MillraceError(
      "INVALID_PARAMETER_VALUE.PATTERN",
      `The value of parameter(s) \`regexp\` in \`${functionName}\` is invalid: '${pattern}' (${why}).`,
      { parameters: { parameter: "`regexp`", functionName: `\`${functionName}\``, value: `'${pattern}'` } },
    );
  };
  const regex = parseJavaRegex(pattern, fail);
  const re2 = new Re2Writer();
  const text = re2.write(regex.root);
  let script: { regexp: RegExp; places: readonly number[] } | undefined;
  const result: CompiledRegex = {
    groups: regex.groups,
    re2: re2.possible ? text : undefined,
    ascii: re2.ascii,
    noLineEnd: re2.noLineEnd,
    empty: minLength(regex.root) === 0,
    literal: literalOf(regex.root),
    script() {
      if (script === undefined) {
        const writer = new ScriptWriter(regex);
        const source = writer.write(regex.root);
        try {
          script = { regexp: new RegExp(source, "gv"), places: writer.places };
        } catch {
          return fail("this engine cannot run it");
        }
      }
      return script;
    },
  };
  if (compiled.size >= 1000) compiled.delete(compiled.keys().next().value!);
  compiled.set(pattern, result);
  return result;
}

function literalOf(node: RegexNode): string | undefined {
  if (node.kind === "char") return node.fold ? undefined : String.fromCodePoint(node.code);
  if (node.kind !== "sequence") return undefined;
  const parts = node.items.map(literalOf);
  return parts.includes(undefined) ? undefined : parts.join("");
}

function minLength(node: RegexNode): number {
  switch (node.kind) {
    case "char":
    case "dot":
    case "class":
      return 1;
    case "sequence":
      return node.items.reduce((n, item) => n + minLength(item), 0);
    case "either":
      return Math.min(...node.options.map(minLength));
    case "repeat":
      return node.min === 0 ? 0 : minLength(node.item) * node.min;
    case "group":
      return node.look ? 0 : minLength(node.item);
    case "anchor":
    case "back":
      return 0;
  }
}

const LINE_ENDS = "\\n\\r\\x{85}\\x{2028}\\x{2029}";
const hex = (code: number): string => code.toString(16);
const isWordChar = (code: number): boolean => /^[A-Za-z0-9_]$/.test(String.fromCodePoint(code));

/** Writes RE2; `possible` is false where it has no words for it. */
class Re2Writer {
  possible = true;
  ascii = false;
  noLineEnd = false;

  write(node: RegexNode): string {
    switch (node.kind) {
      case "char":
        if (node.fold) this.ascii = true;
        return node.fold ? `(?i:${this.#char(node.code)})` : this.#char(node.code);
      case "dot":
        return node.all ? "(?s:.)" : node.unixLines ? "[^\\n]" : `[^${LINE_ENDS}]`;
      case "class": {
        if (node.fold) this.ascii = true;
        if (node.set === undefined) return this.#no();
        return node.fold ? `(?i:${node.set.re2})` : node.set.re2;
      }
      case "sequence":
        return node.items
          .map((item) => (item.kind === "either" ? `(?:${this.write(item)})` : this.write(item)))
          .join("");
      case "either":
        return node.options.map((o) => this.write(o)).join("|");
      case "repeat": {
        if (
          node.mode === "possessive" ||
          node.max > 1000 ||
          (node.max === Number.POSITIVE_INFINITY && node.min > 1000)
        ) {
          if (node.mode === "possessive" || node.min > 1000 || Number.isFinite(node.max)) return this.#no();
        }
        // Engines differ in what a group holds after a repeated item that may be empty.
        if (node.max > 1 && minLength(node.item) === 0) return this.#no();
        return `(?:${this.write(node.item)})${quantifier(node.min, node.max)}${node.mode === "lazy" ? "?" : ""}`;
      }
      case "group":
        if (node.look !== undefined || node.atomic) return this.#no();
        return `${node.index === undefined ? "(?:" : "("}${this.write(node.item)})`;
      case "back":
        return this.#no();
      case "anchor":
        switch (node.at) {
          case "start":
            return "\\A";
          case "end":
            return "\\z";
          case "end_of_line":
            this.noLineEnd = true;
            return "\\z";
          case "word":
          case "not_word":
            // Java 17 counts every letter as part of a word here.
            this.ascii = true;
            return node.at === "word" ? "\\b" : "\\B";
          default:
            return this.#no();
        }
    }
  }

  #no(): string {
    this.possible = false;
    return "";
  }

  #char(code: number): string {
    if (code === 0 || (code >= 0xd800 && code <= 0xdfff)) return this.#no();
    return isWordChar(code) || code > 0x9f ? String.fromCodePoint(code) : `\\x{${hex(code)}}`;
  }
}

function quantifier(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? "*" : min === 1 ? "+" : `{${min},}`;
  if (min === 0 && max === 1) return "?";
  return min === max ? `{${min}}` : `{${min},${max}}`;
}

const END_OF_LINE = "(?=(?:\\r\\n|[\\n\\r\\u0085\\u2028\\u2029])?(?![\\s\\S]))(?!(?<=\\r)\\n)";
const WORD = "[\\p{L}\\p{Nd}_]";

/** Writes JavaScript. A possessive or atomic part becomes `(?=(part))\n`, which takes a group of its own: hence the places. */
class ScriptWriter {
  readonly places: number[] = [0];
  #next = 1;

  constructor(regex: Regex) {
    this.places.length = regex.groups + 1;
    this.#number(regex.root);
    this.#next = 1;
  }

  /** Groups are numbered by their opening brackets, before back references to them are written. */
  #number(node: RegexNode): void {
    switch (node.kind) {
      case "sequence":
        for (const item of node.items) this.#number(item);
        break;
      case "either":
        for (const o of node.options) this.#number(o);
        break;
      case "repeat":
        if (node.mode === "possessive") this.#next++;
        this.#number(node.item);
        break;
      case "group":
        if (node.atomic) this.#next++;
        if (node.index !== undefined) this.places[node.index] = this.#next++;
        this.#number(node.item);
        break;
    }
  }

  write(node: RegexNode): string {
    switch (node.kind) {
      case "char":
        return node.fold ? foldedChar(node.code) : scriptChar(node.code);
      case "dot":
        return node.all ? "[\\s\\S]" : node.unixLines ? "[^\\n]" : "[^\\n\\r\\u0085\\u2028\\u2029]";
      case "class":
        return node.fold ? node.folded : node.script;
      case "sequence":
        return node.items.map((i) => (i.kind === "either" ? `(?:${this.write(i)})` : this.write(i))).join("");
      case "either":
        return node.options.map((o) => this.write(o)).join("|");
      case "repeat": {
        const own = node.mode === "possessive" ? this.#next++ : 0;
        const text = `(?:${this.write(node.item)})${quantifier(node.min, node.max)}`;
        return own > 0 ? `(?:(?=(${text}))\\${own})` : `${text}${node.mode === "lazy" ? "?" : ""}`;
      }
      case "group": {
        if (node.atomic) {
          const own = this.#next++;
          return `(?:(?=(${this.write(node.item)}))\\${own})`;
        }
        if (node.look !== undefined) return `(${LOOK[node.look]}${this.write(node.item)})`;
        if (node.index === undefined) return `(?:${this.write(node.item)})`;
        this.#next++;
        return `(${this.write(node.item)})`;
      }
      case "back":
        // In Java a group that has not matched fails; in JavaScript it is empty text.
        return `(?:\\${this.places[node.group]})`;
      case "anchor":
        return ANCHORS[node.at];
    }
  }
}

const LOOK = { ahead: "?=", not_ahead: "?!", behind: "?<=", not_behind: "?<!" } as const;
const ANCHORS = {
  start: "(?<![\\s\\S])",
  end: "(?![\\s\\S])",
  end_of_line: END_OF_LINE,
  line_start: "(?<=(?<![\\s\\S])|[\\n\\u0085\\u2028\\u2029]|\\r(?!\\n))(?:(?<![\\s\\S])|(?=[\\s\\S]))",
  line_end: "(?=(?:[\\n\\r\\u0085\\u2028\\u2029]|(?![\\s\\S])))(?!(?<=\\r)\\n)",
  word: `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`,
  not_word: `(?:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))`,
} as const;

export function scriptChar(code: number): string {
  return isWordChar(code) ? String.fromCodePoint(code) : `\\u{${hex(code)}}`;
}

function foldedChar(code: number): string {
  const c = String.fromCodePoint(code);
  return /^[A-Za-z]$/.test(c) ? `[${c.toLowerCase()}${c.toUpperCase()}]` : scriptChar(code);
}
