import { catalog } from "../functions/index.ts";
import type { ResolvedExpr, ResolvedRelation, SortKey } from "../plan/resolved.ts";
import { mapResolvedExpr, resolvedExprs, resolvedInputs, resolvedSubqueries, walkExpr } from "../plan/walk.ts";

type Scan = Extract<ResolvedRelation, { kind: "scan" }>;

/** What a query wants of the one table that it reads. */
export interface ScanNeeds {
  /** Rows for which one of these is not true are not wanted. Their columns are those of the scan. */
  readonly conditions: readonly ResolvedExpr[];
  /** So many of the rows for which all conditions are true are enough, the first ones by `order`; any where that is empty. */
  readonly limit: number | undefined;
  readonly order: readonly SortKey[];
}

/**
 * What a plan over a single table wants of it. Undefined for plans over several, and with subqueries. The plan still filters, sorts and
 * counts itself, so a source may do any part of this.
 */
export function scanNeeds(plan: ResolvedRelation): ScanNeeds | undefined {
  let conditions: ResolvedExpr[] = [];
  let order: readonly SortKey[] = [];
  let limit: number | undefined;
  const wantAll = (): void => {
    conditions = [];
    order = [];
    limit = undefined;
  };
  for (let node = plan; ; ) {
    if (!resolvedSubqueries(node).next().done) return undefined;
    // Fewer rows below would give the rows above other values.
    const isPlain = resolvedExprs(node).every(dependsOnItsRowAlone);
    if (!isPlain) wantAll();
    switch (node.kind) {
      case "scan":
        return { ...namedBy(node, conditions, order), limit };
      case "project": {
        const meant = new Map(node.exprs.map((e) => [e.field.id, e.expr]));
        conditions = conditions.map((c) => substitute(c, meant));
        order = order.map((key) => ({ ...key, expr: substitute(key.expr, meant) }));
        break;
      }
      case "filter":
        if (isPlain) conditions.push(...conjuncts(node.condition));
        break;
      case "sort":
        if (isPlain && limit !== undefined && order.length === 0) order = node.order;
        break;
      case "limit": {
        // What stands above chooses among the rows of this limit.
        const isChosenFrom = conditions.length > 0 || order.length > 0;
        limit = isChosenFrom ? node.limit : Math.min(limit ?? node.limit, node.limit);
        conditions = [];
        order = [];
        break;
      }
      case "offset":
        if (conditions.length > 0 || order.length > 0) wantAll();
        else if (limit !== undefined) limit += node.offset;
        break;
      default:
        wantAll();
    }
    const [input, ...others] = resolvedInputs(node);
    if (input === undefined || others.length > 0) return undefined;
    node = input;
  }
}

/** Columns by the names that the source has for them: a query may write them in other letters. */
function namedBy(
  scan: Scan,
  conditions: readonly ResolvedExpr[],
  order: readonly SortKey[],
): Pick<ScanNeeds, "conditions" | "order"> {
  const columns = new Map(
    scan.fields.map(({ id, name, type, nullable }): [number, ResolvedExpr] => [
      id,
      { kind: "column", id, name, type, nullable },
    ]),
  );
  return {
    conditions: conditions.map((c) => substitute(c, columns)),
    order: order.map((key) => ({ ...key, expr: substitute(key.expr, columns) })),
  };
}

function dependsOnItsRowAlone(expr: ResolvedExpr): boolean {
  for (const e of walkExpr(expr)) {
    if (e.kind === "over" || e.kind === "udf") return false;
    if (e.kind === "call" && catalog.lookup(e.name)?.nondeterministic) return false;
  }
  return true;
}

function substitute(expr: ResolvedExpr, meant: ReadonlyMap<number, ResolvedExpr>): ResolvedExpr {
  if (expr.kind === "column") return meant.get(expr.id) ?? expr;
  return mapResolvedExpr(expr, (child) => substitute(child, meant));
}

function conjuncts(expr: ResolvedExpr): ResolvedExpr[] {
  return expr.kind === "call" && expr.name === "and" ? expr.args.flatMap(conjuncts) : [expr];
}

/** The other side's sign when both sides change places. */
const TURNED: Readonly<Record<string, string>> = {
  "==": "==",
  "<=>": "<=>",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};
const WHOLE = ["byte", "short", "integer", "long"];

export interface Comparison {
  readonly sign: string;
  readonly column: Extract<ResolvedExpr, { kind: "column" }>;
  readonly constant: ResolvedExpr;
}

/** `column sign constant`, whichever way it was written. */
export function comparisonOf(expr: ResolvedExpr): Comparison | undefined {
  if (expr.kind !== "call" || expr.args.length !== 2) return undefined;
  const turned = TURNED[expr.name];
  if (turned === undefined) return undefined;
  const [left, right] = expr.args.map(unwidened) as [ResolvedExpr, ResolvedExpr];
  if (left.kind === "column") return { sign: expr.name, column: left, constant: right };
  return right.kind === "column" ? { sign: turned, column: right, constant: left } : undefined;
}

/** A column of whole numbers out of the casts to wider ones, which change nothing in a comparison. */
export function unwidened(expr: ResolvedExpr): ResolvedExpr {
  if (expr.kind !== "cast" || expr.child.kind !== "column") return expr;
  const [from, to] = [WHOLE.indexOf(expr.child.type.kind), WHOLE.indexOf(expr.type.kind)];
  return from >= 0 && to >= from ? expr.child : expr;
}
