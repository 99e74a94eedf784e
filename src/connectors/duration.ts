import { MillraceError } from "../errors.ts";

const UNITS: readonly (readonly [RegExp, number])[] = [
  [/^(ms|millis|milliseconds?)$/, 1],
  [/^(s|secs?|seconds?)$/, 1000],
  [/^(m|mins?|minutes?)$/, 60_000],
  [/^(h|hours?)$/, 3_600_000],
  [/^(d|days?)$/, 86_400_000],
  [/^(w|weeks?)$/, 604_800_000],
];

/**
 * The value of an option of type duration in milliseconds: `36 hours`, `90s`, `1 day 12 hours`, `interval 1 week`.
 *
 * @throws MillraceError INVALID_OPTION naming the option
 */
export function durationMs(option: string, text: string): number {
  let total = 0;
  let rest = text
    .trim()
    .toLowerCase()
    .replace(/^interval\s+/, "");
  if (rest === "") total = Number.NaN;
  while (rest !== "") {
    const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)\s*/.exec(rest);
    const unit = UNITS.find(([name]) => match !== null && name.test(match[2]!));
    if (match === null || unit === undefined) {
      total = Number.NaN;
      break;
    }
    total += Number(match[1]) * unit[1];
    rest = rest.slice(match[0].length);
  }
  if (!Number.isFinite(total)) {
    throw new MillraceError("INVALID_OPTION", `The option ${option} is ${JSON.stringify(text)}.`, {
      hint: "Give a duration such as 36 hours or 90 seconds.",
      parameters: { option },
    });
  }
  return Math.round(total);
}
