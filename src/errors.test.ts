import { expect, test } from "vitest";
import { nearest } from "./errors.ts";

test.each([
  ["startingOffset", "startingOffsets"],
  ["TLL", "ttl"],
  ["dbtabel", "dbtable"],
  ["b", undefined],
  ["zz", undefined],
  ["quite another thing", undefined],
])("the nearest to %s is %s", (given, expected) => {
  expect(nearest(given, ["startingOffsets", "dbtable", "ttl", "a"])).toBe(expected);
});
