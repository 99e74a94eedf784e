import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import type { Builder } from "./analyze-base.ts";
import type { Scope } from "./analyze-scope.ts";
import type { Expr } from "./expr.ts";
import { columnOf } from "./resolve-call.ts";
import type { Field, FunctionSignature, ResolvedExpr } from "./resolved.ts";
import type { Node } from "./scope.ts";
import { exprText } from "./sql-text.ts";

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

/** What a generator's columns are named. */
export type GeneratorAlias = string | readonly string[] | undefined;

/** Puts a generate node below; gives its first column. */
export function generate(
  b: Builder,
  scope: Scope,
  signature: FunctionSignature,
  args: readonly ResolvedExpr[],
  type: DataType,
  alias: GeneratorAlias,
): ResolvedExpr {
  const { node, outputs } = generateOver(b, scope.node, signature.name, args, type, alias);
  // The columns of the input go before its own, which later items of the same select may name.
  scope.node = { ...node, columns: scope.node.columns };
  scope.generated = outputs;
  scope.aliases.push(...outputs);
  return columnOf(outputs[0]!);
}

/** A call of a generator whose arguments stand over an aggregation; rows are made when that is done. */
export interface LateGenerator {
  readonly alias: GeneratorAlias;
}

/** The call itself, to be split from the aggregates in it. */
export function lateGenerator(
  signature: FunctionSignature,
  args: readonly ResolvedExpr[],
  type: DataType,
): ResolvedExpr {
  return { kind: "call", name: signature.name, args, distinct: false, type, nullable: true };
}

/** Makes the rows of a late generator over what was aggregated. */
export function generateLate(
  b: Builder,
  node: Node,
  call: ResolvedExpr,
  { alias }: LateGenerator,
): { node: Node; outputs: readonly Field[] } {
  if (call.kind !== "call") throw new MillraceError("INTERNAL", "A generator is no call.");
  return generateOver(b, node, call.name, call.args, call.type, alias);
}

/** A generate node over a node, and its columns. Outer forms are named `..._outer`. */
function generateOver(
  b: Builder,
  node: Node,
  name: string,
  args: readonly ResolvedExpr[],
  type: DataType,
  alias: GeneratorAlias,
): { node: Node; outputs: readonly Field[] } {
  const outer = name.endsWith("_outer");
  // A generator's type is an array of structs: one struct per row it makes.
  const row = type.kind === "array" && type.elementType.kind === "struct" ? type.elementType.fields : [];
  const names = typeof alias === "string" ? (row.length === 1 ? [alias] : undefined) : alias;
  if (names && names.length !== row.length) {
    throw new MillraceError(
      "UDTF_ALIAS_NUMBER_MISMATCH",
      `The number of aliases supplied in the AS clause does not match the number of columns output by ${name}: expected ${row.length}, but got ${names.length}.`,
      { parameters: { aliasesSize: String(row.length), aliasesNames: names.join(", ") } },
    );
  }
  const outputs = row.map((f, i) => b.field(names?.[i] ?? f.name, f.type, f.nullable || outer));
  const input = node.rel;
  const generator: ResolvedExpr = { kind: "call", name, args, distinct: false, type, nullable: true };
  const above: Node = {
    ...node,
    rel: {
      kind: "generate",
      input,
      generator,
      outputs,
      outer,
      fields: [...input.fields, ...outputs],
      streaming: input.streaming,
    },
    columns: [...node.columns, ...outputs.map((field) => ({ field, qualifiers: [] }))],
  };
  return { node: above, outputs };
}

/** The expression under any number of names. */
export function withoutAliases(e: Expr): Expr {
  return e.kind === "alias" ? withoutAliases(e.child) : e;
}

/** Whether an item of a select is a generator. */
export function isGenerator(b: Builder, item: Expr): boolean {
  const e = withoutAliases(item);
  return e.kind === "call" && b.env.catalog.lookup(e.name)?.kind === "generator";
}

/** Over an aggregation there is one generator at most. */
export function refuseSeveral(generators: readonly Expr[]): void {
  if (generators.length < 2) return;
  const texts = generators.map((g) => `"${exprText(withoutAliases(g))}"`).join(", ");
  throw new MillraceError(
    "UNSUPPORTED_GENERATOR.MULTI_GENERATOR",
    `Only one generator is allowed beside aggregates, but there are ${generators.length}: ${texts}.`,
    {
      hint: "Aggregate in a query of its own, and generate above it.",
      parameters: { num: String(generators.length), generators: texts },
    },
  );
}

export function nestedGenerator(signature: FunctionSignature): MillraceError {
  return new MillraceError(
    "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS",
    `The generator ${signature.name} is nested in an expression.`,
    { hint: "Generate in a select of its own, and compute over its rows." },
  );
}

export function generatorOutsideSelect(signature: FunctionSignature): MillraceError {
  return new MillraceError(
    "UNSUPPORTED_GENERATOR.OUTSIDE_SELECT",
    `The generator ${signature.name} may stand in select only.`,
    { hint: `Use df.select(${signature.name}(...).as("name")).` },
  );
}
