import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonValue } from "../to-json.ts";
import { recordText } from "./record-text.ts";

test("what is shown of any bytes is text that is a prefix of them, or base64 of a prefix with a reason", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 4, max: 100 }), (bytes, max) => {
      const shown = recordText(bytes, max)!;
      expect(shown.truncated).toBe(bytes.length > max);
      const prefix = "text" in shown ? Buffer.from(shown.text, "utf8") : Buffer.from(shown.base64, "base64");
      expect(prefix.length).toBeLessThanOrEqual(max);
      expect(Buffer.from(bytes).subarray(0, prefix.length).equals(prefix)).toBe(true);
      if ("reason" in shown) expect(shown.reason).toMatch(/\.$/);
    }),
  );
});

test("text that is cut off stays text, wherever its characters end", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("a", "ü", "€", "😀"), minLength: 1, maxLength: 60 }),
      fc.integer({ min: 4, max: 200 }),
      (text, max) => {
        const bytes = Buffer.from(text, "utf8");
        const shown = recordText(bytes, max)!;
        expect(shown).toHaveProperty("text");
        if (bytes.length <= max) expect(shown).toEqual({ text, truncated: false });
        else expect(text.startsWith((shown as { text: string }).text)).toBe(true);
      },
    ),
  );
});

test("any value becomes JSON that is small, and comes back from JSON as it was", () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true, withNullPrototype: true }),
      (value) => {
        const shown = jsonValue(value);
        const text = JSON.stringify(shown);
        expect(JSON.parse(text)).toEqual(shown);
      },
    ),
  );
  expect(jsonValue([2n ** 60n, 5n, Number.NaN, new Date(0), new Uint8Array(3), "x".repeat(3_000), undefined])).toEqual([
    "1152921504606846976",
    5,
    "NaN",
    "1970-01-01T00:00:00.000Z",
    "[binary, 3 bytes]",
    `${"x".repeat(2_000)}…`,
    null,
  ]);
  // as deep and as wide as anybody makes it
  let deep: unknown = 1;
  for (let i = 0; i < 10_000; i++) deep = [deep];
  expect(JSON.stringify(jsonValue(deep)).length).toBeLessThan(100);
  expect(jsonValue(Array.from({ length: 100_000 }, (_, i) => i))).toHaveLength(101);
});
