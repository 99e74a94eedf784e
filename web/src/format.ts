/** How numbers, sizes and times are written for people. Nothing here ever gives NaN or Infinity. */

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 });
const UNKNOWN = "–";

/** `1,234`, `12.3k`, `4.56M`: at most four digits. */
export function count(n: number | null | undefined): string {
  if (!known(n)) return UNKNOWN;
  const size = Math.abs(n);
  if (size < 10_000) return grouped.format(size < 10 && !Number.isInteger(n) ? round(n, 1) : Math.round(n));
  for (const [unit, name] of [
    [1e3, "k"],
    [1e6, "M"],
    [1e9, "B"],
  ] as const) {
    if (size < unit * 999.5 || unit === 1e9) return `${threeDigits(n / unit)}${name}`;
  }
  return UNKNOWN;
}

/** Every digit, with separators. */
export function exact(n: number | null | undefined): string {
  return known(n) ? grouped.format(n) : UNKNOWN;
}

/** `10.2k rows/s`. */
export function rate(n: number | null | undefined, unit = "rows"): string {
  return known(n) ? `${count(n)} ${unit}/s` : UNKNOWN;
}

/** `12 kB`, `3.4 MB`, in powers of a thousand. */
export function bytes(n: number | null | undefined): string {
  if (!known(n)) return UNKNOWN;
  if (Math.abs(n) < 1000) return `${Math.round(n)} B`;
  let value = n;
  let unit = "";
  for (unit of ["kB", "MB", "GB", "TB", "PB"]) {
    value /= 1000;
    if (Math.abs(value) < 999.5) break;
  }
  return `${threeDigits(value)} ${unit}`;
}

const STEPS = [
  [31_557_600_000, "year", 86_400_000, "d"],
  [86_400_000, "d", 3_600_000, "h"],
  [3_600_000, "h", 60_000, "min"],
  [60_000, "min", 1000, "s"],
] as const;

/** `20 ms`, `1.4 s`, `2 min 5 s`, `3 h 12 min`, `4 d 2 h`, `25 years`. */
export function duration(ms: number | null | undefined): string {
  if (!known(ms)) return UNKNOWN;
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 999.5) return `${ms < 10 && !Number.isInteger(ms) ? round(ms, 1) : Math.round(ms)} ms`;
  if (ms < 59_950) return `${ms < 9950 ? round(ms / 1000, 1) : Math.round(ms / 1000)} s`;
  for (const [unit, name, below, rest] of STEPS) {
    if (ms < unit - below / 2) continue;
    const whole = Math.floor((ms + below / 2) / unit);
    const more = Math.max(0, Math.round((ms - whole * unit) / below));
    if (name === "year") return `${whole} year${whole === 1 ? "" : "s"}`;
    return more === 0 ? `${whole} ${name}` : `${whole} ${name} ${more} ${rest}`;
  }
  return UNKNOWN;
}

/** Seconds in the words of `duration`. */
export function seconds(s: number | null | undefined): string {
  return known(s) ? duration(s * 1000) : UNKNOWN;
}

/** `just now`, `12 s ago`. */
export function ago(ms: number | null | undefined): string {
  if (!known(ms)) return UNKNOWN;
  return ms < 1500 ? "just now" : `${duration(Math.max(1000, Math.round(ms / 1000) * 1000))} ago`;
}

/** `3.4 %`. */
export function percent(share: number | null | undefined): string {
  if (!known(share)) return UNKNOWN;
  const p = share * 100;
  return `${p !== 0 && Math.abs(p) < 9.95 ? round(p, 1) : Math.round(p)} %`;
}

/** Time of day in the reader's own zone. */
export function clock(ms: number | null | undefined): string {
  return known(ms) ? new Date(ms).toLocaleTimeString("en-GB") : UNKNOWN;
}

/** Time of day, with the date where it is not of the last hours. */
export function shortMoment(ms: number, now: number): string {
  return Math.abs(now - ms) < 20 * 3_600_000 ? clock(ms) : moment(ms);
}

/** Date and time in the reader's own zone, `2026-11-23 12:04:05`. */
export function moment(ms: number | null | undefined): string {
  if (!known(ms)) return UNKNOWN;
  const d = new Date(ms);
  const date = [d.getFullYear(), d.getMonth() + 1, d.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
  return `${date} ${clock(ms)}`;
}

/** An event time as the pipeline knows it: `2001-01-02 15:00:00 UTC`. */
export function eventTime(iso: string | null | undefined): string {
  if (iso === null || iso === undefined) return UNKNOWN;
  const ms = Date.parse(iso);
  if (Number.isNaN(ms)) return iso;
  return `${new Date(ms)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "")} UTC`;
}

/** The same to the minute: `2001-01-02 15:00 UTC`. */
export function eventMinute(iso: string | null | undefined): string {
  return eventTime(iso).replace(/:\d\d UTC$/, " UTC");
}

/** `1 row`, `2 rows`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** `a, b and c`. */
export function list(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

function known(n: number | null | undefined): n is number {
  return typeof n === "number" && Number.isFinite(n);
}

function round(n: number, digits: number): number {
  return Number(n.toFixed(digits));
}

function threeDigits(n: number): string {
  const size = Math.abs(n);
  return n
    .toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}
