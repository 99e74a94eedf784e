import { sqlString } from "../types/duckdb-types.ts";
import { fixedOffset } from "../types/time-zone.ts";

/** Instants and the wall clock of the session's time zone, in DuckDB SQL. */

export function isUtc(timeZone: string): boolean {
  return /^(UTC|Etc\/UTC|GMT|Z|\+00:?00)$/i.test(timeZone);
}

/** The wall-clock TIMESTAMP of an instant. Without rules plain integer arithmetic serves, about ten times as fast as ICU. */
export function toLocal(sql: string, timeZone: string): string {
  const fixed = fixedOffset(timeZone);
  if (fixed === undefined) return `timezone(${sqlString(timeZone)}, ${sql})`;
  return `make_timestamp(epoch_us(${sql})${fixed === 0 ? "" : ` + (${fixed * 1_000_000})`})`;
}

/** The zone for DuckDB's own calendar: it takes no fixed offset, so that wall clocks of one are computed here, and its is UTC. */
export function databaseZone(timeZone: string): string {
  return fixedOffset(timeZone) === undefined ? timeZone : "UTC";
}

/** The instant of a wall-clock TIMESTAMP; where clocks are set back and a time is there twice, the earlier one, as in Spark. */
export function fromLocal(sql: string, timeZone: string): string {
  const fixed = fixedOffset(timeZone);
  if (fixed !== undefined) return `make_timestamptz(epoch_us(${sql})${fixed === 0 ? "" : ` - (${fixed * 1_000_000})`})`;
  const zone = sqlString(timeZone);
  const late = `timezone(${zone}, ${sql})`;
  const before = `(${late} - to_microseconds(10800000000))`;
  const early = `make_timestamptz(epoch_us(${sql}) - (epoch_us(timezone(${zone}, ${before})) - epoch_us(${before})))`;
  return `CASE WHEN timezone(${zone}, ${early}) = ${sql} THEN ${early} ELSE ${late} END`;
}
