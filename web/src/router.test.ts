import fc from "fast-check";
import { expect, test } from "vitest";
import { link, parse } from "./router.ts";

test("an address leads to its page", () => {
  expect(parse("")).toMatchObject({ page: "", name: "" });
  expect(parse("#/")).toMatchObject({ page: "", name: "" });
  const place = parse("#/database/delays?schema=public");
  expect([place.page, place.name, place.query.get("schema")]).toEqual(["database", "delays", "public"]);
  expect(parse("#/topic/%E0%A4%A").name).toBe("%E0%A4%A");
  expect(link("cache", "", { match: undefined, key: "" })).toBe("#/cache");
});

test("any name survives its address", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.string(), (name, value) => {
      const place = parse(link("topic", name, { from: value }));
      expect(place.page).toBe("topic");
      expect(place.name).toBe(name);
      expect(place.query.get("from") ?? "").toBe(value);
    }),
  );
});
