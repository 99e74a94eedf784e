import { MillraceError } from "../errors.ts";
import type { JoinType, Relation } from "../plan/relation.ts";
import { relationInputs } from "../plan/walk.ts";

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
