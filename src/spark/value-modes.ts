import type { Conf } from "../backend.ts";
import { catalog } from "../functions/index.ts";
import { analyze, schemaOf } from "../plan/analyze.ts";
import { sameType } from "../plan/coercion.ts";
import type { Relation } from "../plan/relation.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { relationInputs, relationSubqueries } from "../plan/walk.ts";
import type { StructType } from "../types/data-type.ts";

/**
 * Our own analysis of a plan, with the schemas of what it reads from the server. Undefined where only Spark knows what the plan means: a function
 * of the server's own, say; what is wrong with the plan it says itself.
 */
export async function analysedPlan(
  plan: Relation,
  conf: Conf,
  schemaOnServer: (leaf: Relation) => Promise<StructType>,
): Promise<ResolvedRelation | undefined> {
  const schemas = new Map<Relation, StructType>();
  const pending = [plan];
  while (pending.length > 0) {
    const node = pending.pop()!;
    if (node.kind === "read" || node.kind === "named_table" || node.kind === "sql") {
      if (!schemas.has(node)) schemas.set(node, await schemaOnServer(node));
    } else pending.push(...relationInputs(node));
    pending.push(...relationSubqueries(node));
  }
  try {
    return analyze(plan, {
      catalog,
      conf,
      scanSchema: (read) => schemas.get(read)!,
      expand: (node) => ({ kind: "local", schema: schemas.get(node)!, rows: [] }),
    });
  } catch {
    return undefined;
  }
}

/**
 * The schema of a plan whose values stand in TypeScript in the fields' own forms. The forms travel as metadata of columns, which
 * Spark drops where an expression makes a new column, as `max("n")`; our own analysis keeps it. Undefined as of `analysedPlan`.
 */
export async function analysedModes(
  plan: Relation,
  conf: Conf,
  schemaOnServer: (leaf: Relation) => Promise<StructType>,
): Promise<StructType | undefined> {
  const resolved = await analysedPlan(plan, conf, schemaOnServer);
  return resolved && schemaOf(resolved);
}

/** The server's schema with the forms of our analysis, column by column where both agree on the type. */
export function withModes(schema: StructType, analysed: StructType | undefined): StructType {
  if (analysed === undefined || analysed.fields.length !== schema.fields.length) return schema;
  return {
    kind: "struct",
    fields: schema.fields.map((f, i) => {
      const own = analysed.fields[i]!;
      if (!sameType(own.type, f.type)) return f;
      return { ...f, type: own.type, ...(own.metadata && { metadata: { ...f.metadata, ...own.metadata } }) };
    }),
  };
}
