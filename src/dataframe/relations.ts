import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import type { JoinType, Relation, RelationNode } from "../plan/relation.ts";
import { isCommand } from "../plan/sql/command.ts";
import { parseQuery } from "../plan/sql/parse-query.ts";
import { relationInputs, relationSubqueries } from "../plan/walk.ts";
import { literal } from "./literal.ts";

/**
 * Whether a plan has a streaming source. A name is one of `views`, else of a table, which is none unless it is read as one; text that
 * cannot be parsed is left to the engine, which says what is wrong with it.
 */
export function isStreaming(plan: Relation, views: ReadonlyMap<string, Relation>): boolean {
  const seen = new Set<Relation>();
  const look = (node: Relation): boolean => {
    if (seen.has(node)) return false;
    seen.add(node);
    if (node.kind === "read") return node.streaming;
    if (node.kind === "named_table") {
      const view = views.get(node.name.replaceAll("`", "").toLowerCase());
      return node.streaming || (view !== undefined && look(view));
    }
    if (node.kind === "sql") {
      const query = parsed(node);
      return query !== undefined && look(query);
    }
    return relationInputs(node).some(look) || relationSubqueries(node).some(look);
  };
  return look(plan);
}

function parsed(node: Extract<Relation, { kind: "sql" }>): Relation | undefined {
  if (isCommand(node.query)) return undefined;
  try {
    return parseQuery(node.query, node.args);
  } catch {
    return undefined;
  }
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
