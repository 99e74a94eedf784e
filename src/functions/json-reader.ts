/** JSON as Jackson reads it for Spark: the last of repeated names counts, what follows the first value is left alone. */

export type JsonNode =
  | { readonly kind: "object"; readonly entries: ReadonlyMap<string, JsonNode> }
  | { readonly kind: "array"; readonly items: readonly JsonNode[] }
  | { readonly kind: "string"; readonly value: string }
  /** As written. */
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "literal"; readonly value: boolean | null };

export interface JsonRules {
  readonly singleQuotes: boolean;
  readonly unquotedNames: boolean;
  readonly leadingZeros: boolean;
  readonly comments: boolean;
  readonly notNumbers: boolean;
  readonly anyEscape: boolean;
  readonly controlCharacters: boolean;
}

class Malformed extends Error {}

/** The first value of a text; undefined where there is none but blanks, null where it is malformed. */
export function readJson(text: string, rules: JsonRules): JsonNode | null | undefined {
  try {
    const reader = new Reader(text, rules);
    return reader.atEnd() ? undefined : reader.value();
  } catch (error) {
    if (error instanceof Malformed || error instanceof RangeError) return null;
    throw error;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  '"': '"',
  "\\": "\\",
  "/": "/",
};

class Reader {
  readonly #text: string;
  readonly #rules: JsonRules;
  #i = 0;

  constructor(text: string, rules: JsonRules) {
    this.#text = text;
    this.#rules = rules;
  }

  atEnd(): boolean {
    this.#blanks();
    return this.#i >= this.#text.length;
  }

  #blanks(): void {
    for (;;) {
      const c = this.#text[this.#i];
      if (c === " " || c === "\t" || c === "\n" || c === "\r") this.#i++;
      else if (c === "/" && this.#rules.comments) {
        const block = this.#text.startsWith("/*", this.#i);
        const end = block ? this.#text.indexOf("*/", this.#i + 2) : this.#text.indexOf("\n", this.#i);
        if (!block && !this.#text.startsWith("//", this.#i)) throw new Malformed();
        if (block && end < 0) throw new Malformed();
        this.#i = block ? end + 2 : end < 0 ? this.#text.length : end;
      } else return;
    }
  }

  value(): JsonNode {
    this.#blanks();
    const c = this.#text[this.#i];
    if (c === "{") return this.#object();
    if (c === "[") return this.#array();
    if (c === '"' || (c === "'" && this.#rules.singleQuotes)) return { kind: "string", value: this.#string(c) };
    return this.#word();
  }

  #object(): JsonNode {
    const entries = new Map<string, JsonNode>();
    this.#i++;
    if (this.#next() === "}") {
      this.#i++;
      return { kind: "object", entries };
    }
    for (;;) {
      const c = this.#next();
      let name: string;
      if (c === '"' || (c === "'" && this.#rules.singleQuotes)) name = this.#string(c);
      else {
        const m = this.#rules.unquotedNames ? this.#match(/[A-Za-z_$@#][\w$@#-]*/y) : undefined;
        if (m === undefined) throw new Malformed();
        name = m;
      }
      if (this.#next() !== ":") throw new Malformed();
      this.#i++;
      entries.set(name, this.value());
      const after = this.#next();
      this.#i++;
      if (after === "}") return { kind: "object", entries };
      if (after !== ",") throw new Malformed();
    }
  }

  #array(): JsonNode {
    const items: JsonNode[] = [];
    this.#i++;
    if (this.#next() === "]") {
      this.#i++;
      return { kind: "array", items };
    }
    for (;;) {
      items.push(this.value());
      const after = this.#next();
      this.#i++;
      if (after === "]") return { kind: "array", items };
      if (after !== ",") throw new Malformed();
    }
  }

  #next(): string | undefined {
    this.#blanks();
    return this.#text[this.#i];
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#i;
    const m = pattern.exec(this.#text);
    if (m === null) return undefined;
    this.#i += m[0].length;
    return m[0];
  }

  #string(quote: string): string {
    let out = "";
    this.#i++;
    for (;;) {
      const c = this.#text[this.#i++];
      if (c === undefined) throw new Malformed();
      if (c === quote) return out;
      if (c !== "\\") {
        if (c < " " && !this.#rules.controlCharacters) throw new Malformed();
        out += c;
        continue;
      }
      const e = this.#text[this.#i++];
      if (e === "u") {
        const code = this.#match(/[0-9a-fA-F]{4}/y);
        if (code === undefined) throw new Malformed();
        out += String.fromCharCode(Number.parseInt(code, 16));
      } else if (e !== undefined && (ESCAPES[e] !== undefined || this.#rules.anyEscape || e === "'"))
        out += ESCAPES[e] ?? e;
      else throw new Malformed();
    }
  }

  #word(): JsonNode {
    const number = this.#match(
      this.#rules.leadingZeros ? /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y : /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y,
    );
    if (number !== undefined) {
      if (/[\w.]/.test(this.#text[this.#i] ?? " ")) throw new Malformed();
      return { kind: "number", text: number.replace(/^(-?)0+(?=\d)/, "$1") };
    }
    const word = this.#match(/[+-]?[A-Za-z]+/y);
    if (word === "true" || word === "false") return { kind: "literal", value: word === "true" };
    if (word === "null") return { kind: "literal", value: null };
    if (this.#rules.notNumbers) {
      if (word === "NaN") return { kind: "string", value: "NaN" };
      if (word === "Infinity" || word === "+Infinity" || word === "INF" || word === "+INF")
        return { kind: "string", value: "Infinity" };
      if (word === "-Infinity" || word === "-INF") return { kind: "string", value: "-Infinity" };
    }
    throw new Malformed();
  }
}

/** Compact text. */
export function writeJson(node: JsonNode): string {
  switch (node.kind) {
    case "object":
      return `{${[...node.entries].map(([k, v]) => `${JSON.stringify(k)}:${writeJson(v)}`).join(",")}}`;
    case "array":
      return `[${node.items.map(writeJson).join(",")}]`;
    case "string":
      return JSON.stringify(node.value);
    case "number":
      return node.text;
    case "literal":
      return String(node.value);
  }
}

/** As Jackson prints prettily. */
export function prettyJson(node: JsonNode, indent = ""): string {
  const inner = `${indent}  `;
  switch (node.kind) {
    case "object": {
      if (node.entries.size === 0) return "{ }";
      const lines = [...node.entries].map(([k, v]) => `${inner}${JSON.stringify(k)} : ${prettyJson(v, inner)}`);
      return `{\n${lines.join(",\n")}\n${indent}}`;
    }
    case "array":
      return node.items.length === 0 ? "[ ]" : `[ ${node.items.map((v) => prettyJson(v, indent)).join(", ")} ]`;
    default:
      return writeJson(node);
  }
}
