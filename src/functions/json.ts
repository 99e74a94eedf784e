import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { parseDdl, parseType } from "../types/ddl.ts";
import { fromSparkJson } from "../types/struct-json.ts";
import { type FunctionDef, family } from "./define.ts";
import { duckdbType, quoteIdentifier, quoteString } from "./duckdb-type.ts";
import { any, literalString, opt, string } from "./params.ts";

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

/** A type as DuckDB's json_transform wants it. */
function structure(type: DataType): unknown {
  switch (type.kind) {
    case "struct":
      return Object.fromEntries(type.fields.map((f) => [f.name, structure(f.type)]));
    case "array":
      return [structure(type.elementType)];
    default:
      return duckdbType(type);
  }
}

export const jsonFunctions: readonly FunctionDef[] = [
  fn(
    "from_json",
    [string, literalString, opt(any)],
    (_, args) => schemaLiteral(args[1]),
    ["from_json('{\"a\":1, \"b\":0.8}', 'a INT, b DOUBLE')", { a: 1, b: 0.8 }],
    ([text], { result }) => {
      const parsed = `TRY(from_json(${text}, ${quoteString(JSON.stringify(structure(result)))}))`;
      if (result.kind !== "struct") return parsed;
      // PERMISSIVE: of a malformed record all fields are null, the struct is not; no text gives no struct.
      const nulls = result.fields.map((f) => `${quoteIdentifier(f.name)} := CAST(NULL AS ${duckdbType(f.type)})`);
      return `ifnull(${parsed}, CASE WHEN ${text} <> '' THEN struct_pack(${nulls.join(", ")}) END)`;
    },
    { nullable: "always" },
  ),
];
