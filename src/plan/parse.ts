import { MillraceError } from "../errors.ts";
import type { StructType } from "../types/data-type.ts";
import { parseDdl } from "../types/ddl.ts";
import { structFromSparkJson } from "../types/struct-json.ts";
import type { Expr } from "./expr.ts";

/** Parses an expression in Spark's SQL grammar. Throws PARSE_SYNTAX_ERROR with the position. */
export function parseExpression(text: string): Expr {
  throw new MillraceError("PARSE_SYNTAX_ERROR", `Cannot parse "${text}".`);
}

/** A schema from DDL text or Spark's JSON form. Throws PARSE_SYNTAX_ERROR or INVALID_SCHEMA. */
export function parseSchemaOrDdl(text: string): StructType {
  return /^\s*\{/.test(text) ? structFromSparkJson(text) : parseDdl(text);
}
