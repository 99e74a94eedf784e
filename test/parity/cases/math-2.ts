import { expressions, type ParityCase } from "../case.ts";

/** Mathematics: overflow, rounding, zero and its sign, NaN, infinities, wrong types. */
export const cases: readonly ParityCase[] = [
  ...expressions("math", "numbers", ["d = f", "d > 1", "i in (1, 2, null)"]),
];
