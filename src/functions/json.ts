import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { parseDdl, parseType } from "../types/ddl.ts";
import { quoteIdentifier, sqlString, sqlType } from "../types/duckdb-types.ts";
import { fromSparkJson } from "../types/struct-json.ts";
import { type FunctionDef, family } from "./define.ts";
import { any, INT, literalString, opt, STRING, string } from "./params.ts";

const fn = family("json");

/** The type that a schema literal names: DDL, or Spark's JSON form as the DataFrame API sends it. */
function schemaLiteral(arg: ArgumentType | undefined): DataType {
  const text = arg?.literal;
  if (typeof text !== "string") {
    throw new MillraceError("INVALID_SCHEMA", "The schema of from_json must be a literal.", {
      hint: 'Give schema({...}) or DDL text such as "a INT, b STRING".',
    });
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

/** What is read from text may always be missing. */
function nullable(type: DataType): DataType {
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
    // A fraction does not fit a whole number: null, where DuckDB would round.
    case "byte":
    case "short":
    case "integer":
      return {
        structure: "DOUBLE",
        fix: (x) => `CASE WHEN ${x} = trunc(${x}) THEN TRY_CAST(${x} AS ${sqlType(type)}) END`,
      };
    case "long":
      return {
        structure: "VARCHAR",
        fix: (x) => `CASE WHEN regexp_full_match(${x}, '-?[0-9]+') THEN TRY_CAST(${x} AS BIGINT) END`,
      };
    case "boolean":
      return { structure: "VARCHAR", fix: (x) => `CASE ${x} WHEN 'true' THEN true WHEN 'false' THEN false END` };
    case "timestamp":
      // json_transform reads a time without zone as UTC; a cast reads it in the session's zone, but takes longer.
      if (!utc) return { structure: "VARCHAR", fix: (x) => finite(`TRY_CAST(trim(${x}) AS TIMESTAMP WITH TIME ZONE)`) };
      return { structure: sqlType(type), fix: finite };
    case "timestamp_ntz":
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

/**
 * Spark's PERMISSIVE mode. TRY keeps malformed text from stopping the query and costs nothing on good text; the values are put
 * right inside a lambda, so that the text is parsed once.
 */
function fromJson(text: string, type: DataType): string {
  if (!hasTimestamp(type)) return parsed(text, type, true);
  // The setting is a constant of the connection: one branch is left when the query is planned.
  return `CASE WHEN current_setting('TimeZone') IN ('UTC', 'Etc/UTC') THEN ${parsed(text, type, true)} ELSE ${parsed(text, type, false)} END`;
}

function parsed(text: string, type: DataType, utc: boolean): string {
  const { structure, fix } = reading(type, utc);
  const json = `TRY(from_json(${text}, ${sqlString(JSON.stringify(structure))}))`;
  if (type.kind !== "struct") {
    return fix ? `list_transform([${json}], lambda j: ${fix("j")})[1]` : json;
  }
  const fields = type.fields.map((f) => ({ name: f.name, ...reading(f.type, utc) }));
  // As in Spark, no text at all is no record: null, not a record of nulls.
  return `CASE WHEN ${text} <> '' THEN list_transform([${json}], lambda j: ${rebuilt(fields, "j")})[1] END`;
}

export const jsonFunctions: readonly FunctionDef[] = [
  fn(
    "from_json",
    [string, literalString, opt(any)],
    (_, args) => schemaLiteral(args[1]),
    [`from_json('{"a":1, "b":0.8}', 'a INT, b DOUBLE')`, { a: 1, b: 0.8 }],
    ([text], { result }) => fromJson(text!, result),
    { nullable: "always" },
  ),
  // Null fields are left out, as in Spark.
  fn(
    "to_json",
    [any, opt(any)],
    STRING,
    ["to_json(named_struct('a', 1, 'b', 2))", '{"a":1,"b":2}'],
    ([x], { args: [t] }) => toJson(x!, t!),
  ),
  fn(
    "get_json_object",
    [string, string],
    STRING,
    [`get_json_object('{"a":"b"}', '$.a')`, "b"],
    ([j, p]) => `TRY(json_extract_string(${j}, ${p}))`,
    { nullable: "always" },
  ),
  fn(
    "json_array_length",
    [string],
    INT,
    ["json_array_length('[1,2,3,4]')", 4],
    ([j]) => `CASE WHEN TRY(json_type(${j})) = 'ARRAY' THEN CAST(json_array_length(${j}) AS INTEGER) END`,
    { nullable: "always" },
  ),
  fn(
    "json_object_keys",
    [string],
    { kind: "array", elementType: STRING, containsNull: true },
    [`json_object_keys('{"key": "value"}')`, ["key"]],
    ([j]) => `CASE WHEN TRY(json_type(${j})) = 'OBJECT' THEN json_keys(${j}) END`,
    { nullable: "always" },
  ),
];

/** JSON text with Spark's forms of values. */
function toJson(x: string, type: DataType): string {
  // Fields that are null are left out: an object is built by merging, which drops nulls.
  return `CASE WHEN ${x} IS NOT NULL THEN CAST(${jsonValue(x, type)} AS VARCHAR) END`;
}

function jsonValue(x: string, type: DataType, depth = 0): string {
  switch (type.kind) {
    case "struct": {
      const parts = type.fields.map((f) => {
        const v = `struct_extract(${x}, ${sqlString(f.name)})`;
        return `CASE WHEN ${v} IS NOT NULL THEN CAST(to_json(${sqlString(f.name)}) AS VARCHAR) || ':' || CAST(${jsonValue(v, f.type, depth)} AS VARCHAR) END`;
      });
      return parts.length === 0 ? `'{}'` : `('{' || concat_ws(',', ${parts.join(", ")}) || '}')`;
    }
    case "array": {
      const e = `e${depth}`;
      return `('[' || array_to_string(list_transform(${x}, lambda ${e}: coalesce(CAST(${jsonValue(e, type.elementType, depth + 1)} AS VARCHAR), 'null')), ',') || ']')`;
    }
    case "map": {
      const e = `e${depth}`;
      const value = `coalesce(CAST(${jsonValue(`${e}.value`, type.valueType, depth + 1)} AS VARCHAR), 'null')`;
      return `('{' || array_to_string(list_transform(map_entries(${x}), lambda ${e}: CAST(to_json(CAST(${e}.key AS VARCHAR)) AS VARCHAR) || ':' || ${value}), ',') || '}')`;
    }
    case "timestamp": {
      const offset = `date_part('timezone', ${x})`;
      const zone = `CASE WHEN ${offset} = 0 THEN 'Z' ELSE printf('%s%02d:%02d', CASE WHEN ${offset} < 0 THEN '-' ELSE '+' END, CAST(abs(${offset}) // 3600 AS INTEGER), CAST(abs(${offset}) // 60 % 60 AS INTEGER)) END`;
      return `to_json(strftime(${x}, '%Y-%m-%dT%H:%M:%S.%g') || ${zone})`;
    }
    case "timestamp_ntz":
      return `to_json(strftime(${x}, '%Y-%m-%dT%H:%M:%S.%g'))`;
    case "binary":
      return `to_json(to_base64(${x}))`;
    case "decimal":
      return `CAST(${x} AS VARCHAR)`;
    default:
      return `to_json(${x})`;
  }
}
