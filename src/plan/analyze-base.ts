import { MillraceError } from "../errors.ts";
import type { DataType, StructType } from "../types/data-type.ts";
import type { AnalyzeEnv } from "./analyze.ts";
import type { OuterScope } from "./analyze-subquery.ts";
import type { Expr } from "./expr.ts";
import { nameParts } from "./names.ts";
import type { Relation } from "./relation.ts";
import type { Field, NamedExpr, ResolvedExpr, ResolvedNode } from "./resolved.ts";
import { ambiguous, matches, type Node, type SameName, type ScopeColumn, unresolved } from "./scope.ts";
import { exprText } from "./sql-text.ts";
import { resolvedExprChildren, walkExpr } from "./walk.ts";

/** What analysis is built of: makes columns and nodes, and knows the columns made so far. */
export abstract class Builder {
  readonly env: AnalyzeEnv;
  readonly same: SameName;
  #lastId = 0;
  /** Every field ever made, for metadata and watermarks of columns. */
  readonly #fields = new Map<number, Field>();

  constructor(env: AnalyzeEnv) {
    this.env = env;
    const sensitive = env.conf["spark.sql.caseSensitive"]?.toLowerCase() === "true";
    this.same = sensitive ? (a, b) => a === b : (a, b) => a === b || a.toLowerCase() === b.toLowerCase();
  }

  field(name: string, type: DataType, nullable: boolean, rest: Pick<Field, "metadata" | "watermark"> = {}): Field {
    return this.remember({ id: ++this.#lastId, name, type, nullable, ...rest });
  }

  remember(field: Field): Field {
    this.#fields.set(field.id, field);
    return field;
  }

  fieldById(id: number): Field | undefined {
    return this.#fields.get(id);
  }

  /** The queries around the one that is being analysed, innermost last. */
  #outer: readonly OuterScope[] = [];

  abstract analyze(r: Relation): Node;

  /** Analyses a query that may name columns of the one around it. */
  within(scope: OuterScope, r: Relation): Node {
    return this.#scoped([...this.#outer, scope], r);
  }

  /** Analyses what sees nothing of the queries around it, as a view. */
  apart(r: Relation): Node {
    return this.#scoped([], r);
  }

  #scoped(scopes: readonly OuterScope[], r: Relation): Node {
    const before = this.#outer;
    this.#outer = scopes;
    try {
      return this.analyze(r);
    } finally {
      this.#outer = before;
    }
  }

  /** Looks a name up in the queries around. */
  outer(parts: readonly string[]): ResolvedExpr | undefined {
    for (const scope of this.#outer.toReversed()) {
      const found = scope(parts);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The column of that id in a relation's output. */
  fieldIn(node: Node, id: number): Field | undefined {
    return node.columns.find((c) => c.field.id === id)?.field ?? this.#fields.get(id);
  }

  structFields(schema: StructType): Field[] {
    return schema.fields.map((f) => this.field(f.name, f.type, f.nullable, f.metadata ? { metadata: f.metadata } : {}));
  }

  /** A new column for an expression; a watermark and metadata go with a bare column, also through `window_time`. */
  derived(name: string, e: ResolvedExpr, metadata?: Readonly<Record<string, unknown>>): Field {
    const watermark = this.watermarkOf(e);
    const carried = { ...this.metadataOf(e), ...metadata };
    return this.field(name, e.type, e.nullable, {
      ...(Object.keys(carried).length > 0 && { metadata: carried }),
      ...(watermark && { watermark }),
    });
  }

  watermarkOf(e: ResolvedExpr): Field["watermark"] {
    if (e.kind === "column") return this.#fields.get(e.id)?.watermark;
    if (e.kind === "call" && e.name === "window_time") return this.watermarkOf(e.args[0]!);
    return undefined;
  }

  metadataOf(e: ResolvedExpr): Readonly<Record<string, unknown>> | undefined {
    switch (e.kind) {
      case "column":
        return this.#fields.get(e.id)?.metadata;
      case "get_field": {
        const parent = e.child.type;
        const field = parent.kind === "struct" ? parent.fields.find((f) => f.name === e.name) : undefined;
        return field?.metadata;
      }
      case "get_item":
        return this.metadataOf(e.child);
      case "over":
        return this.metadataOf(e.child);
      case "call":
        // These hand on a value of their argument as it is, so its form in TypeScript goes with it.
        return SAME_VALUE.has(e.name) ? e.args.map((a) => this.metadataOf(a)).find((m) => m !== undefined) : undefined;
      default:
        return undefined;
    }
  }

  leaf(node: ResolvedNode, fields: readonly Field[], streaming: boolean): Node {
    return {
      rel: { ...node, fields, streaming },
      columns: fields.map((field) => ({ field, qualifiers: [] })),
      hidden: [],
      plans: new Map(),
    };
  }

  /** A node with the columns of its input. */
  over(input: Node, node: ResolvedNode): Node {
    return { ...input, rel: { ...node, fields: input.rel.fields, streaming: input.rel.streaming } };
  }

  /** A projection. Columns that it leaves out can still be named by what stands right above it. */
  project(input: Node, exprs: readonly NamedExpr[], qualifiers?: (i: number) => readonly string[]): Node {
    const kept = new Map(input.columns.map((c) => [c.field.id, c]));
    const ids = new Set(exprs.map((e) => e.field.id));
    return {
      rel: {
        kind: "project",
        input: input.rel,
        exprs,
        fields: exprs.map((e) => e.field),
        streaming: input.rel.streaming,
      },
      columns: exprs.map(
        ({ field }, i): ScopeColumn => ({
          field,
          qualifiers: qualifiers?.(i) ?? kept.get(field.id)?.qualifiers ?? [],
        }),
      ),
      hidden: [...input.columns, ...input.hidden].filter((c) => !ids.has(c.field.id)),
      plans: input.plans,
    };
  }

  /** One column of a relation by name. */
  column(input: Node, name: string): Field {
    const parts = nameParts(name);
    const found = matches(input.columns, parts, this.same);
    if (found.length > 1) throw ambiguous(parts, found, input.columns);
    const match = found[0];
    if (match === undefined || match.path.length > 0) throw unresolved(name, input.columns);
    return match.field;
  }

  isAggregate(e: ResolvedExpr): boolean {
    return e.kind === "call" && this.env.catalog.lookup(e.name)?.kind === "aggregate";
  }

  /** Whether an aggregate stands in it, other than under OVER. */
  hasAggregate(e: ResolvedExpr): boolean {
    if (this.isAggregate(e)) return true;
    if (e.kind === "over") {
      return [...(e.child.kind === "call" ? e.child.args : []), ...e.partitionBy, ...e.orderBy.map((k) => k.expr)].some(
        (c) => this.hasAggregate(c),
      );
    }
    return resolvedExprChildren(e).some((c) => this.hasAggregate(c));
  }

  /** Aggregates belong into agg() and select(). */
  refuseAggregate(e: ResolvedExpr, given: Expr, where: string): void {
    if (!this.hasAggregate(e)) return;
    throw new MillraceError("UNSUPPORTED_OPERATION", `${where} has the aggregate "${exprText(given)}" in it.`, {
      hint: `Compute it in agg(...) with a name, then use that column in ${where}.`,
    });
  }

  refuseWindows(e: ResolvedExpr): void {
    if (![...walkExpr(e)].some((x) => x.kind === "over")) return;
    throw new MillraceError(
      "WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE",
      "It is not allowed to use window functions inside WHERE clause.",
      { hint: "Compute it in a select before the filter, or use QUALIFY.", parameters: { clauseName: "WHERE" } },
    );
  }

  refuseAggregates(e: ResolvedExpr, given: Expr): void {
    if (!this.hasAggregate(e)) return;
    throw new MillraceError("INVALID_WHERE_CONDITION", `The condition "${exprText(given)}" has an aggregate in it.`, {
      hint: "Aggregate first with groupBy(...).agg(...), then filter by the new column.",
    });
  }
}

const SAME_VALUE = new Set([
  "max",
  "min",
  "first",
  "last",
  "any_value",
  "max_by",
  "min_by",
  "coalesce",
  "greatest",
  "least",
  "nvl",
  "nullif",
  "if",
  "when",
  "lag",
  "lead",
  "nth_value",
  "first_value",
  "last_value",
  "element_at",
  "explode",
  "collect_list",
  "collect_set",
  "array_max",
  "array_min",
  "mode",
]);

export function columnExists(name: string): MillraceError {
  return new MillraceError(
    "COLUMN_ALREADY_EXISTS",
    `The column \`${name}\` already exists. Choose another name or rename the existing column.`,
    {
      parameters: { columnName: `\`${name}\`` },
    },
  );
}

export function isTimeWindow(type: DataType): boolean {
  return (
    type.kind === "struct" &&
    type.fields.length === 2 &&
    type.fields[0]!.name === "start" &&
    type.fields[1]!.name === "end" &&
    type.fields.every((f) => f.type.kind === "timestamp" || f.type.kind === "timestamp_ntz")
  );
}
