import type { Expr, SqlForm } from "./expr.ts";
import { SHIFTS } from "./parse-scan.ts";

/** A node of the SQL parser's tree. */
type Ast = any;

/** Operators by the SQL parser's names. */
export const OPERATORS: Readonly<Record<string, string>> = {
  Plus: "+",
  Minus: "-",
  Multiply: "*",
  Divide: "/",
  Modulo: "%",
  Eq: "==",
  Spaceship: "<=>",
  Gt: ">",
  Lt: "<",
  GtEq: ">=",
  LtEq: "<=",
  And: "and",
  Or: "or",
  BitwiseAnd: "&",
  BitwiseOr: "|",
  BitwiseXor: "^",
  MyIntegerDivide: "div",
  DuckIntegerDivide: "div",
  StringConcat: "concat",
};

type Call = Extract<Expr, { kind: "call" }>;
export const call = (name: string, ...args: Expr[]): Call => ({ kind: "call", name, args });

export const negate = (yes: boolean, e: Expr): Expr => (yes ? call("not", e) : e);

/** `- x`, `+ x`. */
export function signed(form: "-" | "+", e: Expr): Expr {
  return { ...call(form === "-" ? "negative" : "positive", e), form };
}

export function between(x: Expr, low: Expr, high: Expr): Expr {
  return { ...call("and", call(">=", x, low), call("<=", x, high)), form: "between" };
}

/** `(1, 'a')`. */
export function row(values: readonly Expr[]): Expr {
  return { ...call("struct", ...values), form: "row" };
}

const SHIFT_FUNCTIONS: ReadonlyMap<string, readonly [name: string, form: SqlForm]> = new Map([
  [SHIFTS["<<"], ["shiftleft", "<<"]],
  [SHIFTS[">>"], ["shiftright", ">>"]],
  [SHIFTS[">>>"], ["shiftrightunsigned", ">>>"]],
]);

/** The operands of `a & b & c` where there are shifts among them, which the scanner wrote as such; else undefined. */
export function shiftChain(v: Ast): Ast[] | undefined {
  const chain: Ast[] = [];
  let node = v;
  for (;;) {
    chain.unshift(node.right);
    if (node.left.BinaryOp?.op !== "BitwiseAnd") break;
    node = node.left.BinaryOp;
  }
  chain.unshift(node.left);
  return chain.some((x) => shiftOf(x) !== undefined) ? chain : undefined;
}

const shiftOf = (x: Ast): readonly [string, SqlForm] | undefined =>
  x.Identifier && !x.Identifier.quote_style ? SHIFT_FUNCTIONS.get(x.Identifier.value) : undefined;

/** Shifts bind tighter than `&`. */
export function shifted(chain: readonly Ast[], expr: (x: Ast) => Expr): Expr {
  const operands: Expr[] = [];
  for (let i = 0; i < chain.length; i++) {
    const shift = shiftOf(chain[i]);
    if (shift === undefined) operands.push(expr(chain[i]));
    else {
      const [left, right] = [operands.pop()!, expr(chain[++i])];
      operands.push({ ...call(shift[0], left, right), form: shift[1] });
    }
  }
  return operands.reduce((a, b) => call("&", a, b));
}

/** `x LIKE ANY (...)`, `x NOT LIKE ALL (...)`: Spark's names do not tell constant patterns. */
export function likeMany(
  name: "like" | "ilike",
  how: "any" | "all",
  negated: boolean,
  x: Expr,
  patterns: readonly Expr[],
): Expr {
  const many = patterns
    .map((p) => negate(negated, call(name, x, p)))
    .reduce((a, b) => call(how === "any" ? "or" : "and", a, b));
  const constant = patterns.every((p) => p.kind === "literal");
  return constant && many.kind === "call" ? { ...many, form: `${negated ? "not" : ""}like${how}` } : many;
}
