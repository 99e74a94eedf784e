/** Any object of a plan: a relation, an expression, a type. */
export interface PlanNode {
  readonly kind?: string;
  readonly [key: string]: unknown;
}

/** Calls `visit` for every object of a plan but rows; a part that is used twice is visited once. */
export function walk(plan: object, visit: (node: PlanNode) => void): void {
  const seen = new Set<unknown>();
  const go = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (Array.isArray(value)) {
      for (const item of value) go(item);
      return;
    }
    if (Object.getPrototypeOf(value) !== Object.prototype) return;
    visit(value as PlanNode);
    for (const [key, child] of Object.entries(value)) if (key !== "rows") go(child);
  };
  go(plan);
}
