import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import type { JoinType, Relation, RelationNode } from "../plan/relation.ts";
import { relationInputs } from "../plan/walk.ts";
import { literal } from "./literal.ts";

/** Whether a plan has a streaming source. */
export function isStreaming(plan: Relation): boolean {
  return (plan.kind === "read" && plan.streaming) || relationInputs(plan).some(isStreaming);
}

const JOIN_TYPES: Readonly<Record<string, JoinType>> = {
  inner: "inner",
  cross: "cross",
  outer: "full_outer",
  full: "full_outer",
  fullouter: "full_outer",
  left: "left_outer",
  leftouter: "left_outer",
  right: "right_outer",
  rightouter: "right_outer",
  semi: "left_semi",
  leftsemi: "left_semi",
  anti: "left_anti",
  leftanti: "left_anti",
};

/** The plan's word for a join type as users write it. Throws INVALID_ARGUMENT. */
export function joinType(how: string): JoinType {
  const key = how.toLowerCase().replaceAll("_", "");
  const type = Object.hasOwn(JOIN_TYPES, key) ? JOIN_TYPES[key] : undefined;
  if (type) return type;
  throw new MillraceError("INVALID_ARGUMENT", `Unknown join type "${how}".`, {
    hint: "Use inner, left, right, full, semi, anti or cross.",
  });
}

/** One row of aggregates over all rows. */
export function aggregated(input: Relation, aggregates: readonly Expr[]): RelationNode {
  return { kind: "aggregate", input, group: "groupby", grouping: [], aggregates };
}

/** The number of rows, in the column `count`. */
export function counted(input: Relation): RelationNode {
  const child: Expr = { kind: "call", name: "count", args: [literal(1)] };
  return aggregated(input, [{ kind: "alias", child, name: "count" }]);
}

/** Some of the rows, by chance. Throws INVALID_ARGUMENT. */
export function sampled(
  input: Relation,
  fraction: number,
  options: { readonly seed?: number; readonly withReplacement?: boolean },
): RelationNode {
  const withReplacement = options.withReplacement ?? false;
  if (!(fraction >= 0 && (fraction <= 1 || withReplacement))) {
    throw new MillraceError("INVALID_ARGUMENT", `The fraction of sample must be from 0 to 1, got ${fraction}.`);
  }
  const seed = BigInt(options.seed ?? Math.floor(Math.random() * 2 ** 31));
  return { kind: "sample", input, lower: 0, upper: fraction, withReplacement, seed };
}
