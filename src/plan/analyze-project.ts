import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { aggregateOver } from "./analyze-aggregate.ts";
import type { Builder } from "./analyze-base.ts";
import { Scope } from "./analyze-scope.ts";
import { timeWindows } from "./analyze-window.ts";
import type { Expr } from "./expr.ts";
import { columnOf } from "./resolve-expr.ts";
import type { Field, FunctionSignature, NamedExpr, ResolvedExpr } from "./resolved.ts";
import type { Node } from "./scope.ts";
import { SCRIPT_VALUE, scriptValue } from "./script-values.ts";
import { exprName } from "./sql-text.ts";

/** An expression, or a column handed on as it is. */
export type ProjectItem = Expr | { readonly field: Field };

/** `select`: stars are expanded, windows and generators go below, and aggregates make it a global aggregate. */
export function resolveProject(b: Builder, input: Node, items: readonly ProjectItem[]): Node {
  let generatorName: string | readonly string[] | undefined;
  const scope: Scope = new Scope(b, input, {
    timeWindow: timeWindows(b),
    generator: (signature, args, type) => generate(b, scope, signature, args, type, generatorName),
  });
  const named: { name: string; expr: ResolvedExpr; field?: Field; metadata?: Readonly<Record<string, unknown>> }[] = [];
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
      const inner = item.kind === "alias" ? item.child : item;
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
              : exprName(item),
        expr,
        ...(item.kind === "alias" && item.metadata && { metadata: item.metadata }),
      });
    }
  }
  if (named.some((n) => b.hasAggregate(n.expr))) return aggregateOver(b, scope.node, [], named);
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

/** The columns of a generator that stands in a select, undefined for any other expression. */
export function generatorOutputs(
  b: Builder,
  scope: Scope,
  e: Extract<Expr, { kind: "call" }>,
): readonly Field[] | undefined {
  if (b.env.catalog.lookup(e.name)?.kind !== "generator") return undefined;
  scope.exprs.resolve(e);
  return scope.generated;
}

/** Puts a generate node below; gives its first column. Outer forms are named `..._outer`. */
export function generate(
  b: Builder,
  scope: Scope,
  signature: FunctionSignature,
  args: readonly ResolvedExpr[],
  type: DataType,
  alias: string | readonly string[] | undefined,
): ResolvedExpr {
  const outer = signature.name.endsWith("_outer");
  // A generator's type is an array of structs: one struct per row it makes.
  const row = type.kind === "array" && type.elementType.kind === "struct" ? type.elementType.fields : [];
  const names = typeof alias === "string" ? (row.length === 1 ? [alias] : undefined) : alias;
  if (names && names.length !== row.length) {
    throw new MillraceError(
      "UDTF_ALIAS_NUMBER_MISMATCH",
      `The number of aliases supplied in the AS clause does not match the number of columns output by ${signature.name}: expected ${row.length}, but got ${names.length}.`,
      { parameters: { aliasesSize: String(row.length), aliasesNames: names.join(", ") } },
    );
  }
  const outputs = row.map((f, i) => b.field(names?.[i] ?? f.name, f.type, f.nullable || outer));
  const input = scope.node.rel;
  const generator: ResolvedExpr = { kind: "call", name: signature.name, args, distinct: false, type, nullable: true };
  scope.node = {
    ...scope.node,
    rel: {
      kind: "generate",
      input,
      generator,
      outputs,
      outer,
      fields: [...input.fields, ...outputs],
      streaming: input.streaming,
    },
    columns: [...scope.node.columns, ...outputs.map((field) => ({ field, qualifiers: [] }))],
  };
  scope.generated = outputs;
  return columnOf(outputs[0]!);
}
