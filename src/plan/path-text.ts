import { nameParts } from "./names.ts";
import type { ResolvedExpr } from "./resolved.ts";

/** A column, or what a dotted name led to in it, as Spark prints it inside an expression: `s.field`, `m[key]`. */
export function pathText(name: string, resolved: ResolvedExpr): string {
  const parts = nameParts(name);
  // From the last part back to the column.
  const keys: boolean[] = [];
  for (let e: ResolvedExpr | undefined = resolved; e !== undefined; ) {
    if (e.kind === "get_field" || e.kind === "get_item") {
      keys.unshift(e.kind === "get_item");
      e = e.child;
    } else if (e.kind === "call" && e.name === "transform") {
      keys.unshift(false);
      e = e.args[0];
    } else break;
  }
  const [column, ...path] = parts.slice(Math.max(0, parts.length - 1 - keys.length));
  return path.reduce((text, part, i) => (keys[i] ? `${text}[${part}]` : `${text}.${part}`), column!);
}
