import type { Column } from "./column.ts";
import {
  type Binary,
  call,
  columns,
  type Literal,
  literals,
  type Maybe,
  type Num,
  type Unary,
  type WithLiterals,
} from "./functions-core.ts";
import { literal } from "./literal.ts";
import type { Arg, Lift, NameOf, NeedOf, TypeOf } from "./row-types.ts";

/** The absolute value. */
export const abs = columns("abs") as <const A extends Arg<Num>>(
  col: A,
) => Column<TypeOf<A>, `abs(${NameOf<A>})`, NeedOf<A, Num>>;
/** The number with the other sign. */
export const negative = columns("negative") as <const A extends Arg<Num>>(
  col: A,
) => Column<TypeOf<A>, `negative(${NameOf<A>})`, NeedOf<A, Num>>;
/** The next whole number up, a long. */
export const ceil = columns("ceil") as Unary<"ceil", number | bigint, bigint>;
/** The next whole number down, a long. */
export const floor = columns("floor") as Unary<"floor", number | bigint, bigint>;
/** Rounded half up to so many decimals (default 0). */
export const round = literals("round") as <const A extends Arg<Num>>(
  col: A,
  scale?: number,
) => Column<TypeOf<A>, string, NeedOf<A, Num>>;
/** Rounded half to even. */
export const bround = literals("bround") as <const A extends Arg<Num>>(
  col: A,
  scale?: number,
) => Column<TypeOf<A>, string, NeedOf<A, Num>>;
/** The square root; NaN for a negative number. */
export const sqrt = columns("sqrt") as Unary<"sqrt", Num, number>;
/** The cube root. */
export const cbrt = columns("cbrt") as Unary<"cbrt", Num, number>;
/** e to this power. */
export const exp = columns("exp") as Unary<"exp", Num, number>;
/** The natural logarithm; null for what has none. */
export const ln = columns("ln") as Maybe<"ln", Num, number>;
/** The natural logarithm, or that to a base: `log(2, "x")`. */
export function log<const A extends Arg<Num>>(col: A): Column<number | null, string, NeedOf<A, Num>>;
export function log<const A extends Arg<Num>>(base: number, col: A): Column<number | null, string, NeedOf<A, Num>>;
export function log(a: any, b?: any): any {
  return typeof a === "number" ? call("log", literal(a), columns("log")(b).expr.args[0]) : columns("ln")(a);
}
/** The logarithm to base 2. */
export const log2 = columns("log2") as Maybe<"log2", Num, number>;
/** The logarithm to base 10. */
export const log10 = columns("log10") as Maybe<"log10", Num, number>;
/** The natural logarithm of this plus 1. */
export const log1p = columns("log1p") as Maybe<"log1p", Num, number>;
/** e to this power less 1. */
export const expm1 = columns("expm1") as Unary<"expm1", Num, number>;
/** A power; the exponent is a number or a column. */
export const pow = literals("pow") as WithLiterals<Num, [exponent: Literal<number>], number>;
export const sin = columns("sin") as Unary<"sin", Num, number>;
export const cos = columns("cos") as Unary<"cos", Num, number>;
export const tan = columns("tan") as Unary<"tan", Num, number>;
export const asin = columns("asin") as Unary<"asin", Num, number>;
export const acos = columns("acos") as Unary<"acos", Num, number>;
export const atan = columns("atan") as Unary<"atan", Num, number>;
/** The angle of a point (x, y), y first. */
export const atan2 = columns("atan2") as Binary<Num, Num, number>;
/** Radians as degrees. */
export const degrees = columns("degrees") as Unary<"degrees", Num, number>;
/** Degrees as radians. */
export const radians = columns("radians") as Unary<"radians", Num, number>;
/** -1, 0 or 1 as a double. */
export const signum = columns("signum") as Unary<"signum", Num, number>;
/** The nearest whole number as a double. */
export const rint = columns("rint") as Unary<"rint", Num, number>;
/** The factorial of 0 to 20, else null. */
export const factorial = columns("factorial") as Maybe<"factorial", number, bigint>;
/** The remainder that is never negative. */
export const pmod = literals("pmod") as <const A extends Arg<Num>>(
  col: A,
  divisor: number | bigint | Column<any, any, any>,
) => Column<TypeOf<A>, string, NeedOf<A, Num>>;
/** A random number from 0 to 1. The embedded engine takes no seed. */
export function rand(): Column<number, "rand()", never> {
  return call("rand");
}
/** The quotient, null for division by zero. */
export const try_divide = columns("try_divide") as <const A extends Arg<Num>, const B extends Arg<Num>>(
  a: A,
  b: B,
) => Column<number | null, string, NeedOf<A, Num> | NeedOf<B, Num>>;
/** Whether the number is not a number. */
export const isnan = columns("isnan") as <const A extends Arg<Num>>(
  col: A,
) => Column<boolean, `isnan(${NameOf<A>})`, NeedOf<A, Num>>;
/** The first column, or the second where the first is not a number. */
export const nanvl = columns("nanvl") as <const A extends Arg<Num>, const B extends Arg<Num>>(
  a: A,
  b: B,
) => Column<Lift<number, TypeOf<A> | TypeOf<B>>, string, NeedOf<A, Num> | NeedOf<B, Num>>;
/** Bits moved to the left. */
export const shiftleft = literals("shiftleft") as WithLiterals<number | bigint, [bits: number], number>;
/** Bits moved to the right. */
export const shiftright = literals("shiftright") as WithLiterals<number | bigint, [bits: number], number>;
/** The hyperbolic sine. */
export const sinh = columns("sinh") as Unary<"sinh", Num, number>;
/** The hyperbolic cosine. */
export const cosh = columns("cosh") as Unary<"cosh", Num, number>;
/** The hyperbolic tangent. */
export const tanh = columns("tanh") as Unary<"tanh", Num, number>;
/** The inverse hyperbolic sine. */
export const asinh = columns("asinh") as Unary<"asinh", Num, number>;
/** The inverse hyperbolic cosine; NaN below 1. */
export const acosh = columns("acosh") as Unary<"acosh", Num, number>;
/** The inverse hyperbolic tangent; NaN beyond 1. */
export const atanh = columns("atanh") as Unary<"atanh", Num, number>;
/** The cotangent. */
export const cot = columns("cot") as Unary<"cot", Num, number>;
/** The secant. */
export const sec = columns("sec") as Unary<"sec", Num, number>;
/** The cosecant. */
export const csc = columns("csc") as Unary<"csc", Num, number>;
/** The length of the hypotenuse, without overflow on the way. */
export const hypot = columns("hypot") as Binary<Num, Num, number>;
/** A whole number in binary digits, as text. */
export const bin = columns("bin") as Unary<"bin", number | bigint, string>;
/** Digits of one base in another: `conv("hex", 16, 10)`. Null for a base beyond 36. */
export const conv = literals("conv") as (
  col: string | Column<any, any, any>,
  from: number,
  to: number,
) => Column<string | null, string, any>;
/** The bucket of equal width between two bounds, 0 and `buckets + 1` beyond them. */
export const width_bucket = literals("width_bucket") as (
  col: string | Column<any, any, any>,
  min: Literal<number>,
  max: Literal<number>,
  buckets: Literal<number>,
) => Column<bigint | null, string, any>;

type Attempt = (
  left: string | Column<any, any, any>,
  right: string | Column<any, any, any>,
) => Column<any, string, any>;
/** The sum, null where it does not fit its type. Dates and intervals, too. */
export const try_add = columns("try_add") as Attempt;
/** The difference, null where it does not fit its type. */
export const try_subtract = columns("try_subtract") as Attempt;
/** The product, null where it does not fit its type. */
export const try_multiply = columns("try_multiply") as Attempt;
/** The remainder, null for a divisor of 0. */
export const try_mod = columns("try_mod") as Attempt;
/** A number of the normal distribution with mean 0 and deviation 1, another one for each row. */
export function randn(): Column<number, "randn()", never> {
  return call("randn");
}
