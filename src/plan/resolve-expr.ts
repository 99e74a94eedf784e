import { MillraceError } from "../errors.ts";
import type { DataType, StructField } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { counted } from "./aggregate-clauses.ts";
import { generatorOutsideSelect } from "./analyze-generator.ts";
import { boundColumn } from "./bound-column.ts";
import type { Expr } from "./expr.ts";
import { lateralIn } from "./lateral-alias.ts";
import { nameParts, quoted } from "./names.ts";
import { pathText } from "./path-text.ts";
import {
  type CallArg,
  castAsWritten,
  castExpr,
  columnOf,
  getField,
  resolveCall,
  unresolvedRoutine,
} from "./resolve-call.ts";
import { extract } from "./resolve-extract.ts";
import type { ExprHooks } from "./resolve-hooks.ts";
import type { Field, FunctionSignature, ResolvedExpr, SortKey } from "./resolved.ts";
import { ambiguous, type Match, matches, type Node, type ScopeColumn, unresolved } from "./scope.ts";
import { SCRIPT_VALUE } from "./script-value-name.ts";
import { scriptValue } from "./script-values.ts";
import { specialTime } from "./special-times.ts";
import { exprName, exprText, type NameContext } from "./sql-text.ts";
import { checkFrame, checkWindowed } from "./window-frame.ts";

export { type CallArg, castExpr, columnOf, getField, resolveCall } from "./resolve-call.ts";
export type { ExprHooks } from "./resolve-hooks.ts";

interface LambdaScope {
  readonly names: ReadonlyMap<string, { readonly name: string; readonly type: DataType; readonly nullable: boolean }>;
  readonly outer: LambdaScope | undefined;
}

const STRING: DataType = { kind: "string" };
const SESSION_NAMES = new Set(["current_database", "current_schema", "current_catalog"]);

/** Looks names up, types every expression, and writes implicit casts out. */
export class ExprResolver {
  readonly #hooks: ExprHooks;
  #lambdas: LambdaScope | undefined;
  /** Arguments of aggregates are always columns of the input. */
  #inAggregate = 0;
  /** The next call stands before OVER. */
  #underOver = false;
  #inWindow = 0;
  /** The name resolved last is an alias of the same SELECT. */
  #lateral = false;
  /** How many expressions are around the one that is resolved, itself included. */
  #depth = 0;
  readonly #types = new WeakMap<Expr, DataType>();
  readonly #paths = new WeakMap<Expr, string>();
  /** What the names of expressions that were resolved here depend on. */
  readonly names: NameContext;

  constructor(hooks: ExprHooks) {
    this.#hooks = hooks;
    this.names = {
      typeOf: (e) => this.#types.get(e),
      path: (e) => this.#paths.get(e),
      timeZone: hooks.timeZone ?? "UTC",
      star: (e) => this.star(e).map((s) => s.name),
    };
  }

  resolve(e: Expr): ResolvedExpr {
    this.#depth++;
    try {
      const resolved = this.#resolve(e);
      this.#types.set(e, resolved.type);
      if (e.kind === "attribute") {
        const last = nameParts(e.name).at(-1)!;
        this.#paths.set(e, this.#lateral ? `lateralAliasReference(${last})` : pathText(e.name, resolved));
      }
      return resolved;
    } finally {
      this.#depth--;
    }
  }

  #resolve(e: Expr): ResolvedExpr {
    switch (e.kind) {
      case "literal":
        return { kind: "literal", value: e.value, type: e.type, nullable: e.value === null };
      case "attribute":
        return this.#attribute(e.name, e.planId);
      case "alias":
        return this.resolve(e.child);
      case "cast":
        return this.#cast(e);
      case "call":
        return this.#call(e);
      case "extract":
        return this.#extract(this.resolve(e.child), e.extraction, () => exprText(e));
      case "lambda_variable":
        return this.#lambdaVariable(e.name);
      case "udf":
        return { kind: "udf", fn: e.fn, args: e.args.map((a) => this.resolve(a)), type: e.type, nullable: true };
      case "window":
        return this.#over(e);
      case "subquery":
        if (this.#hooks.subquery) {
          return this.#hooks.subquery(
            e.type,
            e.plan,
            (e.values ?? []).map((v) => this.resolve(v)),
          );
        }
        throw invalid("A subquery cannot stand here", "");
      case "star":
        throw invalid("The star may only stand in select, count or struct", `as in select("*")`);
      case "sort_order":
        throw invalid(`"${exprText(e)}" is an order, not a value`, "Use asc() and desc() in orderBy only.");
      case "lambda":
        throw invalid(`The lambda "${exprText(e)}" stands outside of a function that takes one`, "");
    }
  }

  sortKey(e: Expr): SortKey {
    if (e.kind === "sort_order") {
      return { expr: this.resolve(e.child), direction: e.direction, nulls: e.nulls };
    }
    return { expr: this.resolve(e), direction: "asc", nulls: "first" };
  }

  /** Columns that a star stands for: `*`, `f.*` of a struct or of an alias. */
  star(
    e: Extract<Expr, { kind: "star" }>,
  ): { readonly name: string; readonly expr: ResolvedExpr; readonly field?: Field }[] {
    if (e.except !== undefined) {
      const { except, ...all } = e;
      const columns = this.star(all);
      const left = new Set(
        except.map((name) => {
          const column = this.#attribute(name, e.planId);
          return column.kind === "column" ? column.id : undefined;
        }),
      );
      return columns.filter((c) => c.expr.kind !== "column" || !left.has(c.expr.id));
    }
    const node = this.#hooks.node();
    if (e.target === undefined) {
      const planFields = e.planId === undefined ? undefined : node.plans.get(e.planId);
      const ids = planFields && new Set(planFields.map((f) => f.id));
      return node.columns
        .filter((c) => ids === undefined || ids.has(c.field.id))
        .map((c) => ({ name: c.field.name, expr: columnOf(c.field), field: c.field }));
    }
    const parts = nameParts(e.target);
    const qualified = node.columns.filter(
      (c) => parts.length === 1 && c.qualifiers.some((q) => this.#hooks.same(q, parts[0]!)),
    );
    if (qualified.length > 0) {
      return qualified.map((c) => ({ name: c.field.name, expr: columnOf(c.field), field: c.field }));
    }
    const struct = this.#attribute(e.target, e.planId);
    if (struct.type.kind !== "struct") {
      throw new MillraceError(
        "DATATYPE_MISMATCH",
        `Cannot expand ${quoted(parts)}.*: it has the type "${sqlName(struct.type)}", not a struct.`,
      );
    }
    return struct.type.fields.map((f) => ({ name: f.name, expr: getField(struct, f) }));
  }

  #attribute(name: string, planId: number | undefined): ResolvedExpr {
    this.#lateral = false;
    const parts = nameParts(name);
    for (let s = this.#lambdas; s !== undefined; s = s.outer) {
      const v = s.names.get(parts[0]!);
      if (v !== undefined) {
        return this.#path(
          { kind: "lambda_variable", name: v.name, type: v.type, nullable: v.nullable },
          parts.slice(1),
        );
      }
    }
    const output = planId === undefined && this.#inAggregate === 0 ? this.#hooks.output?.(parts) : undefined;
    if (output !== undefined) return this.#path(output.expr, output.path);
    const node = this.#hooks.node();
    const match = planId === undefined ? this.#find(parts, node) : boundColumn(parts, planId, node, this.#hooks);
    if (match !== undefined) return this.#path(columnOf(match.field), match.path);
    const alias = planId === undefined ? this.#hooks.alias?.(parts[0]!) : undefined;
    if (alias !== undefined) return this.#path(alias, parts.slice(1));
    const lateral = planId === undefined ? this.#hooks.lateral?.(parts[0]!) : undefined;
    if (lateral !== undefined) {
      if (this.#inWindow > 0) throw lateralIn("WINDOW", parts[0]!);
      if (this.#inAggregate > 0) throw lateralIn("AGGREGATE_FUNC", parts[0]!);
      this.#lateral = true;
      return this.#path(lateral, parts.slice(1));
    }
    const outer = planId === undefined ? this.#hooks.outer?.(parts) : undefined;
    if (outer !== undefined) return outer;
    throw unresolved(name, node.columns);
  }

  /** What a query inside this one may name. */
  lookup(parts: readonly string[]): ResolvedExpr | undefined {
    const { columns } = this.#hooks.node();
    const found = matches(columns, parts, this.#hooks.same);
    if (found.length > 1) throw ambiguous(parts, found, columns);
    const match = found[0];
    return match && this.#path(columnOf(match.field), match.path);
  }

  #find(parts: readonly string[], node: Node): Match | undefined {
    const found = matches(node.columns, parts, this.#hooks.same);
    if (found.length > 1) throw ambiguous(parts, found, node.columns);
    return found[0] ?? this.#findHidden(parts, node.hidden);
  }

  #findHidden(parts: readonly string[], hidden: readonly ScopeColumn[]): Match | undefined {
    if (this.#hooks.useHidden === undefined) return undefined;
    const found = matches(hidden, parts, this.#hooks.same);
    if (found.length > 1) throw ambiguous(parts, found, hidden);
    if (found[0]) this.#hooks.useHidden(found[0].field);
    return found[0];
  }

  #path(start: ResolvedExpr, path: readonly string[]): ResolvedExpr {
    let e = start;
    for (const name of path) {
      e = this.#extract(e, { kind: "literal", value: name, type: STRING }, () => name);
    }
    return e;
  }

  #extract(child: ResolvedExpr, extraction: Expr, text: () => string): ResolvedExpr {
    return extract(child, extraction, text, {
      same: this.#hooks.same,
      resolve: (e) => this.resolve(e),
      signature: (name) => this.signature(name),
    });
  }

  #lambdaVariable(name: string): ResolvedExpr {
    for (let s = this.#lambdas; s !== undefined; s = s.outer) {
      const v = s.names.get(name);
      if (v !== undefined) return { kind: "lambda_variable", name: v.name, type: v.type, nullable: v.nullable };
    }
    throw unresolved(name, this.#hooks.node().columns);
  }

  signature(name: string): FunctionSignature {
    const signature = this.#hooks.catalog.lookup(name);
    if (signature) return signature;
    throw unresolvedRoutine(name, this.#hooks.catalog);
  }

  #cast(e: Extract<Expr, { kind: "cast" }>): ResolvedExpr {
    const special = specialTime(e);
    const resolved = special
      ? this.resolve(special)
      : castAsWritten(this.resolve(e.child), e.type, e.mode, () => exprText(e));
    return e.typed ? { ...resolved, nullable: false } : special ? { ...resolved, nullable: true } : resolved;
  }

  #call(e: Extract<Expr, { kind: "call" }>): ResolvedExpr {
    const lower = e.name.toLowerCase();
    if (lower === "window" && this.#hooks.timeWindow) return this.#hooks.timeWindow(e.args);
    if (lower === "window" || lower === "session_window") {
      throw new MillraceError(
        lower === "window" ? "UNSUPPORTED_OPERATION" : "UNSUPPORTED_FEATURE",
        lower === "window"
          ? "window(...) may stand in groupBy and select only."
          : "session_window is not supported by this engine.",
        { hint: lower === "window" ? undefined : "Use window(...), or keep sessions in transformWithState." },
      );
    }
    if (SESSION_NAMES.has(lower) && e.args.length === 0) {
      const value = lower === "current_catalog" ? "spark_catalog" : (this.#hooks.currentDatabase ?? "default");
      return { kind: "literal", value, type: STRING, nullable: false };
    }
    if (lower === "struct") return this.#struct(e.args);
    // Without a pattern these are casts that give null.
    if (lower === "try_to_timestamp" && e.args.length === 1)
      return castExpr(this.resolve(e.args[0]!), { kind: "timestamp" }, "try", () => exprText(e));
    if (lower === "try_to_date" && e.args.length === 1)
      return castExpr(this.resolve(e.args[0]!), { kind: "date" }, "try", () => exprText(e));
    if (lower === SCRIPT_VALUE) {
      const value = this.resolve(e.args[0]!);
      return scriptValue(this.#hooks.catalog, value, this.#hooks.metadata?.(value));
    }
    const given = lower === "count" ? counted(e) : e.args;
    const signature = this.signature(e.name);
    if (signature.internal) throw unresolvedRoutine(e.name, this.#hooks.catalog);
    if (signature.kind === "window" && !this.#underOver) {
      throw new MillraceError(
        "WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE",
        `Window function "${exprText(e)}" requires an OVER clause.`,
        { hint: "Add over(...)." },
      );
    }
    this.#underOver = false;
    if (signature.kind === "aggregate") this.#inAggregate++;
    const args = this.#args(given);
    if (signature.kind === "aggregate") this.#inAggregate--;
    const resolved = resolveCall(signature, args, e.distinct === true);
    if (signature.kind === "generator") {
      if (this.#hooks.generator && resolved.kind === "call") {
        return this.#hooks.generator(signature, resolved.args, resolved.type, this.#depth > 1);
      }
      throw generatorOutsideSelect(signature);
    }
    // LIKE ANY and ALL may be null by Spark's account, whatever they compare.
    return /like(?:any|all)$/.test(e.form ?? "") ? { ...resolved, nullable: true } : resolved;
  }

  #args(exprs: readonly Expr[]): CallArg[] {
    const args: CallArg[] = [];
    for (const a of exprs) {
      if (a.kind === "star") args.push(...this.star(a).map((s) => ({ expr: s.expr })));
      else if (a.kind === "lambda") args.push({ lambda: (types) => this.#lambda(a, types) });
      else args.push({ expr: this.resolve(a) });
    }
    return args;
  }

  #lambda(e: Extract<Expr, { kind: "lambda" }>, types: readonly { type: DataType; nullable: boolean }[]): ResolvedExpr {
    if (e.params.length > types.length) {
      throw invalid(`The lambda takes ${e.params.length} parameters, the function gives ${types.length}`, "");
    }
    const outer = this.#lambdas;
    // A name that hides an outer one gets a name of its own: the engine puts expressions in the place of names.
    let depth = 0;
    const hidden = new Set<string>();
    for (let o = outer; o !== undefined; o = o.outer, depth++) for (const v of o.names.values()) hidden.add(v.name);
    const params = e.params.map((name, i) => ({
      name: hidden.has(name) ? `${name}_${depth}` : name,
      type: types[i]!.type,
      nullable: types[i]!.nullable,
    }));
    this.#lambdas = { names: new Map(params.map((p, i) => [e.params[i]!, p])), outer };
    try {
      const body = this.resolve(e.body);
      return { kind: "lambda", params, body, type: body.type, nullable: body.nullable };
    } finally {
      this.#lambdas = outer;
    }
  }

  /** `struct(a, b.c, x as y)`: names come from the expressions. */
  #struct(exprs: readonly Expr[]): ResolvedExpr {
    const parts: { name: string; expr: ResolvedExpr }[] = [];
    for (const [i, e] of exprs.entries()) {
      if (e.kind === "star") parts.push(...this.star(e));
      else {
        const named = e.kind === "alias" || e.kind === "attribute" || e.kind === "extract" || e.kind === "cast";
        const field = e.kind === "extract" && e.extraction.kind === "literal" ? e.extraction.value : undefined;
        const own = e.kind === "lambda_variable" ? e.name : typeof field === "string" ? field : undefined;
        const name = own ?? (named ? exprName(e, this.names) : `col${i + 1}`);
        parts.push({ name, expr: this.resolve(e) });
      }
    }
    const args = parts.flatMap((p): CallArg[] => [
      { expr: { kind: "literal", value: p.name, type: STRING, nullable: false } },
      { expr: p.expr },
    ]);
    const struct = resolveCall(this.signature("named_struct"), args, false);
    if (struct.type.kind !== "struct") return struct;
    // Metadata goes with a column into its field.
    const fields = struct.type.fields.map((f, i): StructField => {
      const metadata = this.#hooks.metadata?.(parts[i]!.expr);
      return metadata ? { ...f, metadata } : f;
    });
    return { ...struct, type: { kind: "struct", fields } };
  }

  #over(e: Extract<Expr, { kind: "window" }>): ResolvedExpr {
    this.#inWindow++;
    try {
      return this.#window(e);
    } finally {
      this.#inWindow--;
    }
  }

  #window(e: Extract<Expr, { kind: "window" }>): ResolvedExpr {
    this.#underOver = true;
    const child = this.resolve(e.child);
    const kind = child.kind === "call" ? this.#hooks.catalog.lookup(child.name)?.kind : undefined;
    checkWindowed(e, child, kind);
    const orderBy = e.orderBy.map((o) => this.sortKey(o));
    if (e.frame)
      checkFrame(
        e.frame,
        orderBy.map((o) => o.expr.type),
      );
    return {
      kind: "over",
      child,
      partitionBy: e.partitionBy.map((p) => this.resolve(p)),
      orderBy,
      ...(e.frame && { frame: e.frame }),
      type: child.type,
      nullable: child.nullable,
    };
  }

  /** A condition of filter, join or when: must be boolean. */
  condition(
    e: Expr,
    code: "DATATYPE_MISMATCH" | "JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE" = "DATATYPE_MISMATCH",
  ): ResolvedExpr {
    const condition = this.resolve(e);
    if (condition.type.kind === "boolean") return condition;
    throw new MillraceError(
      code,
      `The condition "${exprText(e)}" has the type "${sqlName(condition.type)}", not "BOOLEAN".`,
      { parameters: { sqlExpr: `"${exprText(e)}"`, filter: `"${exprText(e)}"`, type: `"${sqlName(condition.type)}"` } },
    );
  }
}

function invalid(message: string, hint: string): MillraceError {
  return new MillraceError("INVALID_ARGUMENT", `${message}.`, { hint: hint || undefined });
}
