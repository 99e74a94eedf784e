import { MONTHS, type Token, tokensOf, WEEKDAYS } from "./pattern.ts";
import { fixedOffset, instantOf, isZone, zoneOfAbbreviation } from "./zone.ts";

/** What was read of a text: a wall clock and, where the text names one, its zone. */
export interface Parsed {
  /** Microseconds of the wall clock since 1970. */
  readonly wallMicros: bigint;
  readonly zone: string | undefined;
}

const cache = new Map<string, readonly Token[]>();

function tokens(pattern: string): readonly Token[] {
  let found = cache.get(pattern);
  if (found === undefined) {
    found = tokensOf(pattern, "parse");
    if (cache.size > 200) cache.clear();
    cache.set(pattern, found);
  }
  return found;
}

/**
 * Reads a text with a Java pattern as strictly as Spark does (`MM` wants two digits); undefined where it does not fit. What the pattern
 * leaves out is 1970-01-01 00:00:00.
 *
 * @throws MillraceError INVALID_DATETIME_PATTERN.* for a pattern that Spark refuses
 * @example parseJava("03/02/2001", "dd/MM/yyyy")?.wallMicros // 981158400000000n
 */
export function parseJava(text: string, pattern: string): Parsed | undefined {
  const state: State = { fields: new Map(), zone: undefined };
  const end = match(tokens(pattern), text, 0, state);
  return end === text.length ? resolve(state) : undefined;
}

/** The instant in microseconds, with `zone` for a text without one. */
export function parseInstant(text: string, pattern: string, zone: string): bigint | undefined {
  const parsed = parseJava(text, pattern);
  if (parsed === undefined) return undefined;
  const { wallMicros } = parsed;
  const own = parsed.zone ?? zone;
  const fixed = fixedOffset(own);
  if (fixed !== undefined) return wallMicros - BigInt(fixed) * 1_000_000n;
  const rest = ((wallMicros % 1000n) + 1000n) % 1000n;
  return BigInt(instantOf(own, Number((wallMicros - rest) / 1000n))) * 1000n + rest;
}

interface State {
  fields: Map<string, number>;
  zone: string | undefined;
}

/** The position behind what was read, or -1. */
function match(list: readonly Token[], text: string, start: number, state: State): number {
  let at = start;
  for (let i = 0; i < list.length; i++) {
    const token = list[i]!;
    if (token.kind === "text") {
      if (text.slice(at, at + token.text.length).toLowerCase() !== token.text.toLowerCase()) return -1;
      at += token.text.length;
    } else if (token.kind === "optional") {
      const inner: State = { fields: new Map(state.fields), zone: state.zone };
      const end = match(token.tokens, text, at, inner);
      if (end >= 0) {
        at = end;
        state.fields = inner.fields;
        state.zone = inner.zone;
      }
    } else {
      at = read(token.letter, token.count, text, at, state, () => reserved(list, i + 1));
      if (at < 0) return -1;
    }
  }
  return at;
}

/** Digits that fields of a fixed width need directly behind. */
function reserved(list: readonly Token[], from: number): number {
  let sum = 0;
  for (let i = from; i < list.length; i++) {
    const t = list[i]!;
    if (t.kind !== "field") break;
    if (t.count === 2 && /[yMLdHhKkms]/.test(t.letter)) sum += 2;
    else if (t.letter === "D" && t.count === 3) sum += 3;
    else break;
  }
  return sum;
}

function read(letter: string, count: number, text: string, at: number, state: State, behind: () => number): number {
  switch (letter) {
    case "y":
      return year(count, text, at, state, behind);
    case "M":
    case "L":
      if (count > 2) return name(MONTHS, count === 3, text, at, (i) => set(state, "M", i + 1));
      return number("M", count, 2, text, at, state, behind);
    case "E":
      return name(WEEKDAYS, count < 4, text, at, () => true);
    case "D":
      return number("D", count, 3, text, at, state, behind);
    case "d":
    case "H":
    case "h":
    case "K":
    case "k":
    case "m":
    case "s":
      return number(letter, count, 2, text, at, state, behind);
    case "S": {
      const m = new RegExp(`^\\d{1,${count}}`).exec(text.slice(at, at + count));
      if (m === null) return -1;
      return set(state, "S", Number(m[0].padEnd(9, "0"))) ? at + m[0].length : -1;
    }
    case "a": {
      const half = text.slice(at, at + 2).toUpperCase();
      if (half !== "AM" && half !== "PM") return -1;
      return set(state, "a", half === "PM" ? 1 : 0) ? at + 2 : -1;
    }
    case "G": {
      const era = /^(?:Anno Domini|AD|Before Christ|BC)/i.exec(text.slice(at));
      if (era === null) return -1;
      return set(state, "G", /^[ab]/i.test(era[0]) && /^a/i.test(era[0]) ? 1 : 0) ? at + era[0].length : -1;
    }
    case "X":
    case "x":
    case "Z":
      return offset(letter, count, text, at, state);
    case "O": {
      const m = /^GMT(?:[+-]\d{1,2}(?::\d{2}(?::\d{2})?)?)?/.exec(text.slice(at));
      if (m === null) return -1;
      state.zone = m[0];
      return at + m[0].length;
    }
    case "V":
    case "z": {
      const m = /^(?:[A-Za-z][A-Za-z0-9/_+-]*(?::\d{2})?|[+-]\d{2}:?\d{2})/.exec(text.slice(at));
      if (m === null) return -1;
      const zone = letter === "z" ? (zoneOfAbbreviation(m[0]) ?? m[0]) : m[0];
      if (!isZone(zone)) return -1;
      state.zone = zone;
      return at + m[0].length;
    }
  }
  return -1;
}

/** False where the field was read before with another value. */
function set(state: State, field: string, value: number): boolean {
  const known = state.fields.get(field);
  if (known !== undefined && known !== value) return false;
  state.fields.set(field, value);
  return true;
}

function number(
  field: string,
  count: number,
  most: number,
  text: string,
  at: number,
  state: State,
  behind: () => number,
): number {
  const digits = /^\d+/.exec(text.slice(at))?.[0].length ?? 0;
  const fixed = count === most || (field !== "D" && count === 2);
  const width = fixed
    ? field === "D" && count === 2
      ? Math.min(digits, 3)
      : count
    : Math.min(most, Math.max(1, digits - behind()));
  if (digits < Math.max(count, 1) || digits < width) return -1;
  return set(state, field, Number(text.slice(at, at + width))) ? at + width : -1;
}

function year(count: number, text: string, at: number, state: State, behind: () => number): number {
  const sign = /^[+-]/.exec(text.slice(at))?.[0] ?? "";
  const from = at + sign.length;
  const all = /^\d+/.exec(text.slice(from))?.[0].length ?? 0;
  if (count === 2) {
    if (sign !== "" || all < 2) return -1;
    return set(state, "y", 2000 + Number(text.slice(at, at + 2))) ? at + 2 : -1;
  }
  const digits = Math.min(19, all - behind());
  if (digits < count) return -1;
  // Four letters or more: what is longer needs a plus, what is not may have none.
  if (count >= 4 && ((sign === "+" && digits <= count) || (sign === "" && digits > count))) return -1;
  if (count < 4 && sign === "+") return -1;
  const value = Number(text.slice(from, from + digits));
  return set(state, "y", sign === "-" ? -value : value) ? from + digits : -1;
}

function name(
  names: readonly string[],
  short: boolean,
  text: string,
  at: number,
  found: (index: number) => boolean,
): number {
  for (const [i, full] of names.entries()) {
    const word = short ? full.slice(0, 3) : full;
    if (text.slice(at, at + word.length).toLowerCase() === word.toLowerCase()) return found(i) ? at + word.length : -1;
  }
  return -1;
}

const OFFSETS = [
  /^[+-]\d{2}(?:\d{2})?/,
  /^[+-]\d{4}/,
  /^[+-]\d{2}:\d{2}/,
  /^[+-]\d{4}(?:\d{2})?/,
  /^[+-]\d{2}:\d{2}(?::\d{2})?/,
];

function offset(letter: string, count: number, text: string, at: number, state: State): number {
  const rest = text.slice(at);
  if ((letter === "X" || (letter === "Z" && count === 5)) && /^z/i.test(rest)) {
    state.zone = "Z";
    return at + 1;
  }
  if (letter === "Z" && count === 4) return read("O", 4, text, at, state, () => 0);
  const m = OFFSETS[letter === "Z" ? (count === 5 ? 4 : 1) : count - 1]!.exec(rest);
  if (m === null || fixedOffset(m[0]) === undefined) return -1;
  state.zone = m[0];
  return at + m[0].length;
}

function resolve({ fields, zone }: State): Parsed | undefined {
  const get = (f: string): number | undefined => fields.get(f);
  const within = (f: string, min: number, max: number): boolean => {
    const v = fields.get(f);
    return v === undefined || (v >= min && v <= max);
  };
  const ranges: readonly [string, number, number][] = [
    ["M", 1, 12],
    ["d", 1, 31],
    ["D", 1, 366],
    ["H", 0, 23],
    ["k", 1, 24],
    ["h", 1, 12],
    ["K", 0, 11],
    ["m", 0, 59],
    ["s", 0, 59],
  ];
  if (!ranges.every(([f, min, max]) => within(f, min, max))) return undefined;
  const era = get("G");
  const given = get("y") ?? 1970;
  const y = era === 0 ? 1 - given : given;
  const date = new Date(0);
  const dayOfYear = get("D");
  if (dayOfYear !== undefined) {
    date.setUTCFullYear(y, 0, dayOfYear);
    if (date.getUTCFullYear() !== y) return undefined;
    if (get("M") !== undefined && get("M") !== date.getUTCMonth() + 1) return undefined;
    if (get("d") !== undefined && get("d") !== date.getUTCDate()) return undefined;
  } else {
    const [month, day] = [get("M") ?? 1, get("d") ?? 1];
    date.setUTCFullYear(y, month - 1, day);
    if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  }
  const half = get("a");
  const hourOfHalf = get("K") ?? (get("h") === undefined ? undefined : get("h")! % 12);
  const clock = get("k");
  const hour =
    get("H") ??
    (clock === undefined ? undefined : clock % 24) ??
    (hourOfHalf === undefined ? (half === undefined ? 0 : half * 12) : hourOfHalf + 12 * (half ?? 0));
  if (half !== undefined && get("H") !== undefined && Math.floor(hour / 12) !== half) return undefined;
  const micros = Math.floor((get("S") ?? 0) / 1000);
  const seconds = date.getTime() / 1000 + hour * 3600 + (get("m") ?? 0) * 60 + (get("s") ?? 0);
  return { wallMicros: BigInt(seconds) * 1_000_000n + BigInt(micros), zone };
}
