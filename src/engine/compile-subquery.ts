import type { ResolvedExpr } from "../plan/resolved.ts";
import { compileRelation } from "./compile.ts";
import { bracket, type CompileContext, columnName, compileExpr } from "./compile-expr.ts";

/** A query in brackets. Columns of the query around it need no care: ids are unique in the whole plan. */
export function compileSubquery(expr: Extract<ResolvedExpr, { kind: "subquery" }>, ctx: CompileContext): string {
  const sql = compileRelation(expr.plan, ctx);
  switch (expr.subquery) {
    case "scalar":
      return `(${sql})`;
    case "exists":
      return `EXISTS (${sql})`;
    case "in": {
      const values = expr.values.map((v) => bracket(compileExpr(v, ctx)));
      if (values.length === 1) {
        const found = `(${values[0]} IN (${sql}))`;
        return expr.existence ? `coalesce(${found}, false)` : found;
      }
      // Compared column by column, as a row with a null in it may still be known to differ.
      const equal = values.map((v, i) => `${v} = ${columnName(expr.plan.fields[i]!.id)}`).join(" AND ");
      if (expr.existence) return `(SELECT coalesce(bool_or(${equal}), false) FROM (${sql}))`;
      const found = `coalesce(bool_or(${equal}), false) OR (CASE WHEN count(*) FILTER (WHERE (${equal}) IS NULL) > 0 THEN NULL ELSE false END)`;
      return `(SELECT ${found} FROM (${sql}))`;
    }
  }
}
