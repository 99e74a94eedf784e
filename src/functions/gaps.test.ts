import { describe, expect, test } from "vitest";
import { GAPS, GRAMMAR } from "./gaps.ts";
import { catalog } from "./index.ts";
import { SPARK_FUNCTIONS } from "./spark-functions.ts";

describe("Spark's list of functions", () => {
  const table = new Set(catalog.names());
  const gaps = GAPS.flatMap((g) => g.names);

  test("is the table, the grammar and the gaps", () => {
    const missing = SPARK_FUNCTIONS.filter((n) => !table.has(n) && !GRAMMAR.includes(n) && !gaps.includes(n));
    expect(missing).toEqual([]);
  });

  test("a gap is a function of Spark's that is not in the table, named once", () => {
    expect(gaps.filter((n) => table.has(n) || GRAMMAR.includes(n))).toEqual([]);
    expect(gaps.filter((n) => !SPARK_FUNCTIONS.includes(n))).toEqual([]);
    expect(new Set(gaps).size).toBe(gaps.length);
  });

  test("every gap has a reason", () => {
    for (const gap of GAPS) expect(gap.reason).toMatch(/^[A-Z].+\.$/);
  });
});
