import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { SparkSession } from "../session.ts";

/** A name in `named_struct` has to be a constant: it shows what analysis takes an expression for, beside what the engine computes. */
const spark = SparkSession.builder().getOrCreate();
afterAll(() => spark.stop());

async function folded(sql: string): Promise<string> {
  const rows = await spark.range(1).selectExpr(`named_struct(cast(${sql} as string), 1) as r`).collect();
  return Object.keys(rows[0]!.r as object)[0]!;
}

async function computed(sql: string): Promise<unknown> {
  const rows = await spark.range(1).selectExpr(`cast(${sql} as string) as r`).collect();
  return rows[0]!.r;
}

describe("what constants are worth before any row", () => {
  test.each([
    ["1 + 2 * 3 - 4", "3"],
    ["-(-(7)) % 4", "3"],
    ["7 div 2", "3"],
    ["1.50 + 2", "3.50"],
    ["1.25 * 4", "5.00"],
    ["1.0 / 3", "0.333333"],
    ["-(1.5)", "-1.5"],
    ["cast(7 / 2 as int)", "3"],
    ["cast(' 12 ' as int) + 1", "13"],
    ["cast('9223372036854775807' as bigint) - 1", "9223372036854775806"],
    ["concat('yyyy', '-', upper('mm'))", "yyyy-MM"],
    ["'a' || 1 || true", "a1true"],
    ["trim('  a ') || ltrim(' b ') || rtrim(' c ')", "ab  c"],
    ["substring('abcdef', -3, 2) || substr('abc', 0, 2) || substring('abc', -5, 4)", "deabab"],
    ["repeat('ab', 2) || replace('aXa', 'X', '$&')", "ababa$&a"],
    ["length('aä😀')", "3"],
    ["if(1 < 2 and not false, 'yes', 'no')", "yes"],
    ["case when cast(null as boolean) then 1 when 'a' = 'b' or 2 >= 2 then 2 else 3 end", "2"],
    ["coalesce(null, cast(null as string), 'x')", "x"],
  ])("%s", async (sql, value) => {
    expect(await folded(sql)).toBe(value);
    expect(await computed(sql)).toBe(value);
  });

  test.each([
    "2147483647 + 1",
    "cast(127 as tinyint) + cast(1 as tinyint)",
    "1 div 0",
    "cast('x' as int)",
    "cast(3e9 as int)",
  ])("%s has no value", async (sql) => {
    await expect(folded(sql)).rejects.toThrow("named_struct");
    await expect(computed(sql)).rejects.toThrow();
  });

  test.each(["current_timestamp()", "rand()", "uuid()", "id"])("%s is no constant", async (sql) => {
    await expect(folded(sql)).rejects.toThrow("named_struct");
  });

  const whole: fc.Arbitrary<string> = fc.letrec<{ e: string }>((tie) => ({
    e: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.integer({ min: -50, max: 50 }).map((n) => `(${n})`),
      fc.constantFrom("cast(3 as tinyint)", "200L", "2147483647", "1.5", "0.25", "cast('4' as int)"),
      fc.tuple(tie("e"), fc.constantFrom("+", "-", "*", "%", "div"), tie("e")).map(([a, op, b]) => `(${a} ${op} ${b})`),
      fc.tuple(tie("e"), tie("e"), tie("e")).map(([a, b, c]) => `if(${a} < ${b}, ${c}, ${a})`),
    ),
  })).e;

  test("arithmetic has the value that the engine computes, and none where that fails or is null", {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(whole, async (sql) => {
        const value = await computed(sql).catch(() => null);
        const name = await folded(sql).catch(() => null);
        if (value === null || name !== null) expect(name).toBe(value);
      }),
      { numRuns: 60 },
    );
  });
});
