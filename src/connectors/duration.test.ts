import { expect, it } from "vitest";
import { durationMs } from "./duration.ts";

it.each([
  ["36 hours", 129_600_000],
  ["90s", 90_000],
  ["1 day 12 hours", 129_600_000],
  ["interval 1 week", 604_800_000],
  ["1.5 minutes", 90_000],
  ["250 ms", 250],
  ["0 seconds", 0],
])("%s", (text, ms) => {
  expect(durationMs("ttl", text)).toBe(ms);
});

it.each(["", "soon", "5", "5 parsecs", "-1 hour", "1 hour and more"])("refuses %j", (text) => {
  expect(() => durationMs("ttl", text)).toThrow(/The option ttl is .*36 hours/);
});
