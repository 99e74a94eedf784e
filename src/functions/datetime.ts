import { MillraceError } from "../errors.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { strftimePattern } from "./datetime-pattern.ts";
import { type FunctionDef, family, type Result, raise } from "./define.ts";
import {
  any,
  DATE,
  DOUBLE,
  date,
  double,
  INT,
  INTERVAL,
  int,
  LONG,
  literalString,
  long,
  opt,
  STRING,
  string,
  struct,
  TIMESTAMP,
  timestamp,
} from "./params.ts";

const fn = family("datetime");

/** A part of a date or timestamp as an int. */
const part = (
  name: string,
  example: readonly [string, unknown],
  aliases: string[] = [],
  sql = (x: string): string => `${name}(${x})`,
): FunctionDef =>
  fn(name, [timestamp], INT, example, ([x]) => `CAST(${sql(x!)} AS INTEGER)`, {
    aliases,
    coerce: ([t]) => [t!.kind === "date" ? DATE : TIMESTAMP],
  });

/** Text as a timestamp the way Spark reads it: ISO with or without zone, with T or a space, also a bare date. */
const parsed = (x: string, from: DataType | undefined): string =>
  from?.kind === "string" ? `CAST(trim(${x}) AS TIMESTAMP WITH TIME ZONE)` : x;

function pattern(literals: readonly (Value | undefined)[] | undefined, i: number, what: string): string {
  const p = literals?.[i];
  if (typeof p === "string") return sqlString(strftimePattern(p));
  throw new MillraceError("INVALID_ARGUMENT", `The pattern of ${what} must be a literal.`);
}

const UNITS = new Set([
  "year",
  "yyyy",
  "yy",
  "quarter",
  "month",
  "mon",
  "mm",
  "week",
  "day",
  "dd",
  "hour",
  "minute",
  "second",
  "millisecond",
  "microsecond",
]);
const TRUNC: Readonly<Record<string, string>> = { yyyy: "year", yy: "year", mon: "month", mm: "month", dd: "day" };

/** date_trunc's unit; one that Spark does not know gives null. */
function truncUnit(literals: readonly (Value | undefined)[] | undefined, i: number): string | undefined {
  const unit = String(literals?.[i] ?? "").toLowerCase();
  return UNITS.has(unit) ? sqlString(TRUNC[unit] ?? unit) : undefined;
}

const dateOrTime: Result = ([t]) => t!;
const asTime = ([t, ...rest]: readonly DataType[]): DataType[] => [t!.kind === "date" ? DATE : TIMESTAMP, ...rest];
const ANSI_DATE = (x: string): string => `CAST(${x} AS DATE)`;

/** Adds so many of a unit to a timestamp; a day is 24 hours in UTC. */
function addUnits(literals: readonly (Value | undefined)[] | undefined, n: string, t: string): string {
  const unit = String(literals?.[0] ?? "")
    .toLowerCase()
    .replace(/s$/, "");
  const f: Readonly<Record<string, string>> = {
    year: "to_years",
    quarter: "to_quarters",
    month: "to_months",
    week: "to_weeks",
    day: "to_days",
    hour: "to_hours",
    minute: "to_minutes",
    second: "to_seconds",
    millisecond: "to_milliseconds",
    microsecond: "to_microseconds",
  };
  const make = f[unit === "dayofyear" ? "day" : unit];
  if (make === undefined)
    throw new MillraceError("INVALID_ARGUMENT", `Unknown unit "${literals?.[0]}" of timestampadd.`);
  const m =
    make === "to_quarters"
      ? `to_months(3 * CAST(${n} AS INTEGER))`
      : make === "to_weeks"
        ? `to_days(7 * CAST(${n} AS INTEGER))`
        : `${make}(${n})`;
  return `(${t} + ${m})`;
}

const clock = (
  name: string,
  type: DataType,
  example: readonly [string, unknown],
  sql: string,
  aliases: string[] = [],
): FunctionDef => fn(name, [], type, example, () => sql, { nullable: "never", aliases });

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
    "to_timestamp",
    [any, opt(literalString)],
    TIMESTAMP,
    ["to_timestamp('2016-12-31 00:12:00')", new Date("2016-12-31T00:12:00Z")],
    ([x, p], { args: [t], literals }) =>
      p === undefined || t!.kind !== "string"
        ? parsed(x!, t)
        : `CAST(strptime(${x}, ${pattern(literals, 1, "to_timestamp")}) AS TIMESTAMP WITH TIME ZONE)`,
    { coerce: ([t, p]) => (t!.kind === "string" ? [t, p] : [TIMESTAMP, p]) },
  ),
  fn(
    "try_to_timestamp",
    [any, opt(literalString)],
    TIMESTAMP,
    ["try_to_timestamp('foo')", null],
    ([x, p], { args: [t], literals }) =>
      p === undefined || t!.kind !== "string"
        ? `TRY(${parsed(x!, t)})`
        : `CAST(try_strptime(${x}, ${pattern(literals, 1, "try_to_timestamp")}) AS TIMESTAMP WITH TIME ZONE)`,
    { nullable: "always", coerce: ([t, p]) => (t!.kind === "string" ? [t, p] : [TIMESTAMP, p]) },
  ),
  fn(
    "to_date",
    [any, opt(literalString)],
    DATE,
    ["to_date('2009-07-30 04:17:52')", new Date("2009-07-30T00:00:00Z")],
    ([x, p], { args: [t], literals }) =>
      p !== undefined && t!.kind === "string"
        ? ANSI_DATE(`strptime(${x}, ${pattern(literals, 1, "to_date")})`)
        : t!.kind === "string"
          ? ANSI_DATE(parsed(x!, t))
          : x!,
    { coerce: ([t, p]) => (t!.kind === "string" ? [t, p] : [DATE, p]) },
  ),
  fn(
    "date_format",
    [timestamp, literalString],
    STRING,
    ["date_format('2016-04-08', 'y-MM')", "2016-04"],
    ([x], { literals }) => `strftime(${x}, ${pattern(literals, 1, "date_format")})`,
  ),
  fn(
    "from_unixtime",
    [long, opt(literalString)],
    STRING,
    ["from_unixtime(0, 'yyyy-MM-dd HH:mm:ss')", "1970-01-01 00:00:00"],
    ([x, p], { literals }) =>
      `strftime(make_timestamptz(${x} * 1000000), ${p === undefined ? "'%Y-%m-%d %H:%M:%S'" : pattern(literals, 1, "from_unixtime")})`,
  ),
  fn(
    "unix_timestamp",
    [opt(any), opt(literalString)],
    LONG,
    ["unix_timestamp('2016-04-08', 'yyyy-MM-dd')", 1460073600n],
    ([x, p], { args: [t], literals }) =>
      x === undefined
        ? "CAST(floor(epoch(now())) AS BIGINT)"
        : `CAST(floor(epoch(${p !== undefined && t!.kind === "string" ? `strptime(${x}, ${pattern(literals, 1, "unix_timestamp")})` : t!.kind === "string" ? parsed(x, t) : x})) AS BIGINT)`,
    {
      aliases: ["to_unix_timestamp"],
      coerce: ([t, p]) => (t === undefined ? [] : t.kind === "string" ? [t, p] : [TIMESTAMP, p]),
    },
  ),
  fn(
    "timestamp_seconds",
    [double],
    TIMESTAMP,
    ["timestamp_seconds(1230219000)", new Date("2008-12-25T15:30:00Z")],
    ([x]) => `make_timestamptz(CAST(${x} * 1000000 AS BIGINT))`,
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
  fn(
    "unix_seconds",
    [timestamp],
    LONG,
    ["unix_seconds(timestamp '1970-01-01 00:00:01Z')", 1n],
    ([x]) => `CAST(floor(epoch_us(${x}) / 1000000.0) AS BIGINT)`,
  ),
  fn(
    "unix_millis",
    [timestamp],
    LONG,
    ["unix_millis(timestamp '1970-01-01 00:00:01Z')", 1000n],
    ([x]) => `CAST(floor(epoch_us(${x}) / 1000.0) AS BIGINT)`,
  ),
  fn(
    "unix_micros",
    [timestamp],
    LONG,
    ["unix_micros(timestamp '1970-01-01 00:00:01Z')", 1000000n],
    ([x]) => `epoch_us(${x})`,
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
  part("year", ["year('2016-07-30')", 2016]),
  part("quarter", ["quarter('2016-08-31')", 3]),
  part("month", ["month('2016-07-30')", 7]),
  part("day", ["day('2009-07-30')", 30], ["dayofmonth"]),
  part("dayofyear", ["dayofyear('2016-04-09')", 100]),
  // Sunday is 1.
  part("dayofweek", ["dayofweek('2009-07-30')", 5], [], (x) => `(dayofweek(${x}) + 1)`),
  // Monday is 0.
  part("weekday", ["weekday('2009-07-30')", 3], [], (x) => `(isodow(${x}) - 1)`),
  part("weekofyear", ["weekofyear('2008-02-20')", 8]),
  part("hour", ["hour('2018-02-14 12:58:59')", 12]),
  part("minute", ["minute('2009-07-30 12:58:59')", 58]),
  part("second", ["second('2009-07-30 12:58:59')", 59]),
  fn(
    "date_trunc",
    [literalString, timestamp],
    TIMESTAMP,
    ["date_trunc('YEAR', '2015-03-05T09:32:05.359')", new Date("2015-01-01T00:00:00Z")],
    ([, x], { literals }) => {
      const u = truncUnit(literals, 0);
      return u ? `date_trunc(${u}, ${x})` : "CAST(NULL AS TIMESTAMP WITH TIME ZONE)";
    },
    { nullable: "always" },
  ),
  fn(
    "trunc",
    [date, literalString],
    DATE,
    ["trunc('2019-08-04', 'week')", new Date("2019-07-29T00:00:00Z")],
    ([x], { literals }) => {
      const u = truncUnit(literals, 1);
      return u && /year|quarter|month|week/.test(u) ? ANSI_DATE(`date_trunc(${u}, ${x})`) : "CAST(NULL AS DATE)";
    },
    { nullable: "always" },
  ),
  fn(
    "date_add",
    [date, int],
    DATE,
    ["date_add('2016-07-30', 1)", new Date("2016-07-31T00:00:00Z")],
    ([d, n]) => `(${d} + ${n})`,
  ),
  fn(
    "dateadd",
    [any, any, opt(any)],
    (types) => (types.length === 2 ? DATE : TIMESTAMP),
    ["dateadd(HOUR, 8, timestamp '2022-02-10 00:00:00')", new Date("2022-02-10T08:00:00Z")],
    ([a, b, c], { literals }) => (c === undefined ? `(${a} + ${b})` : addUnits(literals, b!, c)),
    { aliases: ["timestampadd"], coerce: (types) => (types.length === 2 ? [DATE, INT] : [STRING, LONG, TIMESTAMP]) },
  ),
  fn(
    "date_sub",
    [date, int],
    DATE,
    ["date_sub('2016-07-30', 1)", new Date("2016-07-29T00:00:00Z")],
    ([d, n]) => `(${d} - ${n})`,
  ),
  fn(
    "datediff",
    [date, date],
    INT,
    ["datediff('2009-07-31', '2009-07-30')", 1],
    ([a, b]) => `CAST(${a} - ${b} AS INTEGER)`,
    { aliases: ["date_diff"] },
  ),
  fn(
    "timestampdiff",
    [literalString, timestamp, timestamp],
    LONG,
    ["timestampdiff(MONTH, timestamp'2021-02-28 12:00:00', timestamp'2021-03-28 12:00:00')", 1n],
    ([u, a, b]) => `date_sub(lower(${u}), ${a}, ${b})`,
  ),
  fn("add_months", [date, int], DATE, ["add_months('2016-08-31', 1)", new Date("2016-09-30T00:00:00Z")], ([d, n]) =>
    ANSI_DATE(`${d} + to_months(${n})`),
  ),
  fn(
    "add_year_month_interval",
    [any, int],
    dateOrTime,
    ["date '2016-08-31' + interval 1 month", new Date("2016-09-30T00:00:00Z")],
    ([d, n], { result }) => (result.kind === "date" ? ANSI_DATE(`${d} + to_months(${n})`) : `(${d} + to_months(${n}))`),
    { coerce: asTime },
  ),
  fn(
    "months_between",
    [timestamp, timestamp],
    DOUBLE,
    ["months_between('1997-02-28 10:30:00', '1996-10-30')", 3.94959677],
    ([a, b]) =>
      `CASE WHEN day(${a}) = day(${b}) OR (last_day(${a}) = CAST(${a} AS DATE) AND last_day(${b}) = CAST(${b} AS DATE)) THEN CAST((year(${a}) - year(${b})) * 12 + month(${a}) - month(${b}) AS DOUBLE) ELSE round((year(${a}) - year(${b})) * 12 + month(${a}) - month(${b}) + ((day(${a}) - day(${b})) * 86400 + epoch(${a}) - epoch(date_trunc('day', ${a})) - epoch(${b}) + epoch(date_trunc('day', ${b}))) / 2678400.0, 8) END`,
  ),
  fn("last_day", [date], DATE, ["last_day('2009-01-12')", new Date("2009-01-31T00:00:00Z")]),
  fn(
    "next_day",
    [date, literalString],
    DATE,
    ["next_day('2015-01-14', 'TU')", new Date("2015-01-20T00:00:00Z")],
    ([d], { literals }) => nextDay(d!, String(literals?.[1] ?? "")),
    { nullable: "always" },
  ),
  fn("make_date", [int, int, int], DATE, ["make_date(2013, 7, 15)", new Date("2013-07-15T00:00:00Z")]),
  fn(
    "make_timestamp",
    [int, int, int, int, int, double],
    TIMESTAMP,
    ["make_timestamp(2014, 12, 28, 6, 30, 45.887)", new Date("2014-12-28T06:30:45.887Z")],
    ([y, mo, d, h, mi, s]) => `CAST(make_timestamp(${y}, ${mo}, ${d}, ${h}, ${mi}, ${s}) AS TIMESTAMP WITH TIME ZONE)`,
  ),
  // A wall clock in that zone, said in UTC, and back.
  fn(
    "from_utc_timestamp",
    [timestamp, string],
    TIMESTAMP,
    ["from_utc_timestamp('2016-08-31', 'Asia/Seoul')", new Date("2016-08-31T09:00:00Z")],
    ([t, z]) => `((${t} AT TIME ZONE ${z}) AT TIME ZONE 'UTC')`,
  ),
  fn(
    "to_utc_timestamp",
    [timestamp, string],
    TIMESTAMP,
    ["to_utc_timestamp('2016-08-31', 'Asia/Seoul')", new Date("2016-08-30T15:00:00Z")],
    ([t, z]) => `((${t} AT TIME ZONE 'UTC') AT TIME ZONE ${z})`,
  ),
  fn("dayname", [date], STRING, ["dayname('2008-02-20')", "Wed"], ([d]) => `left(dayname(${d}), 3)`),
  fn("monthname", [date], STRING, ["monthname('2008-02-20')", "Feb"], ([d]) => `left(monthname(${d}), 3)`),
  fn(
    "make_dt_interval",
    [opt(int), opt(int), opt(int), opt(double)],
    INTERVAL,
    ["timestamp '2020-01-01 00:00:00' + make_dt_interval(1, 12, 30, 1.5)", new Date("2020-01-02T12:30:01.500Z")],
    ([d, h, m, s]) =>
      `to_microseconds(CAST((${d ?? 0} * 86400.0 + ${h ?? 0} * 3600.0 + ${m ?? 0} * 60.0 + ${s ?? 0}) * 1000000 AS BIGINT))`,
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
  ),
];

const DAYS = ["mo", "tu", "we", "th", "fr", "sa", "su"];
function nextDay(d: string, name: string): string {
  const i = DAYS.indexOf(name.toLowerCase().slice(0, 2));
  if (i < 0) return raise("INVALID_ARGUMENT", `"${name}" is no day of the week.`);
  return `(${d} + CAST(((${i + 1} - isodow(${d}) + 6) % 7) + 1 AS INTEGER))`;
}
