import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DataType, StructType } from "../../types/data-type.ts";
import { partitionValue, statsText } from "./statistics.ts";

const schemaOf = (type: DataType): StructType => ({ kind: "struct", fields: [{ name: "c", type, nullable: true }] });
const stats = (type: DataType, min: unknown, max: unknown): any =>
  JSON.parse(
    statsText(
      { path: "p", bytes: 1, rowCount: 2, partitionValues: {}, statistics: { c: { min, max, nullCount: 1 } } },
      schemaOf(type),
      [],
    ),
  );

describe("statsText", () => {
  it("writes numbers with all their digits", () => {
    const text = statsText(
      {
        path: "p",
        bytes: 1,
        rowCount: 2,
        partitionValues: {},
        statistics: { c: { min: "-9223372036854775808", max: "9223372036854775807", nullCount: 0 } },
      },
      schemaOf({ kind: "long" }),
      [],
    );
    expect(text).toBe(
      '{"numRecords":2,"minValues":{"c":-9223372036854775808},"maxValues":{"c":9223372036854775807},"nullCount":{"c":0}}',
    );
  });

  it("gives texts bounds of at most 32 characters that are bounds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (value) => {
        const { minValues, maxValues } = stats({ kind: "string" }, value, value);
        expect([...minValues.c].length).toBeLessThanOrEqual(32);
        expect(Buffer.compare(Buffer.from(minValues.c), Buffer.from(value))).toBeLessThanOrEqual(0);
        expect(Buffer.compare(Buffer.from(maxValues.c), Buffer.from(value))).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("rounds moments outwards to milliseconds", () => {
    const type: DataType = { kind: "timestamp" };
    expect(stats(type, "2001-01-01 00:00:00.123456+00", "2001-01-01 00:00:00.123456+00")).toMatchObject({
      minValues: { c: "2001-01-01T00:00:00.123Z" },
      maxValues: { c: "2001-01-01T00:00:00.124Z" },
    });
    expect(stats(type, "2001-01-01 02:00:00+02", "2001-01-01T00:00:00.5Z")).toMatchObject({
      minValues: { c: "2001-01-01T00:00:00.000Z" },
      maxValues: { c: "2001-01-01T00:00:00.500Z" },
    });
    expect(stats({ kind: "timestamp_ntz" }, "2001-01-01 00:00:00", "2001-01-01 00:00:00").minValues.c).toBe(
      "2001-01-01T00:00:00.000",
    );
  });

  it("leaves out what is not a bound, keeping the null count", () => {
    for (const [type, value] of [
      [{ kind: "double" }, "nan"],
      [{ kind: "double" }, "inf"],
      [{ kind: "boolean" }, "true"],
      [{ kind: "binary" }, "6162"],
      [{ kind: "date" }, "44-03-15 (BC)"],
      [{ kind: "string" }, undefined],
    ] as const) {
      expect(stats(type, value, value)).toEqual({ numRecords: 2, minValues: {}, maxValues: {}, nullCount: { c: 1 } });
    }
  });
});

describe("partitionValue", () => {
  it.each([
    [{ kind: "timestamp" }, "2001-01-01 00:00:00.5", "2001-01-01T00:00:00.500000Z"],
    [{ kind: "timestamp" }, "2001-01-01 02:00:00.000007+02", "2001-01-01T00:00:00.000007Z"],
    [{ kind: "timestamp_ntz" }, "2001-01-01 00:00:00", "2001-01-01 00:00:00.000000"],
    [{ kind: "date" }, "2001-01-01", "2001-01-01"],
    [{ kind: "string" }, "", null],
    [{ kind: "string" }, null, null],
  ] as const)("%j %j", (type, given, expected) => {
    expect(partitionValue(given, type)).toBe(expected);
  });
});
