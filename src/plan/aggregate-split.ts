import { MillraceError } from "../errors.ts";
import type { Builder } from "./analyze-base.ts";
import { mapOuterReferences } from "./analyze-subquery.ts";
import { columnOf } from "./resolve-expr.ts";
import type { Field, NamedExpr, ResolvedExpr } from "./resolved.ts";
import { exprKey, mapResolvedExpr } from "./walk.ts";

/** Splits aggregate calls from the expressions over them: what `split` gives stands over the aggregate's output. */
export class AggregateSplit {
  readonly calls: { readonly field: Field; readonly expr: ResolvedExpr }[] = [];
  readonly #b: Builder;
  readonly #byKey: ReadonlyMap<string, Field>;
  readonly #byCall = new Map<string, Field>();
  readonly #above: ReadonlySet<number>;
  /** The error for a column that is neither grouped nor aggregated. */
  missing: (name: string) => MillraceError = missingAggregation;

  /** `above`: columns that are computed over the aggregate. */
  constructor(b: Builder, keys: readonly NamedExpr[], above: readonly NamedExpr[] = []) {
    this.#above = new Set(above.map((c) => c.field.id));
    this.#b = b;
    // A grouping column may also be meant by its alias's field itself.
    this.#byKey = new Map(keys.map((k) => [exprKey(k.expr), k.field]));
  }

  split(e: ResolvedExpr, output: string): ResolvedExpr {
    const key = this.#byKey.get(exprKey(e));
    if (key) return columnOf(key);
    if (this.#b.isAggregate(e)) return this.#call(e, output);
    if (e.kind === "over" && e.child.kind === "call") {
      const child = { ...e.child, args: e.child.args.map((a) => this.split(a, exprKey(a))) };
      return {
        ...e,
        child,
        partitionBy: e.partitionBy.map((p) => this.split(p, output)),
        orderBy: e.orderBy.map((o) => ({ ...o, expr: this.split(o.expr, output) })),
      };
    }
    if (e.kind === "column") {
      if (this.#above.has(e.id)) return e;
      throw this.missing(e.name);
    }
    const inner = (c: ResolvedExpr): ResolvedExpr => this.split(c, `_${this.calls.length}`);
    if (e.kind === "subquery") {
      return { ...e, plan: mapOuterReferences(e.plan, inner), values: e.values.map(inner) };
    }
    return mapResolvedExpr(e, inner);
  }

  #call(e: ResolvedExpr, output: string): ResolvedExpr {
    for (const arg of e.kind === "call" ? e.args : []) {
      if (this.#b.hasAggregate(arg)) {
        throw new MillraceError(
          "NESTED_AGGREGATE_FUNCTION",
          "It is not allowed to use an aggregate function in the argument of another aggregate function.",
          { hint: "Aggregate twice, one groupBy after the other." },
        );
      }
    }
    const k = exprKey(e);
    let field = this.#byCall.get(k);
    if (field === undefined) {
      field = this.#b.derived(output, e);
      this.#byCall.set(k, field);
      this.calls.push({ field, expr: e });
    }
    return columnOf(field);
  }
}

function missingAggregation(name: string): MillraceError {
  return new MillraceError(
    "MISSING_AGGREGATION",
    `The non-aggregating expression "${name}" is based on columns which are not participating in the GROUP BY clause.`,
    {
      hint: `Add the columns or the expression to the GROUP BY, aggregate the expression, or use "any_value(${name})" if you do not care which of the values within a group is returned.`,
      parameters: { expression: `"${name}"`, expressionAnyValue: `"any_value(${name})"` },
    },
  );
}

/** The same where GROUP BY ALL finds no item that is the column. */
export function notAllGrouped(name: string): MillraceError {
  return new MillraceError(
    "UNRESOLVED_ALL_IN_GROUP_BY",
    `GROUP BY ALL cannot tell what to group by: "${name}" stands beside an aggregate in one item of the SELECT.`,
    { hint: `Select "${name}" as an item of its own, or name the grouping columns.` },
  );
}

/** The same where nothing is grouped at all. */
export function missingGroupBy(name: string): MillraceError {
  return new MillraceError(
    "MISSING_GROUP_BY",
    `The query does not include a GROUP BY clause, but selects "${name}" beside aggregates.`,
    { hint: "Add GROUP BY, or turn the aggregates into window functions with OVER." },
  );
}
