import { isZone, offsetAt } from "../../types/time-zone.ts";

/** Names of time zones: abbreviations, and as Java prints them. */

export { fixedOffset, instantOf, isZone, offsetAt } from "../../types/time-zone.ts";

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

/** The zone's name as Java prints it with `z` (short) or `zzzz` (full). */
export function zoneName(zone: string, millis: number, full: boolean): string {
  if (/^[+-]/.test(zone) && isZone(zone)) return offsetName(offsetAt(zone, millis));
  try {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: full ? "long" : "short" });
    const name = format.formatToParts(millis).find((p) => p.type === "timeZoneName")?.value ?? zone;
    if (full || !/^(GMT|UTC)[+-]/.test(name)) return name;
    return NAMES.find(([zones]) => zones.test(zone))?.[isDaylight(zone, millis) ? 2 : 1] ?? name;
  } catch {
    return zone;
  }
}

/** A fixed offset has no other name: `+05:30`. */
function offsetName(seconds: number): string {
  const at = Math.abs(seconds);
  const parts = [Math.floor(at / 3600), Math.floor(at / 60) % 60, ...(at % 60 === 0 ? [] : [at % 60])];
  return `${seconds < 0 ? "-" : "+"}${parts.map((n) => String(n).padStart(2, "0")).join(":")}`;
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
