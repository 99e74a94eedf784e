import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { publish } from "../events.ts";
import { type BadRecordNews, followBadRecords } from "./bad-record-feed.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("the first is told at once, the others by number every five seconds, each source by itself", () => {
  const told: BadRecordNews[] = [];
  const stop = followBadRecords((news) => told.push(news));
  const bad = (source: string, n: number): void => {
    for (let i = 0; i < n; i++) publish("record.bad", { source, reason: "It is no JSON.", sample: `${i}` });
  };
  bad("a", 1000);
  bad("b", 1);
  expect(told.map((t) => [t.source, t.count, t.sample])).toEqual([
    ["a", 1, "0"],
    ["b", 1, "0"],
  ]);
  vi.advanceTimersByTime(5_000);
  expect(told.slice(2).map((t) => [t.source, t.count, t.sample])).toEqual([["a", 999, "999"]]);
  bad("b", 1); // b was silent for five seconds
  expect(told.at(-1)).toMatchObject({ source: "b", count: 1 });
  bad("a", 3);
  stop();
  expect(told.at(-1)).toMatchObject({ source: "a", count: 3 });
  expect(told.reduce((n, t) => n + t.count, 0)).toBe(1005);
  bad("a", 1);
  expect(told.reduce((n, t) => n + t.count, 0)).toBe(1005);
});
