import { isIntegral } from "./coercion.ts";
import type { Expr } from "./expr.ts";

/** The number that an expression as written says, where SQL wants one before any analysis: `LIMIT 2 * 5`, the bounds of a frame. */
export function foldedNumber(e: Expr): number | undefined {
  if (e.kind === "literal" && isIntegral(e.type) && e.value !== null) return Number(e.value);
  if (e.kind === "cast") return foldedNumber(e.child);
  if (e.kind !== "call") return undefined;
  const [a, b] = e.args.map(foldedNumber);
  if (e.name === "negative" && a !== undefined) return -a;
  if (a === undefined || b === undefined) return undefined;
  return e.name === "+" ? a + b : e.name === "-" ? a - b : e.name === "*" ? a * b : undefined;
}
