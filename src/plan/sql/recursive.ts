import type { Relation } from "../relation.ts";
import { type Ast, type Ctes, notTaken, type SqlContext } from "./context.ts";

/** A named query of WITH RECURSIVE that names itself; undefined where it does not. */
export function recursiveCte(
  context: SqlContext,
  name: string,
  _columns: readonly string[],
  query: Ast,
  _ctes: Ctes,
): Relation | undefined {
  if (!mentions(query, name.toLowerCase())) return undefined;
  throw notTaken(context, "WITH RECURSIVE", "Build the rows with sequence(...) and explode, or in a loop over unions.");
}

/** Whether a table of that name stands in a tree. */
function mentions(ast: Ast, name: string): boolean {
  if (typeof ast !== "object" || ast === null) return false;
  const table = ast.Table?.name;
  if (Array.isArray(table) && table.length === 1 && table[0]?.Identifier?.value.toLowerCase() === name) return true;
  return Object.values(ast).some((child) => mentions(child, name));
}
