import { MillraceError } from "../../errors.ts";
import { deepFreeze, parseSql } from "../parse.ts";
import type { Relation } from "../relation.ts";
import { clip, type SqlArgs } from "./context.ts";
import { queryPlan } from "./query.ts";

/**
 * The plan of a query in Spark's SQL. Throws PARSE_SYNTAX_ERROR with the position, UNSUPPORTED_FEATURE with the clause, or
 * UNBOUND_SQL_PARAMETER.
 */
export function parseQuery(text: string, args?: SqlArgs): Relation {
  const sql = text.replace(/;\s*$/, "");
  const statements = parsed(/^\s*table\s/i.test(sql) ? `SELECT * FROM ${sql.replace(/^\s*table\s/i, "")}` : sql);
  const query = statements[0]?.Query;
  if (query === undefined || statements.length !== 1) {
    throw new MillraceError(
      "PARSE_SYNTAX_ERROR",
      statements.length > 1 ? `"${clip(text)}" has ${statements.length} statements.` : `"${clip(text)}" is no query.`,
      { hint: statements.length > 1 ? "Give each to a spark.sql(...) of its own." : undefined },
    );
  }
  return deepFreeze(queryPlan(query, { text, args }, new Map()));
}

function parsed(sql: string): any[] {
  try {
    return parseSql(sql);
  } catch (error) {
    const trailing =
      error instanceof MillraceError && /found: (FROM|EOF)/.test(error.message) && /,\s*(from\b|$)/i.test(sql);
    if (!trailing) throw error;
    throw new MillraceError("TRAILING_COMMA_IN_SELECT", `A comma stands before FROM in "${clip(sql)}".`, {
      hint: "Remove the comma.",
      parameters: error.parameters,
    });
  }
}
