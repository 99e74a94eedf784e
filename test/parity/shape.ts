import { catalog, functions } from "../../src/functions/index.ts";
import { analyze } from "../../src/plan/analyze.ts";
import { parseExpression } from "../../src/plan/parse.ts";
import type { Relation } from "../../src/plan/relation.ts";
import { argumentOf } from "../../src/plan/resolve-call.ts";
import type { FunctionSignature, ResolvedExpr, ResolvedRelation } from "../../src/plan/resolved.ts";
import { walkExpr, walkResolved } from "../../src/plan/walk.ts";
import type { StructType } from "../../src/types/data-type.ts";

/** How an expression may be evaluated beside others. */
export type Shape = "scalar" | "aggregate" | "alone";

/** What kind of expression a text is; what we cannot parse stands alone. */
export function shapeOf(sql: string): Shape {
  let shape: Shape = "scalar";
  const walk = (node: unknown): void => {
    if (typeof node !== "object" || node === null || shape === "alone") return;
    const e = node as { kind?: string; name?: string; args?: unknown; partitionBy?: unknown; child?: unknown };
    if (e.kind === "star") {
      shape = "alone";
      return;
    }
    if (e.kind === "window") {
      walk(e.partitionBy);
      return;
    }
    if (e.kind === "call") {
      const kind = (catalog.lookup(e.name!) as FunctionSignature | undefined)?.kind;
      if (kind === undefined || kind === "generator") {
        shape = "alone";
        return;
      }
      if (kind === "aggregate") {
        // `count(*)` has a star that is none.
        shape = "aggregate";
        return;
      }
    }
    for (const child of Object.values(node)) walk(child);
  };
  try {
    walk(parseExpression(sql));
  } catch {
    return "alone";
  }
  return shape;
}

/** Reasons of the function table why the engines differ on an expression: those of its calls whose arguments are concerned. */
export function listedDifferences(sql: string, schema: StructType): string[] {
  try {
    const input: Relation = { kind: "local", schema, rows: [] };
    const plan = analyze(
      { kind: "project", input, exprs: [parseExpression(sql)] },
      { catalog, conf: {}, scanSchema: () => schema },
    );
    return differencesOf(plan);
  } catch {
    return [];
  }
}

export function differencesOf(plan: ResolvedRelation): string[] {
  const reasons = new Set<string>();
  for (const node of walkResolved(plan)) {
    for (const e of expressionsOf(node)) {
      for (const part of walkExpr(e)) {
        if (part.kind !== "call") continue;
        for (const d of functions.get(part.name)?.differences ?? []) {
          if (d.when === undefined || d.when(part.args.map(argumentOf))) reasons.add(`${part.name}: ${d.reason}`);
        }
      }
    }
  }
  return [...reasons];
}

function expressionsOf(node: ResolvedRelation): ResolvedExpr[] {
  switch (node.kind) {
    case "project":
      return node.exprs.map((e) => e.expr);
    case "filter":
      return [node.condition];
    case "aggregate":
      return [...node.keys, ...node.calls].map((e) => e.expr);
    case "generate":
      return [node.generator];
    case "sort":
      return node.order.map((k) => k.expr);
    case "join":
      return node.condition ? [node.condition] : [];
    default:
      return [];
  }
}
