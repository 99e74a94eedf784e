import type { DataType } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { fixedOffset } from "../types/time-zone.ts";

/** Between instants (TIMESTAMP WITH TIME ZONE) and the wall clock of the session's time zone (TIMESTAMP). */

/** The microseconds from Greenwich of a zone without rules; there plain integer arithmetic serves, about ten times as fast as ICU. */
const fixedMicros = (timeZone: string | undefined): number | undefined => {
  const seconds = timeZone === undefined ? undefined : fixedOffset(timeZone);
  return seconds === undefined ? undefined : seconds * 1_000_000;
};

const later = (micros: string, offset: number): string =>
  offset === 0 ? micros : `${micros} ${offset < 0 ? "-" : "+"} ${Math.abs(offset)}`;

/** The zone of wall clocks: of a zone with rules DuckDB's own setting when `session`, else the zone by its name. */
type Whose = "session" | "named";

/** The wall clock of an instant. */
export function local(sql: string, timeZone: string | undefined, whose: Whose = "session"): string {
  const fixed = fixedMicros(timeZone);
  return fixed === undefined
    ? toWallClock(sql, timeZone, whose)
    : `make_timestamp(${later(`epoch_us(${sql})`, fixed)})`;
}

/**
 * The instant of a wall clock. Where clocks are set back a time is there twice: DuckDB takes the later one, Spark the earlier, so the offset
 * of some hours before is tried first.
 */
export function instant(sql: string, timeZone: string | undefined, whose: Whose = "session"): string {
  const fixed = fixedMicros(timeZone);
  if (fixed !== undefined) return `make_timestamptz(${later(`epoch_us(${sql})`, -fixed)})`;
  const wall = (x: string): string => toWallClock(x, timeZone, whose);
  const late = whose === "session" ? `CAST(${sql} AS TIMESTAMP WITH TIME ZONE)` : wall(sql);
  const before = `(${late} - to_microseconds(10800000000))`;
  const early = `make_timestamptz(epoch_us(${sql}) - (epoch_us(${wall(before)}) - epoch_us(${before})))`;
  return `CASE WHEN ${wall(early)} = ${sql} THEN ${early} ELSE ${late} END`;
}

/** DuckDB's `timezone` goes both ways: from an instant to the wall clock, and back. */
function toWallClock(sql: string, timeZone: string | undefined, whose: Whose): string {
  return whose === "session" ? `CAST(${sql} AS TIMESTAMP)` : `timezone(${sqlString(timeZone!)}, ${sql})`;
}

/**
 * A date or time and so many months, on the calendar of the session. Months are always taken away, days and shorter times always added:
 * DuckDB holds a month for equal to 30 days, and computes two equal sums of a query only once.
 */
export function plusMonths(sql: string, months: string, type: DataType, timeZone: string | undefined): string {
  const sum = (x: string): string => `(${x} - to_months(-(${months})))`;
  if (type.kind === "date") return `CAST(${sum(sql)} AS DATE)`;
  // In a fixed zone DuckDB's own clock is that of UTC.
  const fixed = type.kind === "timestamp" ? fixedMicros(timeZone) : undefined;
  return fixed ? instant(sum(local(sql, timeZone)), timeZone) : sum(sql);
}
