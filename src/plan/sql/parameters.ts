import type { Value } from "../../types/data-type.ts";
import { sqlName } from "../../types/ddl.ts";
import type { Expr } from "../expr.ts";
import type { SqlArgs } from "./context.ts";

const PARAMETER =
  /(`(?:[^`]|``)*`|'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|--[^\n]*|\/\*[\s\S]*?\*\/)|(?<![:\w\])]):([A-Za-z_]\w*)|\?/g;

/**
 * The text with its parameters written out as literals, or undefined where one of them is no literal or is not given. A Spark
 * server with Delta's extension (4.3 on 4.2) parses queries without their parameters and then finds them unbound.
 */
export function withLiterals(query: string, args: NonNullable<SqlArgs>): string | undefined {
  let position = 0;
  let whole = true;
  const text = query.replace(PARAMETER, (all, skipped: string | undefined, name: string | undefined) => {
    if (skipped !== undefined) return all;
    const value =
      name === undefined ? (args as readonly Expr[])[position++] : (args as Readonly<Record<string, Expr>>)[name];
    const literal = value?.kind === "literal" ? literalText(value) : undefined;
    if (literal === undefined) whole = false;
    return literal ?? all;
  });
  return whole ? text : undefined;
}

/** A literal as Spark's SQL writes it, of the very same type. */
function literalText({ value, type }: Extract<Expr, { kind: "literal" }>): string | undefined {
  if (value === null) return type.kind === "null" ? "NULL" : `CAST(NULL AS ${sqlName(type)})`;
  switch (type.kind) {
    case "string":
      return quotedText(String(value));
    case "boolean":
      return String(value);
    case "byte":
    case "short":
    case "integer":
    case "long": {
      const suffix = { byte: "Y", short: "S", integer: "", long: "L" }[type.kind];
      return Number(value) < 0 ? `(${value}${suffix})` : `${value}${suffix}`;
    }
    case "float":
    case "double":
    case "decimal":
      return `CAST(${quotedText(String(value))} AS ${sqlName(type)})`;
    case "binary":
      return value instanceof Uint8Array ? `X'${Buffer.from(value).toString("hex")}'` : undefined;
    case "date":
      return value instanceof Date ? `DATE'${value.toISOString().slice(0, 10)}'` : undefined;
    case "timestamp":
      return value instanceof Date ? `TIMESTAMP'${value.toISOString().replace("T", " ")}'` : undefined;
    default:
      return undefined;
  }
}

function quotedText(value: Exclude<Value, null> & string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
