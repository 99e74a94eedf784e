import { MONTHS, type Token, tokensOf, WEEKDAYS } from "./pattern.ts";
import { offsetAt, zoneName } from "./zone.ts";

const cache = new Map<string, readonly Token[]>();

/** Tokens are kept: a pattern is used for many rows. */
function tokens(pattern: string): readonly Token[] {
  let found = cache.get(pattern);
  if (found === undefined) {
    found = tokensOf(pattern, "format");
    if (cache.size > 200) cache.clear();
    cache.set(pattern, found);
  }
  return found;
}

/**
 * Writes an instant (microseconds since 1970) with a Java pattern, on the clock of a zone.
 *
 * @throws MillraceError INVALID_DATETIME_PATTERN.* for a pattern that Spark refuses
 * @example formatJava(0n, "EEE, dd MMM yyyy", "UTC") // "Thu, 01 Jan 1970"
 */
export function formatJava(micros: bigint, pattern: string, zone: string): string {
  const list = tokens(pattern);
  const millis = Number((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n);
  const offset = offsetAt(zone, millis);
  const local = micros + BigInt(offset) * 1_000_000n;
  const fraction = Number(((local % 1_000_000n) + 1_000_000n) % 1_000_000n);
  const wall = Number((local - BigInt(fraction)) / 1000n);
  // A Date ends before Spark's times do; the calendar begins anew every 400 years.
  const cycles = Math.abs(wall) > LAST_DATE ? Math.sign(wall) * 50 : 0;
  const date = new Date(wall - cycles * CYCLE);
  return write(list, { date, year: date.getUTCFullYear() + cycles * 400, fraction, offset, zone, millis });
}

const LAST_DATE = 8.64e15;
/** Milliseconds of 400 years. */
const CYCLE = 146_097 * 86_400_000;

interface Moment {
  /** The wall clock as if it were UTC. */
  readonly date: Date;
  /** The year of the wall clock, which the date's own may stand for. */
  readonly year: number;
  /** Microseconds within the second. */
  readonly fraction: number;
  readonly offset: number;
  readonly zone: string;
  readonly millis: number;
}

function write(list: readonly Token[], at: Moment): string {
  let out = "";
  for (const token of list) {
    if (token.kind === "text") out += token.text;
    else if (token.kind === "optional") out += write(token.tokens, at);
    else out += field(token.letter, token.count, at);
  }
  return out;
}

const pad = (n: number, width: number): string => String(n).padStart(width, "0");
const ORDINAL = ["1st", "2nd", "3rd", "4th"];

function field(letter: string, count: number, at: Moment): string {
  const { date } = at;
  const hour = date.getUTCHours();
  switch (letter) {
    case "G":
      return at.year > 0 ? (count === 4 ? "Anno Domini" : "AD") : count === 4 ? "Before Christ" : "BC";
    case "y": {
      const { year } = at;
      if (count === 2) return pad(((year % 100) + 100) % 100, 2);
      const digits = pad(Math.abs(year), count);
      return `${year < 0 ? "-" : count >= 4 && digits.length > count ? "+" : ""}${digits}`;
    }
    case "M":
    case "L": {
      const month = date.getUTCMonth();
      if (count <= 2) return pad(month + 1, count);
      return count === 3 ? MONTHS[month]!.slice(0, 3) : MONTHS[month]!;
    }
    case "d":
      return pad(date.getUTCDate(), count);
    case "D": {
      const first = new Date(date);
      first.setUTCMonth(0, 1);
      return pad(Math.floor((date.getTime() - first.getTime()) / 86_400_000) + 1, count);
    }
    case "F":
      return String(((date.getUTCDate() - 1) % 7) + 1);
    case "E":
      return count === 4 ? WEEKDAYS[date.getUTCDay()]! : WEEKDAYS[date.getUTCDay()]!.slice(0, 3);
    case "Q":
    case "q": {
      const quarter = Math.floor(date.getUTCMonth() / 3);
      return count <= 2 ? pad(quarter + 1, count) : count === 3 ? `Q${quarter + 1}` : `${ORDINAL[quarter]} quarter`;
    }
    case "a":
      return hour < 12 ? "AM" : "PM";
    case "H":
      return pad(hour, count);
    case "k":
      return pad(hour === 0 ? 24 : hour, count);
    case "K":
      return pad(hour % 12, count);
    case "h":
      return pad(hour % 12 === 0 ? 12 : hour % 12, count);
    case "m":
      return pad(date.getUTCMinutes(), count);
    case "s":
      return pad(date.getUTCSeconds(), count);
    case "S":
      return pad(at.fraction, 6).padEnd(9, "0").slice(0, count);
    case "V":
      return at.zone;
    case "z":
      return zoneName(at.zone, at.millis, count === 4);
    case "O":
      return localized(at.offset, count === 4);
    case "X":
      return at.offset === 0 ? "Z" : offsetText(at.offset, count);
    case "x":
      return offsetText(at.offset, count);
    case "Z":
      if (count === 4) return localized(at.offset, true);
      return count === 5 ? (at.offset === 0 ? "Z" : offsetText(at.offset, 5)) : offsetText(at.offset, 2);
  }
  return "";
}

/** `+hh[mm]`, `+hhmm`, `+hh:mm`, `+hhmm[ss]`, `+hh:mm[:ss]`. */
function offsetText(offset: number, count: number): string {
  const a = Math.abs(offset);
  const [h, m, s] = [Math.floor(a / 3600), Math.floor(a / 60) % 60, a % 60];
  const colon = count === 3 || count === 5 ? ":" : "";
  let text = `${offset < 0 ? "-" : "+"}${pad(h, 2)}`;
  if (count > 1 || m !== 0) text += `${colon}${pad(m, 2)}`;
  if (count >= 4 && s !== 0) text += `${colon}${pad(s, 2)}`;
  return text;
}

/** `GMT+8`, in full `GMT+08:00`. */
function localized(offset: number, full: boolean): string {
  if (offset === 0) return "GMT";
  const a = Math.abs(offset);
  const [h, m, s] = [Math.floor(a / 3600), Math.floor(a / 60) % 60, a % 60];
  const seconds = s === 0 ? "" : `:${pad(s, 2)}`;
  const minutes = full || m !== 0 || s !== 0 ? `:${pad(m, 2)}` : "";
  return `GMT${offset < 0 ? "-" : "+"}${full ? pad(h, 2) : h}${minutes}${seconds}`;
}
