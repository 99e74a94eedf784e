import { sqlString } from "../types/duckdb-types.ts";

/** Instants and the wall clock of the session's time zone, in DuckDB SQL. */

export function isUtc(timeZone: string): boolean {
  return /^(UTC|Etc\/UTC|GMT|Z|\+00:?00)$/i.test(timeZone);
}

/** The wall-clock TIMESTAMP of an instant. In UTC plain integer arithmetic serves, about ten times as fast as ICU. */
export function toLocal(sql: string, timeZone: string): string {
  return isUtc(timeZone) ? `make_timestamp(epoch_us(${sql}))` : `timezone(${sqlString(timeZone)}, ${sql})`;
}

/** The instant of a wall-clock TIMESTAMP; where clocks are set back and a time is there twice, the earlier one, as in Spark. */
export function fromLocal(sql: string, timeZone: string): string {
  if (isUtc(timeZone)) return `make_timestamptz(epoch_us(${sql}))`;
  const zone = sqlString(timeZone);
  const late = `timezone(${zone}, ${sql})`;
  const before = `(${late} - to_microseconds(10800000000))`;
  const early = `make_timestamptz(epoch_us(${sql}) - (epoch_us(timezone(${zone}, ${before})) - epoch_us(${before})))`;
  return `CASE WHEN timezone(${zone}, ${early}) = ${sql} THEN ${early} ELSE ${late} END`;
}
