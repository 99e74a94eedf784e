import { afterAll, describe, expect, test } from "vitest";
import { SparkSession } from "../session.ts";
import { functions } from "./index.ts";

const spark = SparkSession.builder().getOrCreate();
afterAll(() => spark.stop());

/** Doubles are compared to a relative 1e-9. */
function near(actual: unknown, expected: unknown): void {
  if (typeof expected === "number" && typeof actual === "number" && !Number.isInteger(expected)) {
    expect(actual).toBeCloseTo(expected, 9);
  } else expect(actual).toEqual(expected);
}

describe("every function's example gives what Spark gives", () => {
  for (const [name, { example, kind }] of functions) {
    test(name, async () => {
      const input = example.values
        ? spark.createDataFrame(example.values.rows as unknown[][], example.values.schema)
        : spark.range(1);
      const rows: Record<string, unknown>[] = await input.selectExpr(`${example.sql}`).collect();
      if (kind === "window") {
        near(
          rows.map((r) => Object.values(r)[0]),
          example.result,
        );
      } else if (kind === "generator") {
        const wide = Object.keys(rows[0]!).length > 1;
        near(
          rows.map((r) => (wide ? Object.values(r) : Object.values(r)[0])),
          example.result,
        );
      } else {
        expect(rows).toHaveLength(1);
        near(Object.values(rows[0]!)[0], example.result);
      }
    });
  }
});
