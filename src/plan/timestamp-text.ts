import type { DataType } from "../types/data-type.ts";
import { fixedOffset, instantOf, isZone, offsetAt } from "../types/time-zone.ts";

const DATE_TIME =
  /^([+-]?\d{4,7})(?:-(\d{1,2})(?:-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{0,9}))?)?\s*([A-Za-z+-].*)?)?)?)?$/;

/** The one word that is a constant. */
const EPOCH = { date: "1970-01-01", timestamp: "1970-01-01 00:00:00Z", timestamp_ntz: "1970-01-01 00:00:00" };

/** The literal of a date or timestamp as Spark prints it: in the session's time zone, no zeros at the end. Undefined: no such value. */
export function timestampText(text: string, type: DataType, timeZone: string): string | undefined {
  const m = DATE_TIME.exec(/^epoch$/i.test(text) ? EPOCH[type.kind as keyof typeof EPOCH] : text);
  if (m === null) return undefined;
  const [year, month = "1", day = "1", hour = "0", minute = "0", second = "0", fraction = "", zone] = m.slice(1);
  const wall = new Date(0);
  wall.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (wall.getUTCDate() !== Number(day)) return undefined;
  if (type.kind === "date") return dayText(wall);
  wall.setUTCHours(Number(hour), Number(minute), Number(second));
  let shown = wall;
  if (type.kind === "timestamp" && isZone(timeZone)) {
    const from = zone ?? timeZone;
    if (!isZone(from)) return undefined;
    const millis = wall.getTime();
    const fixed = fixedOffset(from);
    const instant = fixed === undefined ? instantOf(from, millis) : millis - fixed * 1000;
    shown = new Date(instant + offsetAt(timeZone, instant) * 1000);
  }
  const rest = fraction.slice(0, 6).replace(/0+$/, "");
  return `${dayText(shown)} ${shown.toISOString().slice(-13, -5)}${rest === "" ? "" : `.${rest}`}`;
}

/** Years beyond four digits have a sign, as in Java. */
function dayText(date: Date): string {
  const year = date.getUTCFullYear();
  const digits = String(Math.abs(year)).padStart(4, "0");
  return `${year < 0 ? "-" : year > 9999 ? "+" : ""}${digits}${date.toISOString().slice(-20, -14)}`;
}
