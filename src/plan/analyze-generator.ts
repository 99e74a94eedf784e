import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import type { Builder } from "./analyze-base.ts";
import type { Scope } from "./analyze-scope.ts";
import type { Expr } from "./expr.ts";
import { columnOf } from "./resolve-call.ts";
import type { Field, FunctionSignature, ResolvedExpr } from "./resolved.ts";

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

/** The expression under any number of names. */
export function withoutAliases(e: Expr): Expr {
  return e.kind === "alias" ? withoutAliases(e.child) : e;
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
