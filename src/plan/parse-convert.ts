import { MillraceError } from "../errors.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { filtered, withinGroup } from "./aggregate-clauses.ts";
import { isInterval } from "./coercion.ts";
import type { Expr, FrameBound, WindowFrame } from "./expr.ts";
import { foldedNumber } from "./folded-number.ts";
import { intervalOfRange, intervalOfUnits } from "./interval-literal.ts";
import { quoted } from "./names.ts";
import { negative, numberLiteral } from "./parse-literals.ts";
import { between, call, likeMany, negate, OPERATORS, row, shiftChain, shifted, signed } from "./parse-operators.ts";
import { EXTRACT_FUNCTION, INTERVAL_FUNCTION, NUMBER_FUNCTION } from "./parse-scan.ts";
import { typeOfAst } from "./parse-type.ts";
import type { Relation } from "./relation.ts";
import { differentBounds } from "./window-frame.ts";

/** A node of the SQL parser's tree: `{ Kind: content }` or a bare kind. */
type Ast = any;

/** Functions whose first of three arguments is a bare unit, `dateadd(day, 1, d)`. */
const UNIT = /^(?:year|quarter|month|week|day|dayofyear|hour|minute|second|millisecond|microsecond)$/i;
const UNIT_FIRST = new Set(["dateadd", "date_add", "datediff", "date_diff", "timestampadd", "timestampdiff"]);

const STRING: DataType = { kind: "string" };
const BOOLEAN: DataType = { kind: "boolean" };
const lit = (value: Value, type: DataType): Expr => ({ kind: "literal", value, type });

/** What stands around an expression in a query; an expression by itself has none of it. */
export interface QueryContext {
  subquery(query: Ast): Relation;
  parameter(name: string): Expr;
  /** The window of a WINDOW clause. */
  window(name: string): Ast | undefined;
}

/** Turns the parser's tree into expressions of the plan. Throws PARSE_SYNTAX_ERROR for SQL that is no expression of Spark's. */
export class AstConverter {
  readonly #text: string;
  readonly #query: QueryContext | undefined;
  #lambda: ReadonlySet<string> = new Set();

  constructor(text: string, query?: QueryContext) {
    this.#text = text;
    this.#query = query;
  }

  item(item: Ast): Expr {
    if (item.UnnamedExpr) return this.expr(item.UnnamedExpr);
    if (item.ExprWithAlias) {
      return { kind: "alias", child: this.expr(item.ExprWithAlias.expr), name: item.ExprWithAlias.alias.value };
    }
    if (item.ExprWithAliases) {
      const names: string[] = item.ExprWithAliases.aliases.map((a: Ast) => a.value);
      return { kind: "alias", child: this.expr(item.ExprWithAliases.expr), name: names[0]!, names };
    }
    if (item.Wildcard) return { kind: "star", ...except(item.Wildcard) };
    if (item.QualifiedWildcard) {
      const name = item.QualifiedWildcard[0]?.ObjectName;
      if (Array.isArray(name)) {
        const target = name.map((p: Ast) => part(p.Identifier)).join(".");
        return { kind: "star", target, ...except(item.QualifiedWildcard[1]) };
      }
    }
    throw this.#unknown(item);
  }

  expr(e: Ast): Expr {
    const [kind, v] = typeof e === "string" ? [e, undefined] : (Object.entries(e)[0] as [string, Ast]);
    switch (kind) {
      case "Identifier":
        if (this.#lambda.has(v.value)) return { kind: "lambda_variable", name: v.value };
        return { kind: "attribute", name: part(v) };
      case "CompoundIdentifier":
        return this.#compound(v);
      case "CompoundFieldAccess":
        return (v.access_chain as Ast[]).reduce<Expr>((root, access) => this.#access(root, access), this.expr(v.root));
      case "Value":
        return this.#value(v.value);
      case "Nested":
        return this.expr(v);
      case "BinaryOp":
        return this.#binary(v);
      case "UnaryOp":
        return this.#unary(v);
      case "IsUnknown":
        return call("isnull", this.expr(v));
      case "IsNotUnknown":
        return call("isnotnull", this.expr(v));
      case "IsNull":
        return call("isnull", this.expr(v));
      case "IsNotNull":
        return call("isnotnull", this.expr(v));
      case "IsTrue":
        return call("<=>", this.expr(v), lit(true, BOOLEAN));
      case "IsNotTrue":
        return call("not", call("<=>", this.expr(v), lit(true, BOOLEAN)));
      case "IsFalse":
        return call("<=>", this.expr(v), lit(false, BOOLEAN));
      case "IsNotFalse":
        return call("not", call("<=>", this.expr(v), lit(false, BOOLEAN)));
      case "IsDistinctFrom":
        return call("not", call("<=>", this.expr(v[0]), this.expr(v[1])));
      case "IsNotDistinctFrom":
        return call("<=>", this.expr(v[0]), this.expr(v[1]));
      case "InList":
        return negate(v.negated, call("in", this.expr(v.expr), ...v.list.map((x: Ast) => this.expr(x))));
      case "Between":
        return negate(v.negated, between(this.expr(v.expr), this.expr(v.low), this.expr(v.high)));
      case "Like":
      case "ILike":
        return this.#like(kind === "Like" ? "like" : "ilike", v);
      case "RLike":
      case "SimilarTo":
        return negate(v.negated, call("rlike", this.expr(v.expr), this.expr(v.pattern)));
      case "Case":
        return this.#case(v);
      case "Cast": {
        const type = typeOfAst(v.data_type);
        const mode = v.kind === "TryCast" || v.kind === "SafeCast" ? "try" : "ansi";
        return { kind: "cast", child: this.expr(v.expr), type, mode };
      }
      case "TypedString":
        return this.#typedString(v);
      case "Interval":
        return this.#interval(v);
      case "Function":
        return this.#function(v);
      case "Extract":
        return this.#extract(v);
      case "Substring":
        return call(
          v.shorthand ? "substr" : "substring",
          this.expr(v.expr),
          v.substring_from ? this.expr(v.substring_from) : lit(1, { kind: "integer" }),
          ...(v.substring_for ? [this.expr(v.substring_for)] : []),
        );
      case "Trim": {
        const name = v.trim_where === "Leading" ? "ltrim" : v.trim_where === "Trailing" ? "rtrim" : "trim";
        const what = v.trim_what ?? v.trim_characters?.[0];
        // The characters come first, as in the functions' own names.
        return call(name, ...(what ? [this.expr(what)] : []), this.expr(v.expr));
      }
      case "Position":
        return call("locate", this.expr(v.expr), this.expr(v.in));
      case "Overlay":
        return call(
          "overlay",
          ...[v.expr, v.overlay_what, v.overlay_from, v.overlay_for].filter((x) => x).map((x) => this.expr(x)),
        );
      case "Ceil":
      case "Floor": {
        const name = kind.toLowerCase();
        if (v.field?.Scale) return call(name, this.expr(v.expr), this.#value(v.field.Scale.value));
        return call(name, this.expr(v.expr));
      }
      case "Struct":
        return call("struct", ...v.values.map((x: Ast) => this.expr(x)));
      case "Named":
        return { kind: "alias", child: this.expr(v.expr), name: v.name.value };
      case "Array":
        return call("array", ...v.elem.map((x: Ast) => this.expr(x)));
      case "Tuple":
        return row(v.map((x: Ast) => this.expr(x)));
      case "Lambda":
        return this.#lambdaOf(v);
      case "Wildcard":
        return { kind: "star" };
      case "Subquery":
        if (this.#query) return { kind: "subquery", type: "scalar", plan: this.#query.subquery(v) };
        throw this.#noSubquery();
      case "Exists":
        if (this.#query) {
          return negate(v.negated, { kind: "subquery", type: "exists", plan: this.#query.subquery(v.subquery) });
        }
        throw this.#noSubquery();
      case "InSubquery":
        if (this.#query) {
          const values = (v.expr.Tuple ?? [v.expr]).map((x: Ast) => this.expr(x));
          return negate(v.negated, { kind: "subquery", type: "in", plan: this.#query.subquery(v.subquery), values });
        }
        throw this.#noSubquery();
    }
    throw this.#unknown(e);
  }

  #noSubquery(): MillraceError {
    return new MillraceError("UNSUPPORTED_FEATURE", `Subqueries are not supported in "${this.#text}".`, {
      hint: "Use a join, or spark.sql(...).",
    });
  }

  #compound(parts: Ast[]): Expr {
    const first = parts[0];
    if (this.#lambda.has(first.value)) {
      const root: Expr = { kind: "lambda_variable", name: first.value };
      return parts
        .slice(1)
        .reduce<Expr>((child, p) => ({ kind: "extract", child, extraction: lit(p.value, STRING) }), root);
    }
    return { kind: "attribute", name: parts.map(part).join(".") };
  }

  #access(root: Expr, access: Ast): Expr {
    if (access.Dot?.Identifier)
      return { kind: "extract", child: root, extraction: lit(access.Dot.Identifier.value, STRING) };
    const index = access.Subscript?.Index?.index;
    if (index) return { kind: "extract", child: root, extraction: this.expr(index) };
    throw this.#unknown(access);
  }

  #value(v: Ast): Expr {
    if (v === "Null") return lit(null, { kind: "null" });
    const [kind, x] = Object.entries(v)[0] as [string, any];
    switch (kind) {
      case "Number":
        return numberLiteral(`${x[0]}${x[1] === true ? "L" : ""}`);
      case "SingleQuotedString":
      case "DoubleQuotedString":
        return lit(x, STRING);
      case "Boolean":
        return lit(x, BOOLEAN);
      case "Placeholder":
        if (this.#query) return this.#query.parameter(String(x).slice(1));
        break;
      case "HexStringLiteral":
        return lit(new Uint8Array(Buffer.from(x.length % 2 === 1 ? `0${x}` : x, "hex")), { kind: "binary" });
    }
    throw this.#unknown(v);
  }

  #binary(v: Ast): Expr {
    const shifts = v.op === "BitwiseAnd" ? shiftChain(v) : undefined;
    if (shifts !== undefined) return shifted(shifts, (x) => this.expr(x));
    const left = this.expr(v.left);
    const right = this.expr(v.right);
    if (v.op === "NotEq") return call("not", call("==", left, right));
    const name = typeof v.op === "string" ? OPERATORS[v.op] : undefined;
    if (name === undefined) throw this.#unknown(v.op);
    return call(name, left, right);
  }

  #unary(v: Ast): Expr {
    // A number's sign belongs to the literal; a value in brackets may overflow.
    if (v.op === "Minus") {
      const [number, long] = v.expr.Value?.value?.Number ?? [suffixed(v.expr)];
      if (number !== undefined) return numberLiteral(`-${number}${long ? "L" : ""}`);
    }
    const e = this.expr(v.expr);
    switch (v.op) {
      case "Not":
      case "BangNot":
        return call("not", e);
      case "Plus":
        return signed("+", e);
      case "Minus":
        return v.expr.Interval && e.kind === "literal" ? negative(e) : signed("-", e);
      case "BitwiseNot":
        return call("~", e);
    }
    throw this.#unknown(v.op);
  }

  #like(name: "like" | "ilike", v: Ast): Expr {
    const x = this.expr(v.expr);
    const mark = v.escape_char?.value;
    const all = v.pattern.Function;
    const isAll = all?.name?.[0]?.Identifier?.value?.toLowerCase() === "all" && all.args?.List;
    const patterns: Ast[] | undefined = v.any
      ? v.pattern.Tuple
      : isAll && all.args.List.args.map((a: Ast) => a.Unnamed.Expr);
    if (patterns) {
      const exprs = patterns.map((p) => this.expr(p));
      return likeMany(name, v.any ? "any" : "all", v.negated, x, exprs);
    }
    return negate(v.negated, call(name, x, this.expr(v.pattern), ...(mark ? [this.#value(mark)] : [])));
  }

  #case(v: Ast): Expr {
    const operand = v.operand ? this.expr(v.operand) : undefined;
    const args: Expr[] = [];
    for (const c of v.conditions) {
      const condition = this.expr(c.condition);
      args.push(operand ? call("==", operand, condition) : condition, this.expr(c.result));
    }
    if (v.else_result) args.push(this.expr(v.else_result));
    return call("when", ...args);
  }

  #typedString(v: Ast): Expr {
    const type = typeOfAst(v.data_type);
    const text = v.value.value.SingleQuotedString as string;
    if (type.kind === "date" && /^\d{4}-\d{2}-\d{2}$/.test(text.trim())) {
      const date = new Date(`${text.trim()}T00:00:00Z`);
      if (!Number.isNaN(date.getTime()) && date.toISOString().startsWith(text.trim())) return lit(date, type);
      throw new MillraceError("INVALID_TYPED_LITERAL", `The value of the typed literal "DATE" is invalid: '${text}'.`);
    }
    return { kind: "cast", child: lit(text, STRING), type, mode: "ansi", typed: true };
  }

  #interval(v: Ast): Expr {
    const value = this.expr(v.value);
    if (value.kind !== "literal") throw this.#error("the value of an INTERVAL must be a literal");
    const unit = String(v.leading_field).toLowerCase();
    if (v.last_field) return intervalOfRange(String(value.value), unit, String(v.last_field).toLowerCase());
    return intervalOfUnits(`${value.value} ${unit}`);
  }

  #function(v: Ast): Expr {
    const number = suffixed({ Function: v });
    if (number !== undefined) return numberLiteral(number);
    const parts = v.name.map((p: Ast) => p.Identifier?.value as string);
    if (parts.length !== 1) throw this.#error(`the function name ${quoted(parts)} has several parts`);
    const name = parts[0]!;
    const lower = name.toLowerCase();
    const given: Ast[] = v.args?.List?.args ?? [];
    const args = given.map((a, i): Expr => {
      const x = a.Unnamed;
      if (x === undefined) throw this.#error("named arguments are not supported");
      if (x === "Wildcard") return { kind: "star" };
      if (x.QualifiedWildcard)
        return { kind: "star", target: x.QualifiedWildcard.map((p: Ast) => part(p.Identifier)).join(".") };
      if (i === 0 && given.length === 3 && UNIT_FIRST.has(lower) && UNIT.test(x.Expr?.Identifier?.value ?? "")) {
        return lit(x.Expr.Identifier.value, STRING);
      }
      return this.expr(x.Expr);
    });
    if (lower === EXTRACT_FUNCTION) return call("extract", ...args);
    if (lower === INTERVAL_FUNCTION) {
      const text = args[0]?.kind === "literal" ? args[0].value : undefined;
      if (typeof text === "string") return intervalOfUnits(text);
    }
    const list = v.args?.List;
    const ignoreNulls = [v.null_treatment, ...(list?.clauses ?? []).map((c: Ast) => c.IgnoreOrRespectNulls)].includes(
      "IgnoreNulls",
    );
    if (ignoreNulls) {
      if (lower === "lag" || lower === "lead") {
        if (args.length === 1) args.push(lit(1, { kind: "integer" }));
        if (args.length === 2) args.push(lit(null, { kind: "null" }));
      }
      args.push(lit(true, BOOLEAN));
    }
    const keys = v.within_group?.map((o: Ast) => this.order(o));
    const all = keys?.length > 0 ? withinGroup(lower, args, keys) : args;
    if (all === undefined) throw this.#error(`WITHIN GROUP of ${name} takes one expression`);
    const distinct = list?.duplicate_treatment === "Distinct";
    const shown = ignoreNulls ? lower.replace(/^(first|last)_value$/, "$1") : lower;
    const e = { kind: "call", name: shown, args: all, ...(distinct && { distinct: true }) } as const;
    const over = (child: Expr): Expr => (v.over ? this.#over(child, v.over) : child);
    if (!v.filter) return over(e);
    const counted = filtered(e, this.expr(v.filter), over);
    if (counted === undefined) throw this.#error(`FILTER needs an argument of ${name}`);
    return counted;
  }

  #over(child: Expr, over: Ast): Expr {
    const spec = this.#windowSpec(over);
    return {
      kind: "window",
      child,
      partitionBy: spec.partition_by.map((p: Ast) => this.expr(p)),
      orderBy: spec.order_by.map((o: Ast) => this.order(o)),
      ...(spec.window_frame && { frame: this.#frame(spec.window_frame) }),
    };
  }

  /** The window itself, or the one of the WINDOW clause that it names or adds to. */
  #windowSpec(over: Ast): Ast {
    const own = over.WindowSpec;
    const name = over.NamedWindow?.value ?? own?.window_name?.value;
    if (name === undefined || name === null) return own;
    const base = this.#query?.window(name);
    if (base === undefined) {
      throw new MillraceError(
        "MISSING_WINDOW_SPECIFICATION",
        `Window specification is not defined in the WINDOW clause for ${quoted(name)}.`,
        { parameters: { windowName: quoted(name) } },
      );
    }
    const spec = this.#windowSpec(base);
    if (own === undefined) return spec;
    const or = (key: string): Ast => (own[key]?.length > 0 ? own[key] : spec[key]);
    return {
      partition_by: or("partition_by"),
      order_by: or("order_by"),
      window_frame: own.window_frame ?? spec.window_frame,
    };
  }

  order(o: Ast): Expr {
    const direction = o.options.asc === false ? "desc" : "asc";
    const first = o.options.nulls_first ?? direction === "asc";
    return { kind: "sort_order", child: this.expr(o.expr), direction, nulls: first ? "first" : "last" };
  }

  #frame(f: Ast): WindowFrame {
    const intervals: DataType[] = [];
    const bound = (b: Ast): FrameBound => {
      if (b === "CurrentRow") return "current_row";
      const side = b.Preceding !== undefined || "Preceding" in b ? "Preceding" : "Following";
      const value = b[side];
      if (value === null || value === undefined) return "unbounded";
      const e = this.expr(value);
      if (e.kind === "literal" && isInterval(e.type)) intervals.push(e.type);
      if (e.kind === "literal" && e.type.kind === "decimal") return Number(e.value) * (side === "Preceding" ? -1 : 1);
      const n = e.kind === "literal" ? undefined : foldedNumber(e);
      if (Number.isInteger(n)) return side === "Preceding" ? -n! : n!;
      if (e.kind !== "literal" || (typeof e.value !== "number" && typeof e.value !== "bigint")) {
        throw this.#error("the bounds of a window frame must be numbers");
      }
      return side === "Preceding" ? -e.value : e.value;
    };
    const frame: WindowFrame = {
      type: f.units === "Rows" ? "row" : "range",
      lower: bound(f.start_bound),
      upper: f.end_bound ? bound(f.end_bound) : "current_row",
    };
    const [one, other] = intervals;
    if (one !== undefined && other !== undefined && sqlName(one) !== sqlName(other)) throw differentBounds(one, other);
    return frame;
  }

  #extract(v: Ast): Expr {
    const field = typeof v.field === "string" ? v.field : (v.field?.Custom?.value ?? Object.keys(v.field ?? {})[0]);
    return call("extract", lit(String(field), STRING), this.expr(v.expr));
  }

  #lambdaOf(v: Ast): Expr {
    const params: string[] = (v.params.One ? [v.params.One] : v.params.Many).map((p: Ast) => p.name.value);
    const outer = this.#lambda;
    this.#lambda = new Set([...outer, ...params]);
    try {
      return { kind: "lambda", params, body: this.expr(v.body) };
    } finally {
      this.#lambda = outer;
    }
  }

  #error(what: string): MillraceError {
    return new MillraceError("PARSE_SYNTAX_ERROR", `Cannot parse "${this.#text}": ${what}.`, {
      parameters: { error: what },
    });
  }

  #unknown(e: Ast): MillraceError {
    const kind = typeof e === "string" ? e : Object.keys(e ?? {})[0];
    return this.#error(`${kind} is not supported in an expression`);
  }
}

/** `* EXCEPT (a, b)`. */
function except(wildcard: Ast): { readonly except?: readonly string[] } {
  const e = wildcard?.opt_except;
  if (!e) return {};
  return { except: [e.first_element, ...(e.additional_elements ?? [])].map(part) };
}

/** An identifier as part of a dotted name. */
export function part(v: Ast): string {
  const name = v.value as string;
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `\`${name.replaceAll("`", "``")}\``;
}

/** The text of a number that the scanner met with a suffix. */
function suffixed(e: Ast): string | undefined {
  if (e.Function?.name?.[0]?.Identifier?.value !== NUMBER_FUNCTION) return undefined;
  return e.Function.args.List.args[0].Unnamed.Expr.Value.value.SingleQuotedString;
}
