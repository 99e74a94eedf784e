import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { AggregateSplit, missingGroupBy, notAllGrouped } from "./aggregate-split.ts";
import { groupingKey } from "./analyze-aggregate.ts";
import type { Builder } from "./analyze-base.ts";
import {
  generate,
  generateLate,
  generatorOutputs,
  generatorOutsideSelect,
  isGenerator,
  type LateGenerator,
  lateGenerator,
  nestedGenerator,
  refuseSeveral,
  withoutAliases,
} from "./analyze-generator.ts";
import { Scope } from "./analyze-scope.ts";
import { nullAware } from "./analyze-subquery.ts";
import { timeWindows } from "./analyze-window.ts";
import type { Expr } from "./expr.ts";
import { refuseGrouping } from "./grouping.ts";
import { lateralAlias, withOnce } from "./lateral-alias.ts";
import { nameParts, quoted } from "./names.ts";
import type { Relation } from "./relation.ts";
import { columnOf } from "./resolve-expr.ts";
import type { Field, NamedExpr, ResolvedExpr, SortKey } from "./resolved.ts";
import { type Node, unresolved } from "./scope.ts";
import { exprName, exprText, type NameContext } from "./sql-text.ts";
import { exprKey, mapResolvedExpr, walkExpr } from "./walk.ts";

type Select = Extract<Relation, { kind: "select" }>;

interface Item {
  readonly name: string;
  expr: ResolvedExpr;
  readonly alias: boolean;
  readonly field?: Field;
  /** `expr` is a generator over what was aggregated. */
  readonly generator?: LateGenerator;
}

/** A SELECT block with HAVING, QUALIFY, DISTINCT and ORDER BY, which see both its output and its input. */
export function resolveSelect(b: Builder, input: Node, r: Select): Node {
  return new SelectBlock(b, input, r, false).resolve();
}

class SelectBlock {
  readonly #b: Builder;
  readonly #input: Node;
  readonly #r: Select;
  readonly #scope: Scope;
  readonly #items: Item[] = [];
  #clause: "select" | "group" | "after" = "select";
  #generatorName: string | readonly string[] | undefined;

  /** Generators stand over an aggregation. */
  readonly #late: boolean;
  #generators = 0;
  #overAggregate = false;

  constructor(b: Builder, input: Node, r: Select, late: boolean) {
    this.#late = late;
    this.#b = b;
    this.#input = input;
    this.#r = r;
    this.#scope = new Scope(b, input, {
      hidden: "join keys",
      timeWindow: timeWindows(b),
      generator: (signature, args, type, nested) => {
        if (this.#clause === "after") throw generatorOutsideSelect(signature);
        if (nested) throw nestedGenerator(signature);
        if (this.#clause === "group") {
          throw groupByGenerator(signature.name);
        }
        this.#generators++;
        if (args.some((a) => b.hasAggregate(a))) this.#overAggregate = true;
        if (late) return lateGenerator(signature, args, type);
        return generate(b, this.#scope, signature, args, type, this.#generatorName);
      },
      alias: (name) => this.#alias(name),
      lateral: (name) =>
        this.#clause === "select" ? lateralAlias(this.#b, this.#scope, this.#items, name) : undefined,
      output: (parts) => this.#output(parts),
    });
  }

  /** GROUP BY may name any alias of the same SELECT. */
  #alias(name: string): ResolvedExpr | undefined {
    if (this.#clause !== "group" || name.toLowerCase() === "grouping__id") return undefined;
    return this.#items.find((i) => i.alias && this.#b.same(i.name, name))?.expr;
  }

  /** HAVING, QUALIFY and ORDER BY mean the columns of the output first. */
  #output(parts: readonly string[]): { expr: ResolvedExpr; path: readonly string[] } | undefined {
    if (this.#clause !== "after") return undefined;
    const { same } = this.#b;
    if (parts.length > 1 && this.#input.columns.some((c) => c.qualifiers.some((q) => same(q, parts[0]!)))) {
      return undefined;
    }
    const found = this.#items.filter((i) => same(i.name, parts[0]!));
    const first = found[0];
    if (first === undefined) return undefined;
    if (found.some((f) => exprKey(f.expr) !== exprKey(first.expr))) {
      throw unresolved(quoted(parts), this.#named());
    }
    return { expr: first.expr, path: parts.slice(1) };
  }

  resolve(): Node {
    const r = this.#r;
    // A window(...) that is grouped by is a column that the items may name.
    for (const g of r.group?.keys ?? [])
      if (g.kind === "call" && g.name.toLowerCase() === "window") this.#scope.exprs.resolve(g);
    for (const item of r.items) this.#item(item);
    if (r.group !== undefined && this.#generators > 0 && !this.#late) {
      return new SelectBlock(this.#b, this.#input, r, true).resolve();
    }
    if (this.#late) refuseSeveral(r.items.filter((item) => isGenerator(this.#b, item)));
    this.#clause = "group";
    const sets = r.group?.sets;
    const keys = this.#keys();
    this.#clause = "after";
    const having = r.having && nullAware(this.#scope.exprs.condition(r.having));
    const qualify = r.qualify && this.#scope.exprs.condition(r.qualify);
    const order = this.#order();
    const { once } = this.#scope;
    const selected = [...this.#items, ...once].map((i) => i.expr);
    const all = [...selected, ...order.map((o) => o.expr), ...(qualify ? [qualify] : [])];
    const aggregated =
      r.group !== undefined || having !== undefined || this.#overAggregate || all.some((e) => this.#b.hasAggregate(e));
    if (aggregated && this.#generators > 0 && !this.#late) {
      return new SelectBlock(this.#b, this.#input, r, true).resolve();
    }
    const below = this.#scope.withHidden();
    if (!aggregated) return this.#above(withOnce(this.#b, below, once), this.#items, order, qualify);

    const split = new AggregateSplit(this.#b, keys, once);
    const inAggregate = split.missing;
    if (r.group === undefined) split.missing = missingGroupBy;
    else if (r.group.all) split.missing = notAllGrouped;
    if (sets === undefined) refuseGrouping([...all, ...(having ? [having] : [])]);
    const items = this.#items.map((item): Item => ({ ...item, expr: split.split(item.expr, item.name) }));
    const apart = once.map((c): NamedExpr => ({ ...c, expr: split.split(c.expr, c.field.name) }));
    if (r.group !== undefined) split.missing = (name) => unresolved(name, this.#named());
    const condition = having && split.split(having, "having");
    const sorted = order.map((o): SortKey => ({ ...o, expr: split.split(o.expr, "order") }));
    split.missing = inAggregate;
    const kept = qualify && split.split(qualify, "qualify");
    const { calls } = split;
    const fields = [...keys.map((k) => k.field), ...calls.map((c) => c.field)];
    const qualifiers = new Map(below.columns.map((c) => [c.field.id, c.qualifiers]));
    const streaming = below.rel.streaming;
    const node: Node = {
      rel: { kind: "aggregate", input: below.rel, keys, calls, ...(sets && { sets }), fields, streaming },
      columns: fields.map((field) => ({ field, qualifiers: qualifiers.get(field.id) ?? [] })),
      hidden: [],
      plans: below.plans,
    };
    const named = condition && [...walkExpr(condition)].some((e) => once.some((c) => isColumn(e, c.field)));
    const early = named ? withOnce(this.#b, node, apart) : node;
    const filtered = condition ? this.#b.over(early, { kind: "filter", input: early.rel, condition }) : early;
    return this.#generated(named ? filtered : withOnce(this.#b, filtered, apart), items, sorted, kept);
  }

  /** Makes the rows of generators over what was aggregated. */
  #generated(below: Node, items: readonly Item[], order: readonly SortKey[], qualify: ResolvedExpr | undefined): Node {
    let node = below;
    const made = new Map<string, Field>();
    const columns = items.flatMap((item): Item | Item[] => {
      if (!item.generator) return item;
      const { outputs, ...over } = generateLate(this.#b, node, item.expr, item.generator);
      node = over.node;
      if (outputs[0]) made.set(exprKey(item.expr), outputs[0]);
      return outputs.map((field) => ({ name: field.name, expr: columnOf(field), alias: false, field }));
    });
    const over = (e: ResolvedExpr): ResolvedExpr => {
      const field = made.get(exprKey(e));
      return field ? columnOf(field) : mapResolvedExpr(e, over);
    };
    const keys = made.size === 0 ? order : order.map((o) => ({ ...o, expr: over(o.expr) }));
    return this.#above(node, columns, keys, qualify && (made.size === 0 ? qualify : over(qualify)));
  }

  #item(item: Expr): void {
    const { exprs } = this.#scope;
    if (item.kind === "star") {
      for (const s of exprs.star(item)) this.#items.push({ ...s, alias: false });
      return;
    }
    this.#generatorName = item.kind === "alias" ? (item.names ?? item.name) : undefined;
    const inner = withoutAliases(item);
    if (this.#late && isGenerator(this.#b, item)) {
      const generator = { alias: this.#generatorName };
      this.#items.push({ name: exprName(item), expr: exprs.resolve(inner), alias: false, generator });
      return;
    }
    const outputs = inner.kind === "call" ? generatorOutputs(this.#b, this.#scope, inner) : undefined;
    if (outputs) {
      for (const field of outputs) this.#items.push({ name: field.name, expr: columnOf(field), alias: false, field });
      return;
    }
    const expr = isGroupingId(inner)
      ? exprs.resolve({ kind: "call", name: "grouping_id", args: [] })
      : exprs.resolve(inner);
    const window = expr.kind === "column" && inner.kind === "call" ? expr.name : undefined;
    this.#items.push({
      name: item.kind === "alias" ? item.name : (window ?? nameOf(item, expr, exprs.names)),
      expr,
      alias: item.kind === "alias",
    });
  }

  #keys(): NamedExpr[] {
    const { group } = this.#r;
    if (group === undefined) return [];
    if (group.all) {
      // A generator's rows are made of the groups, so what it takes is grouped by.
      const plain = this.#items.flatMap(({ expr, name, generator }) =>
        generator && expr.kind === "call"
          ? expr.args.map((arg, i) => ({ expr: arg, name: `_gen_input_${i}` }))
          : { expr, name },
      );
      return plain
        .filter((i) => !this.#b.hasAggregate(i.expr))
        .map((i) => groupingKey(this.#b, this.#scope, i.expr, i.name, false));
    }
    const sets = group.sets !== undefined;
    return group.keys.map((g): NamedExpr => {
      const at = ordinal(g);
      if (at === undefined) {
        const expr = this.#scope.exprs.resolve(g);
        if (this.#b.hasAggregate(expr)) throw groupByAggregate(g);
        return groupingKey(this.#b, this.#scope, expr, exprName(g, this.#scope.exprs.names), sets);
      }
      const item = this.#items[at - 1];
      if (item === undefined) throw outOfRange("GROUP BY", at, this.#items.length);
      if (this.#b.hasAggregate(item.expr)) {
        throw new MillraceError(
          "GROUP_BY_POS_AGGREGATE",
          `GROUP BY ${at} refers to "${item.name}", which contains an aggregate function.`,
          { parameters: { index: String(at), aggExpr: item.name } },
        );
      }
      if (item.generator) throw groupByGenerator(item.name);
      return groupingKey(this.#b, this.#scope, item.expr, item.name, sets);
    });
  }

  #order(): SortKey[] {
    const { order, orderAll } = this.#r;
    if (order === "all") {
      const { direction, nulls } = orderAll ?? { direction: "asc", nulls: "first" };
      return this.#items.map(({ expr }) => ({ expr, direction, nulls }));
    }
    return order.map((o): SortKey => {
      const child = o.kind === "sort_order" ? o.child : o;
      const at = ordinal(child);
      if (at === undefined) {
        if (this.#r.distinct) this.#onlyOutput(child);
        const key = this.#scope.exprs.sortKey(o);
        if (key.expr.kind === "over" && !this.#items.some((i) => exprKey(i.expr) === exprKey(key.expr))) {
          throw new MillraceError(
            "UNSUPPORTED_EXPR_FOR_OPERATOR",
            `ORDER BY has the window function "${exprText(child)}" in it, which is not selected.`,
            { hint: "Select it with a name, and order by that." },
          );
        }
        return key;
      }
      const item = this.#items[at - 1];
      if (item === undefined) throw outOfRange("ORDER BY", at, this.#items.length);
      const { direction, nulls } = o.kind === "sort_order" ? o : { direction: "asc" as const, nulls: "first" as const };
      return { expr: item.expr, direction, nulls };
    });
  }

  /** What DISTINCT has left can be ordered by its own columns only. */
  #onlyOutput(e: Expr): void {
    if (e.kind === "attribute") {
      const name = nameParts(e.name);
      const { same } = this.#b;
      if (!this.#items.some((i) => name.some((n) => same(i.name, n)))) throw unresolved(e.name, this.#named());
    } else if (e.kind === "call") for (const a of e.args) this.#onlyOutput(a);
    else if (e.kind === "cast" || e.kind === "alias") this.#onlyOutput(e.child);
  }

  #named(): { field: Field; qualifiers: readonly string[] }[] {
    return this.#items.map((i) => ({ field: this.#b.derived(i.name, i.expr), qualifiers: [] }));
  }

  /** The columns of the output, then QUALIFY, DISTINCT and ORDER BY over them. */
  #above(below: Node, items: readonly Item[], order: readonly SortKey[], qualify: ResolvedExpr | undefined): Node {
    const b = this.#b;
    const used = new Set<number>();
    const outputs = items.map(({ name, expr, field }): NamedExpr => {
      // A bare column keeps its identity, the first time that it is selected.
      const own = field ?? (expr.kind === "column" ? b.fieldIn(below, expr.id) : undefined);
      if (own && own.name === name && !used.has(own.id)) {
        used.add(own.id);
        return { field: own, expr };
      }
      return { field: b.derived(name, expr), expr };
    });
    const byExpr = new Map(outputs.map((o) => [exprKey(o.expr), o.field]));
    const made = new Set(outputs.map((o) => o.field.id));
    const overOutput = (e: ResolvedExpr): ResolvedExpr => {
      const field = byExpr.get(exprKey(e));
      return field ? columnOf(field) : mapResolvedExpr(e, overOutput);
    };
    const extra: NamedExpr[] = [];
    const compute = (name: string, e: ResolvedExpr): ResolvedExpr => {
      const over = overOutput(e);
      const missing = [...walkExpr(over)].find((x) => x.kind === "column" && !made.has(x.id));
      const plain =
        missing === undefined && ![...walkExpr(over)].some((x) => x.kind === "over" || x.kind === "subquery");
      if (plain) return over;
      if (this.#r.distinct && missing?.kind === "column" && name === "order")
        throw unresolved(missing.name, this.#named());
      const field = b.derived(name, e);
      extra.push({ field, expr: e });
      return columnOf(field);
    };
    const keys = order.map((o): SortKey => ({ ...o, expr: compute("order", o.expr) }));
    const condition = qualify && compute("qualify", qualify);
    let node = b.project(below, [...outputs, ...extra]);
    if (condition) node = b.over(node, { kind: "filter", input: node.rel, condition });
    const bare = (n: Node): Node =>
      n.columns.length === outputs.length
        ? n
        : b.project(
            n,
            outputs.map(({ field }) => ({ field, expr: columnOf(field) })),
          );
    if (this.#r.distinct) {
      const map = outputs.find((o) => hasMap(o.field.type));
      if (map !== undefined) {
        throw new MillraceError(
          "UNSUPPORTED_FEATURE",
          `DISTINCT cannot compare maps, but the column ${quoted(map.field.name)} has one.`,
          { hint: "Compare to_json(...) of it, or its entries sorted." },
        );
      }
      node = bare(node);
      const distinct = { kind: "deduplicate", keys: outputs.map((o) => o.field.id), withinWatermark: false } as const;
      node = b.over(node, { ...distinct, input: node.rel });
    }
    if (keys.length > 0) node = b.over(node, { kind: "sort", input: node.rel, order: keys });
    return { ...bare(node), hidden: [] };
  }
}

/** The name of a column without alias; the element of a map is named by its key in brackets. */
function nameOf(item: Expr, expr: ResolvedExpr, names: NameContext): string {
  if (item.kind !== "extract" || expr.kind !== "get_item") return exprName(item, names);
  return `${exprText(item.child, names)}[${exprText(item.extraction, names)}]`;
}

function hasMap(type: DataType): boolean {
  if (type.kind === "map") return true;
  if (type.kind === "array") return hasMap(type.elementType);
  return type.kind === "struct" && type.fields.some((f) => hasMap(f.type));
}

const isColumn = (e: ResolvedExpr, field: Field): boolean => e.kind === "column" && e.id === field.id;

function isGroupingId(e: Expr): boolean {
  return e.kind === "attribute" && e.name.toLowerCase() === "grouping__id";
}

/** The position that a whole number in GROUP BY or ORDER BY means. */
function ordinal(e: Expr): number | undefined {
  if (e.kind !== "literal" || e.type.kind !== "integer" || typeof e.value !== "number") return undefined;
  return e.value;
}

function outOfRange(clause: "GROUP BY" | "ORDER BY", at: number, size: number): MillraceError {
  return new MillraceError(
    clause === "GROUP BY" ? "GROUP_BY_POS_OUT_OF_RANGE" : "ORDER_BY_POS_OUT_OF_RANGE",
    `${clause} position ${at} is not in select list (valid range is [1, ${size}]).`,
    { parameters: { index: String(at), size: String(size) } },
  );
}

function groupByAggregate(g: Expr): MillraceError {
  return new MillraceError(
    "GROUP_BY_AGGREGATE",
    `Aggregate functions are not allowed in GROUP BY, but found "${exprText(g)}".`,
    { parameters: { sqlExpr: exprText(g) } },
  );
}

function groupByGenerator(name: string): MillraceError {
  return new MillraceError("UNSUPPORTED_EXPR_FOR_OPERATOR", `GROUP BY has a generator in it: ${name}.`, {
    hint: "Generate in a subquery, and group its rows.",
  });
}
