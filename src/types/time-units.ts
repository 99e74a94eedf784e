/** Microseconds of the units that always last the same. */
export const MICROS_OF = Object.freeze({
  microsecond: 1n,
  millisecond: 1_000n,
  second: 1_000_000n,
  minute: 60_000_000n,
  hour: 3_600_000_000n,
  day: 86_400_000_000n,
  week: 604_800_000_000n,
});

/** The same by any name: undefined for what is none of them. */
export function microsOf(unit: string): bigint | undefined {
  return Object.hasOwn(MICROS_OF, unit) ? MICROS_OF[unit as keyof typeof MICROS_OF] : undefined;
}

const SHOWN = ["day", "hour", "minute", "second", "millisecond"] as const;

/** Microseconds as people say them, in the largest unit that leaves no rest: `1 day`, `90 seconds`. */
export function durationText(micros: bigint): string {
  for (const unit of SHOWN) {
    const size = MICROS_OF[unit];
    if (micros !== 0n && micros % size === 0n) return `${micros / size} ${unit}${micros === size ? "" : "s"}`;
  }
  return `${micros} microseconds`;
}
