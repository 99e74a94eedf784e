import { instant, local } from "../functions/zone.ts";
import { fixedOffset } from "../types/time-zone.ts";

/** Instants and the wall clock of the session's time zone, in DuckDB SQL. */

export function isUtc(timeZone: string): boolean {
  return /^(UTC|Etc\/UTC|GMT|Z|\+00:?00)$/i.test(timeZone);
}

/** The wall-clock TIMESTAMP of an instant. */
export function toLocal(sql: string, timeZone: string): string {
  return local(sql, timeZone, "named");
}

/** The zone for DuckDB's own calendar: it takes no fixed offset, so that wall clocks of one are computed here, and its is UTC. */
export function databaseZone(timeZone: string): string {
  return fixedOffset(timeZone) === undefined ? timeZone : "UTC";
}

/** The instant of a wall-clock TIMESTAMP. */
export function fromLocal(sql: string, timeZone: string): string {
  return instant(sql, timeZone, "named");
}
