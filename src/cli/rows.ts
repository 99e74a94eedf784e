import type { DataType, StructType } from "../types/data-type.ts";
import { toDdl } from "../types/ddl.ts";
import { onStdout } from "./output.ts";

/** Longest cell that people are shown; --wide shows all of it. */
const WIDTH = 60;

/** Rows as an aligned table: numbers to the right, missing values dim. */
export function rowsTable(schema: StructType, rows: readonly (readonly (string | null)[])[], wide: boolean): string {
  const cut = (text: string): string => {
    const line = text.replace(/[\r\n\t]/g, (c) => ({ "\r": "\\r", "\n": "\\n", "\t": "\\t" })[c]!);
    return wide || [...line].length <= WIDTH ? line : `${[...line].slice(0, WIDTH - 1).join("")}…`;
  };
  const head = schema.fields.map((f) => cut(f.name));
  const cells = rows.map((row) => row.map((text) => (text === null ? "null" : cut(text))));
  const widths = head.map((name, i) => cells.reduce((w, row) => Math.max(w, widthOf(row[i]!)), widthOf(name)));
  const right = schema.fields.map((f) => isNumber(f.type));
  const pad = (text: string, i: number): string => {
    const space = " ".repeat(widths[i]! - widthOf(text));
    return right[i] ? space + text : text + space;
  };
  const lines = [
    onStdout("bold", head.map(pad).join("  ").trimEnd()),
    onStdout("dim", widths.map((w) => "─".repeat(w)).join("  ")),
    ...cells.map((row, r) =>
      row
        .map((text, i) => (rows[r]![i] === null ? onStdout("dim", pad(text, i)) : pad(text, i)))
        .join("  ")
        .trimEnd(),
    ),
  ];
  return lines.join("\n");
}

/** Columns of a terminal: wide letters of East Asia and emoji take two. */
function widthOf(text: string): number {
  let width = 0;
  for (const c of text) {
    const code = c.codePointAt(0)!;
    const isWide =
      (code >= 0x1100 && code <= 0x115f) ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0x1f300 && code <= 0x1faff);
    width += /\p{Mark}/u.test(c) ? 0 : isWide ? 2 : 1;
  }
  return width;
}

function isNumber({ kind }: DataType): boolean {
  return ["byte", "short", "integer", "long", "float", "double", "decimal"].includes(kind);
}

/** A line of CSV (RFC 4180); a missing value is nothing, an empty text is "". */
export function csvLine(cells: readonly (string | null)[]): string {
  return cells
    .map((text) => {
      if (text === null) return "";
      return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(",");
}

/** A number in JSON with the digits given, for JSON.stringify. Of ES2026; Node has it. */
export const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

/**
 * A row as a JSON object: times as ISO text, integers and decimals with all their digits, bytes in base64, maps as objects. Columns are
 * called `c0`, `c1`, ... in `row`; of two with the same name the second gets its place behind its name.
 */
export function jsonLine(schema: StructType, row: Readonly<Record<string, unknown>>): string {
  const taken = new Set<string>();
  const members = schema.fields.map((f, i) => {
    const name = taken.has(f.name) ? `${f.name}_${i + 1}` : f.name;
    taken.add(name);
    return [name, jsonValue(row[`c${i}`], f.type)] as const;
  });
  return JSON.stringify(Object.fromEntries(members));
}

function jsonValue(value: unknown, type: DataType): unknown {
  if (value === null || value === undefined) return null;
  switch (type.kind) {
    case "date":
      return (value as Date).toISOString().slice(0, 10);
    case "timestamp_ntz":
      return (value as Date).toISOString().slice(0, -1);
    case "long":
      return rawJson(String(value));
    case "decimal":
      return rawJson(String(value));
    case "float":
    case "double":
      return Number.isFinite(value) ? value : String(value);
    case "binary":
      return Buffer.from(value as Uint8Array).toString("base64");
    case "array":
      return (value as unknown[]).map((v) => jsonValue(v, type.elementType));
    case "map":
      return Object.fromEntries(
        [...(value as Map<unknown, unknown>)].map(([k, v]) => [
          keyText(jsonValue(k, type.keyType)),
          jsonValue(v, type.valueType),
        ]),
      );
    case "struct":
      return Object.fromEntries(
        type.fields.map((f) => [f.name, jsonValue((value as Record<string, unknown>)[f.name], f.type)]),
      );
    default:
      return value;
  }
}

function keyText(key: unknown): string {
  return typeof key === "string" ? key : JSON.stringify(key);
}

/** A type as DDL writes it: `STRUCT<a: INT>`. */
export function typeText(type: DataType): string {
  return toDdl({ kind: "struct", fields: [{ name: "x", type, nullable: true }] }).replace(/^x\s+/, "");
}
