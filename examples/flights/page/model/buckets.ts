import type { History } from "./history.ts";

export interface Bucket {
  /** Its first hour, and how many it has. */
  readonly hour: number;
  readonly hours: number;
  readonly flights: number;
  readonly delay: number | null;
}

/** Lengths that people count in; a strip of half a year has days and not 14.5 hours. */
const LENGTHS = [1, 2, 3, 6, 12, 24, 48, 72, 168];

/** The whole history in at most `most` steps of the same length, all airports together. */
export function totals(history: History, most: number): Bucket[] {
  const { first, last } = history;
  if (first === null || last === null) return [];
  return cut(first, last + 1, most, (until, hours) => history.total(until, hours));
}

/** The hours from `from` to `to` of an airport in at most `most` steps. */
export function airportBuckets(history: History, airport: number, from: number, to: number, most: number): Bucket[] {
  return cut(from, to, most, (until, hours) => history.span(airport, until, hours));
}

function cut(
  from: number,
  to: number,
  most: number,
  sum: (until: number, hours: number) => { flights: number; delay: number | null },
): Bucket[] {
  const hours = LENGTHS.find((length) => (to - from) / length <= most) ?? LENGTHS.at(-1)!;
  const buckets: Bucket[] = [];
  for (let hour = Math.floor(from / hours) * hours; hour < to; hour += hours) {
    const { flights, delay } = sum(hour + hours, hours);
    buckets.push({ hour, hours, flights, delay });
  }
  return buckets;
}

/** Below this part of the busiest step a mean says little: one late flight in the night is no storm. */
const TELLING = 0.1;

/** The steps whose mean counts. */
export function telling(buckets: readonly Bucket[]): Bucket[] {
  const busiest = buckets.reduce((max, bucket) => Math.max(max, bucket.flights), 0);
  return buckets.filter(({ flights }) => flights > 0 && flights >= TELLING * busiest);
}

/** The largest mean delay of the steps that count, at least `least`: what an axis is to reach. */
export function highest(buckets: readonly Bucket[], least: number): number {
  return telling(buckets).reduce((max, { delay }) => Math.max(max, delay ?? 0), least);
}
