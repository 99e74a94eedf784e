import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { MICROS_OF } from "../types/time-units.ts";
import { type FunctionDef, family, raise } from "./define.ts";
import { plusMicros } from "./interval-arithmetic.ts";
import {
  any,
  boolean,
  DATE,
  DOUBLE,
  date,
  INT,
  int,
  LONG,
  opt,
  param,
  pattern,
  STRING,
  TIMESTAMP,
  timestamp,
} from "./params.ts";
import { instant, local, plusMonths } from "./zone.ts";

const fn = family("datetime");
const UNITS: Readonly<Record<string, string>> = {
  year: "year",
  yyyy: "year",
  yy: "year",
  quarter: "quarter",
  month: "month",
  mm: "month",
  mon: "month",
  week: "week",
  day: "day",
  dd: "day",
  hour: "hour",
  minute: "minute",
  second: "second",
  millisecond: "milliseconds",
  microsecond: "microseconds",
};

/** `date_trunc` to a unit that may be an expression; one that Spark does not know gives null. */
function truncated(
  unit: string,
  literal: Value | undefined,
  units: readonly string[],
  to: (unit: string) => string,
): string {
  if (typeof literal === "string") {
    const u = literal.toLowerCase();
    return units.includes(u) ? to(UNITS[u]!) : "NULL";
  }
  return `CASE lower(${unit}) ${units.map((u) => `WHEN '${u}' THEN ${to(UNITS[u]!)}`).join(" ")} END`;
}

const MICROS: Readonly<Record<string, bigint>> = { ...MICROS_OF, dayofyear: MICROS_OF.day };
const MONTHS: Readonly<Record<string, number>> = { month: 1, quarter: 3, year: 12 };

function unitOf(name: string, literal: Value | undefined): string {
  const unit = String(literal ?? "").toLowerCase();
  if (Object.hasOwn(MICROS, unit) || Object.hasOwn(MONTHS, unit)) return unit;
  throw new MillraceError("INVALID_PARAMETER_VALUE.DATETIME_UNIT", `\`${name}\` does not know the unit "${literal}".`, {
    hint: "Use YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND, MILLISECOND or MICROSECOND.",
    parameters: { functionName: `\`${name}\`` },
  });
}

/** Adds so many of a unit, whole days on the calendar. */
function addUnits(unit: string, n: string, t: string, type: DataType, timeZone: string | undefined): string {
  const months = MONTHS[unit];
  if (months !== undefined) return plusMonths(t, `CAST(${n} * ${months} AS INTEGER)`, type, timeZone);
  return plusMicros(t, `(${n} * ${MICROS[unit]})`);
}

/** Whole units between two wall clocks. */
function unitsBetween(unit: string, a: string, b: string): string {
  const months = MONTHS[unit];
  if (months === undefined) return `(epoch_us(${b}) - epoch_us(${a})) // ${MICROS[unit]}`;
  const count = `((year(${b}) - year(${a})) * 12 + month(${b}) - month(${a}))`;
  const within = (x: string): string => `(epoch_us(${x}) - epoch_us(date_trunc('month', ${x})))`;
  // A month that is not over does not count.
  const full = `CASE WHEN ${count} > 0 AND ${within(b)} < ${within(a)} THEN ${count} - 1 WHEN ${count} < 0 AND ${within(b)} > ${within(a)} THEN ${count} + 1 ELSE ${count} END`;
  return months === 1 ? full : `(${full}) // ${months}`;
}

const timeType = (t: DataType): DataType => (t.kind === "timestamp_ntz" ? t : TIMESTAMP);
/** Spark takes no wider number of days. */
const days = param('"INT" or "SMALLINT" or "TINYINT"', ({ type }) =>
  ["byte", "short", "integer", "string", "null"].includes(type.kind) ? INT : undefined,
);
const shifted = (d: string, n: string, by = "+"): string => `(${d} ${by} CAST(${n} AS INTEGER))`;

const clock = (
  name: string,
  type: DataType,
  example: readonly [string, unknown],
  sql: string,
  aliases: string[] = [],
): FunctionDef => fn(name, [], type, example, () => sql, { nullable: "never", aliases });

const DAYS = ["mo", "tu", "we", "th", "fr", "sa", "su"];
const DAY_NAMES = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

function nextDay(d: string, name: string, literal: Value | undefined): string {
  const after = (i: string): string => `(${d} + CAST(((${i} - isodow(${d}) + 6) % 7) + 1 AS INTEGER))`;
  const illegal = raise(
    "ILLEGAL_DAY_OF_WEEK",
    "The day of the week is illegal: it is none such as 'Mo', 'Mon' or 'Monday'.",
  );
  const known = (i: number): string[] => [DAYS[i]!, DAY_NAMES[i]!.slice(0, 3), DAY_NAMES[i]!];
  if (typeof literal === "string") {
    const i = DAYS.findIndex((_, k) => known(k).includes(literal.trim().toLowerCase()));
    return i < 0 ? `CASE WHEN ${d} IS NOT NULL THEN ${illegal} END` : after(String(i + 1));
  }
  const number = `CASE ${DAYS.map((_, i) => `WHEN lower(trim(${name})) IN (${known(i).map(sqlString).join(", ")}) THEN ${i + 1}`).join(" ")} END`;
  return `CASE WHEN ${d} IS NULL OR ${name} IS NULL THEN NULL WHEN ${number} IS NULL THEN ${illegal} ELSE ${after(`(${number})`)} END`;
}

/** The first argument of three is a unit. */
const units = (args: readonly ArgumentType[]): boolean => args.length === 3;

export const datetimeFunctions: readonly FunctionDef[] = [
  clock("current_timestamp", TIMESTAMP, ["current_timestamp() is not null", true], "now()", ["now"]),
  clock("current_date", DATE, ["current_date() is not null", true], "current_date", ["curdate"]),
  clock(
    "localtimestamp",
    { kind: "timestamp_ntz" },
    ["localtimestamp() is not null", true],
    "CAST(now() AS TIMESTAMP)",
  ),
  clock("current_timezone", STRING, ["current_timezone()", "UTC"], "current_setting('TimeZone')"),
  fn(
    "date_trunc",
    [pattern, timestamp],
    TIMESTAMP,
    ["date_trunc('YEAR', '2015-03-05T09:32:05.359')", new Date("2015-01-01T00:00:00Z")],
    ([u, x], { literals, timeZone }) =>
      truncated(u!, literals?.[0], Object.keys(UNITS), (unit) => {
        const wall = local(x!, timeZone);
        const micros = MICROS[unit.replace(/s$/, "")];
        // Within a day the offset stays as it is, also where clocks are set back.
        if (micros !== undefined && unit !== "week" && unit !== "day") {
          return `make_timestamptz(epoch_us(${x}) - ((epoch_us(${wall}) % ${micros}) + ${micros}) % ${micros})`;
        }
        return instant(`date_trunc('${unit}', ${wall})`, timeZone);
      }),
    { nullable: "always" },
  ),
  fn(
    "trunc",
    [date, pattern],
    DATE,
    ["trunc('2019-08-04', 'week')", new Date("2019-07-29T00:00:00Z")],
    ([x, u], { literals }) =>
      truncated(
        u!,
        literals?.[1],
        Object.keys(UNITS).filter((k) => ["year", "quarter", "month", "week"].includes(UNITS[k]!)),
        (unit) => `CAST(date_trunc('${unit}', ${x}) AS DATE)`,
      ),
    { nullable: "always" },
  ),
  fn("date_add", [date, days], DATE, ["date_add('2016-07-30', 1)", new Date("2016-07-31T00:00:00Z")], ([d, n]) =>
    shifted(d!, n!),
  ),
  fn("date_sub", [date, days], DATE, ["date_sub('2016-07-30', 1)", new Date("2016-07-29T00:00:00Z")], ([d, n]) =>
    shifted(d!, n!, "-"),
  ),
  fn(
    "dateadd",
    [any, any, opt(any)],
    (types) => (types.length === 2 ? DATE : types[2]!),
    ["dateadd(HOUR, 8, timestamp '2022-02-10 00:00:00')", new Date("2022-02-10T08:00:00Z")],
    ([a, b, c], { literals, result, timeZone }) =>
      c === undefined ? shifted(a!, b!) : addUnits(unitOf("dateadd", literals?.[0]), b!, c, result, timeZone),
    {
      aliases: ["timestampadd"],
      coerce: (types, given) => (units(given) ? [STRING, LONG, timeType(types[2]!)] : [DATE, INT]),
    },
  ),
  fn(
    "datediff",
    [any, any, opt(any)],
    (_, args) => (units(args) ? LONG : INT),
    ["datediff('2009-07-31', '2009-07-30')", 1],
    ([a, b, c], { literals, args, timeZone }) => {
      if (c === undefined) return `CAST(${a} - ${b} AS INTEGER)`;
      const wall = (x: string): string => (args[1]!.kind === "timestamp" ? local(x, timeZone) : x);
      return `CAST(${unitsBetween(unitOf("datediff", literals?.[0]), wall(b!), wall(c))} AS BIGINT)`;
    },
    {
      aliases: ["date_diff", "timestampdiff"],
      coerce: (types, given) => {
        if (!units(given)) return [DATE, DATE];
        const ntz = types[1]!.kind === "timestamp_ntz" && types[2]!.kind === "timestamp_ntz";
        const type: DataType = ntz ? types[1]! : TIMESTAMP;
        return [STRING, type, type];
      },
    },
  ),
  fn("add_months", [date, int], DATE, ["add_months('2016-08-31', 1)", new Date("2016-09-30T00:00:00Z")], ([d, n]) =>
    plusMonths(d!, n!, DATE, undefined),
  ),
  fn(
    "months_between",
    [timestamp, timestamp, opt(boolean)],
    DOUBLE,
    ["months_between('1997-02-28 10:30:00', '1996-10-30')", 3.94959677],
    ([x, y, round], { timeZone }) => {
      const [a, b] = [local(x!, timeZone), local(y!, timeZone)];
      const months = `((year(${a}) - year(${b})) * 12 + month(${a}) - month(${b}))`;
      const isLast = (t: string): string => `last_day(${t}) = CAST(${t} AS DATE)`;
      const seconds = (t: string): string => `(epoch_us(${t}) - epoch_us(date_trunc('day', ${t}))) // 1000000`;
      const exact = `(${months} + ((day(${a}) - day(${b})) * 86400 + ${seconds(a)} - ${seconds(b)}) / 2678400.0::DOUBLE)`;
      const rounded =
        round === undefined ? `round(${exact}, 8)` : `CASE WHEN ${round} THEN round(${exact}, 8) ELSE ${exact} END`;
      return `CASE WHEN ${x} IS NULL OR ${y} IS NULL THEN NULL WHEN day(${a}) = day(${b}) OR (${isLast(a)} AND ${isLast(b)}) THEN CAST(${months} AS DOUBLE) ELSE ${rounded} END`;
    },
  ),
  fn("last_day", [date], DATE, ["last_day('2009-01-12')", new Date("2009-01-31T00:00:00Z")]),
  fn(
    "next_day",
    [date, pattern],
    DATE,
    ["next_day('2015-01-14', 'TU')", new Date("2015-01-20T00:00:00Z")],
    ([d, name], { literals }) => nextDay(d!, name!, literals?.[1]),
    { nullable: "always" },
  ),
  fn(
    "unix_date",
    [date],
    INT,
    ["unix_date(date '1970-01-02')", 1],
    ([x]) => `CAST(${x} - DATE '1970-01-01' AS INTEGER)`,
  ),
  fn(
    "date_from_unix_date",
    [int],
    DATE,
    ["date_from_unix_date(1)", new Date("1970-01-02T00:00:00Z")],
    ([x]) => `(DATE '1970-01-01' + ${x})`,
  ),
];
