import { UsageError } from "../usage-error.ts";

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/**
 * A time as people give it: ISO text, milliseconds since 1970, or how long ago (`90s`, `10m`, `2h`, `1d`, `1w`, also `1h30m`). Without a
 * zone ISO text is UTC, as everything that is shown. Throws UsageError.
 */
export function parseTime(option: string, text: string, now: number): number {
  if (/^\d{9,}$/.test(text)) return Number(text);
  const ago = /^-?((?:\d+[smhdw])+)$/.exec(text)?.[1];
  if (ago !== undefined) {
    const parts = [...ago.matchAll(/(\d+)([smhdw])/g)];
    return now - parts.reduce((ms, [, n, unit]) => ms + Number(n) * UNITS[unit!]!, 0);
  }
  const iso = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?$/.exec(text);
  const ms =
    iso === null
      ? Number.NaN
      : Date.parse(`${text.replace(" ", "T")}${iso[1] === undefined && text.length > 10 ? "Z" : ""}`);
  if (Number.isFinite(ms)) return ms;
  throw new UsageError(
    `${option} cannot be "${text}".`,
    "Give 2026-01-31T10:00:00Z, milliseconds since 1970, or how long ago, such as 10m or 2h.",
  );
}
