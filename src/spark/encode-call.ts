import { create } from "@bufbuild/protobuf";
import type { Expr } from "../plan/expr.ts";
import { SCRIPT_VALUE } from "../plan/script-value-name.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { exprSql, isWithinGroup, likeManySql } from "./encode-sql.ts";
import * as pb from "./proto/spark-connect_pb.ts";

type Call = Extract<Expr, { kind: "call" }>;

const lit = (value: Value, type: DataType): Expr => ({ kind: "literal", value, type });

/** With a unit in front these are functions of other names: `datediff(day, a, b)`. */
const WITH_UNIT: Readonly<Record<string, string>> = {
  dateadd: "timestampadd",
  date_add: "timestampadd",
  timestampadd: "timestampadd",
  datediff: "timestampdiff",
  date_diff: "timestampdiff",
  timestampdiff: "timestampdiff",
};

/** Names that only the Scala and Python APIs have. */
const RENAMED: Readonly<Record<string, string>> = { create_map: "map" };

/**
 * What Spark calls the function of a call: most names are Spark's own. An expression comes back where a call is none on Spark, and SQL
 * where Spark Connect has no message for it.
 */
export function sparkCall(
  e: Call,
): { readonly name: string; readonly args: readonly Expr[] } | { readonly sql: string } | Expr {
  const name = e.name.toLowerCase();
  if (isWithinGroup(name, e.args)) return { sql: exprSql(e) };
  const many = likeManySql(e);
  if (many !== undefined) return { sql: many };
  switch (name) {
    // How values stand in TypeScript is the decoder's business.
    case SCRIPT_VALUE:
      return e.args[0]!;
    case "count":
      // A star is refused in pivot.
      if (e.args.length === 1 && isStar(e.args[0]!) && e.distinct !== true) {
        return { name, args: [lit(1, { kind: "integer" })] };
      }
      break;
  }
  const unit = WITH_UNIT[name];
  if (unit !== undefined && e.args.length === 3) return { name: unit, args: e.args };
  return { name: RENAMED[name] ?? e.name, args: e.args };
}

function isStar(e: Expr): boolean {
  return e.kind === "star" && e.target === undefined;
}

export function functionCall(name: string, args: pb.Expression[], distinct = false): pb.Expression {
  return create(pb.ExpressionSchema, {
    exprType: { case: "unresolvedFunction", value: { functionName: name, arguments: args, isDistinct: distinct } },
  });
}
