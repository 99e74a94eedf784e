import { MillraceError } from "../errors.ts";
import { hasListeners, publish } from "../events.ts";
import { parseInstant, parseJava } from "../formats/java-datetime/parse.ts";
import type { DataType } from "../types/data-type.ts";
import { escapeRegExp } from "../types/escape-regexp.ts";
import { fromSparkJson } from "../types/struct-json.ts";
import { nativeFunction } from "./define.ts";
import { type JsonNode, type JsonRules, readJson, writeJson } from "./json-reader.ts";

/**
 * A record that DuckDB does not read as Spark would, as JSON that it does: only the fields of the schema, values that do not fit as null.
 * DuckDB then makes the values, so that microseconds and decimals stay exact.
 */

type Options = ReadonlyMap<string, string>;

export interface Settings {
  readonly failFast: boolean;
  readonly corrupt: string;
  readonly dateFormat: string | undefined;
  readonly timestampFormat: string | undefined;
  readonly timestampNtzFormat: string | undefined;
  readonly rules: JsonRules;
}

const settingsOf = new WeakMap<Options, Settings>();
let lastOptions: { key: string; settings: Settings } | undefined;

/** Options by name in any case. */
export function parseSettings(options: Options | null, functionName: string): Settings {
  const given = options === null ? undefined : settingsOf.get(options);
  if (given !== undefined) return given;
  const entries = [...(options ?? [])].map(([k, v]) => [k.toLowerCase(), v] as const);
  const key = JSON.stringify(entries);
  if (lastOptions?.key === key) return lastOptions.settings;
  const o = new Map(entries);
  const yes = (name: string, otherwise = false): boolean =>
    (o.get(name)?.toLowerCase() ?? String(otherwise)) === "true";
  const mode = (o.get("mode") ?? "PERMISSIVE").toUpperCase();
  if (mode !== "PERMISSIVE" && mode !== "FAILFAST") {
    throw new MillraceError(
      "PARSE_MODE_UNSUPPORTED",
      `The function \`${functionName}\` doesn't support the ${mode} mode. Acceptable modes are PERMISSIVE and FAILFAST.`,
    );
  }
  const settings: Settings = {
    failFast: mode === "FAILFAST",
    corrupt: o.get("columnnameofcorruptrecord") ?? "_corrupt_record",
    dateFormat: o.get("dateformat"),
    timestampFormat: o.get("timestampformat"),
    timestampNtzFormat: o.get("timestampntzformat"),
    rules: {
      singleQuotes: yes("allowsinglequotes", true),
      unquotedNames: yes("allowunquotedfieldnames"),
      leadingZeros: yes("allownumericleadingzeros"),
      comments: yes("allowcomments"),
      notNumbers: yes("allownonnumericnumbers", true),
      anyEscape: yes("allowbackslashescapinganycharacter"),
      controlCharacters: yes("allowunquotedcontrolchars"),
    },
  };
  if (options !== null) settingsOf.set(options, settings);
  lastOptions = { key, settings };
  return settings;
}

let lastSchema: { text: string; type: DataType } | undefined;
export function schemaOf(text: string): DataType {
  if (lastSchema?.text !== text) lastSchema = { text, type: fromSparkJson(text) };
  return lastSchema.type;
}

class Unfit extends Error {}

const INTEGER_RANGE: Readonly<Record<string, readonly [bigint, bigint]>> = {
  byte: [-128n, 255n],
  short: [-32768n, 32767n],
  integer: [-2147483648n, 2147483647n],
  long: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** Micros since 1970 as text that DuckDB and Spark read, on the wall clock of UTC. */
export function isoOfMicros(micros: bigint, zone: string): string {
  const millis = micros / 1000n - (micros < 0n && micros % 1000n !== 0n ? 1n : 0n);
  const rest = micros - millis * 1000n;
  const iso = new Date(Number(millis)).toISOString();
  return `${iso.slice(0, -1)}${String(rest).padStart(3, "0")}${zone}`;
}

/** Text of a date or time in the form that SQL reads; undefined where it is none. */
export function timeText(value: string, type: DataType, s: Settings, zone: string): string | undefined {
  const format =
    type.kind === "date" ? s.dateFormat : type.kind === "timestamp" ? s.timestampFormat : s.timestampNtzFormat;
  if (format === undefined) {
    const day = /^[+-]?\d{4,7}(?:-\d{1,2}(?:-\d{1,2}(?:[T ].*)?)?)?$/.test(value.trim());
    return day ? value : undefined;
  }
  if (type.kind === "timestamp") {
    const micros = parseInstant(value, format, zone);
    return micros === undefined || micros === null ? undefined : isoOfMicros(micros, "Z");
  }
  const wall = parseJava(value, format)?.wallMicros;
  if (wall === undefined || wall === null) return undefined;
  return type.kind === "date" ? isoOfMicros(wall, "").slice(0, 10) : isoOfMicros(wall, "");
}

interface Context {
  readonly settings: Settings;
  readonly zone: string;
  bad: boolean;
}

/** JSON text of a node as a value of a type; throws Unfit where it is none. */
function convert(node: JsonNode, type: DataType, c: Context): string {
  if (node.kind === "literal" && node.value === null) return "null";
  const unfit = (): never => {
    throw new Unfit();
  };
  switch (type.kind) {
    case "string":
      return JSON.stringify(node.kind === "string" ? node.value : writeJson(node));
    case "byte":
    case "short":
    case "integer":
    case "long": {
      if (node.kind !== "number" || !/^-?\d+$/.test(node.text)) return unfit();
      const n = BigInt(node.text);
      const [low, high] = INTEGER_RANGE[type.kind]!;
      if (n < low || n > high) return unfit();
      // Jackson takes an unsigned byte too.
      return String(type.kind === "byte" ? BigInt.asIntN(8, n) : n);
    }
    case "float":
    case "double":
      if (node.kind === "number") {
        if (type.kind === "double" || Number.isFinite(Math.fround(Number(node.text)))) return node.text;
        return node.text.startsWith("-") ? '"-Infinity"' : '"Infinity"';
      }
      return node.kind === "string" && /^(?:NaN|[+-]?Infinity|[+-]INF)$/.test(node.value)
        ? JSON.stringify(node.value.replace("INF", "Infinity").replace("+", ""))
        : unfit();
    case "boolean":
      return node.kind === "literal" ? String(node.value) : unfit();
    case "decimal": {
      const text = node.kind === "number" ? node.text : node.kind === "string" ? node.value.replaceAll(",", "") : "";
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? JSON.stringify(text) : unfit();
    }
    case "date":
    case "timestamp":
    case "timestamp_ntz": {
      if (node.kind === "number" && type.kind === "timestamp" && /^-?\d{1,12}$/.test(node.text))
        return JSON.stringify(isoOfMicros(BigInt(node.text) * 1_000_000n, "Z"));
      const text = node.kind === "string" ? timeText(node.value, type, c.settings, c.zone) : undefined;
      return text === undefined ? unfit() : JSON.stringify(text);
    }
    case "binary":
      return node.kind === "string" ? JSON.stringify(node.value) : unfit();
    case "array":
      if (node.kind !== "array") return unfit();
      return `[${node.items.map((item) => convert(item, type.elementType, c)).join(",")}]`;
    case "map":
      if (node.kind !== "object") return unfit();
      return `{${[...node.entries].map(([k, v]) => `${JSON.stringify(k)}:${convert(v, type.valueType, c)}`).join(",")}}`;
    case "struct": {
      if (node.kind !== "object") return unfit();
      const fields = type.fields.map((f) => {
        const value = node.entries.get(f.name);
        return `${JSON.stringify(f.name)}:${value === undefined ? "null" : orNull(value, f.type, c)}`;
      });
      return `{${fields.join(",")}}`;
    }
    default:
      return unfit();
  }
}

function orNull(node: JsonNode, type: DataType, c: Context): string {
  try {
    return convert(node, type, c);
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    c.bad = true;
    return "null";
  }
}

export const malformedRecord = (text: string): MillraceError =>
  new MillraceError(
    "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION",
    `Malformed records are detected in record parsing: ${text}. Parse Mode: FAILFAST.`,
    { hint: "To process malformed records as null result, try setting the option 'mode' as 'PERMISSIVE'." },
  );

/** Longest piece of a bad record that is told. */
const SAMPLE = 200;

/**
 * For those who watch. Only what is no JSON: DuckDB itself makes a null of a value of another type, in the fast way, and nobody counts it.
 */
function tellBad(text: string): void {
  if (!hasListeners("record.bad")) return;
  publish("record.bad", { source: "from_json", reason: "It is no JSON.", sample: text.slice(0, SAMPLE) });
}

/** The record as JSON that DuckDB reads as Spark reads the text; null for no record. */
export const repairJson = nativeFunction(
  "from_json",
  (text: string | null, schema: string, options: Options | null, zone: string): string | null => {
    if (text === null) return null;
    const type = schemaOf(schema);
    const settings = parseSettings(options, "from_json");
    const node = readJson(text, settings.rules);
    if (node === undefined) return null;
    const c: Context = { settings, zone, bad: node === null };
    let result: string | undefined;
    if (type.kind === "struct") {
      const fits = node !== null && node.kind === "object";
      if (!fits) c.bad = true;
      result = fits ? convert(node, type, c) : "{}";
      if (c.bad && type.fields.some((f) => f.name === settings.corrupt)) {
        const last = result === "{}" ? "" : `${result.slice(1, -1)},`;
        // Of a name that is there twice the first counts in DuckDB.
        const rest = last.replace(new RegExp(`${escapeRegExp(JSON.stringify(settings.corrupt))}:null,?`), "");
        result = `{${rest}${JSON.stringify(settings.corrupt)}:${JSON.stringify(text)}}`;
      }
    } else if (node !== null) {
      const single = type.kind === "array" && type.elementType.kind === "struct" && node.kind === "object";
      const value = orNull(single ? { kind: "array", items: [node] } : node, type, c);
      result = value === "null" ? undefined : value;
    }
    if (c.bad && settings.failFast) throw malformedRecord(text);
    if (node === null) tellBad(text);
    return result ?? null;
  },
  { nulls: true },
);
