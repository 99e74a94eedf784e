import { MillraceError } from "../../errors.ts";
import type { Expr } from "../expr.ts";
import { foldedNumber } from "../folded-number.ts";
import { part } from "../parse-convert.ts";
import type { JoinType, Relation } from "../relation.ts";
import { type Ast, nameOf, notTaken } from "./context.ts";
import { type QueryBuilder, queryPlan } from "./query.ts";

/** One row without columns: what a SELECT without FROM reads. */
const ONE_ROW: Relation = { kind: "local", schema: { kind: "struct", fields: [] }, rows: [[]] };

/** FROM with its joins, then LATERAL VIEWs. */
export function fromClause(q: QueryBuilder, from: readonly Ast[], views: readonly Ast[]): Relation {
  let plan: Relation | undefined;
  for (const item of from) {
    let own = beside(q, plan, item.relation, "cross");
    for (const join of item.joins ?? []) own = joined(q, own, join);
    plan = own.lateral ? own.plan : plan ? { kind: "join", left: plan, right: own.plan, type: "cross" } : own.plan;
  }
  return views.reduce<Relation>((input, view) => lateralView(q, input, view), plan ?? ONE_ROW);
}

/** A relation of FROM; `lateral`: what stands before it is in its plan already. */
interface Item {
  readonly plan: Relation;
  readonly lateral: boolean;
}

/** A table factor; one that is lateral goes over what stands before it. */
function beside(q: QueryBuilder, before: Relation | undefined, factor: Ast, type: JoinType): Item {
  const lateral = isLateral(factor);
  if (!lateral || before === undefined) return { plan: tableFactor(q, factor), lateral: false };
  const table = factor.Function;
  // Also a LEFT JOIN with a generator drops rows for which it makes none, as in Spark.
  if (table) return { plan: tableFunction(q, before, table.name, table.args, table.alias), lateral: true };
  return {
    plan: { kind: "join", left: before, right: tableFactor(q, factor), type, lateral: true },
    lateral: true,
  };
}

const isLateral = (factor: Ast): boolean => factor.Derived?.lateral === true || factor.Function?.lateral === true;

const JOINS: Readonly<Record<string, JoinType>> = {
  Join: "inner",
  Inner: "inner",
  CrossJoin: "cross",
  Left: "left_outer",
  LeftOuter: "left_outer",
  Right: "right_outer",
  RightOuter: "right_outer",
  FullOuter: "full_outer",
  Semi: "left_semi",
  LeftSemi: "left_semi",
  Anti: "left_anti",
  LeftAnti: "left_anti",
};

function joined(q: QueryBuilder, left: Item, join: Ast): Item {
  const operator = join.join_operator;
  const [kind, constraint] =
    typeof operator === "string" ? [operator, undefined] : (Object.entries(operator)[0] as [string, Ast]);
  const type = JOINS[kind];
  if (type === undefined) throw notTaken(q.context, `${kind.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase()} JOIN`);
  const on: Expr | undefined = constraint?.On ? q.exprs().expr(constraint.On) : undefined;
  if (isLateral(join.relation)) {
    const plan = beside(q, left.plan, join.relation, type).plan;
    if (on === undefined) return { plan, lateral: left.lateral };
    if (plan.kind === "join") return { plan: { ...plan, condition: on }, lateral: left.lateral };
    return { plan: { kind: "filter", input: plan, condition: on }, lateral: left.lateral };
  }
  const base = { kind: "join", left: left.plan, right: tableFactor(q, join.relation), type } as const;
  const { lateral } = left;
  if (on) return { plan: { ...base, condition: on }, lateral };
  if (constraint?.Using) return { plan: { ...base, using: constraint.Using.map(usingName) }, lateral };
  if (constraint === "Natural") return { plan: { ...base, natural: true }, lateral };
  return { plan: { ...base, type: type === "inner" ? "cross" : type }, lateral };
}

const usingName = (name: Ast): string => name.map((p: Ast) => part(p.Identifier)).join(".");

function tableFactor(q: QueryBuilder, factor: Ast): Relation {
  const [kind, v] = Object.entries(factor)[0] as [string, Ast];
  switch (kind) {
    case "Table": {
      if (v.args) return tableFunction(q, undefined, v.name, v.args.args, v.alias);
      if (v.version)
        throw notTaken(q.context, "Time travel", 'Use spark.read.format("delta").option("versionAsOf", ...).');
      return aliased(sampled(q, tableOf(q, v.name), v.sample), v.alias);
    }
    case "Derived": {
      const plan = queryPlan(v.subquery, q.context, q.ctes);
      const bare = v.subquery.body.Values ? undefined : "__auto_generated_subquery_name";
      return aliased(sampled(q, plan, v.sample), v.alias, bare);
    }
    case "Function":
      return tableFunction(q, undefined, v.name, v.args, v.alias);
    case "NestedJoin": {
      const { relation, joins } = v.table_with_joins;
      let item: Item = { plan: tableFactor(q, relation), lateral: false };
      for (const join of joins) item = joined(q, item, join);
      return aliased(item.plan, v.alias);
    }
    case "Pivot":
      return aliased(pivot(q, v), v.alias);
    case "Unpivot":
      return aliased(unpivot(q, v), v.alias);
    case "TableFunction":
    case "UNNEST":
      throw notTaken(q.context, kind, "Use explode(...) in FROM, or LATERAL VIEW explode(...).");
  }
  throw notTaken(q.context, kind);
}

/** A table, or a named query of WITH. */
function tableOf(q: QueryBuilder, name: readonly Ast[]): Relation {
  const first = name[0]?.Identifier?.value as string | undefined;
  const cte = name.length === 1 && first !== undefined ? q.ctes.get(first.toLowerCase()) : undefined;
  if (cte !== undefined) return { kind: "subquery_alias", input: cte, alias: first! };
  return { kind: "named_table", name: nameOf(name), options: {}, streaming: false };
}

function aliased(plan: Relation, alias: Ast, otherwise?: string): Relation {
  const name: string | undefined = alias?.name?.value ?? otherwise;
  if (name === undefined) return plan;
  const columns: string[] = (alias?.columns ?? []).map((c: Ast) => c.name.value);
  if (plan.kind === "inline_table" && columns.length > 0 && columns.length !== plan.rows[0]?.length) {
    throw new MillraceError(
      "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
      `Invalid inline table. Inline table expected ${columns.length} columns but found ${plan.rows[0]?.length} columns in row 0.`,
    );
  }
  const input: Relation = columns.length > 0 ? { kind: "to_df", input: plan, names: columns, alias: true } : plan;
  return { kind: "subquery_alias", input, alias: name };
}

function sampled(q: QueryBuilder, input: Relation, clause: Ast): Relation {
  const sample = clause?.AfterTableAlias ?? clause?.BeforeTableAlias;
  if (!sample) return input;
  const number = (v: Ast): number => {
    const e = q.exprs().expr(v);
    if (e.kind !== "literal") throw notTaken(q.context, "TABLESAMPLE with an expression");
    return Number(e.value);
  };
  const seed = BigInt(sample.seed ? number({ Value: sample.seed.value }) : Math.floor(Math.random() * 2 ** 31));
  const fraction = (upper: number): Relation => ({
    kind: "sample",
    input,
    lower: 0,
    upper,
    withReplacement: false,
    seed,
  });
  if (sample.bucket) {
    const n = (v: Ast): number => number({ Value: v });
    return fraction(n(sample.bucket.bucket) / n(sample.bucket.total));
  }
  const amount = number(sample.quantity.value);
  if (sample.quantity.unit === "Rows") return { kind: "limit", input, limit: amount };
  if (sample.quantity.unit !== "Percent") throw notTaken(q.context, "TABLESAMPLE in bytes");
  if (!(amount >= 0 && amount <= 100)) {
    throw new MillraceError("INVALID_ARGUMENT", `TABLESAMPLE takes 0 to 100 percent, got ${amount}.`);
  }
  return fraction(amount / 100);
}

function tableFunction(
  q: QueryBuilder,
  input: Relation | undefined,
  name: readonly Ast[],
  args: readonly Ast[],
  alias: Ast,
): Relation {
  const lower = nameOf(name).toLowerCase();
  const generator = q.exprs().expr({ Function: { name, args: { List: { args, clauses: [] } } } });
  const columns: string[] = (alias?.columns ?? []).map((c: Ast) => c.name.value);
  if (lower === "range" && generator.kind === "call") {
    const numbers = generator.args.map((a) => (a.kind === "literal" ? a.value : foldedNumber(a)));
    if (numbers.length === 0 || numbers.some((n) => !Number.isInteger(n) && typeof n !== "bigint")) {
      throw new MillraceError("INVALID_ARGUMENT", "range takes whole numbers: range(end), range(start, end, step).");
    }
    const [a, b, step] = numbers.map((n) => BigInt(n as number));
    const [start, end] = b === undefined ? [0n, a!] : [a!, b];
    return aliased({ kind: "range", start, end, step: step ?? 1n }, alias, "range");
  }
  return {
    kind: "generate",
    input: input ?? ONE_ROW,
    generator,
    outer: false,
    alias: alias?.name?.value ?? lower,
    ...(columns.length > 0 && { columns }),
  };
}

function lateralView(q: QueryBuilder, input: Relation, view: Ast): Relation {
  const generator = q.exprs().expr(view.lateral_view);
  // `LATERAL VIEW explode(a) AS c` without a name for the view is read as a view of the name AS.
  const name = view.lateral_view_name?.[0]?.Identifier;
  const alias: string | undefined =
    name && !(name.value.toUpperCase() === "AS" && !name.quote_style) ? name.value : undefined;
  const columns: string[] = view.lateral_col_alias.map((c: Ast) => c.value);
  return {
    kind: "generate",
    input,
    generator,
    outer: view.outer === true,
    ...(alias !== undefined && { alias }),
    ...(columns.length > 0 && { columns }),
  };
}

function pivot(q: QueryBuilder, v: Ast): Relation {
  const exprs = q.exprs();
  if (!v.value_source.List) throw notTaken(q.context, "PIVOT without a list of values");
  const columns: Ast[] = v.value_column.flatMap((c: Ast) => c.Tuple ?? [c]);
  return {
    kind: "sql_pivot",
    input: tableFactor(q, v.table),
    aggregates: v.aggregate_functions.map((a: Ast) => named(exprs.expr(a.expr), a.alias)),
    columns: columns.map((c) => exprs.expr(c)),
    values: v.value_source.List.map((x: Ast) => ({
      value: exprs.expr(x.expr),
      ...(x.alias && { alias: x.alias.value }),
    })),
  };
}

function unpivot(q: QueryBuilder, v: Ast): Relation {
  const exprs = q.exprs();
  const names: Ast[] = v.value.Tuple ?? [v.value];
  return {
    kind: "unpivot",
    input: tableFactor(q, v.table),
    values: v.columns.map((c: Ast) => ({
      columns: (c.expr.Tuple ?? [c.expr]).map((x: Ast) => exprs.expr(x)),
      ...(c.alias && { alias: c.alias.value }),
    })),
    valueNames: names.map((n) => n.Identifier.value),
    variableName: v.name.value,
    includeNulls: v.null_inclusion === "IncludeNulls",
  };
}

function named(child: Expr, alias: Ast): Expr {
  return alias ? { kind: "alias", child, name: alias.value } : child;
}
