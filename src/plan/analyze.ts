import { MillraceError } from "../errors.ts";
import type { StructType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { resolveAggregate, resolvePivot } from "./analyze-aggregate.ts";
import { Builder, columnExists, isTimeWindow } from "./analyze-base.ts";
import { resolveJoin } from "./analyze-join.ts";
import { resolveNa } from "./analyze-na.ts";
import { type ProjectItem, resolveProject } from "./analyze-project.ts";
import { Scope } from "./analyze-scope.ts";
import { resolveSelect } from "./analyze-select.ts";
import { resolveSetOp } from "./analyze-set-op.ts";
import { resolveGenerate, resolveInlineTable, resolveSqlPivot, resolveUnpivot } from "./analyze-sql.ts";
import { nullAware } from "./analyze-subquery.ts";
import { withGrouping } from "./grouping.ts";
import { parseIntervalMicros } from "./interval.ts";
import { nameParts, quoted } from "./names.ts";
import { refuseMaps, refuseUnordered } from "./refuse-types.ts";
import type { Relation } from "./relation.ts";
import { columnOf } from "./resolve-expr.ts";
import type { Field, FunctionCatalog, NamedExpr, ResolvedRelation, SortKey } from "./resolved.ts";
import { matches, type Node, unresolved } from "./scope.ts";
import { blame } from "./site.ts";

export interface AnalyzeEnv {
  readonly catalog: FunctionCatalog;
  /** The schema of a source; file schemas were inferred before, so that analysis stays pure. */
  scanSchema(read: Extract<Relation, { kind: "read" }>): StructType;
  readonly conf: Readonly<Record<string, string>>;
  /** The database that tables without one are in; default: `default`. */
  readonly currentDatabase?: string;
  /** What a table's name or a query's text stands for, looked up before. */
  expand?(node: Extract<Relation, { kind: "named_table" | "sql" }>): Relation | undefined;
}

/**
 * Spark's analysis: looks every name up, types every expression, writes implicit casts out and rewrites sugar to the algebra of
 * `resolved.ts`. Pure. Throws MillraceError with Spark's error classes (UNRESOLVED_COLUMN.*, AMBIGUOUS_REFERENCE, DATATYPE_MISMATCH.*, ...).
 */
export function analyze(relation: Relation, env: AnalyzeEnv): ResolvedRelation {
  return new Analyzer({ ...env, catalog: withGrouping(env.catalog) }).analyze(relation).rel;
}

/** The schema of an analysed plan. */
export function schemaOf(plan: ResolvedRelation): StructType {
  return {
    kind: "struct",
    fields: plan.fields.map(({ name, type, nullable, metadata }) => ({
      name,
      type,
      nullable,
      ...(metadata && { metadata }),
    })),
  };
}

class Analyzer extends Builder {
  readonly #sources = new Map<unknown, number>();

  analyze(r: Relation): Node {
    let node: Node;
    try {
      node = this.#analyze(r);
    } catch (error) {
      blame(error, r);
      throw error;
    }
    if (r.planId === undefined) return node;
    return { ...node, plans: new Map([...node.plans, [r.planId, node.rel.fields]]) };
  }

  #analyze(r: Relation): Node {
    switch (r.kind) {
      case "read":
        return this.#scan(r);
      case "named_table":
      case "sql":
        return this.#expanded(r);
      case "select":
        return resolveSelect(this, this.analyze(r.input), r);
      case "generate":
        return resolveGenerate(this, this.analyze(r.input), r);
      case "inline_table":
        return resolveInlineTable(this, r);
      case "sql_pivot":
        return resolveSqlPivot(this, this.analyze(r.input), r);
      case "unpivot":
        return resolveUnpivot(this, this.analyze(r.input), r);
      case "local":
        return this.leaf({ kind: "local", rows: r.rows }, this.structFields(r.schema), false);
      case "range":
        return this.leaf(
          { kind: "range", start: r.start, end: r.end, step: r.step },
          [this.field("id", { kind: "long" }, false)],
          false,
        );
      case "project":
        return resolveProject(this, this.analyze(r.input), r.exprs);
      case "filter": {
        const input = this.analyze(r.input);
        const scope = new Scope(this, input);
        const condition = nullAware(scope.exprs.condition(r.condition));
        this.refuseAggregates(condition, r.condition);
        this.refuseWindows(condition);
        return scope.finish((i) => ({ kind: "filter", input: i, condition }));
      }
      case "with_columns":
      case "with_columns_renamed":
      case "to_df":
      case "drop":
        return this.#columns(r);
      case "na_drop":
      case "na_fill":
      case "na_replace":
        return resolveNa(this, this.analyze(r.input), r);
      case "aggregate":
        return r.group === "pivot"
          ? resolvePivot(this, this.analyze(r.input), r)
          : resolveAggregate(this, this.analyze(r.input), r.grouping, r.aggregates, r.group);
      case "join":
        return this.#join(r);
      case "set_op":
        return resolveSetOp(this, this.analyze(r.left), this.analyze(r.right), r);
      case "sort": {
        const scope = new Scope(this, this.analyze(r.input));
        const order = r.order.map((o): SortKey => scope.exprs.sortKey(o));
        for (const { expr } of order) refuseUnordered(expr);
        for (const [i, key] of order.entries()) this.refuseAggregate(key.expr, r.order[i]!, "orderBy");
        return scope.finish((input) => ({ kind: "sort", input, order }));
      }
      case "limit":
      case "offset": {
        const input = this.analyze(r.input);
        const n = r.kind === "limit" ? r.limit : r.offset;
        if (!Number.isInteger(n) || n < 0) {
          throw new MillraceError(
            "INVALID_LIMIT_LIKE_EXPRESSION",
            `The ${r.kind} must be a whole number and not negative, got ${n}.`,
          );
        }
        return this.over(
          input,
          r.kind === "limit"
            ? { kind: "limit", input: input.rel, limit: n }
            : { kind: "offset", input: input.rel, offset: n },
        );
      }
      case "deduplicate": {
        const input = this.analyze(r.input);
        const keys =
          r.columns === "all"
            ? input.rel.fields.map((f) => f.id)
            : [...new Set(r.columns.map((c) => this.column(input, c).id))];
        refuseMaps(input.rel.fields.filter((f) => keys.includes(f.id)));
        return this.over(input, { kind: "deduplicate", input: input.rel, keys, withinWatermark: r.withinWatermark });
      }
      case "with_watermark":
        return this.#watermark(r);
      case "subquery_alias": {
        const input = this.analyze(r.input);
        return { ...input, columns: input.columns.map((c) => ({ ...c, qualifiers: [r.alias] })), hidden: [] };
      }
      case "sample": {
        const input = this.analyze(r.input);
        const { withReplacement, seed } = r;
        return this.over(input, {
          kind: "sample",
          input: input.rel,
          fraction: r.upper - r.lower,
          withReplacement,
          seed,
        });
      }
      case "repartition":
        // How rows are spread over tasks has no meaning in one process.
        return this.analyze(r.input);
      case "map_rows": {
        const input = this.analyze(r.input);
        if (r.op === "filter") return this.over(input, { kind: "map_rows", input: input.rel, op: r.op, fn: r.fn });
        if (r.schema === undefined) {
          throw new MillraceError("INVALID_SCHEMA", `${r.op} needs the schema of its results.`);
        }
        const fields = this.structFields(r.schema);
        return this.leaf({ kind: "map_rows", input: input.rel, op: r.op, fn: r.fn }, fields, input.rel.streaming);
      }
      case "transform_with_state":
        return this.#transformWithState(r);
    }
  }

  #join(r: Extract<Relation, { kind: "join" }>): Node {
    const left = this.analyze(r.left);
    const { exprs } = new Scope(this, left, { hidden: false });
    const right = r.lateral ? this.within((parts) => exprs.lookup(parts), r.right) : this.analyze(r.right);
    return resolveJoin(this, left, right, r);
  }

  #expanded(r: Extract<Relation, { kind: "named_table" | "sql" }>): Node {
    const expanded = this.env.expand?.(r);
    if (expanded !== undefined) {
      if (r.kind === "sql") return { ...this.apart(expanded), hidden: [] };
      const given = nameParts(r.name);
      const parts = given.length > 1 ? given : ["spark_catalog", this.env.currentDatabase ?? "default", ...given];
      const qualifiers = parts.map((_, i) => parts.slice(i).join(".")).reverse();
      const node = this.apart(expanded);
      return { ...node, columns: node.columns.map(({ field }) => ({ field, qualifiers })), hidden: [] };
    }
    if (r.kind === "named_table") {
      throw new MillraceError(
        "TABLE_OR_VIEW_NOT_FOUND",
        `The table or view ${quoted(nameParts(r.name))} cannot be found.`,
        { hint: "Check the name, or make a view with createOrReplaceTempView.", parameters: { relationName: r.name } },
      );
    }
    throw new MillraceError("INTERNAL", "A query in SQL reached the analyser without its plan.");
  }

  #scan(r: Extract<Relation, { kind: "read" }>): Node {
    const schema = this.env.scanSchema(r);
    let sourceIndex: number | undefined;
    if (r.streaming) {
      // The same relation used twice is one source. A plan read back from JSON has lost identity, but not its plan ids.
      const key = r.planId ?? r;
      sourceIndex = this.#sources.get(key) ?? this.#sources.size;
      this.#sources.set(key, sourceIndex);
    }
    return this.leaf(
      {
        kind: "scan",
        format: r.format,
        schema,
        options: r.options,
        paths: r.paths,
        ...(sourceIndex !== undefined && { sourceIndex }),
      },
      this.structFields(schema),
      r.streaming,
    );
  }

  #columns(r: Extract<Relation, { kind: "with_columns" | "with_columns_renamed" | "to_df" | "drop" }>): Node {
    const input = this.analyze(r.input);
    switch (r.kind) {
      case "with_columns": {
        const seen = new Set<string>();
        for (const { name } of r.columns) {
          if (seen.has(name.toLowerCase())) throw columnExists(name);
          seen.add(name.toLowerCase());
        }
        const used = new Set<string>();
        const exprs: ProjectItem[] = input.columns.map(({ field }): ProjectItem => {
          const replaced = r.columns.find((c) => this.same(c.name, field.name));
          if (replaced === undefined) return { field };
          used.add(replaced.name);
          return { kind: "alias", child: replaced.expr, name: replaced.name };
        });
        for (const c of r.columns) if (!used.has(c.name)) exprs.push({ kind: "alias", child: c.expr, name: c.name });
        return resolveProject(this, input, exprs);
      }
      case "with_columns_renamed": {
        const renames = Object.entries(r.renames);
        return this.renamed(input, (f) => renames.find(([from]) => this.same(from, f.name))?.[1] ?? f.name);
      }
      case "to_df": {
        if (r.names.length !== input.columns.length && r.alias) {
          throw new MillraceError(
            "ASSIGNMENT_ARITY_MISMATCH",
            `The number of columns aliased: ${input.columns.length} does not match the number of names: ${r.names.length}.`,
          );
        }
        if (r.names.length !== input.columns.length) {
          throw new MillraceError(
            "ASSIGNMENT_ARITY_MISMATCH",
            `toDF was given ${r.names.length} names for ${input.columns.length} columns.`,
          );
        }
        return this.renamed(input, (_, i) => r.names[i]!);
      }
      case "drop": {
        const ids = new Set<number>();
        for (const e of r.columns) {
          if (e.kind === "attribute" && e.planId === undefined) {
            // A name that is not there is ignored, as in Spark.
            for (const m of matches(input.columns, nameParts(e.name), this.same))
              if (m.path.length === 0) ids.add(m.field.id);
          } else {
            const resolved = new Scope(this, input).exprs.resolve(e);
            if (resolved.kind === "column") ids.add(resolved.id);
          }
        }
        if (ids.size === 0) return input;
        return this.project(
          input,
          input.columns.filter((c) => !ids.has(c.field.id)).map((c) => ({ field: c.field, expr: columnOf(c.field) })),
        );
      }
    }
  }

  renamed(input: Node, name: (field: Field, index: number) => string): Node {
    let changed = false;
    const exprs = input.columns.map(({ field }, i): NamedExpr => {
      const to = name(field, i);
      if (to === field.name) return { field, expr: columnOf(field) };
      changed = true;
      return { field: this.derived(to, columnOf(field)), expr: columnOf(field) };
    });
    return changed ? this.project(input, exprs) : input;
  }

  #watermark(r: Extract<Relation, { kind: "with_watermark" }>): Node {
    const input = this.analyze(r.input);
    const field = this.column(input, r.column);
    const isWindow = isTimeWindow(field.type);
    if (field.type.kind !== "timestamp" && !isWindow) {
      throw new MillraceError(
        "EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE",
        `The event time of withWatermark must be a TIMESTAMP, but "${field.name}" has the type "${sqlName(field.type)}".`,
        { hint: "Cast it or parse it with to_timestamp first." },
      );
    }
    if (field.watermark !== undefined) {
      throw new MillraceError("UNSUPPORTED_OPERATION", `The column "${field.name}" has a watermark already.`, {
        hint: "Call withWatermark once for each event-time column.",
      });
    }
    const delayMicros = parseIntervalMicros(r.delay, "delay of withWatermark", "month of 31 days");
    if (delayMicros < 0n) {
      throw new MillraceError("INVALID_ARGUMENT", `The delay "${r.delay}" of withWatermark is negative.`);
    }
    const marked = this.remember({ ...field, watermark: { delayMicros } });
    const swap = (f: Field): Field => (f.id === field.id ? marked : f);
    return {
      rel: {
        kind: "watermark",
        input: input.rel,
        column: field.id,
        delayMicros,
        fields: input.rel.fields.map(swap),
        streaming: input.rel.streaming,
      },
      columns: input.columns.map((c) => ({ ...c, field: swap(c.field) })),
      hidden: [],
      plans: input.plans,
    };
  }

  #transformWithState(r: Extract<Relation, { kind: "transform_with_state" }>): Node {
    const scope = new Scope(this, this.analyze(r.input));
    const extra: NamedExpr[] = [];
    const keys = r.grouping.map((g) => {
      const e = scope.exprs.resolve(g);
      if (e.kind === "column") return e.id;
      const field = this.derived(g.kind === "alias" ? g.name : `key${extra.length + 1}`, e);
      extra.push({ field, expr: e });
      return field.id;
    });
    const base = scope.node;
    const input =
      extra.length === 0
        ? base
        : this.project(base, [...base.columns.map((c) => ({ field: c.field, expr: columnOf(c.field) })), ...extra]);
    const orderBy = (r.processor.orderBy ?? []).map(
      (name): SortKey => ({
        expr: columnOf(this.column(input, name)),
        direction: "asc",
        nulls: "first",
      }),
    );
    const delay = input.rel.fields.find((f) => f.watermark)?.watermark;
    const fields = this.structFields(r.schema).map((f) => {
      if (r.eventTimeColumn === undefined || !this.same(f.name, r.eventTimeColumn) || delay === undefined) return f;
      return this.remember({ ...f, watermark: delay });
    });
    if (r.eventTimeColumn !== undefined && !fields.some((f) => this.same(f.name, r.eventTimeColumn!))) {
      throw unresolved(
        r.eventTimeColumn,
        fields.map((field) => ({ field, qualifiers: [] })),
      );
    }
    return this.leaf(
      {
        kind: "transform_with_state",
        input: input.rel,
        keys,
        processor: r.processor,
        outputMode: r.outputMode,
        timeMode: r.timeMode,
        orderBy,
        ...(r.eventTimeColumn !== undefined && { eventTimeColumn: r.eventTimeColumn }),
      },
      fields,
      input.rel.streaming,
    );
  }
}
