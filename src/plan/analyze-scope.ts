import type { Builder } from "./analyze-base.ts";
import { resolveSubquery } from "./analyze-subquery.ts";
import type { Expr } from "./expr.ts";
import { columnOf, type ExprHooks, ExprResolver } from "./resolve-expr.ts";
import type { Field, NamedExpr, ResolvedExpr, ResolvedNode, ResolvedRelation } from "./resolved.ts";
import { type Node, unresolved } from "./scope.ts";

/** Expressions over one relation; puts time windows, generators and hidden columns that they need below. */
export class Scope {
  node: Node;
  readonly exprs: ExprResolver;
  /** Columns of the generator that stands in this select. */
  generated: readonly Field[] | undefined;
  /** Columns of this select that are meant by a name which the input has not. */
  readonly aliases: Field[] = [];
  /** Columns that other items name and that have to be computed once, over what is aggregated. */
  readonly once: NamedExpr[] = [];
  readonly #analyzer: Builder;
  readonly #start: Node;
  readonly #hidden = new Set<number>();

  constructor(
    analyzer: Builder,
    node: Node,
    more: {
      timeWindow?: (scope: Scope, args: readonly Expr[]) => ResolvedExpr;
      generator?: ExprHooks["generator"];
      /** Columns that a relation has no more but its input has: filters and sorts may name them, others the keys of a join. */
      hidden?: "all" | "join keys" | false;
      alias?: ExprHooks["alias"];
      lateral?: ExprHooks["lateral"];
      output?: ExprHooks["output"];
    } = {},
  ) {
    this.#analyzer = analyzer;
    this.node = node;
    this.#start = node;
    this.exprs = new ExprResolver({
      catalog: analyzer.env.catalog,
      same: analyzer.same,
      metadata: (e) => analyzer.metadataOf(e),
      node: () => (more.hidden === "join keys" ? withJoinKeys(this.node) : this.node),
      timeZone: analyzer.env.conf["spark.sql.session.timeZone"],
      currentDatabase: analyzer.env.currentDatabase ?? "default",
      outer: (parts) => analyzer.outer(parts),
      subquery: (type, plan, values) =>
        resolveSubquery(
          analyzer,
          type,
          analyzer.within((parts) => this.exprs.lookup(parts), plan),
          values,
        ),
      ...(more.timeWindow && { timeWindow: (args) => more.timeWindow!(this, args) }),
      alias: (name) => {
        const field = this.aliases.find((f) => analyzer.same(f.name, name));
        return field ? columnOf(field) : more.alias?.(name);
      },
      ...(more.lateral && { lateral: more.lateral }),
      ...(more.output && { output: more.output }),
      ...(more.generator && { generator: more.generator }),
      ...(more.hidden !== false && { useHidden: (field) => this.#hidden.add(field.id) }),
    });
  }

  /** The relation with the hidden columns that were used. */
  withHidden(): Node {
    if (this.#hidden.size === 0) return this.node;
    const wanted = this.node.hidden.filter((c) => this.#hidden.has(c.field.id));
    const rel = expose(
      this.node.rel,
      wanted.map((c) => c.field),
    );
    return { ...this.node, rel, columns: [...this.node.columns, ...wanted] };
  }

  /** Puts the node over the relation; hidden columns that were used are fetched from below and dropped above again. */
  finish(make: (input: ResolvedRelation) => ResolvedNode): Node {
    if (this.#hidden.size === 0) return this.#analyzer.over(this.node, make(this.node.rel));
    const exposed = this.withHidden().rel;
    const upper = { ...make(exposed), fields: exposed.fields, streaming: exposed.streaming };
    const exprs = this.#start.rel.fields.map((field): NamedExpr => ({ field, expr: columnOf(field) }));
    return {
      ...this.#start,
      rel: { kind: "project", input: upper, exprs, fields: this.#start.rel.fields, streaming: upper.streaming },
    };
  }
}

/** The relation with no hidden columns but the keys of a join, which each side has under its own name. */
function withJoinKeys(node: Node): Node {
  return node.hidden.every((c) => c.joinKey) ? node : { ...node, hidden: node.hidden.filter((c) => c.joinKey) };
}

/** Whether a column can be had from below. */
function has(r: ResolvedRelation, id: number): boolean {
  if (r.fields.some((f) => f.id === id)) return true;
  switch (r.kind) {
    case "project":
    case "filter":
    case "sort":
    case "limit":
    case "offset":
    case "sample":
    case "watermark":
      return has(r.input, id);
    case "join":
      return has(r.left, id) || (r.type !== "left_semi" && r.type !== "left_anti" && has(r.right, id));
    default:
      return false;
  }
}

/** The relation with more of the columns below it in its output. */
function expose(r: ResolvedRelation, wanted: readonly Field[]): ResolvedRelation {
  const missing = wanted.filter((w) => !r.fields.some((f) => f.id === w.id));
  if (missing.length === 0) return r;
  const fields = [...r.fields, ...missing];
  switch (r.kind) {
    case "project":
      return {
        ...r,
        input: expose(r.input, missing),
        exprs: [...r.exprs, ...missing.map((field): NamedExpr => ({ field, expr: columnOf(field) }))],
        fields,
      };
    case "filter":
    case "sort":
    case "limit":
    case "offset":
    case "sample":
    case "watermark":
      return { ...r, input: expose(r.input, missing), fields };
    case "join": {
      const of = (side: ResolvedRelation): Field[] => missing.filter((f) => has(side, f.id));
      return { ...r, left: expose(r.left, of(r.left)), right: expose(r.right, of(r.right)), fields };
    }
    default:
      throw unresolved(
        missing[0]!.name,
        r.fields.map((field) => ({ field, qualifiers: [] })),
      );
  }
}
