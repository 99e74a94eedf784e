import type { Relation } from "../../plan/relation.ts";
import type { ExpandedPlan } from "../expand.ts";

type Named = Extract<Relation, { kind: "named_table" | "sql" }>;

/** Views of all sessions of this process, `global_temp.name`. */
export const globalViews = new Map<string, Relation>();

/** A plan with what its names mean in their place: a view keeps the meaning that names had when it was made. */
export function bound(plan: Relation, { meaning }: ExpandedPlan): Relation {
  const done = new Map<object, unknown>();
  const bind = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value)) return value;
    if (value instanceof Map) return value;
    const before = done.get(value);
    if (before !== undefined) return before;
    const result = bindObject(value);
    done.set(value, result);
    return result;
  };
  const bindObject = (value: object): unknown => {
    const meant = meaning.get(value as Named);
    if (meant !== undefined) {
      const node = value as Named;
      const input = bind(meant) as Relation;
      if (node.kind === "sql") return node.planId === undefined ? input : { ...input, planId: node.planId };
      const alias = node.name
        .split(".")
        .at(-1)!
        .replace(/^`(.*)`$/, "$1");
      return { kind: "subquery_alias", input, alias, ...(node.planId !== undefined && { planId: node.planId }) };
    }
    const { kind } = value as { kind?: unknown };
    if (kind === "read" || kind === "local" || kind === "udf") return value;
    if (Array.isArray(value)) {
      const items = value.map(bind);
      return items.every((x, i) => x === value[i]) ? value : items;
    }
    const entries = Object.entries(value).map(([k, v]) => [k, bind(v)] as const);
    return entries.every(([k, v]) => v === (value as Record<string, unknown>)[k]) ? value : Object.fromEntries(entries);
  };
  return bind(plan) as Relation;
}
