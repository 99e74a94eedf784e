import type { ExplainMode } from "../backend.ts";
import { lookupConnector, redactOptions } from "../connectors/index.ts";
import { resolvedTree, writtenTree } from "../plan/explain.ts";
import type { Relation } from "../plan/relation.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { sqlName } from "../types/ddl.ts";
import { compileRelation, outputSelect } from "./compile.ts";

/** Text of a plan with Spark's sections; `extended` adds the plan as written and the SQL that DuckDB runs. */
export function explainPlan(
  written: Relation | undefined,
  plan: ResolvedRelation,
  mode: ExplainMode,
  ctx: { readonly timestampMs: number; readonly timeZone: string },
): string {
  const drawn = resolvedTree(plan, (format, options) => redactOptions(lookupConnector(format), options));
  const physical = `== Physical Plan ==\n${drawn}`;
  if (mode === "simple") return physical;
  const sections: string[] = [];
  if (written !== undefined) sections.push(`== Parsed Logical Plan ==\n${writtenTree(written)}`);
  const fields = plan.fields.map((f) => `${f.name}: ${sqlName(f.type).toLowerCase()}`).join(", ");
  sections.push(`== Analyzed Logical Plan ==\n${fields}\n${drawn}`, physical);
  sections.push(`== DuckDB SQL ==\n${sqlOf(plan, ctx)}\n`);
  return sections.join("\n");
}

function sqlOf(plan: ResolvedRelation, ctx: { readonly timestampMs: number; readonly timeZone: string }): string {
  let n = 0;
  const sql = compileRelation(plan, {
    ...ctx,
    // What is computed outside of SQL stands here by a name.
    leaf: (node) => {
      if (node.kind === "scan") return `${node.format}_${n++}`;
      if (node.kind === "map_rows" || node.kind === "transform_with_state") return `${node.kind}_${n++}`;
      return undefined;
    },
    udf: (fn, args) => `${fn.name}(${args.map((a) => a.sql).join(", ")})`,
  });
  return outputSelect(plan, sql);
}
