import type { MillraceError } from "../errors.ts";
import { commonTypeOf, isIntegral } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { arrayOf, mismatch, unlessNull } from "./collection-types.ts";
import { type FunctionDef, family, raise } from "./define.ts";
import { any, INT, opt } from "./params.ts";
import { plusMonths } from "./zone.ts";

const fn = family("collection");
const DAY_US = "86400000000";
const DAY_TIME: DataType = { kind: "interval_day_time" };

/** Spark has no class for this error. */
const boundaries = raise("INVALID_ARGUMENT", "Illegal sequence boundaries: the step must lead from start to stop.");

/** Whole numbers. DuckDB would give an empty list where the step leads away. */
function numbers(a: string, b: string, s: string | undefined, type: DataType): string {
  const wide = (x: string): string => `CAST(${x} AS BIGINT)`;
  const series = (step: string): string =>
    `CAST(generate_series(${wide(a)}, ${wide(b)}, ${step}) AS ${sqlType(type)}[])`;
  if (s === undefined) return unlessNull([a, b], series(`CASE WHEN ${a} <= ${b} THEN 1 ELSE -1 END`));
  const step = wide(s);
  const single = `CAST([${a}] AS ${sqlType(type)}[])`;
  return `CASE WHEN ${a} IS NULL OR ${b} IS NULL OR ${s} IS NULL THEN NULL WHEN ${a} = ${b} THEN ${single} WHEN ${s} = 0 OR (${s} > 0) <> (${b} > ${a}) THEN ${boundaries} ELSE ${series(step)} END`;
}

/** Dates or times: each element is the start and so many steps, so that January 31 and a month is February 28 and two are March 31. */
function times(
  a: string,
  b: string,
  s: string | undefined,
  [type, , step]: readonly [DataType, DataType, DataType?],
  timeZone: string | undefined,
): string {
  const t = sqlType(type);
  const build = (count: string, item: string, forward: string): string => {
    const items = `list_transform(range(0, CAST(${count} AS BIGINT) + 1), lambda i: CAST(${item} AS ${t}))`;
    return `list_filter(${items}, lambda v: CASE WHEN ${forward} THEN v <= ${b} ELSE v >= ${b} END)`;
  };
  const guarded = (stepSign: string, sql: string): string =>
    `CASE WHEN ${a} IS NULL OR ${b} IS NULL${s === undefined ? "" : ` OR ${s} IS NULL`} THEN NULL WHEN ${a} = ${b} THEN [${a}] WHEN ${stepSign} = 0 OR (${stepSign} > 0) <> (${b} > ${a}) THEN ${boundaries} ELSE ${sql} END`;
  const us = (x: string): string => (type.kind === "date" ? `epoch_us(CAST(${x} AS TIMESTAMP))` : `epoch_us(${x})`);
  const span = `abs(${us(b)} - ${us(a)})`;
  const forward = `${b} >= ${a}`;
  if (step === undefined) {
    const days = `(${span} // ${DAY_US} + 1)`;
    const sign = `CASE WHEN ${forward} THEN 1 ELSE -1 END`;
    return unlessNull([a, b], build(days, `${a} + to_days(CAST(i * ${sign} AS INTEGER))`, forward));
  }
  if (step.kind === "interval_year_month") {
    const count = `(${span} // (28 * ${DAY_US}) // greatest(abs(${s}), 1) + 1)`;
    return guarded(s!, build(count, plusMonths(a, `CAST(i * ${s} AS INTEGER)`, type, timeZone), forward));
  }
  const micros = `epoch_us(${s})`;
  const count = `(${span} // greatest(abs(${micros}), 1) + 1)`;
  const days = `to_days(CAST(i * (${micros} // ${DAY_US}) AS INTEGER))`;
  const rest = `to_microseconds(i * (${micros} % ${DAY_US}))`;
  return guarded(micros, build(count, type.kind === "date" ? `${a} + ${days}` : `${a} + (${days} + ${rest})`, forward));
}

export const sequenceFunctions: readonly FunctionDef[] = [
  fn(
    "sequence",
    [any, any, opt(any)],
    ([t]) => arrayOf(t!, false),
    ["sequence(1, 5)", [1, 2, 3, 4, 5]],
    ([a, b, s], { args, timeZone }) =>
      isIntegral(args[0]!)
        ? numbers(a!, b!, s, args[0]!)
        : times(a!, b!, s, args as [DataType, DataType, DataType?], timeZone),
    {
      coerce: ([a, b, s]) => {
        const fail = (): MillraceError =>
          mismatch("DATATYPE_MISMATCH.SEQUENCE_WRONG_INPUT_TYPES", "sequence", [a!, b!]);
        const ends = commonTypeOf(s && isIntegral(s) ? [a!, b!, s] : [a!, b!]);
        if (ends === undefined) throw fail();
        const type = ends.kind === "null" ? INT : ends;
        if (isIntegral(type)) return [type, type, s && type];
        if (!["date", "timestamp", "timestamp_ntz"].includes(type.kind)) throw fail();
        if (s !== undefined && s.kind !== "interval_day_time" && s.kind !== "interval_year_month") {
          if (s.kind !== "null") throw fail();
          return [type, type, DAY_TIME];
        }
        return [type, type, s];
      },
    },
  ),
];
