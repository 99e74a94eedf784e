import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { parseDdl, parseType } from "../types/ddl.ts";
import { quoteIdentifier, refuseSameNames, sqlString, sqlType } from "../types/duckdb-types.ts";
import { fromSparkJson } from "../types/struct-json.ts";
import { tried } from "./define.ts";

/** Options of a reader or writer. */
export const OPTIONS: DataType = {
  kind: "map",
  keyType: { kind: "string" },
  valueType: { kind: "string" },
  valueContainsNull: true,
};

/** The type that a schema literal names: DDL, or Spark's JSON form as the DataFrame API sends it. */
export function schemaLiteral(name: string, arg: ArgumentType | undefined): DataType {
  const text = arg?.literal;
  if (typeof text !== "string") {
    throw new MillraceError(
      "INVALID_SCHEMA.NON_STRING_LITERAL",
      `The input schema of \`${name}\` is not a string literal and not supported.`,
      {
        hint: 'Give schema({...}) or DDL text such as "a INT, b STRING".',
      },
    );
  }
  if (/^\s*[{"]/.test(text)) return nullable(fromSparkJson(text));
  try {
    return nullable(parseDdl(text));
  } catch (error) {
    // from_json also takes a bare type, as in from_json(x, 'array<int>').
    try {
      return nullable(parseType(text));
    } catch {
      throw error;
    }
  }
}

/** Why structs of such fields are refused. */
export const SAME_NAMES =
  "A struct whose fields have one name, or names that differ in their case only, is refused: DuckDB knows them in any case.";

/** Whether two fields of a struct have one name but for its case. */
export function hasSameNames(type: DataType): boolean {
  if (type.kind === "array") return hasSameNames(type.elementType);
  if (type.kind === "map") return hasSameNames(type.valueType);
  if (type.kind !== "struct") return false;
  return sameNames(type.fields.map((f) => f.name)) || type.fields.some((f) => hasSameNames(f.type));
}

export const sameNames = (names: readonly string[]): boolean =>
  new Set(names.map((name) => name.toLowerCase())).size < names.length;

/** What is read from text may always be missing. */
export function nullable(type: DataType): DataType {
  switch (type.kind) {
    case "struct":
      return { kind: "struct", fields: type.fields.map((f) => ({ ...f, type: nullable(f.type), nullable: true })) };
    case "array":
      return { kind: "array", elementType: nullable(type.elementType), containsNull: true };
    case "map":
      return { kind: "map", keyType: type.keyType, valueType: nullable(type.valueType), valueContainsNull: true };
    default:
      return type;
  }
}

/** How DuckDB reads a type from JSON, and what is left to do to its value to get Spark's. */
interface Reading {
  /** For json_transform. */
  readonly structure: unknown;
  readonly fix?: (x: string) => string;
}

function reading(type: DataType, utc: boolean): Reading {
  switch (type.kind) {
    case "struct": {
      const fields = type.fields.map((f) => ({ name: f.name, ...reading(f.type, utc) }));
      const structure = Object.fromEntries(fields.map((f) => [f.name, f.structure]));
      if (fields.every((f) => f.fix === undefined)) return { structure };
      return { structure, fix: (x) => `CASE WHEN ${x} IS NOT NULL THEN ${rebuilt(fields, x)} END` };
    }
    case "array": {
      const { structure, fix } = reading(type.elementType, utc);
      if (fix === undefined) return { structure: [structure] };
      return { structure: [structure], fix: (x) => `list_transform(${x}, lambda e: ${fix("e")})` };
    }
    case "decimal":
      // Text is rounded half up; DuckDB would go through a double.
      return { structure: "VARCHAR", fix: (x) => `TRY_CAST(replace(${x}, ',', '') AS ${sqlType(type)})` };
    case "timestamp":
      // json_transform reads a time without zone as UTC; a cast reads it in the session's zone, but takes longer.
      if (!utc) return { structure: "VARCHAR", fix: (x) => finite(`TRY_CAST(trim(${x}) AS TIMESTAMP WITH TIME ZONE)`) };
      return { structure: sqlType(type), fix: finite };
    case "timestamp_ntz":
      return {
        structure: "VARCHAR",
        fix: (x) => finite(`CASE WHEN NOT regexp_matches(${x}, 'Z$|:.*[+-]') THEN TRY_CAST(${x} AS TIMESTAMP) END`),
      };
    case "date":
      return { structure: sqlType(type), fix: finite };
    case "binary":
      return { structure: "VARCHAR", fix: (x) => `TRY(from_base64(${x}))` };
    default:
      return { structure: sqlType(type) };
  }
}

/** DuckDB knows an infinite time, Spark does not. */
const finite = (x: string): string => `CASE WHEN isfinite(${x}) THEN ${x} END`;

const hasTimestamp = (type: DataType): boolean =>
  type.kind === "timestamp" ||
  (type.kind === "struct" && type.fields.some((f) => hasTimestamp(f.type))) ||
  (type.kind === "array" && hasTimestamp(type.elementType));

function rebuilt(fields: readonly (Reading & { readonly name: string })[], x: string): string {
  const items = fields.map((f) => {
    const value = `${x}.${quoteIdentifier(f.name)}`;
    return `${quoteIdentifier(f.name)} := ${f.fix ? f.fix(value) : value}`;
  });
  return `struct_pack(${items.join(", ")})`;
}

/** Texts (RE2) that DuckDB would take for a value of the type, and Spark would not. */
const UNLIKE: Readonly<Record<string, string>> = {
  byte: '["tf]|-?[0-9]+[.eE]|-?[0-9]{3}',
  short: '["tf]|-?[0-9]+[.eE]',
  integer: '["tf]|-?[0-9]+[.eE]',
  long: '["tf]|-?[0-9]+[.eE]',
  float: '["tf]|-?[0-9.]+[eE]|-?[0-9]{30}',
  double: '["tf]',
  decimal: "[tf]",
  boolean: '["0-9-]',
  timestamp: "[0-9-]",
  struct: '["tf0-9-]|\\[',
};

/**
 * A pattern that finds a record which DuckDB may read otherwise than Spark: a number in quotes, a fraction for a whole number, a number
 * for a struct. It may find too much, as such a record is only read the long way; one pass over the text is cheap beside parsing it.
 */
function suspicious(type: DataType): string {
  const byPattern = new Map<string, Set<string>>();
  const others: string[] = [];
  const add = (pattern: string, name: string): void => {
    const names = byPattern.get(pattern) ?? new Set<string>();
    byPattern.set(pattern, names.add(name.replace(/[^A-Za-z0-9_]/g, (c) => `\\x{${c.codePointAt(0)!.toString(16)}}`)));
  };
  const walk = (t: DataType, name: string | undefined): void => {
    if (t.kind === "struct") {
      if (name !== undefined) add(UNLIKE.struct!, name);
      for (const f of t.fields) walk(f.type, f.name);
    } else if (t.kind === "array" || t.kind === "map") {
      const inner = t.kind === "array" ? t.elementType : t.valueType;
      const unlike = UNLIKE[inner.kind];
      if (inner.kind === "struct" || inner.kind === "array" || inner.kind === "map") walk(inner, undefined);
      else if (unlike !== undefined) {
        const value = `\\s*(?:${unlike}|-?[0-9]{10})`;
        if (name === undefined) others.push(`${t.kind === "array" ? "[\\[,]" : ":"}${value}`);
        else add(t.kind === "array" ? `\\[(?:[^\\]]*,)?${value}` : `\\{[^}]*:${value}`, name);
      }
    } else if (name !== undefined && UNLIKE[t.kind] !== undefined) add(UNLIKE[t.kind]!, name);
  };
  walk(type, undefined);
  // One quote in front of all lets RE2 skip to the next one.
  const named = [...byPattern].map(([pattern, names]) => `(?:${[...names].join("|")})"\\s*:\\s*(?:${pattern})`);
  return [...(named.length > 0 ? [`"(?:${named.join("|")})`] : []), ...others].join("|");
}

export interface Source {
  readonly text: string;
  /** SQL of the record as JSON that DuckDB reads as Spark reads the text. */
  readonly repaired: string;
  /** Every record goes that way. */
  readonly always: boolean;
}

/**
 * The fast way is DuckDB's parser; what it cannot read, and everything where options are given, is brought into its form in TypeScript
 * first. The values are put right inside a lambda, so that the text is parsed once.
 */
export function fromJson(source: Source, type: DataType): string {
  refuseSameNames(type);
  if (!hasTimestamp(type)) return parsed(source, type, true);
  // The setting is a constant of the connection: one branch is left when the query is planned.
  return `CASE WHEN current_setting('TimeZone') IN ('UTC', 'Etc/UTC') THEN ${parsed(source, type, true)} ELSE ${parsed(source, type, false)} END`;
}

function parsed({ text, repaired, always }: Source, type: DataType, utc: boolean): string {
  const { structure, fix } = reading(type, utc);
  const shape = sqlString(JSON.stringify(structure));
  const exact = `from_json(${repaired}, ${shape})`;
  const pattern = suspicious(type);
  const read = tried(text, (x) => `from_json(${x}, ${shape})`);
  const fast = pattern === "" ? read : `CASE WHEN NOT regexp_matches(${text}, ${sqlString(pattern)}) THEN ${read} END`;
  const json = always ? exact : `coalesce(${fast}, ${exact})`;
  if (fix === undefined) return json;
  return `list_transform([${json}], lambda j: ${fix("j")})[1]`;
}
