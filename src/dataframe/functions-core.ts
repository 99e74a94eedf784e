import type { Expr } from "../plan/expr.ts";
import { Column, columnExpr, operand } from "./column.ts";
import { literal } from "./literal.ts";
import type { Arg, Lift, NameOf, NeedOf, OperandNeed, OperandType, TypeOf } from "./row-types.ts";

/** What the typed functions are built of: the shapes of calls, and calls by name. */

export type AnyColumn = Column<any, any, any>;
export type ColumnOrName = string | AnyColumn;
/** A value, or a column: a bare string is a literal here. */
export type Literal<T> = T | Column<any, any, any>;

/** One argument of type `In`, gives `Out`, and null for null. */
export type Unary<N extends string, In, Out> = <const A extends Arg<In>>(
  col: A,
) => Column<Lift<Out, TypeOf<A>>, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
/** One argument; may be null for any argument. */
export type Maybe<N extends string, In, Out> = <const A extends Arg<In>>(
  col: A,
) => Column<Out | null, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
/** One argument, gives its type or null: aggregates. */
export type SameOrNull<N extends string, In> = <const A extends Arg<In>>(
  col: A,
) => Column<TypeOf<A> | null, `${N}(${NameOf<A>})`, NeedOf<A, In>>;
/** Two columns. */
export type Binary<In1, In2, Out> = <const A extends Arg<In1>, const B extends Arg<In2>>(
  left: A,
  right: B,
) => Column<Lift<Out, TypeOf<A> | TypeOf<B>>, string, NeedOf<A, In1> | NeedOf<B, In2>>;
/** A column, then literals (or columns). */
export type WithLiterals<In, P extends readonly unknown[], Out> = <const A extends Arg<In>, const L extends P>(
  col: A,
  ...rest: L
) => Column<Lift<Out, TypeOf<A> | OperandType<L[number]>>, string, NeedOf<A, In> | OperandNeed<L[number]>>;
/** As `WithLiterals`, may be null for any argument. */
export type MaybeWithLiterals<In, P extends readonly unknown[], Out> = <const A extends Arg<In>, const L extends P>(
  col: A,
  ...rest: L
) => Column<Out | null, string, NeedOf<A, In> | OperandNeed<L[number]>>;

export function call(name: string, ...args: Expr[]): any {
  return new Column({ kind: "call", name, args });
}
/** A function whose arguments are columns or their names. */
export const columns =
  (name: string) =>
  (...args: any[]): any =>
    call(name, ...args.map(columnExpr));
/** A function whose first argument is a column or its name, and the others literals or columns. */
export const literals =
  (name: string) =>
  (col: any, ...rest: any[]): any =>
    call(name, columnExpr(col), ...rest.filter((r) => r !== undefined).map(operand));

export type Num = number | bigint | string;

let lastLambda = 0;
/** A TypeScript function over columns as a lambda of the plan: it is called once, with columns that stand for its parameters. */
export function lambda(f: (...params: any[]) => unknown, names: readonly string[]): Expr {
  const id = ++lastLambda;
  const params = names.slice(0, Math.max(1, f.length)).map((n) => `${n}_${id}`);
  const body = f(...params.map((name) => new Column({ kind: "lambda_variable", name })));
  return { kind: "lambda", params, body: operand(body) };
}

/** Options of a reader or writer as the argument that SQL has for them, if there are any: a map of texts. */
export function optionsExpr(options: Readonly<Record<string, string | number | boolean>> | undefined): Expr[] {
  if (options === undefined) return [];
  const args = Object.entries(options).flatMap(([k, v]) => [literal(k), literal(String(v))]);
  return [{ kind: "call", name: "map", args }];
}
