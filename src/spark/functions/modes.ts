import type { Expr } from "../../plan/expr.ts";
import type { Relation } from "../../plan/relation.ts";
import type { StructType } from "../../types/data-type.ts";
import { MODE_KEY } from "../../types/schema.ts";
import type { MapRows, SchemaOf } from "./shipper.ts";
import { type PlanNode, walk } from "./walk.ts";

export type UdfCall = Extract<Expr, { kind: "udf" }>;

/**
 * What the functions of a plan take, where a field says how its values stand in TypeScript (`t.long({ mode: "number" })`): Arrow does not
 * know, and only the server knows the plan's types. Empty for plans without such fields.
 */
export async function scriptInputs(plan: Relation, schemaOf: SchemaOf): Promise<Map<MapRows | UdfCall, StructType>> {
  const found = new Map<MapRows | UdfCall, StructType>();
  if (!hasModes(plan)) return found;
  const wanted: { readonly key: MapRows | UdfCall; readonly plan: Relation }[] = [];
  walk(plan, (node) => {
    if (node.kind === "map_rows") {
      const rows = node as unknown as MapRows;
      wanted.push({ key: rows, plan: rows.input });
    }
    for (const call of ownCalls(node)) {
      const exprs = call.args.map((child, i): Expr => ({ kind: "alias", child, name: `_${i}` }));
      const input = inputOf(node);
      if (input !== undefined) wanted.push({ key: call, plan: { kind: "project", input, exprs } });
    }
  });
  // From the inside out: an outer one's input may rest on an inner one.
  for (const { key, plan: part } of wanted.reverse()) found.set(key, await schemaOf(part));
  return found;
}

function hasModes(plan: Relation): boolean {
  let found = false;
  walk(plan, (node) => {
    if (MODE_KEY in node) found = true;
  });
  return found;
}

/** The relation whose columns an operator's expressions see. */
function inputOf(node: PlanNode): Relation | undefined {
  if (node.kind === "join") {
    const { left, right } = node as unknown as Extract<Relation, { kind: "join" }>;
    return { kind: "join", left, right, type: "cross" };
  }
  return node.input as Relation | undefined;
}

/** Calls of TypeScript functions in a relation's own expressions. */
function ownCalls(node: PlanNode): UdfCall[] {
  const calls: UdfCall[] = [];
  const { input: _, left: __, right: ___, plan: ____, ...own } = node;
  if (inputOf(node) === undefined) return calls;
  walk(own, (part) => {
    if (part.kind === "udf") calls.push(part as unknown as UdfCall);
  });
  return calls;
}
