import fc from "fast-check";

/** Choices of a generator, read one after the other from numbers that fast-check made: the same numbers give the same case. */
export class Tape {
  readonly #numbers: readonly number[];
  #at = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  /** A whole number from 0 to `n` - 1; 0 when the tape is at its end, so that every case ends. */
  next(n: number): number {
    return (this.#numbers[this.#at++] ?? 0) % n;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.next(list.length)]!;
  }
  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.next(100) < percent;
  }
  /** The same tape, `n` numbers later: another case from the same draw. */
  from(n: number): Tape {
    return new Tape(this.#numbers.slice(n));
  }
}

/** The tapes of a run: case `i` of a seed is always the same. */
export function tapes(seed: number, count: number): Tape[] {
  const arbitrary = fc.array(fc.nat(0x7fffffff), { minLength: 160, maxLength: 160 });
  return fc.sample(arbitrary, { seed, numRuns: count }).map((numbers) => new Tape(numbers));
}
