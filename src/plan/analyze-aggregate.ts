import { MillraceError } from "../errors.ts";
import type { Value } from "../types/data-type.ts";
import { AggregateSplit, missingGroupBy } from "./aggregate-split.ts";
import type { Builder } from "./analyze-base.ts";
import {
  generateLate,
  generatorOutsideSelect,
  isGenerator,
  type LateGenerator,
  lateGenerator,
  nestedGenerator,
  refuseSeveral,
  withoutAliases,
} from "./analyze-generator.ts";
import { Scope } from "./analyze-scope.ts";
import { timeWindows } from "./analyze-window.ts";
import { isOrderable } from "./coercion.ts";
import type { Expr } from "./expr.ts";
import { refuseGrouping } from "./grouping.ts";
import { type Aliased, lateralAlias, withOnce } from "./lateral-alias.ts";
import type { Relation } from "./relation.ts";
import { columnOf, resolveCall } from "./resolve-expr.ts";
import type { NamedExpr, ResolvedExpr } from "./resolved.ts";
import type { Node } from "./scope.ts";
import { exprName, exprText } from "./sql-text.ts";

type Pivot = Extract<Relation, { kind: "aggregate" }>;

export interface Named extends Aliased {
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** `expr` is a generator over what was aggregated. */
  readonly generator?: LateGenerator;
}

export function resolveAggregate(
  b: Builder,
  input: Node,
  grouping: readonly Expr[],
  aggregates: readonly Expr[],
  group: "groupby" | "rollup" | "cube" = "groupby",
): Node {
  let late = false;
  const named: Named[] = [];
  const scope: Scope = new Scope(b, input, {
    lateral: (name) => (late ? lateralAlias(b, scope, [...keyAliases, ...named], name) : undefined),
    hidden: "join keys",
    timeWindow: timeWindows(b),
    generator: (signature, args, type, nested) => {
      if (nested) throw nestedGenerator(signature);
      if (late) return lateGenerator(signature, args, type);
      throw generatorOutsideSelect(signature);
    },
  });
  const keys = grouping.map((g) => keyOf(b, scope, g, group !== "groupby"));
  // The keys come first in the output, so what is aggregated may name them.
  const keyAliases = keys.map(
    ({ field, expr }, i): Aliased => ({ name: field.name, expr, alias: grouping[i]!.kind === "alias" }),
  );
  late = true;
  for (const a of aggregates) {
    if (a.kind === "star") named.push(...scope.exprs.star(a));
    else {
      const expr = scope.exprs.resolve(withoutAliases(a));
      const inner = a.kind === "alias" ? a.child : a;
      const own = expr.kind === "column" && inner.kind === "call" ? expr.name : undefined;
      named.push({
        name: a.kind === "alias" ? a.name : (own ?? exprName(a, scope.exprs.names)),
        expr,
        alias: a.kind === "alias",
        ...(a.kind === "alias" && a.metadata && { metadata: a.metadata }),
        ...(isGenerator(b, a) && { generator: { alias: a.kind === "alias" ? (a.names ?? a.name) : undefined } }),
      });
    }
  }
  refuseSeveral(aggregates.filter((a) => isGenerator(b, a)));
  const sets = groupingSets(group, keys.length);
  return aggregateOver(b, scope.withHidden(), keys, named, { sets, withKeys: true, once: scope.once });
}

function groupingSets(group: "groupby" | "rollup" | "cube", n: number): (readonly number[])[] | undefined {
  if (group === "groupby") return undefined;
  if (group === "rollup") return Array.from({ length: n + 1 }, (_, i) => Array.from({ length: n - i }, (_, k) => k));
  const sets: number[][] = [];
  for (let mask = 2 ** n - 1; mask >= 0; mask--) {
    sets.push(Array.from({ length: n }, (_, k) => k).filter((k) => mask & (1 << (n - 1 - k))));
  }
  return sets;
}

function keyOf(b: Builder, scope: Scope, g: Expr, sets: boolean): NamedExpr {
  const expr = scope.exprs.resolve(g);
  if (b.hasAggregate(expr)) {
    throw new MillraceError(
      "GROUP_BY_AGGREGATE",
      `Aggregate functions are not allowed in GROUP BY, but found "${exprText(g)}".`,
      {
        parameters: { sqlExpr: exprText(g) },
      },
    );
  }
  const own = expr.kind === "column" ? b.fieldIn(scope.node, expr.id) : undefined;
  const inner = g.kind === "alias" ? g.child : g;
  const name = g.kind === "alias" ? g.name : own && inner.kind === "call" ? own.name : exprName(g, scope.exprs.names);
  return groupingKey(b, scope, expr, name, sets);
}

/** A key to group by. Over grouping sets it is a column of its own, as it may be null there. */
export function groupingKey(b: Builder, scope: Scope, expr: ResolvedExpr, name: string, sets: boolean): NamedExpr {
  if (!isOrderable(expr.type)) {
    throw new MillraceError(
      "DATATYPE_MISMATCH",
      `The expression "${name}" cannot be used as a grouping expression because its data type is not an orderable data type.`,
    );
  }
  const own = expr.kind === "column" ? b.fieldIn(scope.node, expr.id) : undefined;
  if (own && own.name === name && !sets) return { field: own, expr };
  const field = b.derived(name, expr);
  return { field: sets ? b.remember({ ...field, nullable: true }) : field, expr };
}

interface AggregateOver {
  readonly sets?: readonly (readonly number[])[] | undefined;
  /** The keys come first in the output, as in `groupBy(...).agg(...)`. */
  readonly withKeys?: boolean;
  /** Columns that several outputs name and that are computed once. */
  readonly once?: readonly NamedExpr[];
}

/** Splits aggregate calls from the expressions over them. */
export function aggregateOver(
  b: Builder,
  input: Node,
  keys: readonly NamedExpr[],
  named: readonly Named[],
  { sets, withKeys = false, once = [] }: AggregateOver = {},
): Node {
  if (sets === undefined) refuseGrouping(named.map((n) => n.expr));
  const splitter = new AggregateSplit(b, keys, once);
  if (keys.length === 0) splitter.missing = missingGroupBy;
  const { calls } = splitter;
  let direct = true;

  const outputs = named.map((n): Named => {
    const before = calls.length;
    const expr = splitter.split(n.expr, n.name);
    const fresh = expr.kind === "column" && calls.length === before + 1 && calls[before]!.field.id === expr.id;
    if (!fresh || n.metadata) direct = false;
    return { ...n, expr };
  });
  const apart = once.map((c): NamedExpr => ({ ...c, expr: splitter.split(c.expr, c.field.name) }));
  if ((!withKeys && keys.length > 0) || apart.length > 0) direct = false;

  const fields = [...keys.map((k) => k.field), ...calls.map((c) => c.field)];
  const kept = new Map(input.columns.map((c) => [c.field.id, c.qualifiers]));
  const node: Node = {
    rel: {
      kind: "aggregate",
      input: input.rel,
      keys,
      calls,
      ...(sets && { sets }),
      fields,
      streaming: input.rel.streaming,
    },
    columns: fields.map((field) => ({ field, qualifiers: kept.get(field.id) ?? [] })),
    hidden: [],
    plans: input.plans,
  };
  if (direct) return node;
  const own = new Set<number>(withKeys ? keys.map((k) => k.field.id) : []);
  let above = withOnce(b, node, apart);
  const exprs = [
    ...(withKeys ? keys.map((k): NamedExpr => ({ field: k.field, expr: columnOf(k.field) })) : []),
    ...outputs.flatMap(({ name, expr, metadata, generator }): NamedExpr | NamedExpr[] => {
      if (generator) {
        const made = generateLate(b, above, expr, generator);
        above = made.node;
        return made.outputs.map((field) => ({ field, expr: columnOf(field) }));
      }
      const field = expr.kind === "column" ? fields.find((f) => f.id === expr.id) : undefined;
      if (field && field.name === name && !metadata && !own.has(field.id)) {
        own.add(field.id);
        return { field, expr };
      }
      return { field: b.derived(name, expr, metadata), expr };
    }),
  ];
  return b.project(above, exprs);
}

/**
 * `groupBy(...).pivot(column, values).agg(...)`: first grouped by the keys and the pivot column, then each value's row becomes
 * columns. A combination without rows is null, as in Spark.
 */
export function resolvePivot(b: Builder, input: Node, r: Pivot): Node {
  if (input.rel.streaming) {
    throw new MillraceError("UNSUPPORTED_OPERATION", "pivot is not supported on streaming DataFrames/Datasets.");
  }
  const pivot = r.pivot!;
  const first = resolveAggregate(
    b,
    input,
    [...r.grouping, { kind: "alias", child: pivot.column, name: "__pivot" }],
    r.aggregates,
  );
  const all = first.rel.fields;
  const keyCount = r.grouping.length;
  const pivotField = all[keyCount]!;
  const results = all.slice(keyCount + 1);
  const equals = b.env.catalog.lookup("<=>")!;
  const choose = b.env.catalog.lookup("if")!;
  const any = b.env.catalog.lookup("any_value")!;
  const named: Named[] = [];
  for (const value of pivot.values) {
    const literal = literalOf(value);
    const isValue = resolveCall(equals, [{ expr: columnOf(pivotField) }, { expr: literal }], false);
    for (const result of results) {
      const none: ResolvedExpr = { kind: "literal", value: null, type: { kind: "null" }, nullable: true };
      const cell = resolveCall(choose, [{ expr: isValue }, { expr: columnOf(result) }, { expr: none }], false);
      const ignoreNulls: ResolvedExpr = { kind: "literal", value: true, type: { kind: "boolean" }, nullable: false };
      const expr = resolveCall(any, [{ expr: cell }, { expr: ignoreNulls }], false);
      const label = value === null ? "null" : value instanceof Date ? value.toISOString() : String(value);
      named.push({ name: results.length === 1 ? label : `${label}_${result.name}`, expr });
    }
  }
  const keys = all.slice(0, keyCount).map((field): NamedExpr => ({ field, expr: columnOf(field) }));
  return aggregateOver(b, first, keys, named, { withKeys: true });
}

function literalOf(value: Value): ResolvedExpr {
  const kind =
    value === null
      ? "null"
      : typeof value === "boolean"
        ? "boolean"
        : typeof value === "bigint"
          ? "long"
          : typeof value === "number"
            ? Number.isInteger(value)
              ? "integer"
              : "double"
            : value instanceof Date
              ? "timestamp"
              : "string";
  return { kind: "literal", value, type: { kind }, nullable: value === null };
}
