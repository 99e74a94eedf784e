import type { UserFunction } from "../plan/expr.ts";
import type { Type } from "../types/schema.ts";
import { type CastName, type CastTo, Column, columnExpr, typeOf } from "./column.ts";
import type { Arg, NameOf, NeedOf } from "./row-types.ts";
import { forScriptArg } from "./value-modes.ts";

/** A TypeScript function as the plan carries it. */
export function userFunction(call: Function, name = call.name || "lambda", deterministic = true): UserFunction {
  return Object.freeze({ name, deterministic, call });
}

type Args<P extends readonly unknown[]> = { [I in keyof P]: Arg<NonNullable<P[I]>> };
type NeedsOf<A extends readonly unknown[], P extends readonly unknown[]> = {
  [I in keyof A]: NeedOf<A[I], I extends keyof P ? P[I] : any>;
}[number];

/**
 * Makes a column function of a TypeScript function over single values. It is called once per row with the values as TypeScript has
 * them (null for null), and must not depend on anything but its arguments.
 *
 * ```ts
 * const initials = udf((name: string | null) => name?.slice(0, 2) ?? null, t.string);
 * df.select(initials("origin").as("short"));
 * ```
 */
export function udf<P extends readonly any[], T>(
  fn: (...args: P) => T | null,
  returnType: Type<T>,
  options?: { readonly name?: string; readonly deterministic?: boolean },
): <const A extends Args<P>>(...args: A) => Column<T | null, `${string}(${NameOf<A[number]>})`, NeedsOf<A, P>>;
export function udf<P extends readonly any[], const K extends CastName>(
  fn: (...args: P) => CastTo<K> | null,
  returnType: K,
  options?: { readonly name?: string; readonly deterministic?: boolean },
): <const A extends Args<P>>(...args: A) => Column<CastTo<K> | null, `${string}(${NameOf<A[number]>})`, NeedsOf<A, P>>;
export function udf(
  fn: (...args: any[]) => unknown,
  returnType: Type<any> | string,
  options: { readonly name?: string; readonly deterministic?: boolean } = {},
): (...args: any[]) => Column<any, any, any> {
  const type = typeOf(returnType);
  const f = userFunction(fn, options.name, options.deterministic);
  return (...args) =>
    new Column({
      kind: "udf",
      fn: f,
      args: (args as unknown as (string | Column)[]).map((a) => forScriptArg(columnExpr(a))),
      type,
    });
}
