import { type Column, columnExpr, operand } from "./column.ts";
import {
  call,
  columns,
  type Literal,
  literals,
  type MaybeWithLiterals,
  type Unary,
  type WithLiterals,
} from "./functions-core.ts";
import { literal } from "./literal.ts";
import type { Arg, Lift, NeedOf, TypeOf } from "./row-types.ts";

type When = Date | string;
type TimeWindow = { start: Date; end: Date };

/** The time at which the batch began: one value for the whole batch. */
export function current_timestamp(): Column<Date, "current_timestamp()", never> {
  return call("current_timestamp");
}
/** As `current_timestamp`. */
export function now(): Column<Date, "now()", never> {
  return call("now");
}
/** The day on which the batch began, in the session's time zone. */
export function current_date(): Column<Date, "current_date()", never> {
  return call("current_date");
}
/** Text as a timestamp: ISO, with or without zone, or by a pattern such as `yyyy-MM-dd HH:mm`. Text that is none stops the query. */
export const to_timestamp = literals("to_timestamp") as WithLiterals<When, [pattern?: string], Date>;
/** As `to_timestamp`, null for text that is none. */
export const try_to_timestamp = literals("try_to_timestamp") as MaybeWithLiterals<When, [pattern?: string], Date>;
/** The day of a timestamp or of text. */
export const to_date = literals("to_date") as WithLiterals<When, [pattern?: string], Date>;
/** A timestamp as text by a pattern. */
export const date_format = literals("date_format") as WithLiterals<When, [pattern: string], string>;
/** Seconds since 1970 as text by a pattern (default `yyyy-MM-dd HH:mm:ss`). */
export const from_unixtime = literals("from_unixtime") as WithLiterals<number | bigint, [pattern?: string], string>;
/** Seconds since 1970. */
export const unix_timestamp = literals("unix_timestamp") as WithLiterals<When, [pattern?: string], bigint>;
/** Seconds since 1970 as a timestamp. */
export const timestamp_seconds = columns("timestamp_seconds") as Unary<"timestamp_seconds", number | bigint, Date>;
/** Milliseconds since 1970 as a timestamp. */
export const timestamp_millis = columns("timestamp_millis") as Unary<"timestamp_millis", number | bigint, Date>;
/** Microseconds since 1970 as a timestamp. */
export const timestamp_micros = columns("timestamp_micros") as Unary<"timestamp_micros", number | bigint, Date>;
/** Whole seconds since 1970. */
export const unix_seconds = columns("unix_seconds") as Unary<"unix_seconds", Date, bigint>;
/** Whole milliseconds since 1970. */
export const unix_millis = columns("unix_millis") as Unary<"unix_millis", Date, bigint>;
/** Microseconds since 1970. */
export const unix_micros = columns("unix_micros") as Unary<"unix_micros", Date, bigint>;
/** Days since 1970. */
export const unix_date = columns("unix_date") as Unary<"unix_date", Date, number>;
export const year = columns("year") as Unary<"year", When, number>;
export const quarter = columns("quarter") as Unary<"quarter", When, number>;
export const month = columns("month") as Unary<"month", When, number>;
/** The day of the month. */
export const day = columns("day") as Unary<"day", When, number>;
/** The day of the month. */
export const dayofmonth = columns("dayofmonth") as Unary<"dayofmonth", When, number>;
/** 1 for Sunday to 7 for Saturday. */
export const dayofweek = columns("dayofweek") as Unary<"dayofweek", When, number>;
/** 0 for Monday to 6 for Sunday. */
export const weekday = columns("weekday") as Unary<"weekday", When, number>;
export const dayofyear = columns("dayofyear") as Unary<"dayofyear", When, number>;
/** The week of the year as in ISO 8601. */
export const weekofyear = columns("weekofyear") as Unary<"weekofyear", When, number>;
export const hour = columns("hour") as Unary<"hour", When, number>;
export const minute = columns("minute") as Unary<"minute", When, number>;
export const second = columns("second") as Unary<"second", When, number>;
/** The start of the year, quarter, month, week, day, hour, minute or second: `date_trunc("hour", "ts")`. */
export function date_trunc<const A extends Arg<When>>(
  unit: string,
  column: A,
): Column<Date | null, string, NeedOf<A, When>> {
  return call("date_trunc", literal(unit), columnExpr(column as string));
}
/** The first day of the year, quarter, month or week. */
export const trunc = literals("trunc") as MaybeWithLiterals<When, [unit: string], Date>;
/** So many days later. */
export const date_add = literals("date_add") as WithLiterals<When, [days: Literal<number>], Date>;
/** So many days earlier. */
export const date_sub = literals("date_sub") as WithLiterals<When, [days: Literal<number>], Date>;
/** Days from `start` to `end`. */
export const datediff = columns("datediff") as <const A extends Arg<When>, const B extends Arg<When>>(
  end: A,
  start: B,
) => Column<Lift<number, TypeOf<A> | TypeOf<B>>, string, NeedOf<A, When> | NeedOf<B, When>>;
/** So many months later. */
export const add_months = literals("add_months") as WithLiterals<When, [months: Literal<number>], Date>;
/** Months between two times, as a double. */
export const months_between = columns("months_between") as <const A extends Arg<When>, const B extends Arg<When>>(
  end: A,
  start: B,
) => Column<Lift<number, TypeOf<A> | TypeOf<B>>, string, NeedOf<A, When> | NeedOf<B, When>>;
/** The last day of the month. */
export const last_day = columns("last_day") as Unary<"last_day", When, Date>;
/** The next such day of the week, `"Mon"` to `"Sun"`. */
export const next_day = literals("next_day") as MaybeWithLiterals<When, [day: string], Date>;
/** So many units later: `timestampadd("minute", 5, "ts")`. */
export function timestampadd<const A extends Arg<When>>(
  unit: string,
  amount: number | Column<any, any, any>,
  column: A,
): Column<Lift<Date, TypeOf<A>>, string, NeedOf<A, When>> {
  return call("dateadd", literal(unit), operand(amount), columnExpr(column as string));
}
/** The clock of a UTC time in a zone. */
export const from_utc_timestamp = literals("from_utc_timestamp") as WithLiterals<When, [zone: Literal<string>], Date>;
/** The UTC time of a zone's clock. */
export const to_utc_timestamp = literals("to_utc_timestamp") as WithLiterals<When, [zone: Literal<string>], Date>;
/** A date of year, month and day. */
export const make_date = columns("make_date") as <const A extends readonly [Arg<number>, Arg<number>, Arg<number>]>(
  ...parts: A
) => Column<Lift<Date, TypeOf<A[number]>>, string, NeedOf<A[number], number>>;

/**
 * Windows of time for `groupBy`, [start, end), aligned to 1970 in UTC: `window("ts", "1 hour")`. With `slide`, overlapping windows
 * start that often; `start` shifts them. https://spark.apache.org/docs/latest/streaming/apis-on-dataframes-and-datasets.html
 */
export function window<const A extends Arg<Date | TimeWindow>>(
  time: A,
  duration: string,
  slide?: string,
  start?: string,
): Column<TimeWindow, "window", NeedOf<A, Date | TimeWindow>> {
  const args = [literal(duration)];
  if (slide !== undefined || start !== undefined) args.push(literal(slide ?? duration));
  if (start !== undefined) args.push(literal(start));
  return call("window", columnExpr(time as string), ...args);
}
/** The time that stands for a window in a later window: its end less a microsecond. */
export const window_time = columns("window_time") as Unary<"window_time", TimeWindow, Date>;
/** As `to_date`, null for text that is no date. */
export const try_to_date = literals("try_to_date") as MaybeWithLiterals<When, [pattern?: string], Date>;
/** Text as a wall clock without a zone. */
export const to_timestamp_ntz = literals("to_timestamp_ntz") as WithLiterals<When, [pattern?: string], Date>;
/** As `to_timestamp`. */
export const to_timestamp_ltz = literals("to_timestamp_ltz") as WithLiterals<When, [pattern?: string], Date>;

type ColumnArg = string | Column<any, any, any>;
/** A field by name, `date_part("week", "at")`: year, quarter, month, week, day, dayofweek, doy, hour, minute, second... */
export function date_part(field: string, source: ColumnArg): Column<any, string, any> {
  return call("date_part", literal(field), columnExpr(source));
}
/** As `date_part`. */
export const extract = date_part;
/** Whole units from the first time to the second: `timestampdiff("MONTH", "from", "to")`. */
export function timestampdiff(unit: string, from: ColumnArg, to: ColumnArg): Column<bigint | null, string, any> {
  return call("timestampdiff", literal(unit), columnExpr(from), columnExpr(to));
}
/** A wall clock (timestamp_ntz) of one zone as the wall clock of another. */
export function convert_timezone(from: string, to: string, time: ColumnArg): Column<Date | null, string, any> {
  return call("convert_timezone", literal(from), literal(to), columnExpr(time));
}
/** An interval of days, hours, minutes and seconds. */
export const make_dt_interval = columns("make_dt_interval") as (
  ...parts: ColumnArg[]
) => Column<bigint | null, string, any>;
/** An interval of years and months. */
export const make_ym_interval = columns("make_ym_interval") as (
  ...parts: ColumnArg[]
) => Column<number | null, string, any>;
/** A wall clock of its parts: year, month, day, hour, minute, second. */
export const make_timestamp_ntz = columns("make_timestamp_ntz") as (
  ...parts: ColumnArg[]
) => Column<Date | null, string, any>;
/** As `make_timestamp`, null where there is no such time. */
export const try_make_timestamp = columns("try_make_timestamp") as (
  ...parts: ColumnArg[]
) => Column<Date | null, string, any>;
