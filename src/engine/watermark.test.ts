import fc from "fast-check";
import { expect, test } from "vitest";
import { WatermarkTracker } from "./watermark.ts";

const MINUTE = 60_000;
const at = (hour: number, minute: number): number => Date.UTC(2026, 0, 1, hour, minute);

/** Runs batches, each given as the greatest event time of each operator, and gives the global watermark after each. */
function run(delays: number[], policy: "min" | "max", batches: (number | undefined)[][]): number[] {
  const tracker = new WatermarkTracker(delays, policy);
  return batches.map((batch) => {
    tracker.restore(tracker.after(batch));
    return tracker.globalMs;
  });
}

// https://spark.apache.org/docs/latest/streaming/apis-on-dataframes-and-datasets.html#handling-late-data-and-watermarking
test("Spark's worked example: 12:14 with 10 minutes gives 12:04, an older time does not take it back", () => {
  expect(run([10 * MINUTE], "min", [[at(12, 14)], [at(12, 13)], [at(12, 21)], [undefined]])).toEqual([
    at(12, 4),
    at(12, 4),
    at(12, 11),
    at(12, 11),
  ]);
});

test("two streams: the slower one decides, or with policy max the faster", () => {
  const batches = [
    [at(12, 30), at(12, 10)],
    [at(12, 50), at(12, 20)],
  ];
  expect(run([10 * MINUTE, 5 * MINUTE], "min", batches)).toEqual([at(12, 5), at(12, 15)]);
  expect(run([10 * MINUTE, 5 * MINUTE], "max", batches)).toEqual([at(12, 20), at(12, 40)]);
});

test("an input that has shown nothing yet holds the watermark at the epoch", () => {
  expect(
    run([0, 0], "min", [
      [at(12, 0), undefined],
      [at(13, 0), undefined],
      [undefined, at(12, 30)],
    ]),
  ).toEqual([0, 0, at(12, 30)]);
});

test("trying what a batch would do changes nothing", () => {
  const tracker = new WatermarkTracker([0], "min");
  tracker.after([at(12, 0)]);
  expect(tracker.globalMs).toBe(0);
});

test("it never goes back, and saving and restoring anywhere changes nothing", () => {
  const time = fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(time, time), { maxLength: 20 }),
      fc.constantFrom("min" as const, "max" as const),
      fc.nat(20),
      (batches, policy, restart) => {
        const straight = run([1000, 5000], policy, batches);
        let tracker = new WatermarkTracker([1000, 5000], policy);
        batches.forEach((batch, i) => {
          tracker.restore(tracker.after(batch));
          if (i === restart) {
            const saved = JSON.parse(JSON.stringify(tracker.save()));
            tracker = new WatermarkTracker([1000, 5000], policy);
            tracker.restore(saved);
          }
          expect(tracker.globalMs).toBe(straight[i]);
          if (i > 0) expect(tracker.globalMs).toBeGreaterThanOrEqual(straight[i - 1]!);
        });
      },
    ),
  );
});
