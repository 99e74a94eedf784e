import { MillraceError } from "../errors.ts";
import { sqlName } from "../types/ddl.ts";
import type { Builder } from "./analyze-base.ts";
import { commonType, sameType } from "./coercion.ts";
import type { Expr } from "./expr.ts";
import { castExpr, columnOf } from "./resolve-expr.ts";
import type { NamedExpr, ResolvedExpr, ResolvedRelation } from "./resolved.ts";
import type { Node } from "./scope.ts";
import { resolvedExprs, walkExpr, walkResolved } from "./walk.ts";

/** Looks a name up in a query around the one that does not have it. */
export type OuterScope = (parts: readonly string[]) => ResolvedExpr | undefined;

/** Types a subquery; `node` is its plan, analysed within the query around it. */
export function resolveSubquery(
  b: Builder,
  type: Extract<Expr, { kind: "subquery" }>["type"],
  node: Node,
  values: readonly ResolvedExpr[],
): ResolvedExpr {
  const { fields } = node.rel;
  switch (type) {
    case "exists":
      return {
        kind: "subquery",
        subquery: type,
        plan: node.rel,
        values: [],
        type: { kind: "boolean" },
        nullable: false,
      };
    case "scalar": {
      const field = fields[0];
      if (field === undefined || fields.length !== 1) {
        throw new MillraceError(
          "INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN",
          `A subquery that stands for a value must return only one column, but returned ${fields.length}.`,
          { parameters: { number: String(fields.length) } },
        );
      }
      return { kind: "subquery", subquery: type, plan: node.rel, values: [], type: field.type, nullable: true };
    }
    case "in": {
      if (values.length !== fields.length) {
        throw new MillraceError(
          "DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH",
          `The left side of IN has ${values.length} values, the subquery ${fields.length} columns.`,
          { parameters: { leftLength: String(values.length), rightLength: String(fields.length) } },
        );
      }
      const types = values.map((v, i) => {
        const common = commonType(v.type, fields[i]!.type);
        if (common !== undefined) return common;
        throw new MillraceError(
          "DATATYPE_MISMATCH.IN_SUBQUERY_DATA_TYPE_MISMATCH",
          `IN compares "${sqlName(v.type)}" with "${sqlName(fields[i]!.type)}" of the subquery, which have no common type.`,
        );
      });
      const cast = fields.every((f, i) => sameType(f.type, types[i]!))
        ? node
        : b.project(
            node,
            fields.map((f, i): NamedExpr => {
              const expr = castExpr(columnOf(f), types[i]!, "ansi", () => f.name);
              return { field: b.derived(f.name, expr), expr };
            }),
          );
      return {
        kind: "subquery",
        subquery: type,
        existence: true,
        plan: cast.rel,
        values: values.map((v, i) => castExpr(v, types[i]!, "ansi", () => "IN")),
        type: { kind: "boolean" },
        nullable: values.some((v) => v.nullable) || fields.some((f) => f.nullable),
      };
    }
  }
}

/** A condition of WHERE or HAVING: IN and NOT IN that all rows have to pass know the unknown. */
export function nullAware(condition: ResolvedExpr): ResolvedExpr {
  if (condition.kind === "subquery") return { ...condition, existence: false };
  if (condition.kind !== "call") return condition;
  if (condition.name === "and") return { ...condition, args: condition.args.map(nullAware) };
  const [inner] = condition.args;
  if (condition.name !== "not" || inner?.kind !== "subquery") return condition;
  return { ...condition, args: [nullAware(inner)] };
}

/** Columns that a plan names and does not make itself. */
export function outerReferences(plan: ResolvedRelation): Extract<ResolvedExpr, { kind: "column" }>[] {
  const made = new Set<number>();
  const named: Extract<ResolvedExpr, { kind: "column" }>[] = [];
  for (const node of walkResolved(plan)) {
    for (const f of node.fields) made.add(f.id);
    if (node.kind === "aggregate") for (const k of [...node.keys, ...node.calls]) made.add(k.field.id);
    for (const root of resolvedExprs(node)) {
      for (const e of walkExpr(root)) if (e.kind === "column") named.push(e);
    }
  }
  return named.filter((c) => !made.has(c.id));
}

/** The plan with the columns of the queries around it replaced. */
export function mapOuterReferences(
  plan: ResolvedRelation,
  replace: (column: Extract<ResolvedExpr, { kind: "column" }>) => ResolvedExpr,
): ResolvedRelation {
  const outer = new Set(outerReferences(plan).map((c) => c.id));
  if (outer.size === 0) return plan;
  const map = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Map) return value;
    if (ArrayBuffer.isView(value)) return value;
    if (Array.isArray(value)) return value.map(map);
    const node = value as Record<string, unknown>;
    if (node.kind === "column" && typeof node.id === "number" && outer.has(node.id)) {
      return replace(value as Extract<ResolvedExpr, { kind: "column" }>);
    }
    if (node.kind === "local" || node.kind === "scan") return value;
    return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, k === "fn" || k === "processor" ? v : map(v)]));
  };
  return map(plan) as ResolvedRelation;
}
