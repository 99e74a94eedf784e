import { batch } from "./aggregate-batch.ts";
import type { FunctionDef } from "./define.ts";
import { DOUBLE, double, LONG } from "./params.ts";

const NAN = "CAST('nan' AS DOUBLE)";
/** DuckDB refuses infinities, with which Spark gives NaN. */
const finite = (x: string): string => `CASE WHEN isfinite(${x}) THEN ${x} END`;
const orNaN = (xs: string[], sql: string): string =>
  `CASE WHEN bool_or(${xs.map((x) => `NOT isfinite(${x})`).join(" OR ")}) THEN ${NAN} ELSE ${sql} END`;

/** Statistics of the pairs where neither side is null. */
const ofPairs = (name: string, example: readonly [string, unknown]): FunctionDef =>
  batch(name, [double, double], DOUBLE, example, ([y, x]) => `${name}(${y}, ${x})`);

export const statisticsFunctions: readonly FunctionDef[] = [
  batch(
    "corr",
    [double, double],
    DOUBLE,
    ["corr(x, x)", 1],
    ([x, y]) => `CASE WHEN regr_count(${x}, ${y}) > 1 THEN corr(${x}, ${y}) END`,
  ),
  batch("covar_samp", [double, double], DOUBLE, ["covar_samp(x, x)", 1], ([x, y]) => `covar_samp(${x}, ${y})`),
  batch("covar_pop", [double, double], DOUBLE, ["covar_pop(x, x)", 2 / 3], ([x, y]) => `covar_pop(${x}, ${y})`),
  batch("skewness", [double], DOUBLE, ["skewness(x)", 0], ([v]) => {
    const x = finite(v!);
    return orNaN(
      [v!],
      `CASE WHEN var_pop(${x}) > 0 THEN (avg(pow(${x}, 3)) - 3 * avg(${x}) * avg(pow(${x}, 2)) + 2 * pow(avg(${x}), 3)) / pow(var_pop(${x}), 1.5) WHEN count(${x}) > 0 THEN NULL END`,
    );
  }),
  batch("kurtosis", [double], DOUBLE, ["kurtosis(x)", -1.5], ([v]) => {
    const x = finite(v!);
    return orNaN([v!], `CASE WHEN var_pop(${x}) > 0 THEN kurtosis_pop(${x}) END`);
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
  ofPairs("regr_avgx", ["regr_avgx(x, x)", 2]),
  ofPairs("regr_avgy", ["regr_avgy(x, x)", 2]),
  ofPairs("regr_slope", ["regr_slope(x, x)", 1]),
  ofPairs("regr_intercept", ["regr_intercept(x, x + 1)", -1]),
  ofPairs("regr_r2", ["regr_r2(x, x)", 1]),
  ofPairs("regr_sxx", ["regr_sxx(x, x)", 2]),
  ofPairs("regr_sxy", ["regr_sxy(x, x)", 2]),
  ofPairs("regr_syy", ["regr_syy(x, x)", 2]),
];
