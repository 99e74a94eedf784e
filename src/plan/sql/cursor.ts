import { MillraceError } from "../../errors.ts";
import { quoted } from "../names.ts";
import { clip } from "./context.ts";

interface Token {
  readonly kind: "word" | "quoted" | "string" | "number" | "mark";
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const TOKEN =
  /(?<space>\s+|--[^\n]*|\/\*[\s\S]*?\*\/)|(?<quoted>`(?:[^`]|``)*`)|(?<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")|(?<word>[A-Za-z_][\w]*)|(?<number>\d[\w.]*)|(?<mark>[\s\S])/gy;

/** Walks over the words of a command; queries and lists inside it are taken as text. */
export class Cursor {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text.replace(/;\s*$/, "");
    for (const m of this.#text.matchAll(TOKEN)) {
      const [kind] = Object.entries(m.groups!).find(([, v]) => v !== undefined) as [Token["kind"] | "space", string];
      if (kind !== "space") this.#tokens.push({ kind, text: m[0], start: m.index, end: m.index + m[0].length });
    }
  }

  /** Takes these words if they come next, whatever their case. */
  take(...words: readonly string[]): boolean {
    const next = words.every((w, i) => {
      const t = this.#tokens[this.#at + i];
      return t !== undefined && (t.kind === "word" || t.kind === "mark") && t.text.toUpperCase() === w;
    });
    if (next) this.#at += words.length;
    return next;
  }

  /** Whether one of these comes next. */
  sees(...words: readonly string[]): boolean {
    const t = this.#tokens[this.#at];
    return t !== undefined && t.kind !== "quoted" && words.includes(t.text.toUpperCase());
  }

  expect(...words: readonly string[]): void {
    if (!this.take(...words)) throw this.error(`expected ${words.join(" ")}`);
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  end(): void {
    if (!this.done) throw this.error("the command ends before it");
  }

  /** A possibly dotted name, back-quoted where needed. */
  name(): string {
    const parts = [this.identifier()];
    while (this.take(".")) parts.push(this.identifier());
    return parts.map((p) => (/^[A-Za-z_]\w*$/.test(p) ? p : quoted(p))).join(".");
  }

  identifier(): string {
    const t = this.#tokens[this.#at];
    if (t?.kind !== "word" && t?.kind !== "quoted") throw this.error("expected a name");
    this.#at++;
    return t.kind === "word" ? t.text : t.text.slice(1, -1).replaceAll("``", "`");
  }

  /** The value of a string literal. */
  string(): string {
    const t = this.#tokens[this.#at];
    if (t?.kind !== "string") throw this.error("expected a text in quotes");
    this.#at++;
    const quote = t.text[0]!;
    return t.text
      .slice(1, -1)
      .replaceAll(quote + quote, quote)
      .replace(/\\(.)/g, "$1");
  }

  /** A string, or a word where Spark takes both. */
  text(): string {
    const t = this.#tokens[this.#at];
    if (t?.kind === "string") return this.string();
    if (t === undefined) throw this.error("expected a value");
    this.#at++;
    return t.text;
  }

  /** What stands in the brackets that come next, as text. */
  brackets(): string {
    const open = this.#tokens[this.#at];
    if (open?.text !== "(") throw this.error("expected (");
    let depth = 0;
    for (let i = this.#at; i < this.#tokens.length; i++) {
      const t = this.#tokens[i]!;
      if (t.kind !== "mark") continue;
      if (t.text === "(") depth++;
      if (t.text === ")" && --depth === 0) {
        this.#at = i + 1;
        return this.#text.slice(open.end, t.start);
      }
    }
    throw this.error("the bracket is not closed");
  }

  /** Names in brackets. */
  names(): string[] {
    this.expect("(");
    const names = [this.identifier()];
    while (this.take(",")) names.push(this.identifier());
    this.expect(")");
    return names;
  }

  /** `('key' = 'value', key2 value2)`. */
  pairs(): Record<string, string> {
    const pairs: Record<string, string> = {};
    this.expect("(");
    do {
      let key = this.text();
      while (this.take(".")) key += `.${this.text()}`;
      this.take("=");
      pairs[key] = this.text();
    } while (this.take(","));
    this.expect(")");
    return pairs;
  }

  /** All that is left, as text. */
  rest(): string {
    const t = this.#tokens[this.#at];
    this.#at = this.#tokens.length;
    return t === undefined ? "" : this.#text.slice(t.start);
  }

  /** PARSE_SYNTAX_ERROR at the word that comes next. */
  error(what: string): MillraceError {
    const t = this.#tokens[this.#at];
    const position = (t?.start ?? this.#text.length) + 1;
    const near = t === undefined ? "the end" : `'${t.text}'`;
    return new MillraceError(
      "PARSE_SYNTAX_ERROR",
      `Syntax error at or near ${near} in "${clip(this.#text)}" at position ${position}: ${what}.`,
      { parameters: { error: near, position: String(position) } },
    );
  }
}
