import type { DataType, Value } from "../types/data-type.ts";
import type { Builder } from "./analyze-base.ts";
import type { ProjectItem } from "./analyze-project.ts";
import { resolveProject } from "./analyze-project.ts";
import { Scope } from "./analyze-scope.ts";
import { isNumeric } from "./coercion.ts";
import type { Expr } from "./expr.ts";
import type { Relation } from "./relation.ts";
import type { Field } from "./resolved.ts";
import type { Node } from "./scope.ts";

type Na = Extract<Relation, { kind: "na_drop" | "na_fill" | "na_replace" }>;

const BOOLEAN: DataType = { kind: "boolean" };
const isFloating = (f: Field): boolean => f.type.kind === "double" || f.type.kind === "float";
const call = (name: string, ...args: Expr[]): Expr => ({ kind: "call", name, args });
const lit = (value: Value, type: DataType): Expr => ({ kind: "literal", value, type });

/** `na.drop`, `na.fill`, `na.replace`. A NaN counts as missing in drop and fill, as in Spark. */
export function resolveNa(b: Builder, input: Node, r: Na): Node {
  const chosen = r.columns.length === 0 ? input.rel.fields : r.columns.map((c) => b.column(input, c));
  // The columns are looked up once; then they are named by a private name that cannot be ambiguous.
  const node: Node = {
    ...input,
    columns: input.columns.map((c) => ({ ...c, field: { ...c.field, name: `#${c.field.id}` } })),
    hidden: [],
  };
  const col = (f: Field): Expr => ({ kind: "attribute", name: `\`#${f.id}\`` });

  if (r.kind === "na_drop") {
    const scope = new Scope(b, node);
    const present = (f: Field): Expr =>
      isFloating(f)
        ? call("and", call("isnotnull", col(f)), call("not", call("isnan", col(f))))
        : call("isnotnull", col(f));
    const needed = r.minNonNulls ?? chosen.length;
    if (needed <= 0 || chosen.length === 0) return input;
    const one = lit(1, { kind: "integer" });
    const zero = lit(0, { kind: "integer" });
    const condition =
      needed >= chosen.length
        ? chosen.map(present).reduce((a, e) => call("and", a, e))
        : needed === 1
          ? chosen.map(present).reduce((a, e) => call("or", a, e))
          : call(
              ">=",
              chosen.map((f) => call("if", present(f), one, zero)).reduce((a, e) => call("+", a, e)),
              lit(needed, { kind: "integer" }),
            );
    const resolved = scope.exprs.condition(needed > chosen.length ? lit(false, BOOLEAN) : condition);
    return b.over(input, { kind: "filter", input: input.rel, condition: rename(resolved, input) });
  }

  const ids = new Set(chosen.map((f) => f.id));
  const replaced = (f: Field): Expr | undefined => {
    if (!ids.has(f.id)) return undefined;
    if (r.kind === "na_fill") {
      const value = r.values.length === 1 ? r.values[0]! : r.values[chosen.findIndex((c) => c.id === f.id)];
      if (value === undefined || value === null || !fits(value, f.type)) return undefined;
      const filler: Expr = { kind: "cast", child: lit(value, literalType(value)), type: f.type, mode: "ansi" };
      if (!isFloating(f)) return call("coalesce", col(f), filler);
      const filled = call("coalesce", call("nanvl", col(f), lit(null, f.type)), filler);
      return { kind: "cast", child: filled, type: f.type, mode: "ansi" };
    }
    const rules = r.replacements.filter(
      (p) => p.from !== null && fits(p.from, f.type) && (p.to === null || fits(p.to, f.type)),
    );
    if (rules.length === 0) return undefined;
    const args = rules.flatMap((p) => [
      // Compared as it is: 1.5 is no value of a column of whole numbers.
      call("==", col(f), lit(p.from, literalType(p.from))),
      p.to === null
        ? lit(null, f.type)
        : ({ kind: "cast", child: lit(p.to, literalType(p.to)), type: f.type, mode: "ansi" } as Expr),
    ]);
    return call("when", ...args, col(f));
  };
  const items = input.columns.map(({ field }): ProjectItem => {
    const expr = replaced(field);
    return expr ? { kind: "alias", child: expr, name: field.name } : { field };
  });
  const out = resolveProject(b, node, items);
  return { ...out, hidden: [] };
}

/** Whether a value of TypeScript can stand in a column of that type without being bent. */
function fits(value: Value, type: DataType): boolean {
  if (typeof value === "number" || typeof value === "bigint") return isNumeric(type);
  if (typeof value === "string") return type.kind === "string";
  if (typeof value === "boolean") return type.kind === "boolean";
  return value instanceof Date && (type.kind === "timestamp" || type.kind === "date");
}

function literalType(value: Value): DataType {
  if (typeof value === "bigint") return { kind: "long" };
  if (typeof value === "number")
    return { kind: Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? "integer" : "double" };
  if (typeof value === "boolean") return BOOLEAN;
  if (value instanceof Date) return { kind: "timestamp" };
  return { kind: "string" };
}

import type { ResolvedExpr } from "./resolved.ts";
import { mapResolvedExpr } from "./walk.ts";

/** Columns under their own names again. */
function rename(e: ResolvedExpr, input: Node): ResolvedExpr {
  if (e.kind !== "column") return mapResolvedExpr(e, (c) => rename(c, input));
  return { ...e, name: input.rel.fields.find((f) => f.id === e.id)?.name ?? e.name };
}
