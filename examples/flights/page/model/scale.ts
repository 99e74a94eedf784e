/** A colour as red, green and blue, 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

export interface Stop {
  /** Mean delay in minutes. */
  readonly minutes: number;
  readonly color: Rgb;
}

/**
 * Blue is on time, orange and red are late. Any two of these colours can be told apart with every kind of colour blindness (a test
 * computes how they are seen); late ones grow darker from step to step too.
 */
export const DELAY_COLORS: { readonly light: readonly Stop[]; readonly dark: readonly Stop[] } = {
  light: [
    { minutes: 0, color: [58, 124, 186] },
    { minutes: 10, color: [143, 184, 214] },
    { minutes: 20, color: [242, 201, 120] },
    { minutes: 30, color: [236, 148, 52] },
    { minutes: 45, color: [206, 84, 28] },
    { minutes: 60, color: [132, 28, 24] },
  ],
  dark: [
    { minutes: 0, color: [47, 104, 163] },
    { minutes: 10, color: [112, 160, 198] },
    { minutes: 20, color: [222, 206, 160] },
    { minutes: 30, color: [240, 170, 60] },
    { minutes: 45, color: [238, 112, 36] },
    { minutes: 60, color: [222, 50, 50] },
  ],
};

/** Steps between two stops. Few enough that a circle is painted only when somebody could see the difference. */
const STEPS = 8;

/** The colour of a mean delay as CSS, in small steps; null, an airport without flights, is for the caller. */
export function delayColor(minutes: number, stops: readonly Stop[]): string {
  const last = stops.length - 1;
  let i = 0;
  while (i < last - 1 && minutes >= stops[i + 1]!.minutes) i++;
  const [a, b] = [stops[i]!, stops[i + 1]!];
  const part = Math.min(Math.max((minutes - a.minutes) / (b.minutes - a.minutes), 0), 1);
  const step = Math.round(part * STEPS) / STEPS;
  const mixed = a.color.map((x, c) => Math.round(x + (b.color[c]! - x) * step));
  return `rgb(${mixed.join(" ")})`;
}

/** The scale as a CSS gradient, for the legend. */
export function gradient(stops: readonly Stop[]): string {
  const [first, last] = [stops[0]!.minutes, stops.at(-1)!.minutes];
  const parts = stops.map(
    ({ minutes, color }) => `rgb(${color.join(" ")}) ${Math.round(((minutes - first) / (last - first)) * 100)}%`,
  );
  return `linear-gradient(to right, ${parts.join(", ")})`;
}

/** The radius of an airport, so that its area is in proportion to its flights; steps of a quarter. `most` has the radius `largest`. */
export function radius(flights: number, most: number, largest: number, smallest = 1.5): number {
  if (!(flights > 0) || !(most > 0)) return smallest;
  return Math.max(Math.round(Math.sqrt(Math.min(flights / most, 1)) * largest * 4) / 4, smallest);
}

/** The next of 1, 2, 5, 10, 20, 50, ... that is not below. A scale that follows it changes seldom. */
export function niceCeil(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 2, 5]) if (value <= factor * power) return factor * power;
  return 10 * power;
}
