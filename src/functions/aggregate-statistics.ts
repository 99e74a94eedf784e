import { batch } from "./aggregate-batch.ts";
import { type FunctionDef, raise } from "./define.ts";
import { DOUBLE, double, LONG } from "./params.ts";

/** Whether the `power` of a number has no finite double. Spark merges partial results by such powers, and then has NaN. */
export const beyond = (power: 2 | 3 | 4, x: string): string =>
  `coalesce(abs(${x}) > ${{ 2: "1.34e154", 3: "5.64e102", 4: "1.15e77" }[power]}, false)`;
/** The numbers that DuckDB can take: it refuses infinities and what overflows. */
export const within = (power: 2 | 3 | 4, x: string): string => `CASE WHEN NOT ${beyond(power, x)} THEN ${x} END`;
/** NaN where one of the rows is beyond, which a condition says. */
export const orNaN = (isBeyond: string, sql: string): string =>
  `CASE WHEN bool_or(${isBeyond}) THEN CAST('nan' AS DOUBLE) ELSE ${sql} END`;

type Moment = "xx" | "yy" | "xy";

/** Statistics of the pairs where neither side is null: NaN where one of the moments it is made of has no finite double. */
function ofPairs(
  name: string,
  example: readonly [string, unknown],
  moments: readonly Moment[],
  sql: (y: string, x: string) => string = (y, x) => `${name}(${y}, ${x})`,
  enough?: (y: string, x: string) => string,
  /** SQL of a value that goes before NaN, where it is not null. */
  before?: (y: string, x: string) => string,
): FunctionDef {
  return batch(name, [double, double], DOUBLE, example, ([y, x]) => {
    const of: Readonly<Record<Moment, string>> = {
      xx: beyond(2, x!),
      yy: beyond(2, y!),
      xy: `(NOT isfinite(${x}) OR NOT isfinite(${y}) OR NOT isfinite(${x} * ${y}))`,
    };
    const any = `(${x} IS NOT NULL AND ${y} IS NOT NULL AND (${moments.map((m) => of[m]).join(" OR ")}))`;
    const only = (v: string): string => `CASE WHEN NOT ${any} THEN ${v} END`;
    const usual = moments.length === 0 ? sql(y!, x!) : orNaN(any, sql(only(y!), only(x!)));
    const value = before === undefined ? usual : `coalesce(${before(y!, x!)}, ${usual})`;
    return enough === undefined ? value : `CASE WHEN ${enough(y!, x!)} THEN ${value} END`;
  });
}

/** All y are one: they are explained, whatever the x are. */
const level = (y: string, x: string): string => {
  const counted = (v: string): string => `CASE WHEN ${x} IS NOT NULL THEN ${v} END`;
  return `CASE WHEN min(${counted(y)}) = max(${counted(y)}) AND NOT bool_or(${x} IS NOT NULL AND ${beyond(2, y)}) THEN 1.0::DOUBLE END`;
};
const two = (y: string, x: string): string => `regr_count(${y}, ${x}) > 1`;
/** There is no slope where all x are one, whatever the y are. */
const sloped = (y: string, x: string): string =>
  `bool_or(${beyond(2, x)} AND ${y} IS NOT NULL) OR regr_sxx(${y}, ${within(2, x)}) > 0`;
const divideByZero = raise(
  "DIVIDE_BY_ZERO",
  "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.",
);

export const statisticsFunctions: readonly FunctionDef[] = [
  ofPairs(
    "corr",
    ["corr(x, x)", 1],
    ["xx", "yy", "xy"],
    (y, x) =>
      `CASE WHEN regr_sxx(${y}, ${x}) * regr_syy(${y}, ${x}) = 0 THEN ${divideByZero} WHEN isinf(regr_sxx(${y}, ${x}) * regr_syy(${y}, ${x})) THEN 0 ELSE corr(${y}, ${x}) END`,
    two,
  ),
  ofPairs("covar_samp", ["covar_samp(x, x)", 1], ["xy"], undefined, two),
  ofPairs("covar_pop", ["covar_pop(x, x)", 2 / 3], ["xy"]),
  batch("skewness", [double], DOUBLE, ["skewness(x)", 0], ([v]) => {
    const x = within(3, v!);
    return orNaN(
      beyond(3, v!),
      `CASE WHEN var_pop(${x}) > 0 THEN (avg(pow(${x}, 3)) - 3 * avg(${x}) * avg(pow(${x}, 2)) + 2 * pow(avg(${x}), 3)) / pow(var_pop(${x}), 1.5) END`,
    );
  }),
  batch("kurtosis", [double], DOUBLE, ["kurtosis(x)", -1.5], ([v]) => {
    const x = within(4, v!);
    return orNaN(beyond(4, v!), `CASE WHEN var_pop(${x}) > 0 THEN kurtosis_pop(${x}) END`);
  }),
  batch(
    "regr_count",
    [double, double],
    LONG,
    ["regr_count(x, x)", 3n],
    ([y, x]) => `CAST(regr_count(${y}, ${x}) AS BIGINT)`,
    {
      nullable: "never",
    },
  ),
  ofPairs("regr_avgx", ["regr_avgx(x, x)", 2], []),
  ofPairs("regr_avgy", ["regr_avgy(x, x)", 2], []),
  ofPairs("regr_slope", ["regr_slope(x, x)", 1], ["xx", "xy"], undefined, sloped),
  ofPairs("regr_intercept", ["regr_intercept(x, x + 1)", -1], ["xx", "xy"], undefined, sloped),
  ofPairs("regr_r2", ["regr_r2(x, x)", 1], ["xx", "yy", "xy"], undefined, sloped, level),
  ofPairs("regr_sxx", ["regr_sxx(x, x)", 2], ["xx"]),
  ofPairs("regr_sxy", ["regr_sxy(x, x)", 2], ["xy"]),
  ofPairs("regr_syy", ["regr_syy(x, x)", 2], ["yy"]),
];
