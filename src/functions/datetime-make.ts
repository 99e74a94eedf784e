import { MillraceError } from "../errors.ts";
import { isIntegral } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { atZone } from "./datetime-zone.ts";
import { type FunctionDef, family, nativeFunction, raise } from "./define.ts";
import {
  BOOLEAN,
  DATE,
  INT,
  int,
  LONG,
  long,
  numeric,
  opt,
  param,
  STRING,
  string,
  struct,
  TIMESTAMP,
  timestamp,
} from "./params.ts";
import { instant } from "./zone.ts";

const fn = family("datetime");
const intervals = family("interval");
const NTZ: DataType = { kind: "timestamp_ntz" };
const DAY_TIME: DataType = { kind: "interval_day_time" };
const YEAR_MONTH: DataType = { kind: "interval_year_month" };
const CALENDAR: DataType = { kind: "interval" };
const SECONDS: DataType = { kind: "decimal", precision: 16, scale: 6 };
const LONG_SECONDS: DataType = { kind: "decimal", precision: 18, scale: 6 };
const seconds = param('"DECIMAL(16,6)"', (arg) => (numeric.accept(arg) ? SECONDS : undefined));

function outOfBounds(what: string): MillraceError {
  return new MillraceError("DATETIME_FIELD_OUT_OF_BOUNDS.WITH_SUGGESTION", `${what}.`, {
    hint: "Use the `try_` form to tolerate it and return NULL instead.",
  });
}

/** Microseconds of a wall clock; seconds are text with six decimals, as doubles would round them. */
const wallMicros = nativeFunction(
  "make_timestamp",
  (y: number, mo: number, d: number, h: number, mi: number, s: string, strict: boolean): bigint | null => {
    const fail = (error: MillraceError): null => {
      if (strict) throw error;
      return null;
    };
    const micros = BigInt(s.replace(".", ""));
    const within = (value: number, min: number, max: number): boolean => value >= min && value <= max;
    if (!within(y, -999999999, 999999999)) return fail(outOfBounds(`Invalid value for Year: ${y}`));
    if (!within(mo, 1, 12)) return fail(outOfBounds(`Invalid value for MonthOfYear (valid values 1 - 12): ${mo}`));
    const date = new Date(0);
    date.setUTCFullYear(y, mo - 1, d);
    if (!within(d, 1, 31) || date.getUTCDate() !== d) return fail(outOfBounds(`Invalid date: ${y}-${mo}-${d}`));
    if (!within(h, 0, 23)) return fail(outOfBounds(`Invalid value for HourOfDay (valid values 0 - 23): ${h}`));
    if (!within(mi, 0, 59)) return fail(outOfBounds(`Invalid value for MinuteOfHour (valid values 0 - 59): ${mi}`));
    if (micros > 60_000_000n && micros < 61_000_000n)
      return fail(
        new MillraceError("INVALID_FRACTION_OF_SECOND", "Valid range for seconds is [0, 60] (inclusive).", {
          parameters: { secAndMicros: s },
        }),
      );
    if (micros < 0n || micros > 60_000_000n)
      return fail(outOfBounds(`Invalid value for SecondOfMinute (valid values 0 - 59): ${s}`));
    return BigInt(date.getTime() + h * 3_600_000 + mi * 60_000) * 1000n + micros;
  },
);

const makeTimestamp = (
  name: string,
  result: DataType,
  strict: boolean,
  example: readonly [string, unknown],
): FunctionDef =>
  fn(
    name,
    [int, int, int, int, int, seconds, ...(result.kind === "timestamp_ntz" ? [] : [opt(string)])],
    result,
    example,
    ([y, mo, d, h, mi, s, zone], { timeZone, literals }, native) => {
      const numbers = [y, mo, d, h, mi].map((sql) => ({ sql: sql!, type: INT }));
      const micros = native(
        wallMicros,
        [...numbers, { sql: `CAST(${s} AS VARCHAR)`, type: STRING }, { sql: String(strict), type: BOOLEAN }],
        LONG,
      );
      const wall = `make_timestamp(${micros})`;
      if (result.kind === "timestamp_ntz") return wall;
      return zone === undefined ? instant(wall, timeZone) : atZone(wall, zone, literals?.[6], native);
    },
    { nullable: strict ? "args" : "always" },
  );

const EXAMPLE = "2014, 12, 28, 6, 30, 45.887";
const MADE = new Date("2014-12-28T06:30:45.887Z");
const lastOf = (y: string, m: string): string =>
  `CASE WHEN ${m} IN (4, 6, 9, 11) THEN 30 WHEN ${m} = 2 THEN CASE WHEN (${y} % 4 = 0 AND ${y} % 100 <> 0) OR ${y} % 400 = 0 THEN 29 ELSE 28 END ELSE 31 END`;
const tooLong = raise(
  "INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION",
  "Integer overflow while operating with intervals.",
);
const MAX_LONG = "9223372036854775807";

/** Microseconds of days, hours, minutes and seconds, without rounding. */
const dayMicros = (d = "0", h = "0", m = "0", s = "0"): string => {
  const wide = (x: string, unit: number): string => `CAST(${x} AS HUGEINT) * ${unit}`;
  return `(${wide(d, 86400000000)} + ${wide(h, 3600000000)} + ${wide(m, 60000000)} + CAST(CAST(${s} AS DECIMAL(18,6)) * 1000000 AS HUGEINT))`;
};
const secondsOf = param('"DECIMAL(18,6)"', (arg) => (numeric.accept(arg) ? LONG_SECONDS : undefined));

const calendar = (name: string, strict: boolean, example: readonly [string, unknown]): FunctionDef =>
  intervals(
    name,
    [strict ? opt(int) : int, opt(int), opt(int), opt(int), opt(int), opt(int), opt(secondsOf)],
    CALENDAR,
    example,
    ([y = "0", mo = "0", w = "0", d = "0", h = "0", mi = "0", s = "0"]) =>
      `(to_months(CAST(${y} * 12 + ${mo} AS INTEGER)) + to_days(CAST(${w} * 7 + ${d} AS INTEGER)) + to_microseconds(CAST(${dayMicros("0", h, mi, s)} AS BIGINT)))`,
    { nullable: strict ? "args" : "always" },
  );

export const makeFunctions: readonly FunctionDef[] = [
  fn("make_date", [int, int, int], DATE, ["make_date(2013, 7, 15)", new Date("2013-07-15T00:00:00Z")], ([y, m, d]) => {
    const fail = raise(
      "DATETIME_FIELD_OUT_OF_BOUNDS.WITH_SUGGESTION",
      "There is no such date. Use `try_make_timestamp` and a cast to tolerate it.",
    );
    return `CASE WHEN ${y} IS NULL OR ${m} IS NULL OR ${d} IS NULL THEN NULL WHEN ${m} BETWEEN 1 AND 12 AND ${d} BETWEEN 1 AND ${lastOf(y!, m!)} THEN make_date(${y}, ${m}, ${d}) ELSE ${fail} END`;
  }),
  makeTimestamp("make_timestamp", TIMESTAMP, true, [`make_timestamp(${EXAMPLE})`, MADE]),
  makeTimestamp("make_timestamp_ltz", TIMESTAMP, true, [
    `make_timestamp_ltz(${EXAMPLE}, 'CET')`,
    new Date("2014-12-28T05:30:45.887Z"),
  ]),
  makeTimestamp("make_timestamp_ntz", NTZ, true, [`make_timestamp_ntz(${EXAMPLE})`, MADE]),
  makeTimestamp("try_make_timestamp", TIMESTAMP, false, ["try_make_timestamp(2014, 13, 28, 6, 30, 45.887)", null]),
  makeTimestamp("try_make_timestamp_ltz", TIMESTAMP, false, [`try_make_timestamp_ltz(${EXAMPLE})`, MADE]),
  makeTimestamp("try_make_timestamp_ntz", NTZ, false, [`try_make_timestamp_ntz(${EXAMPLE})`, MADE]),
  fn(
    "timestamp_seconds",
    [numeric],
    TIMESTAMP,
    ["timestamp_seconds(1230219000)", new Date("2008-12-25T15:30:00Z")],
    ([x], { args: [t] }) =>
      isIntegral(t!)
        ? `make_timestamptz(CAST(${x} AS BIGINT) * 1000000)`
        : t!.kind === "decimal"
          ? `make_timestamptz(CAST(CAST(${x} AS DECIMAL(38,6)) * 1000000 AS BIGINT))`
          : `CASE WHEN isfinite(${x}) THEN make_timestamptz(CAST(trunc(CAST(${x} AS DOUBLE) * 1000000) AS BIGINT)) END`,
    { nullable: ([a]) => a!.nullable || a!.type.kind === "double" || a!.type.kind === "float" },
  ),
  fn(
    "timestamp_millis",
    [long],
    TIMESTAMP,
    ["timestamp_millis(1230219000123)", new Date("2008-12-25T15:30:00.123Z")],
    ([x]) => `make_timestamptz(${x} * 1000)`,
  ),
  fn(
    "timestamp_micros",
    [long],
    TIMESTAMP,
    ["timestamp_micros(1230219000123000)", new Date("2008-12-25T15:30:00.123Z")],
    ([x]) => `make_timestamptz(${x})`,
  ),
  fn("unix_seconds", [timestamp], LONG, ["unix_seconds(timestamp '1970-01-01 00:00:01Z')", 1n], ([x]) =>
    floored(x!, 1_000_000),
  ),
  fn("unix_millis", [timestamp], LONG, ["unix_millis(timestamp '1970-01-01 00:00:01Z')", 1000n], ([x]) =>
    floored(x!, 1_000),
  ),
  fn(
    "unix_micros",
    [timestamp],
    LONG,
    ["unix_micros(timestamp '1970-01-01 00:00:01Z')", 1000000n],
    ([x]) => `epoch_us(${x})`,
  ),
  fn(
    "window_time",
    [struct],
    ([t]) => (t?.kind === "struct" ? (t.fields.find((f) => f.name === "end")?.type ?? TIMESTAMP) : TIMESTAMP),
    [
      "window_time(named_struct('start', timestamp '2021-01-01 00:00:00', 'end', timestamp '2021-01-01 00:05:00'))",
      new Date("2021-01-01T00:04:59.999Z"),
    ],
    ([w]) => `(struct_extract(${w}, 'end') - to_microseconds(1))`,
    {
      nullable: "always",
      differences: [{ reason: "takes any struct with a start and an end; Spark takes the column of `window` only" }],
    },
  ),
  intervals(
    "make_dt_interval",
    [opt(int), opt(int), opt(int), opt(secondsOf)],
    DAY_TIME,
    ["timestamp '2020-01-01 00:00:00' + make_dt_interval(1, 12, 30, 1.5)", new Date("2020-01-02T12:30:01.500Z")],
    ([d, h, m, s]) => {
      const us = dayMicros(d, h, m, s);
      return `CASE WHEN ${us} NOT BETWEEN -${MAX_LONG} AND ${MAX_LONG} THEN ${tooLong} ELSE to_microseconds(CAST(${us} AS BIGINT)) END`;
    },
  ),
  intervals(
    "make_ym_interval",
    [opt(int), opt(int)],
    YEAR_MONTH,
    ["date '2020-01-31' + make_ym_interval(1, 1)", new Date("2021-02-28T00:00:00Z")],
    ([y = "0", m = "0"]) => {
      const months = `(CAST(${y} AS BIGINT) * 12 + ${m})`;
      return `CASE WHEN ${months} NOT BETWEEN -2147483648 AND 2147483647 THEN ${tooLong} ELSE CAST(${months} AS INTEGER) END`;
    },
  ),
  calendar("make_interval", true, ["date '2020-01-31' + make_interval(0, 1)", new Date("2020-02-29T00:00:00Z")]),
  calendar("try_make_interval", false, [
    "date '2020-01-31' + try_make_interval(0, 1)",
    new Date("2020-02-29T00:00:00Z"),
  ]),
];

/** Microseconds in a larger unit, rounded down. */
function floored(x: string, unit: number): string {
  return `((epoch_us(${x}) - ((epoch_us(${x}) % ${unit}) + ${unit}) % ${unit}) // ${unit})`;
}
