import { aggregateOver, resolveAggregate } from "./analyze-aggregate.ts";
import type { Builder } from "./analyze-base.ts";
import {
  type GeneratorAlias,
  generate,
  generatorOutputs,
  nestedGenerator,
  withoutAliases,
} from "./analyze-generator.ts";
import { Scope } from "./analyze-scope.ts";
import { timeWindows } from "./analyze-window.ts";
import type { Expr } from "./expr.ts";
import { type Aliased, lateralAlias, withOnce } from "./lateral-alias.ts";
import { columnOf } from "./resolve-expr.ts";
import type { Field, NamedExpr } from "./resolved.ts";
import type { Node } from "./scope.ts";
import { SCRIPT_VALUE } from "./script-value-name.ts";
import { scriptValue } from "./script-values.ts";
import { exprName } from "./sql-text.ts";

/** An expression, or a column handed on as it is. */
export type ProjectItem = Expr | { readonly field: Field };

interface Item extends Aliased {
  readonly field?: Field;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** `select`: stars are expanded, windows and generators go below, and aggregates make it a global aggregate. */
export function resolveProject(b: Builder, input: Node, items: readonly ProjectItem[]): Node {
  let generatorName: GeneratorAlias;
  let generators = 0;
  let overAggregate = false;
  const named: Item[] = [];
  const scope: Scope = new Scope(b, input, {
    hidden: "join keys",
    lateral: (name) => lateralAlias(b, scope, named, name),
    timeWindow: timeWindows(b),
    generator: (signature, args, type, nested) => {
      if (nested) throw nestedGenerator(signature);
      generators++;
      if (args.some((a) => b.hasAggregate(a))) overAggregate = true;
      return generate(b, scope, signature, args, type, generatorName);
    },
  });
  for (const item of items) {
    if ("field" in item) {
      named.push({ name: item.field.name, expr: columnOf(item.field), field: item.field });
    } else if (item.kind === "call" && item.name === SCRIPT_VALUE && item.args[0]?.kind === "star") {
      for (const s of scope.exprs.star(item.args[0])) {
        const expr = scriptValue(b.env.catalog, s.expr, b.metadataOf(s.expr));
        named.push(expr === s.expr ? s : { name: s.name, expr });
      }
    } else if (item.kind === "star") {
      named.push(...scope.exprs.star(item));
    } else {
      generatorName = item.kind === "alias" ? (item.names ?? item.name) : undefined;
      const inner = withoutAliases(item);
      const outputs = inner.kind === "call" ? generatorOutputs(b, scope, inner) : undefined;
      if (outputs) {
        for (const field of outputs) named.push({ name: field.name, expr: columnOf(field), field });
        continue;
      }
      const expr = scope.exprs.resolve(inner);
      named.push({
        name:
          item.kind === "alias"
            ? item.name
            : expr.kind === "column" && inner.kind !== "attribute"
              ? expr.name
              : exprName(item, scope.exprs.names),
        expr,
        alias: item.kind === "alias",
        ...(item.kind === "alias" && item.metadata && { metadata: item.metadata }),
      });
    }
  }
  const aggregated = [...named, ...scope.once].some((n) => b.hasAggregate(n.expr));
  if (overAggregate || aggregated) {
    const exprs = items.filter((item): item is Expr => !("field" in item));
    if (generators > 0 && exprs.length === items.length) return resolveAggregate(b, input, [], exprs);
  }
  if (aggregated) return aggregateOver(b, scope.node, [], named, { once: scope.once });
  scope.node = withOnce(b, scope.node, scope.once);
  const used = new Set<number>();
  const exprs = named.map(({ name, expr, field, metadata }): NamedExpr => {
    // A bare column keeps its identity, the first time that it is selected.
    const own = field ?? (expr.kind === "column" ? b.fieldIn(scope.node, expr.id) : undefined);
    if (own && own.name === name && !metadata && !used.has(own.id)) {
      used.add(own.id);
      return { field: own, expr };
    }
    return { field: b.derived(name, expr, metadata), expr };
  });
  const below = scope.withHidden();
  return { ...b.project(below, exprs), hidden: b.project(scope.node, exprs).hidden };
}
