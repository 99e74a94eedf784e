import type { AnyRow, DataType, StructType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { doubleText, floatText } from "../types/number-text.ts";

/** A schema as `printSchema` shows it. */
export function treeString(schema: StructType): string {
  const lines = ["root"];
  const fields = (s: StructType, indent: string): void => {
    for (const f of s.fields) {
      lines.push(`${indent}|-- ${f.name}: ${treeName(f.type)} (nullable = ${f.nullable})`);
      inner(f.type, `${indent}|    `);
    }
  };
  const inner = (type: DataType, indent: string): void => {
    if (type.kind === "struct") fields(type, indent);
    else if (type.kind === "array") {
      lines.push(`${indent}|-- element: ${treeName(type.elementType)} (containsNull = ${type.containsNull})`);
      inner(type.elementType, `${indent}|    `);
    } else if (type.kind === "map") {
      lines.push(`${indent}|-- key: ${treeName(type.keyType)}`);
      inner(type.keyType, `${indent}|    `);
      lines.push(`${indent}|-- value: ${treeName(type.valueType)} (valueContainsNull = ${type.valueContainsNull})`);
      inner(type.valueType, `${indent}|    `);
    }
  };
  fields(schema, " ");
  return `${lines.join("\n")}\n`;
}

function treeName(type: DataType): string {
  if (type.kind === "array" || type.kind === "map" || type.kind === "struct") return type.kind;
  return type.kind === "null" ? "void" : type.kind === "decimal" ? sqlName(type).toLowerCase() : type.kind;
}

/** A value as Spark's `show` prints it. */
function showValue(value: Value | undefined, type: DataType): string {
  if (value === null || value === undefined) return "NULL";
  switch (type.kind) {
    case "double":
      return typeof value === "number" ? doubleText(value) : String(value);
    case "float":
      return typeof value === "number" ? floatText(value) : String(value);
    case "date":
      return value instanceof Date ? value.toISOString().slice(0, 10) : String(value);
    case "timestamp":
    case "timestamp_ntz":
      return value instanceof Date
        ? value
            .toISOString()
            .replace("T", " ")
            .replace("Z", "")
            .replace(/\.?0+$/, (m) => (m.startsWith(".") ? "" : m))
        : String(value);
    case "binary":
      return value instanceof Uint8Array
        ? `[${[...value].map((b) => b.toString(16).padStart(2, "0").toUpperCase()).join(" ")}]`
        : String(value);
    case "array":
      return Array.isArray(value) ? `[${value.map((v) => showValue(v, type.elementType)).join(", ")}]` : String(value);
    case "map":
      return value instanceof Map
        ? `{${[...value].map(([k, v]) => `${showValue(k, type.keyType)} -> ${showValue(v, type.valueType)}`).join(", ")}}`
        : String(value);
    case "struct":
      return typeof value === "object"
        ? `{${type.fields.map((f) => showValue((value as AnyRow)[f.name], f.type)).join(", ")}}`
        : String(value);
    default:
      return String(value);
  }
}

export interface TableOptions {
  /** true: cut at 20 characters; a number: cut there; false: whole values. */
  readonly truncate: boolean | number;
  readonly more: boolean;
}

/** Rows as a table, as Spark's `show` prints them. */
export function formatTable(schema: StructType, rows: readonly AnyRow[], options: TableOptions): string {
  const limit = options.truncate === true ? 20 : options.truncate === false ? 0 : options.truncate;
  const cut = (text: string): string => {
    if (limit <= 0 || text.length <= limit) return text;
    return limit < 4 ? text.slice(0, limit) : `${text.slice(0, limit - 3)}...`;
  };
  const oneLine = (text: string): string =>
    text.replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");
  const names = schema.fields.map((f) => cut(f.name));
  const cells = rows.map((row) => schema.fields.map((f) => cut(oneLine(showValue(row[f.name], f.type)))));
  const widths = names.map((n, i) => Math.max(3, n.length, ...cells.map((c) => c[i]!.length)));
  const line = `+${widths.map((w) => "-".repeat(w)).join("+")}+`;
  const pad = (text: string, i: number): string => (limit > 0 ? text.padStart(widths[i]!) : text.padEnd(widths[i]!));
  const row = (c: readonly string[]): string => `|${c.map(pad).join("|")}|`;
  const table = [line, row(names), line, ...cells.map(row), line].join("\n");
  return options.more ? `${table}\nonly showing top ${rows.length} row${rows.length === 1 ? "" : "s"}\n` : `${table}\n`;
}
