import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as f from "./format.ts";

describe("numbers for people", () => {
  test.each([
    [0, "0"],
    [1.25, "1.3"],
    [42.4, "42"],
    [1234, "1,234"],
    [9999, "9,999"],
    [12_345, "12.3k"],
    [99_950, "100k"],
    [999_499, "999k"],
    [999_500, "1M"],
    [4_560_000, "4.56M"],
    [1_200_000_000, "1.2B"],
    [-20_000, "-20k"],
  ])("%d is %s", (n, text) => {
    expect(f.count(n)).toBe(text);
  });

  test.each([
    [12, "12 B"],
    [1000, "1 kB"],
    [3_400_000, "3.4 MB"],
    [999_999, "1 MB"],
    [7.1e13, "71 TB"],
  ])("%d bytes are %s", (n, text) => {
    expect(f.bytes(n)).toBe(text);
  });

  test.each([
    [0, "0 ms"],
    [2.34, "2.3 ms"],
    [20, "20 ms"],
    [999.7, "1 s"],
    [1400, "1.4 s"],
    [59_949, "60 s"],
    [59_999, "1 min"],
    [125_000, "2 min 5 s"],
    [3_599_999, "1 h"],
    [11_520_000, "3 h 12 min"],
    [353_000_000, "4 d 2 h"],
    [800_000_000_000, "25 years"],
    [-1500, "-1.5 s"],
  ])("%d ms are %s", (ms, text) => {
    expect(f.duration(ms)).toBe(text);
  });

  test("what is not known is a dash, whatever it is", () => {
    for (const write of [f.count, f.exact, f.bytes, f.duration, f.seconds, f.ago, f.percent, f.clock, f.moment]) {
      for (const n of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) expect(write(n)).toBe("–");
    }
    expect(f.rate(null)).toBe("–");
  });

  test("nothing that is known is ever written as NaN, Infinity or undefined, and it stays short", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e14, max: 1e14 }), (n) => {
        for (const write of [f.count, f.bytes, f.duration]) {
          const text = write(n);
          expect(text).not.toMatch(/NaN|Infinity|undefined|–/);
          expect(text.length).toBeLessThan(24);
        }
      }),
    );
  });

  test("a longer time is never written with a part that belongs to the next unit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 * 365 * 86_400_000 }), (ms) => {
        expect(f.duration(ms)).not.toMatch(/\b60 s$|min 60 s|h 60 min|d 24 h|1000 ms/);
      }),
    );
  });
});

test("times and words", () => {
  expect(f.ago(400)).toBe("just now");
  expect(f.ago(12_300)).toBe("12 s ago");
  expect(f.percent(0.0342)).toBe("3.4 %");
  expect(f.percent(0.82)).toBe("82 %");
  expect(f.eventTime("2001-01-02T15:00:00.000Z")).toBe("2001-01-02 15:00:00 UTC");
  expect(f.eventMinute("2001-01-02T15:00:07.000Z")).toBe("2001-01-02 15:00 UTC");
  expect(f.eventTime("soon")).toBe("soon");
  expect(f.plural(1, "row")).toBe("1 row");
  expect(f.plural(20_000, "row")).toBe("20k rows");
  expect(f.list(["a", "b", "c"])).toBe("a, b and c");
});
