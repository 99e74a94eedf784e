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

const SHORT: Readonly<Record<string, string>> = {
  PST: "America/Los_Angeles",
  PDT: "America/Los_Angeles",
  MST: "America/Denver",
  MDT: "America/Denver",
  CST: "America/Chicago",
  CDT: "America/Chicago",
  EST: "America/New_York",
  EDT: "America/New_York",
  CET: "Europe/Paris",
  CEST: "Europe/Paris",
  EET: "Europe/Athens",
  EEST: "Europe/Athens",
  WET: "Europe/Lisbon",
  WEST: "Europe/Lisbon",
  BST: "Europe/London",
  JST: "Asia/Tokyo",
  IST: "Asia/Kolkata",
  KST: "Asia/Seoul",
  AEST: "Australia/Sydney",
  AEDT: "Australia/Sydney",
  GMT: "UTC",
  UTC: "UTC",
  Z: "UTC",
};

/** A zone for an abbreviation such as PST. */
export const zoneOfAbbreviation = (name: string): string | undefined =>
  Object.hasOwn(SHORT, name.toUpperCase()) ? SHORT[name.toUpperCase()] : undefined;

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

/** The zone's name as Java prints it with `z` (short) or `zzzz` (full). */
export function zoneName(zone: string, millis: number, full: boolean): string {
  try {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: full ? "long" : "short" });
    const name = format.formatToParts(millis).find((p) => p.type === "timeZoneName")?.value ?? zone;
    if (full || !/^(GMT|UTC)[+-]/.test(name)) return name;
    return NAMES.find(([zones]) => zones.test(zone))?.[isDaylight(zone, millis) ? 2 : 1] ?? name;
  } catch {
    return zone;
  }
}

/** Java's short names where ICU's English has none: standard and daylight saving time. */
const NAMES: readonly (readonly [zones: RegExp, standard: string, daylight: string])[] = [
  [/^Europe\/(?:London|Belfast|Jersey|Guernsey|Isle_of_Man)$/, "GMT", "BST"],
  [/^Europe\/(?:Lisbon)$|^WET$/, "WET", "WEST"],
  [/^Europe\/(?:Athens|Bucharest|Helsinki|Kiev|Kyiv|Riga|Sofia|Tallinn|Vilnius|Chisinau)$|^EET$/, "EET", "EEST"],
  [/^Europe\/(?:Moscow|Simferopol)$/, "MSK", "MSD"],
  [
    /^Europe\/(?!Istanbul|Minsk|Samara|Saratov|Volgograd|Ulyanovsk|Astrakhan|Kirov|Dublin|Kaliningrad)|^CET$/,
    "CET",
    "CEST",
  ],
  [/^Asia\/Tokyo$/, "JST", "JDT"],
  [/^Asia\/Seoul$/, "KST", "KDT"],
  [/^Asia\/(?:Kolkata|Calcutta)$/, "IST", "IST"],
  [/^Asia\/Shanghai$/, "CST", "CDT"],
  [/^Australia\/(?:Sydney|Melbourne|Hobart|Canberra)$/, "AEST", "AEDT"],
  [/^Australia\/Brisbane$/, "AEST", "AEST"],
  [/^Australia\/Perth$/, "AWST", "AWDT"],
];

function isDaylight(zone: string, millis: number): boolean {
  const year = new Date(millis).getUTCFullYear();
  const january = offsetAt(zone, Date.UTC(year, 0, 1));
  const july = offsetAt(zone, Date.UTC(year, 6, 1));
  return january !== july && offsetAt(zone, millis) === Math.max(january, july);
}
