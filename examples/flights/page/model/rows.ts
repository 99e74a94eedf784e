import type { Alert } from "./alerts.ts";
import { type HourRow, hourOf } from "./history.ts";

/** A row of a live view: 64-bit integers come as text, and so does everything from the cache. */
type Row = Readonly<Record<string, unknown>>;

/** A row of the view `delays` or `airports`; undefined when it is none. */
export function hourRow(row: Row): HourRow | undefined {
  const hour = wholeHour(row.hour);
  const flights = Number(row.flights);
  const delay = Number(row.delay ?? Number.NaN);
  if (hour === undefined || typeof row.origin !== "string" || !(flights > 0) || Number.isNaN(delay)) return undefined;
  return { hour, origin: row.origin, flights, delay, worst: Number(row.worst ?? delay), late: Number(row.late ?? 0) };
}

/** A row of the view `alerts`; undefined when it is none. */
export function alertRow(row: Row): Alert | undefined {
  const hour = wholeHour(row.hour);
  if (hour === undefined || typeof row.origin !== "string") return undefined;
  const [flights, delay, usual, deviations] = [row.flights, row.delay, row.usual, row.deviations].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  if (Number.isNaN(delay + usual + deviations + flights)) return undefined;
  return { hour, origin: row.origin, flights, delay, usual, deviations };
}

function wholeHour(time: unknown): number | undefined {
  if (typeof time !== "string" && !(time instanceof Date)) return undefined;
  // PostgreSQL's and Redis' text of an instant has a space where ISO has a T, and +00 for Z.
  const text = typeof time === "string" ? time.replace(/^(\S+) (\d)/, "$1T$2").replace(/([+-]\d\d)$/, "$1:00") : time;
  const hour = Math.floor(hourOf(text));
  return Number.isNaN(hour) ? undefined : hour;
}
