import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { nativeFunction } from "./define.ts";
import { malformedRecord, parseSettings, type Settings, schemaOf, timeText } from "./json-convert.ts";

/** CSV records by the rules of Spark's parser, univocity: one line, quotes escaped by a backslash. */

type Options = ReadonlyMap<string, string>;

interface Csv {
  readonly separator: string;
  readonly quote: string;
  readonly escape: string;
  readonly nullValue: string;
  readonly emptyValue: string | undefined;
  readonly trimStart: boolean;
  readonly trimEnd: boolean;
  readonly quoteAll: boolean;
  readonly nan: string;
  readonly positiveInf: string;
  readonly negativeInf: string;
  readonly settings: Settings;
}

let last: { key: string; csv: Csv } | undefined;

function csvOptions(options: Options | null, functionName: string, writing: boolean): Csv {
  const key = `${writing}${JSON.stringify([...(options ?? [])])}`;
  if (last?.key === key) return last.csv;
  const o = new Map([...(options ?? [])].map(([k, v]) => [k.toLowerCase(), v]));
  const csv: Csv = {
    separator: (o.get("sep") ?? o.get("delimiter") ?? ",").replaceAll("\\t", "\t"),
    quote: o.get("quote") ?? '"',
    escape: o.get("escape") ?? "\\",
    nullValue: o.get("nullvalue") ?? "",
    emptyValue: o.get("emptyvalue"),
    trimStart: (o.get("ignoreleadingwhitespace") ?? String(writing)) === "true",
    trimEnd: (o.get("ignoretrailingwhitespace") ?? String(writing)) === "true",
    quoteAll: o.get("quoteall") === "true",
    nan: o.get("nanvalue") ?? "NaN",
    positiveInf: o.get("positiveinf") ?? "Inf",
    negativeInf: o.get("negativeinf") ?? "-Inf",
    settings: parseSettings(options, functionName),
  };
  last = { key, csv };
  return csv;
}

/** The fields of a line; `quoted` tells an empty text from none. */
function fieldsOf(line: string, c: Csv): { readonly text: string; readonly quoted: boolean }[] {
  const fields: { text: string; quoted: boolean }[] = [];
  let i = 0;
  for (;;) {
    let start = i;
    if (c.trimStart) while (line[start] === " " || line[start] === "\t") start++;
    if (c.quote !== "" && line[start] === c.quote) {
      let text = "";
      i = start + 1;
      while (i < line.length && line[i] !== c.quote) {
        if (line[i] === c.escape && (line[i + 1] === c.quote || line[i + 1] === c.escape)) i++;
        text += line[i++];
      }
      fields.push({ text, quoted: true });
      const next = line.indexOf(c.separator, i);
      if (next < 0) return fields;
      i = next + c.separator.length;
      continue;
    }
    const end = line.indexOf(c.separator, start);
    let text = end < 0 ? line.slice(start) : line.slice(start, end);
    if (c.trimEnd) text = text.replace(/[^!-\uffff]+$/, "");
    fields.push({ text, quoted: false });
    if (end < 0) return fields;
    i = end + c.separator.length;
  }
}

const RANGE: Readonly<Record<string, bigint>> = { byte: 7n, short: 15n, integer: 31n, long: 63n };

/** JSON text of a field; undefined where it does not fit. */
function fieldJson(text: string, type: DataType, c: Csv, zone: string): string | undefined {
  switch (type.kind) {
    case "string":
    case "binary":
      return JSON.stringify(text);
    case "byte":
    case "short":
    case "integer":
    case "long": {
      if (!/^[+-]?\d+$/.test(text)) return undefined;
      const n = BigInt(text.replace("+", ""));
      return BigInt.asIntN(Number(RANGE[type.kind]! + 1n), n) === n ? String(n) : undefined;
    }
    case "float":
    case "double": {
      if (text === c.nan) return '"NaN"';
      if (text === c.positiveInf || text === "Infinity") return '"Infinity"';
      if (text === c.negativeInf || text === "-Infinity") return '"-Infinity"';
      const plain = text.trim().replace(/[dDfF]$/, "");
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(plain) ? numberJson(plain) : undefined;
    }
    case "boolean":
      return /^(?:true|false)$/i.test(text) ? text.toLowerCase() : undefined;
    case "decimal": {
      const plain = text.replaceAll(",", "");
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(plain) ? JSON.stringify(plain) : undefined;
    }
    case "date":
    case "timestamp":
    case "timestamp_ntz": {
      const value = timeText(text, type, c.settings, zone);
      return value === undefined ? undefined : JSON.stringify(value);
    }
    default:
      return undefined;
  }
}

/** A number as JSON writes it. */
function numberJson(text: string): string {
  const m = /^([+-]?)(\d*)\.?(\d*)(.*)$/.exec(text)!;
  const whole = m[2]!.replace(/^0+(?=\d)/, "") || "0";
  return `${m[1] === "-" ? "-" : ""}${whole}${m[3] === "" ? "" : `.${m[3]}`}${m[4]}`;
}

/** The record as JSON that DuckDB reads. */
export const csvToJson = nativeFunction(
  "from_csv",
  (line: string, schema: string, options: Options | null, zone: string) => {
    const type = schemaOf(schema);
    if (type.kind !== "struct") return null;
    const c = csvOptions(options, "from_csv", false);
    const columns = type.fields.filter((f) => f.name !== c.settings.corrupt);
    const given = line === "" ? [] : fieldsOf(line, c);
    // Fewer or more fields than columns make a bad record, its values stay.
    let bad = given.length !== columns.length;
    const out = columns.map((f, i) => {
      const field = given[i];
      if (field === undefined || (!field.quoted && field.text === c.nullValue)) return `${JSON.stringify(f.name)}:null`;
      const json = fieldJson(field.text, f.type, c, zone);
      if (json === undefined) bad = true;
      return `${JSON.stringify(f.name)}:${json ?? "null"}`;
    });
    if (bad && c.settings.failFast) throw malformedRecord(line);
    if (columns.length < type.fields.length)
      out.push(`${JSON.stringify(c.settings.corrupt)}:${bad ? JSON.stringify(line) : "null"}`);
    return `{${out.join(",")}}`;
  },
  { nulls: true },
);

/** Texts of the fields as one line. */
export const csvLine = nativeFunction(
  "to_csv",
  (texts: readonly (string | null)[] | null, strings: readonly boolean[], options: Options | null) => {
    if (texts === null) return null;
    const c = csvOptions(options, "to_csv", true);
    return texts
      .map((given, i) => {
        if (given === null) return c.nullValue;
        let text = given;
        if (c.trimStart) text = text.replace(/^[^!-\uffff]+/, "");
        if (c.trimEnd) text = text.replace(/[^!-\uffff]+$/, "");
        if (text === "" && strings[i]) return c.emptyValue ?? `${c.quote}${c.quote}`;
        const special = text.includes(c.separator) || text.includes(c.quote) || /[\r\n]/.test(text);
        if (!special && !c.quoteAll) return text;
        return `${c.quote}${text.replaceAll(c.quote, `${c.escape}${c.quote}`)}${c.quote}`;
      })
      .join(c.separator);
  },
  { nulls: true },
);

function inferred(text: string, c: Csv): DataType {
  if (text === c.nullValue) return { kind: "string" };
  if (/^[+-]?\d+$/.test(text)) {
    const n = BigInt(text.replace("+", ""));
    if (BigInt.asIntN(32, n) === n) return { kind: "integer" };
    if (BigInt.asIntN(64, n) === n) return { kind: "long" };
    const digits = text.replace(/^[+-]?0*/, "").length;
    return digits <= 38 ? { kind: "decimal", precision: digits, scale: 0 } : { kind: "double" };
  }
  if (
    /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[dDfF]?$/.test(text) ||
    [c.nan, c.positiveInf, c.negativeInf].includes(text)
  )
    return { kind: "double" };
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && timeText(text, { kind: "date" }, c.settings, "UTC")) return { kind: "date" };
  if (/^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}/.test(text)) return { kind: "timestamp" };
  return /^(?:true|false)$/i.test(text) ? { kind: "boolean" } : { kind: "string" };
}

/** The schema of a line, as DDL. Throws INVALID_VALUE for an empty one. */
export function csvSchema(line: string, options: Options | null = null): string {
  const c = csvOptions(options, "schema_of_csv", false);
  if (line === "")
    throw new MillraceError("INVALID_VALUE", "An empty line has no schema.", {
      hint: "Give a record of the kind that the schema is for.",
    });
  const fields = fieldsOf(line, c).map((f, i) => ({ name: `_c${i}`, type: inferred(f.text, c), nullable: true }));
  return sqlName({ kind: "struct", fields });
}

export const inferCsv = nativeFunction("schema_of_csv", csvSchema, { nulls: true });
