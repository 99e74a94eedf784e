import { MillraceError } from "../../errors.ts";
import { sqlName } from "../../types/ddl.ts";
import type { Expr } from "../expr.ts";
import { foldedNumber } from "../folded-number.ts";
import { AstConverter } from "../parse-convert.ts";
import type { GroupBy, Relation } from "../relation.ts";
import { type Ast, type Ctes, clip, notTaken, parameter, type SqlContext } from "./context.ts";
import { fromClause } from "./from.ts";
import { recursiveCte } from "./recursive.ts";

/** A query of the SQL parser's tree as a plan. */
export function queryPlan(q: Ast, context: SqlContext, outer: Ctes): Relation {
  return new QueryBuilder(context, outer).query(q);
}

/** One query: its named queries, its body, and what comes after the body. */
export class QueryBuilder {
  readonly context: SqlContext;
  readonly #outer: Ctes;
  ctes: Ctes;

  constructor(context: SqlContext, outer: Ctes) {
    this.context = context;
    this.#outer = outer;
    this.ctes = outer;
  }

  query(q: Ast): Relation {
    if (q.with) this.ctes = this.#with(q.with);
    const exprs = this.exprs();
    for (const clause of ["fetch", "for_clause", "settings", "format_clause"]) {
      if (q[clause]) throw notTaken(this.context, clause.replace("_clause", "").toUpperCase());
    }
    if (q.pipe_operators?.length > 0) throw notTaken(this.context, "The pipe |>", "Write it as a subquery.");
    const items: Ast[] | undefined = q.order_by?.kind?.Expressions ?? (q.order_by ? [] : undefined);
    const all = items?.length === 1 && items[0].expr.Identifier?.value.toUpperCase() === "ALL" ? items[0] : undefined;
    const order = all ? "all" : (items ?? []).map((o) => exprs.order(o));
    const orderAll = all ? exprs.order({ ...all, expr: { Value: { value: "Null" } } }) : undefined;
    const body = this.#body(q.body);
    let plan: Relation = body;
    if (order === "all" || order.length > 0) {
      if (body.kind === "select" && body.order.length === 0 && q.body.Select) {
        plan = { ...body, order, ...(orderAll?.kind === "sort_order" && { orderAll }) };
      } else {
        plan = {
          kind: "select",
          input: body,
          items: [{ kind: "star" }],
          distinct: false,
          order,
          ...(orderAll?.kind === "sort_order" && { orderAll }),
        };
      }
    }
    return this.#limited(plan, q.limit_clause);
  }

  /** Expressions of this query. `windows`: those of its WINDOW clause. */
  exprs(windows: readonly Ast[] = []): AstConverter {
    const { context, ctes } = this;
    return new AstConverter(context.text, {
      subquery: (q) => queryPlan(q, context, ctes),
      parameter: (name) => parameter(context, name),
      window: (name) => windows.find(([w]) => w.value.toLowerCase() === name.toLowerCase())?.[1],
    });
  }

  #with(clause: Ast): Ctes {
    const ctes = new Map(this.#outer);
    for (const { alias, query } of clause.cte_tables) {
      const name: string = alias.name.value;
      const columns: string[] = (alias.columns ?? []).map((c: Ast) => c.name.value);
      const recursive = clause.recursive ? recursiveCte(this.context, name, columns, query, ctes) : undefined;
      const plan = recursive ?? queryPlan(query, this.context, ctes);
      ctes.set(
        name.toLowerCase(),
        columns.length > 0 && !recursive ? { kind: "to_df", input: plan, names: columns, alias: true } : plan,
      );
    }
    return ctes;
  }

  #body(body: Ast): Relation {
    if (body.Select) return this.#select(body.Select);
    if (body.Query) return queryPlan(body.Query, this.context, this.ctes);
    if (body.Values) return { kind: "inline_table", rows: body.Values.rows.map((r: Ast) => this.#row(r)) };
    if (body.SetOperation) return this.#setOperation(body.SetOperation);
    if (body.Table) return { kind: "named_table", name: body.Table.table_name, options: {}, streaming: false };
    throw notTaken(this.context, String(Object.keys(body)[0]).toUpperCase());
  }

  #row(row: Ast): Expr[] {
    const exprs = this.exprs();
    const cells: Ast[] = row.content ?? row;
    const values = cells.map((c) => exprs.expr(c));
    const [only] = values;
    // A row of one struct is that struct's values.
    if (values.length === 1 && only?.kind === "call" && only.name === "struct") {
      return only.args.map((a) => (a.kind === "alias" ? a.child : a));
    }
    return values;
  }

  #setOperation(s: Ast): Relation {
    const op = { Union: "union", Intersect: "intersect", Except: "except", Minus: "except" }[s.op as string];
    if (/ByName$/.test(s.set_quantifier)) {
      throw new MillraceError("PARSE_SYNTAX_ERROR", `BY NAME is not Spark's SQL, in "${clip(this.context.text)}".`, {
        hint: "Use df.unionByName.",
      });
    }
    return {
      kind: "set_op",
      op: op as "union",
      left: this.#body(s.left),
      right: this.#body(s.right),
      all: /^All/.test(s.set_quantifier),
      byName: false,
      allowMissingColumns: false,
    };
  }

  #select(s: Ast): Relation {
    for (const clause of ["top", "into", "prewhere"]) {
      if (s[clause]) throw notTaken(this.context, clause.toUpperCase());
    }
    if (s.distinct?.On) throw notTaken(this.context, "DISTINCT ON", "Use row_number() OVER (...) = 1.");
    if (s.connect_by?.length > 0) throw notTaken(this.context, "CONNECT BY", "Use WITH RECURSIVE.");
    const exprs = this.exprs(s.named_window);
    let input = fromClause(this, s.from, s.lateral_views);
    if (s.selection) input = { kind: "filter", input, condition: exprs.expr(s.selection) };
    const items: Expr[] = s.projection.map((item: Ast) => exprs.item(item));
    const group = groupBy(this.context, exprs, s.group_by);
    const sorted: Ast[] = [...(s.sort_by ?? []), ...(s.cluster_by ?? []).map((expr: Ast) => ({ expr, options: {} }))];
    return {
      kind: "select",
      input,
      items,
      distinct: s.distinct === "Distinct",
      ...(group && { group }),
      ...(s.having && { having: exprs.expr(s.having) }),
      ...(s.qualify && { qualify: exprs.expr(s.qualify) }),
      order: sorted.map((o) => exprs.order(o)),
    };
  }

  #limited(plan: Relation, clause: Ast): Relation {
    if (!clause) return plan;
    if (clause.OffsetCommaLimit)
      throw notTaken(this.context, "LIMIT offset, count", "Write LIMIT count OFFSET offset.");
    const { limit, offset, limit_by: by } = clause.LimitOffset;
    if (by?.length > 0) throw notTaken(this.context, "LIMIT BY");
    let result = plan;
    if (offset) result = { kind: "offset", input: result, offset: this.#count("offset", offset.value) };
    if (limit) result = { kind: "limit", input: result, limit: this.#count("limit", limit) };
    return result;
  }

  /** LIMIT and OFFSET take whole numbers, also computed from literals. */
  #count(clause: string, ast: Ast): number {
    const expr = this.exprs().expr(ast);
    if (expr.kind === "literal" && expr.type.kind !== "integer") {
      throw new MillraceError(
        "INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE",
        `The ${clause} must be an INT, but it is a ${sqlName(expr.type)}.`,
      );
    }
    const value = foldedNumber(expr);
    if (value === undefined || !Number.isInteger(value)) {
      throw new MillraceError(
        "INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE",
        `The ${clause} must be a whole number that is known before the query runs.`,
      );
    }
    if (value < 0) {
      throw new MillraceError(
        "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE",
        `The ${clause} must be equal to or greater than 0, but got ${value}.`,
      );
    }
    return value;
  }
}

/** GROUP BY with its sets: `GROUP BY a, ROLLUP (b, c)` is the product of what its parts group by. */
function groupBy(context: SqlContext, exprs: AstConverter, clause: Ast): GroupBy | undefined {
  if (clause.All) return { keys: [], all: true };
  const [items, modifiers] = clause.Expressions as [Ast[], Ast[]];
  if (items.length === 0 && modifiers.length === 0) return undefined;
  const keys: Expr[] = [];
  const indices = new Map<string, number>();
  const key = (ast: Ast): number => {
    const e = exprs.expr(ast);
    const id = JSON.stringify(e, (_, v) =>
      typeof v === "bigint" ? `${v}n` : typeof v === "string" && e.kind === "attribute" ? v.toLowerCase() : v,
    );
    let at = indices.get(id);
    if (at === undefined) {
      at = keys.push(e) - 1;
      indices.set(id, at);
    }
    return at;
  };
  const group = (list: Ast): number[] => (Array.isArray(list) ? list : [list]).flatMap((x) => x.Tuple ?? [x]).map(key);
  const rollup = (parts: number[][]): number[][] =>
    Array.from({ length: parts.length + 1 }, (_, i) => parts.slice(0, parts.length - i).flat());
  const cube = (parts: number[][]): number[][] =>
    parts.reduce<number[][]>((sets, p) => sets.flatMap((s) => [[...s, ...p], s]), [[]]);
  const setsOf = (item: Ast): number[][] | undefined => {
    if (item.Rollup) return rollup(item.Rollup.map(group));
    if (item.Cube) return cube(item.Cube.map(group));
    if (item.GroupingSets) {
      return item.GroupingSets.flatMap((set: Ast[]) => (set.length === 1 && nested(set[0])) || [group(set)]);
    }
    return undefined;
  };
  /** ROLLUP and CUBE inside GROUPING SETS come as function calls. */
  const nested = (item: Ast): number[][] | undefined => {
    const direct = setsOf(item);
    if (direct) return direct;
    const name = item.Function?.name?.[0]?.Identifier?.value?.toUpperCase();
    const args = item.Function?.args?.List?.args?.map((a: Ast) => group(a.Unnamed?.Expr));
    return name === "ROLLUP" ? rollup(args) : name === "CUBE" ? cube(args) : undefined;
  };
  const all = items.map((item) => ({ item, sets: setsOf(item) }));
  if (modifiers.length > 0) {
    const plain = items.map((i) => group(i));
    const [modifier] = modifiers;
    const given = modifier.GroupingSets ? setsOf(modifier.GroupingSets) : undefined;
    if (given) return { keys, sets: given, all: false };
    if (modifier === "Rollup") return { keys, sets: rollup(plain), all: false };
    if (modifier === "Cube") return { keys, sets: cube(plain), all: false };
    throw notTaken(context, `GROUP BY ... WITH ${String(modifier).toUpperCase()}`);
  }
  if (all.every((x) => x.sets === undefined)) return { keys: all.map(({ item }) => exprs.expr(item)), all: false };
  const sets = all.reduce<number[][]>(
    (before, { item, sets: own }) =>
      before.flatMap((b) => (own ?? [group(item)]).map((s) => [...new Set([...b, ...s])])),
    [[]],
  );
  return { keys, sets, all: false };
}
