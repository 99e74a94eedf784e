/** Time zones by their rules in ICU, which Node has built in: offsets in seconds, also the local mean times before 1900. */

const formats = new Map<string, Intl.DateTimeFormat | null>();

function formatOf(zone: string): Intl.DateTimeFormat | null {
  let format = formats.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat("en-US", {
        timeZone: zone,
        calendar: "gregory",
        hourCycle: "h23",
        era: "short",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
    } catch {
      format = null;
    }
    formats.set(zone, format);
  }
  return format;
}

/** The offset that a text such as `+02:00`, `GMT+1` or `Z` names, in seconds; undefined for a zone with rules. */
export function fixedOffset(zone: string): number | undefined {
  if (/^(Z|UTC|GMT|UT|Etc\/UTC|Etc\/GMT|Universal|Zulu)$/i.test(zone)) return 0;
  const m = /^(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?$/.exec(zone);
  if (m === null) return undefined;
  const seconds = Number(m[2]) * 3600 + Number(m[3] ?? 0) * 60 + Number(m[4] ?? 0);
  if (seconds > 18 * 3600) return undefined;
  return m[1] === "-" ? -seconds : seconds;
}

/** Whether there are rules for the zone. */
export const isZone = (zone: string): boolean => fixedOffset(zone) !== undefined || formatOf(zone) !== null;

/** The offset of a zone at an instant (milliseconds), in seconds east of Greenwich. */
export function offsetAt(zone: string, millis: number): number {
  const fixed = fixedOffset(zone);
  if (fixed !== undefined) return fixed;
  const format = formatOf(zone);
  if (format === null) return 0;
  const part: Record<string, string> = {};
  const whole = Math.floor(millis / 1000) * 1000;
  for (const p of format.formatToParts(whole)) part[p.type] = p.value;
  const year = part.era?.startsWith("B") ? 1 - Number(part.year) : Number(part.year);
  const date = new Date(0);
  date.setUTCFullYear(year, Number(part.month) - 1, Number(part.day));
  date.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second));
  return (date.getTime() - whole) / 1000;
}

/** The instant of a wall clock (both in milliseconds): in a gap the clock goes on as before it, in an overlap the earlier offset holds, as in Java. */
export function instantOf(zone: string, wall: number): number {
  const before = offsetAt(zone, wall - 86_400_000);
  const after = offsetAt(zone, wall + 86_400_000);
  for (const offset of before === after ? [before] : [before, after]) {
    const instant = wall - offset * 1000;
    if (offsetAt(zone, instant) === offset) return instant;
  }
  return wall - before * 1000;
}
