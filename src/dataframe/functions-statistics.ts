import { type Column, columnExpr } from "./column.ts";
import { call, columns, lambda, type Num } from "./functions-core.ts";
import type { Arg, NeedOf } from "./row-types.ts";

/** Statistics of pairs, and more functions of arrays, maps and rows. */

type ColumnArg = string | Column<any, any, any>;
type Pairs<Out> = <const A extends Arg<Num>, const B extends Arg<Num>>(
  y: A,
  x: B,
) => Column<Out, string, NeedOf<A, Num> | NeedOf<B, Num>>;

/** Pairs where neither side is null. */
export const regr_count = columns("regr_count") as Pairs<bigint>;
/** The mean of the second side. */
export const regr_avgx = columns("regr_avgx") as Pairs<number | null>;
/** The mean of the first side. */
export const regr_avgy = columns("regr_avgy") as Pairs<number | null>;
/** The slope of the line that fits best, `regr_slope("y", "x")`. */
export const regr_slope = columns("regr_slope") as Pairs<number | null>;
/** Where that line meets the axis. */
export const regr_intercept = columns("regr_intercept") as Pairs<number | null>;
/** The share of the variance that the line explains. */
export const regr_r2 = columns("regr_r2") as Pairs<number | null>;
/** The covariance of a sample. */
export const covar_samp = columns("covar_samp") as Pairs<number | null>;
/** The covariance of a population. */
export const covar_pop = columns("covar_pop") as Pairs<number | null>;
/** A sum that is null where it does not fit its type. */
export const try_sum = columns("try_sum") as (col: ColumnArg) => Column<any, string, any>;

/** Two arrays element by element; the shorter one is filled with nulls: `zip_with("a", "b", (x, y) => x.plus(y))`. */
export function zip_with(
  left: ColumnArg,
  right: ColumnArg,
  merge: (x: Column<any, any, any>, y: Column<any, any, any>) => Column<any, any, any>,
): Column<any[] | null, string, any> {
  return call("zip_with", columnExpr(left), columnExpr(right), lambda(merge, ["x", "y"]));
}
/** Two maps key by key; what is missing on a side is null. */
export function map_zip_with(
  left: ColumnArg,
  right: ColumnArg,
  merge: (key: Column<any, any, any>, x: Column<any, any, any>, y: Column<any, any, any>) => Column<any, any, any>,
): Column<Map<any, any> | null, string, any> {
  return call("map_zip_with", columnExpr(left), columnExpr(right), lambda(merge, ["k", "x", "y"]));
}
/** Without its nulls. */
export const array_compact = columns("array_compact") as (col: ColumnArg) => Column<any[] | null, string, any>;
/** The elements in an order of chance. */
export const shuffle = columns("shuffle") as (col: ColumnArg) => Column<any[] | null, string, any>;
