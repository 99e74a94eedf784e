import { MillraceError, nearest } from "../errors.ts";
import type { AtomicKind, DataType, StructField, StructType } from "./data-type.ts";
import { intervalFields, intervalType } from "./interval-type.ts";

/** A type's name in Spark SQL: `BIGINT`, `DECIMAL(10,2)`, `ARRAY<STRING>`, `STRUCT<a: INT NOT NULL>`. */
export function sqlName(type: DataType): string {
  switch (type.kind) {
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "array":
      return `ARRAY<${sqlName(type.elementType)}>`;
    case "map":
      return `MAP<${sqlName(type.keyType)}, ${sqlName(type.valueType)}>`;
    case "struct":
      return `STRUCT<${type.fields.map((f) => `${quoteName(f.name)}: ${sqlName(f.type)}${f.nullable ? "" : " NOT NULL"}`).join(", ")}>`;
    case "interval_day_time":
    case "interval_year_month":
      return `INTERVAL ${intervalFields(type).toUpperCase()}`;
    default:
      return SQL_NAMES[type.kind];
  }
}

const SQL_NAMES: Record<Exclude<AtomicKind, "interval_day_time" | "interval_year_month">, string> = {
  null: "VOID",
  boolean: "BOOLEAN",
  byte: "TINYINT",
  short: "SMALLINT",
  integer: "INT",
  long: "BIGINT",
  float: "FLOAT",
  double: "DOUBLE",
  string: "STRING",
  binary: "BINARY",
  date: "DATE",
  timestamp: "TIMESTAMP",
  timestamp_ntz: "TIMESTAMP_NTZ",
  interval: "INTERVAL",
};

const PARSED: Readonly<Record<string, AtomicKind>> = {
  void: "null",
  null: "null",
  boolean: "boolean",
  tinyint: "byte",
  byte: "byte",
  smallint: "short",
  short: "short",
  int: "integer",
  integer: "integer",
  bigint: "long",
  long: "long",
  float: "float",
  real: "float",
  double: "double",
  string: "string",
  binary: "binary",
  date: "date",
  timestamp: "timestamp",
  timestamp_ltz: "timestamp",
  timestamp_ntz: "timestamp_ntz",
};

/** Prints a schema as DDL, `ts TIMESTAMP, origin STRING NOT NULL`. `parseDdl` reads it back. */
export function toDdl(schema: StructType): string {
  return schema.fields
    .map((f) => {
      const comment = f.metadata?.comment;
      return `${quoteName(f.name)} ${sqlName(f.type)}${f.nullable ? "" : " NOT NULL"}${
        typeof comment === "string" ? ` COMMENT '${comment.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'` : ""
      }`;
    })
    .join(", ");
}

function quoteName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `\`${name.replaceAll("`", "``")}\``;
}

/**
 * Parses a schema in Spark's DDL, `ts TIMESTAMP, tags ARRAY<STRING>, pos STRUCT<x: DOUBLE, y: DOUBLE> NOT NULL`.
 * Throws PARSE_SYNTAX_ERROR with the position.
 */
export function parseDdl(text: string): StructType {
  const p = new DdlParser(text);
  const fields = p.fields("end");
  p.end();
  return { kind: "struct", fields };
}

/** Parses one type, `decimal(10,2)`, `array<int>`, in any case. Throws PARSE_SYNTAX_ERROR or UNSUPPORTED_DATATYPE. */
export function parseType(text: string): DataType {
  const p = new DdlParser(text);
  const type = p.type();
  p.end();
  return type;
}

interface Token {
  readonly text: string;
  readonly at: number;
  readonly quoted: boolean;
}

class DdlParser {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #i = 0;

  constructor(text: string) {
    this.#text = text;
    const pattern = /\s+|`((?:[^`]|``)*)`|'((?:[^'\\]|\\.)*)'|[A-Za-z0-9_]+|[<>(),:]/gy;
    while (pattern.lastIndex < text.length) {
      const at = pattern.lastIndex;
      const m = pattern.exec(text);
      if (m === null) throw this.#error(text[at]!, at);
      if (m[1] !== undefined) this.#tokens.push({ text: m[1].replaceAll("``", "`"), at, quoted: true });
      else if (m[2] !== undefined) this.#tokens.push({ text: m[2].replace(/\\(.)/g, "$1"), at, quoted: true });
      else if (m[0].trim() !== "") this.#tokens.push({ text: m[0], at, quoted: false });
    }
  }

  fields(until: "end" | ">"): StructField[] {
    const fields: StructField[] = [];
    if (until === ">" ? this.#is(">") : this.#peek() === undefined) return fields;
    do {
      const name = this.#next();
      if (!name.quoted && /^[<>(),:]$/.test(name.text)) throw this.#error(name.text, name.at);
      this.#take(":");
      const type = this.type();
      let nullable = true;
      if (this.#take("not")) {
        this.#expect("null");
        nullable = false;
      }
      const comment = this.#take("comment") ? this.#next().text : undefined;
      fields.push({ name: name.text, type, nullable, ...(comment !== undefined && { metadata: { comment } }) });
    } while (this.#take(","));
    return fields;
  }

  type(): DataType {
    const token = this.#next();
    const name = token.text.toLowerCase();
    switch (name) {
      case "array": {
        this.#expect("<");
        const elementType = this.type();
        this.#close();
        return { kind: "array", elementType, containsNull: true };
      }
      case "map": {
        this.#expect("<");
        const keyType = this.type();
        this.#expect(",");
        const valueType = this.type();
        this.#close();
        return { kind: "map", keyType, valueType, valueContainsNull: true };
      }
      case "struct": {
        this.#expect("<");
        const fields = this.fields(">");
        this.#close();
        return { kind: "struct", fields };
      }
      case "decimal":
      case "dec":
      case "numeric": {
        let precision = 10;
        let scale = 0;
        if (this.#take("(")) {
          precision = this.#number();
          if (this.#take(",")) scale = this.#number();
          this.#expect(")");
        }
        return { kind: "decimal", precision, scale };
      }
      case "char":
      case "character":
      case "varchar":
        this.#expect("(");
        this.#number();
        this.#expect(")");
        return { kind: "string" };
      case "interval":
        return this.#interval();
    }
    const kind = Object.hasOwn(PARSED, name) ? PARSED[name] : undefined;
    if (kind !== undefined && !token.quoted) return { kind };
    const near = nearest(name, [...Object.keys(PARSED), "array", "map", "struct", "decimal"]);
    throw new MillraceError("UNSUPPORTED_DATATYPE", `Unsupported data type "${token.text.toUpperCase()}".`, {
      hint: near ? `Did you mean "${near.toUpperCase()}"?` : undefined,
      parameters: { typeName: token.text.toUpperCase() },
    });
  }

  /** `INTERVAL`, `INTERVAL DAY TO SECOND`, `INTERVAL MONTH`. */
  #interval(): DataType {
    const isField = (t: Token | undefined): boolean => /^(year|month|day|hour|minute|second)$/i.test(t?.text ?? "");
    if (!isField(this.#peek())) return { kind: "interval" };
    const start = this.#next();
    const end = this.#take("to") ? this.#next() : start;
    const type = intervalType(start.text, end.text);
    if (type === undefined) throw this.#error(end.text, end.at);
    return type;
  }

  end(): void {
    const rest = this.#peek();
    if (rest !== undefined) throw this.#error(rest.text, rest.at);
  }

  #close(): void {
    this.#expect(">");
  }

  #number(): number {
    const token = this.#next();
    if (!/^\d+$/.test(token.text)) throw this.#error(token.text, token.at);
    return Number(token.text);
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#i];
  }

  #is(text: string): boolean {
    const token = this.#peek();
    return token !== undefined && !token.quoted && token.text.toLowerCase() === text;
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#i++;
    return true;
  }

  #expect(text: string): void {
    if (this.#take(text)) return;
    const token = this.#peek();
    throw this.#error(token?.text ?? "end of input", token?.at ?? this.#text.length);
  }

  #next(): Token {
    const token = this.#peek();
    if (token === undefined) throw this.#error("end of input", this.#text.length);
    this.#i++;
    return token;
  }

  #error(near: string, at: number): MillraceError {
    return new MillraceError(
      "PARSE_SYNTAX_ERROR",
      `Syntax error at or near '${near}' (position ${at + 1}) in "${this.#text}".`,
      { parameters: { error: `'${near}'`, position: String(at + 1) } },
    );
  }
}
