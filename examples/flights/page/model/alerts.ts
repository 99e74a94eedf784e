/** An hour in which an airport was far later than it usually is, as the table `alerts` has it. */
export interface Alert {
  /** Hours since 1970. */
  readonly hour: number;
  readonly origin: string;
  readonly flights: number;
  /** Mean minutes in that hour, and usually. */
  readonly delay: number;
  readonly usual: number;
  readonly deviations: number;
}

const KEPT = 5_000;

/** The alerts that the page has seen, by hour. */
export class Alerts {
  readonly #byKey = new Map<string, Alert>();
  #sorted: Alert[] | undefined;

  get size(): number {
    return this.#byKey.size;
  }

  /** Keeps the alerts and gives those that were not known yet. */
  add(alerts: readonly Alert[]): Alert[] {
    const fresh: Alert[] = [];
    for (const alert of alerts) {
      const key = `${alert.hour} ${alert.origin}`;
      if (!this.#byKey.has(key)) fresh.push(alert);
      this.#byKey.set(key, alert);
    }
    if (alerts.length > 0) this.#sorted = undefined;
    if (this.#byKey.size > KEPT * 1.1) {
      for (const alert of this.sorted().slice(KEPT)) this.#byKey.delete(`${alert.hour} ${alert.origin}`);
      this.#sorted = undefined;
    }
    return fresh;
  }

  /** The newest hour first; of an hour the most unusual first. */
  sorted(): readonly Alert[] {
    this.#sorted ??= [...this.#byKey.values()].sort((a, b) => b.hour - a.hour || b.deviations - a.deviations);
    return this.#sorted;
  }

  /** The newest `count` of those whose hour had ended by `until`. */
  until(until: number, count: number): Alert[] {
    const sorted = this.sorted();
    const from = firstAtOrBefore(sorted, until - 1);
    return sorted.slice(from, from + count);
  }

  /** Those whose hour ended after `from` and by `until`. */
  between(from: number, until: number): Alert[] {
    const sorted = this.sorted();
    return sorted.slice(firstAtOrBefore(sorted, until - 1), firstAtOrBefore(sorted, from - 1));
  }

  /** Forgets those of hours after this one. */
  forgetAfter(hour: number): void {
    for (const [key, alert] of this.#byKey) if (alert.hour > hour) this.#byKey.delete(key);
    this.#sorted = undefined;
  }

  clear(): void {
    this.#byKey.clear();
    this.#sorted = undefined;
  }
}

/** The place of the first alert whose hour is not after `hour`; the list begins with the newest. */
function firstAtOrBefore(sorted: readonly Alert[], hour: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.hour > hour) low = middle + 1;
    else high = middle;
  }
  return low;
}
