import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PartitionOffset } from "../../kafka/client/index.ts";
import { fromOffset, positionsOf, rateLimit, toOffset } from "./offsets.ts";

const position: fc.Arbitrary<PartitionOffset> = fc.record({
  topic: fc.constantFrom("a", "b", "with.dot", "ünï"),
  partition: fc.nat(12),
  offset: fc.nat(2 ** 45),
});

describe("offsets", () => {
  test("what is written is read, in any order", () => {
    fc.assert(
      fc.property(fc.array(position), (list) => {
        const positions = positionsOf(list);
        const json = toOffset(positions.values());
        expect(fromOffset(json)).toEqual(positionsOf(Object.values(Object.fromEntries(positions))));
        expect(fromOffset(JSON.stringify(json))).toEqual(fromOffset(json));
        expect(JSON.stringify(toOffset([...positions.values()].reverse()))).toBe(JSON.stringify(json));
      }),
    );
  });

  test("Spark's own text", () => {
    expect(toOffset(fromOffset('{"events":{"2":40,"0":123,"10":7}}').values())).toEqual({
      events: { 0: 123, 2: 40, 10: 7 },
    });
  });

  test.each(["12", "null", "[]", '{"a":1}', '{"a":{"x":1}}', '{"a":{"0":1.5}}', '{"a":{"0":"1"}}', "{"])(
    "%s is refused",
    (text) => {
      expect(() => fromOffset(text)).toThrow(expect.objectContaining({ code: "CHECKPOINT_CORRUPT" }));
    },
  );
});

describe("the split of maxOffsetsPerTrigger", () => {
  const at = (...offsets: number[]): Map<string, PartitionOffset> =>
    positionsOf(offsets.map((offset, partition) => ({ topic: "t", partition, offset })));
  const split = (limit: number, from: number[], to: number[]): number[] =>
    [...rateLimit(limit, at(...from), at(...to)).values()].map((p) => p.offset);

  // The cases of Spark's KafkaMicroBatchSourceSuite ("maxOffsetsPerTrigger"): 10 of 100 + 10 + 1 records.
  test("in proportion, small shares rounded up, others down", () => {
    expect(split(10, [0, 0, 0], [100, 10, 1])).toEqual([9, 1, 1]);
    expect(split(10, [9, 1, 1], [100, 10, 1])).toEqual([18, 2, 1]);
  });

  test("never backward, never beyond the end, always some progress, about the limit", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1e6), fc.nat(1e6)), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 2e6 }),
        (partitions, limit) => {
          const from = partitions.map(([start]) => start);
          const to = partitions.map(([start, size]) => start + size);
          const end = split(limit, from, to);
          const taken = end.map((e, i) => e - from[i]!);
          const total = to.reduce((sum, t, i) => sum + t - from[i]!, 0);
          taken.forEach((n, i) => {
            expect(n).toBeGreaterThanOrEqual(0);
            expect(end[i]).toBeLessThanOrEqual(to[i]!);
          });
          const sum = taken.reduce((a, b) => a + b, 0);
          expect(sum).toBeLessThanOrEqual(limit + partitions.length);
          if (total > 0) expect(sum).toBeGreaterThan(0);
          if (limit >= total) expect(end).toEqual(to);
        },
      ),
    );
  });
});
