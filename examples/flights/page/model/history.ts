/** One airport's flights of one scheduled hour, as the table `delays` has them. */
export interface HourRow {
  /** Hours since 1970, see `hourOf`. */
  readonly hour: number;
  readonly origin: string;
  readonly flights: number;
  /** Mean minutes; below zero is early. */
  readonly delay: number;
  readonly worst: number;
  /** Share of flights that left more than 15 minutes late, 0 to 1. */
  readonly late: number;
}

/** Flights over a span of time; the means are null when there were none. */
export interface Span {
  readonly flights: number;
  readonly delay: number | null;
  readonly late: number | null;
  readonly worst: number | null;
}

export const HOUR_MS = 3_600_000;
const HOURS = 24;
/** Half a year and a margin; of a longer run the oldest days are forgotten. */
const KEPT_DAYS = 200;
const NONE: Span = { flights: 0, delay: null, late: null, worst: null };

/** Hours since 1970 of an instant in ISO text or milliseconds, with the fraction of the hour. */
export function hourOf(time: string | number | Date): number {
  return (time instanceof Date ? time.getTime() : typeof time === "number" ? time : Date.parse(time)) / HOUR_MS;
}

/** A day of all airports: arrays by airport, then by hour. */
interface Day {
  flights: Uint16Array;
  delay: Float32Array;
  late: Float32Array;
  worst: Int16Array;
}

/**
 * The hours that the page has seen, for every airport. A row that comes again replaces the earlier one. A million rows, half a year of
 * all airports, take 12 MB, and a span is summed without looking at any row outside it.
 *
 * ```ts
 * const history = new History();
 * history.set({ hour: hourOf("2001-03-05T14:00:00Z"), origin: "ATL", flights: 30, delay: 12, worst: 70, late: 0.2 });
 * history.span(history.indexOf("ATL")!, hourOf("2001-03-05T15:00:00Z"), 6).delay; // 12
 * ```
 */
export class History {
  readonly airports: string[] = [];
  readonly #index = new Map<string, number>();
  readonly #days = new Map<number, Day>();
  /** Of all airports, by hour: flights, and the sum of their delays. */
  readonly #totals = new Map<number, { flights: number; minutes: number }>();
  #capacity = 256;
  /** Of the first and last hour of the kept ones; null when there are none. */
  first: number | null = null;
  last: number | null = null;

  indexOf(origin: string): number | undefined {
    return this.#index.get(origin);
  }

  /** Keeps a row. Rows older than everything that is kept of a full history are left out. */
  set(row: HourRow): void {
    if (!Number.isInteger(row.hour)) return;
    const number = Math.floor(row.hour / HOURS);
    if (this.last !== null && number <= Math.floor(this.last / HOURS) - KEPT_DAYS) return;
    const airport = this.#airport(row.origin);
    let day = this.#days.get(number);
    if (day === undefined) {
      day = emptyDay(this.#capacity);
      this.#days.set(number, day);
    }
    const at = airport * HOURS + (row.hour - number * HOURS);
    const totals = this.#totals.get(row.hour) ?? { flights: 0, minutes: 0 };
    totals.flights += row.flights - day.flights[at]!;
    totals.minutes += row.flights * row.delay - day.flights[at]! * day.delay[at]!;
    this.#totals.set(row.hour, totals);
    day.flights[at] = row.flights;
    day.delay[at] = row.delay;
    day.late[at] = row.late;
    day.worst[at] = row.worst;
    // What was rounded when it was stored must be taken away again as it is stored.
    totals.minutes += row.flights * (day.delay[at]! - row.delay);
    this.first = Math.min(this.first ?? row.hour, row.hour);
    if (this.last === null || row.hour > this.last) {
      this.last = row.hour;
      this.#forget(number - KEPT_DAYS);
    }
  }

  /** Forgets everything but the names of the airports. */
  clear(): void {
    this.#days.clear();
    this.#totals.clear();
    this.first = null;
    this.last = null;
  }

  /**
   * The flights of an airport in the `hours` before `until`. Hours that lie partly in the span count by that part, so that a span that
   * glides over time changes without jumps.
   */
  span(airport: number, until: number, hours: number): Span {
    let flights = 0;
    let minutes = 0;
    let late = 0;
    let worst = Number.NEGATIVE_INFINITY;
    const from = until - hours;
    for (let hour = Math.floor(from); hour < until; hour++) {
      const day = this.#days.get(Math.floor(hour / HOURS));
      if (day === undefined) continue;
      const at = airport * HOURS + (hour - Math.floor(hour / HOURS) * HOURS);
      const count = day.flights[at];
      if (count === undefined || count === 0) continue;
      const part = Math.min(hour + 1, until) - Math.max(hour, from);
      flights += count * part;
      minutes += count * part * day.delay[at]!;
      late += count * part * day.late[at]!;
      if (part > 0.5 && day.worst[at]! > worst) worst = day.worst[at]!;
    }
    if (flights === 0) return NONE;
    return {
      flights,
      delay: minutes / flights,
      late: late / flights,
      worst: worst === Number.NEGATIVE_INFINITY ? null : worst,
    };
  }

  /** The hours from `from` up to `to` (without it) of an airport; null where no flight was. */
  series(airport: number, from: number, to: number): { hour: number; flights: number; delay: number | null }[] {
    const series = [];
    for (let hour = Math.floor(from); hour < to; hour++) {
      const { flights, delay } = this.span(airport, hour + 1, 1);
      series.push({ hour, flights, delay });
    }
    return series;
  }

  /** Flights and mean delay of all airports in the `hours` before `until`. */
  total(until: number, hours: number): { flights: number; delay: number | null } {
    let flights = 0;
    let minutes = 0;
    const from = until - hours;
    for (let hour = Math.floor(from); hour < until; hour++) {
      const totals = this.#totals.get(hour);
      if (totals === undefined) continue;
      const part = Math.min(hour + 1, until) - Math.max(hour, from);
      flights += totals.flights * part;
      minutes += totals.minutes * part;
    }
    return { flights, delay: flights === 0 ? null : minutes / flights };
  }

  #airport(origin: string): number {
    let index = this.#index.get(origin);
    if (index === undefined) {
      index = this.airports.push(origin) - 1;
      this.#index.set(origin, index);
      if (index >= this.#capacity) this.#grow();
    }
    return index;
  }

  #grow(): void {
    this.#capacity *= 2;
    for (const day of this.#days.values()) {
      const larger = emptyDay(this.#capacity);
      larger.flights.set(day.flights);
      larger.delay.set(day.delay);
      larger.late.set(day.late);
      larger.worst.set(day.worst);
      Object.assign(day, larger);
    }
  }

  /** Forgets the days up to this one. */
  #forget(until: number): void {
    let forgot = false;
    for (const number of this.#days.keys()) {
      if (number > until) continue;
      forgot = true;
      this.#days.delete(number);
      for (let hour = number * HOURS; hour < (number + 1) * HOURS; hour++) this.#totals.delete(hour);
    }
    if (forgot) this.first = Math.min(...this.#totals.keys());
  }
}

function emptyDay(airports: number): Day {
  const size = airports * HOURS;
  return {
    flights: new Uint16Array(size),
    delay: new Float32Array(size),
    late: new Float32Array(size),
    worst: new Int16Array(size),
  };
}
