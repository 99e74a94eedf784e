import { describe, expect, test } from "vitest";
import { coresToCome, partitionsFor } from "./state-partitions.ts";

describe("the parts of a new query's state", () => {
  test("twice the cores, within bounds", () => {
    expect([1, 2, 16, 100, 1_000].map(partitionsFor)).toEqual([2, 4, 32, 200, 200]);
  });

  test("where executors come and go, the cores of all that may come", () => {
    const dynamic = { "spark.dynamicAllocation.enabled": "true" };
    expect(coresToCome({})).toBeUndefined();
    expect(coresToCome({ "spark.dynamicAllocation.enabled": "false" })).toBeUndefined();
    expect(coresToCome({ ...dynamic, "spark.dynamicAllocation.maxExecutors": "5" })).toBe(5);
    const four = { ...dynamic, "spark.executor.cores": "4" };
    expect(coresToCome({ ...four, "spark.dynamicAllocation.maxExecutors": "5" })).toBe(20);
    // Spark's own default, without a bound
    expect(coresToCome({ ...four, "spark.dynamicAllocation.maxExecutors": "infinity" })).toBe(100);
    expect(coresToCome({ ...four, "spark.dynamicAllocation.maxExecutors": "2147483647" })).toBe(100);
    expect(coresToCome(four)).toBe(100);
  });
});
