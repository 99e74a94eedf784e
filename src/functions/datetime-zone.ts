import { MillraceError } from "../errors.ts";
import { fixedOffset, instantOf, isZone, offsetAt } from "../formats/java-datetime/zone.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { type FunctionDef, family, type NativeCall, nativeFunction } from "./define.ts";
import { any, LONG, opt, pattern, STRING, TIMESTAMP, timestamp } from "./params.ts";
import { instant } from "./zone.ts";

const fn = family("datetime");
const NTZ: DataType = { kind: "timestamp_ntz" };

/** Java's short names of zones (ZoneId.SHORT_IDS). */
const SHORT: Readonly<Record<string, string>> = {
  ACT: "Australia/Darwin",
  AET: "Australia/Sydney",
  AGT: "America/Argentina/Buenos_Aires",
  ART: "Africa/Cairo",
  AST: "America/Anchorage",
  BET: "America/Sao_Paulo",
  BST: "Asia/Dhaka",
  CAT: "Africa/Harare",
  CNT: "America/St_Johns",
  CST: "America/Chicago",
  CTT: "Asia/Shanghai",
  EAT: "Africa/Addis_Ababa",
  ECT: "Europe/Paris",
  IET: "America/Indiana/Indianapolis",
  IST: "Asia/Kolkata",
  JST: "Asia/Tokyo",
  MIT: "Pacific/Apia",
  NET: "Asia/Yerevan",
  NST: "Pacific/Auckland",
  PLT: "Asia/Karachi",
  PNT: "America/Phoenix",
  PRT: "America/Puerto_Rico",
  PST: "America/Los_Angeles",
  SST: "Pacific/Guadalcanal",
  VST: "Asia/Ho_Chi_Minh",
  EST: "-05:00",
  MST: "-07:00",
  HST: "-10:00",
};

/** A zone as Spark takes it. Throws INVALID_TIMEZONE. */
function zoneOf(text: string): string {
  const zone = SHORT[text] ?? text;
  if (isZone(zone)) return zone;
  throw new MillraceError("INVALID_TIMEZONE", `The timezone: ${text} is invalid.`, {
    hint: "Use a region such as Europe/Berlin, or an offset such as +02:00.",
    parameters: { timeZone: text },
  });
}

const parts = (micros: bigint): [millis: number, rest: bigint] => {
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  return [Number((micros - rest) / 1000n), rest];
};
const wallNative = nativeFunction("wall_clock", (micros: bigint, text: string) => {
  const [millis] = parts(micros);
  return micros + BigInt(offsetAt(zoneOf(text), millis)) * 1_000_000n;
});
const instantNative = nativeFunction("instant", (micros: bigint, text: string) => {
  const zone = zoneOf(text);
  const fixed = fixedOffset(zone);
  if (fixed !== undefined) return micros - BigInt(fixed) * 1_000_000n;
  const [millis, rest] = parts(micros);
  return BigInt(instantOf(zone, millis)) * 1000n + rest;
});

const args = (micros: string, zone: string): { sql: string; type: DataType }[] => [
  { sql: micros, type: LONG },
  { sql: zone, type: STRING },
];

/** The wall clock (TIMESTAMP) of an instant in a zone that may be an expression. */
export function wallIn(t: string, zone: string, literal: Value | undefined, native: NativeCall): string {
  if (typeof literal !== "string") return `make_timestamp(${native(wallNative, args(`epoch_us(${t})`, zone), LONG)})`;
  const known = zoneOf(literal);
  const fixed = fixedOffset(known);
  return fixed === undefined
    ? `timezone(${sqlString(known)}, ${t})`
    : `make_timestamp(epoch_us(${t}) + ${fixed * 1_000_000})`;
}

/** The instant of a wall clock (TIMESTAMP) in a zone that may be an expression. */
export function atZone(t: string, zone: string, literal: Value | undefined, native: NativeCall): string {
  if (typeof literal !== "string")
    return `make_timestamptz(${native(instantNative, args(`epoch_us(${t})`, zone), LONG)})`;
  const known = zoneOf(literal);
  const fixed = fixedOffset(known);
  return fixed === undefined
    ? `timezone(${sqlString(known)}, ${t})`
    : `make_timestamptz(epoch_us(${t}) - ${fixed * 1_000_000})`;
}

const asWall = (t: string): string => `make_timestamp(epoch_us(${t}))`;
const asInstant = (t: string): string => `make_timestamptz(epoch_us(${t}))`;

export const zoneFunctions: readonly FunctionDef[] = [
  // A wall clock in that zone, said in UTC, and back.
  fn(
    "from_utc_timestamp",
    [timestamp, pattern],
    TIMESTAMP,
    ["from_utc_timestamp('2016-08-31', 'Asia/Seoul')", new Date("2016-08-31T09:00:00Z")],
    ([t, z], { literals }, native) => asInstant(wallIn(t!, z!, literals?.[1], native)),
  ),
  fn(
    "to_utc_timestamp",
    [timestamp, pattern],
    TIMESTAMP,
    ["to_utc_timestamp('2016-08-31', 'Asia/Seoul')", new Date("2016-08-30T15:00:00Z")],
    ([t, z], { literals }, native) => atZone(asWall(t!), z!, literals?.[1], native),
  ),
  fn(
    "convert_timezone",
    [any, any, opt(any)],
    NTZ,
    [
      "convert_timezone('Europe/Brussels', 'America/Los_Angeles', timestamp_ntz'2021-12-06 00:00:00')",
      new Date("2021-12-05T15:00:00Z"),
    ],
    ([a, b, c], { literals, timeZone }, native) =>
      c === undefined
        ? wallIn(instant(b!, timeZone), a!, literals?.[0], native)
        : wallIn(atZone(c, a!, literals?.[0], native), b!, literals?.[1], native),
    { coerce: (types) => (types.length === 2 ? [STRING, NTZ] : [STRING, STRING, NTZ]) },
  ),
];
