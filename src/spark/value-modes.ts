import type { Conf } from "../backend.ts";
import { catalog } from "../functions/index.ts";
import { analyze, schemaOf } from "../plan/analyze.ts";
import { sameType } from "../plan/coercion.ts";
import type { Relation } from "../plan/relation.ts";
import { relationInputs, relationSubqueries } from "../plan/walk.ts";
import type { StructType } from "../types/data-type.ts";

/**
 * Our own analysis of a plan whose values stand in TypeScript in the fields' own forms. The forms travel as metadata of columns, which
 * Spark drops where an expression makes a new column, as `max("n")`; ours keeps it. Undefined where only Spark knows what the plan means.
 */
export async function analysedModes(
  plan: Relation,
  conf: Conf,
  schemaOnServer: (leaf: Relation) => Promise<StructType>,
): Promise<StructType | undefined> {
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
    const resolved = analyze(plan, {
      catalog,
      conf,
      scanSchema: (read) => schemas.get(read)!,
      expand: (node) => ({ kind: "local", schema: schemas.get(node)!, rows: [] }),
    });
    return schemaOf(resolved);
  } catch {
    // A function of the server's own, say: the server's metadata then has to do, and what is wrong with the plan it says itself.
    return undefined;
  }
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
