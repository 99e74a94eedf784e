import type { ViewColumn } from "../observe/api-views.ts";
import type { DataType, StructField } from "../types/data-type.ts";
import { intervalFields } from "../types/interval-type.ts";
import { valueMode } from "../types/schema.ts";

/** A field as readers of a view are told of it. */
export function columnOf(field: StructField): ViewColumn {
  const mode = valueMode(field);
  return { name: field.name, type: simpleName(field.type), ...(mode && { mode }) };
}

/** Spark's simple name of a type: `bigint`, `array<string>`, `struct<a:int>`. */
export function simpleName(type: DataType): string {
  switch (type.kind) {
    case "null":
      return "void";
    case "byte":
      return "tinyint";
    case "short":
      return "smallint";
    case "integer":
      return "int";
    case "long":
      return "bigint";
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "array":
      return `array<${simpleName(type.elementType)}>`;
    case "map":
      return `map<${simpleName(type.keyType)},${simpleName(type.valueType)}>`;
    case "struct":
      return `struct<${type.fields.map((f) => `${f.name}:${simpleName(f.type)}`).join(",")}>`;
    case "interval_day_time":
    case "interval_year_month":
      return `interval ${intervalFields(type).toLowerCase()}`;
    default:
      return type.kind;
  }
}

/** Reads a value as the cache's sink writes it, text, into the value as it travels. */
export type ReadText = (text: string) => unknown;

/** How the text of a field becomes a value that travels; what the text cannot be, is null. */
export function textReader(field: StructField): ReadText {
  const nested = nestedReader(field.type, valueMode(field) === "number");
  const { type } = field;
  switch (type.kind) {
    case "array":
    case "map":
    case "struct":
      return (text) => nested(parseExactly(text));
    default:
      return nested;
  }
}

/** How a value of parsed JSON, whose numbers are `ExactNumber`s where they would not be exact, becomes a value that travels. */
export function nestedReader(type: DataType, longAsNumber: boolean): (value: unknown) => unknown {
  const notNull = ((): ((value: any) => unknown) => {
    switch (type.kind) {
      case "boolean":
        return (value) => value === true || value === "true";
      case "byte":
      case "short":
      case "integer":
        return (value) => number(String(value));
      case "long":
        return longAsNumber ? (value) => number(String(value)) : (value) => whole(String(value));
      case "float":
      case "double":
        return (value) => double(String(value));
      case "decimal":
        return (value) => decimal(String(value), type.scale);
      case "timestamp":
        return (value) => instant(String(value));
      case "timestamp_ntz":
        return (value) => wallClock(String(value));
      case "date":
        return (value) => String(value).slice(0, 10);
      case "array": {
        const element = nestedReader(type.elementType, longAsNumber);
        return (value) => (Array.isArray(value) ? value.map(element) : null);
      }
      case "map": {
        const element = nestedReader(type.valueType, longAsNumber);
        return (value) =>
          typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, element(v)])) : null;
      }
      case "struct": {
        const fields = type.fields.map((f) => [f.name, nestedReader(f.type, longAsNumber)] as const);
        return (value) =>
          typeof value === "object"
            ? Object.fromEntries(fields.map(([name, read]) => [name, read(value[name])]))
            : null;
      }
      case "interval_year_month":
        return (value) => number(String(value));
      case "interval_day_time":
        return (value) => microseconds(String(value));
      default:
        return (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
    }
  })();
  return (value) => (value === null || value === undefined ? null : notNull(value));
}

/** The digits of a number that a JavaScript number would not hold. */
class ExactNumber {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  toString(): string {
    return this.#text;
  }
  toJSON(): string {
    return this.#text;
  }
}

/** JSON with numbers as they were written; undefined for what is none. https://github.com/tc39/proposal-json-parse-with-source */
export function parseExactly(text: string): unknown {
  const reviver = (_: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? new ExactNumber(context.source)
      : value;
  try {
    return JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
  } catch {
    return undefined;
  }
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
const number = (text: string): number | null => (text.trim() === "" ? null : finite(Number(text)));
const whole = (text: string): string | null => (/^-?\d+$/.test(text) ? text : null);

function double(text: string): number | string | null {
  const name = { nan: "NaN", inf: "Infinity", "-inf": "-Infinity", infinity: "Infinity", "-infinity": "-Infinity" }[
    text.toLowerCase()
  ];
  if (name !== undefined) return name;
  return text === "" ? null : finite(Number(text));
}

function decimal(text: string, scale: number): string | null {
  if (!/^-?\d+(\.\d+)?$/.test(text)) return null;
  const [integer, fraction = ""] = text.split(".");
  return scale === 0 ? integer! : `${integer}.${fraction.padEnd(scale, "0")}`;
}

/** `2026-01-01T05:00:00.120000Z` and `2026-01-01 05:00:00.12+00` become `2026-01-01T05:00:00.12Z`. */
export function instant(text: string): string {
  return `${wallClock(text.replace(/(?:Z|\+00(?::?00)?)$/, ""))}Z`;
}
export function wallClock(text: string): string {
  const dated = text.replace(" ", "T");
  return dated.includes(".") ? dated.replace(/\.?0+$/, "") : dated;
}

/** `3 days -04:05:06.7`, an interval as the engine writes it, in microseconds. */
function microseconds(text: string): string | null {
  const match = /^(?:(-?\d+) days?)? ?(?:(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/.exec(text);
  if (match === null || text === "") return null;
  const [, days = "0", sign = "", hours = "0", minutes = "0", seconds = "0", fraction = ""] = match;
  const time = (BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(seconds);
  const micros = time * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
  return String(BigInt(days) * 86_400_000_000n + (sign === "-" ? -micros : micros));
}

/** Writes rows as JSON: the names once, the values one by one. */
export function rowWriter(names: readonly string[]): (values: readonly unknown[]) => string {
  const heads = names.map((name, i) => `${i === 0 ? "{" : ","}${JSON.stringify(name)}:`);
  return (values) => {
    let text = "";
    for (let i = 0; i < heads.length; i++) {
      const value = values[i];
      text +=
        heads[i]! +
        (value === null || value === undefined
          ? "null"
          : typeof value === "number" || typeof value === "boolean"
            ? value
            : JSON.stringify(value));
    }
    return heads.length === 0 ? "{}" : `${text}}`;
  };
}
