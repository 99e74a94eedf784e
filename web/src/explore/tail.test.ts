import { describe, expect, test } from "vitest";
import type { MessagePage, TopicMessage } from "../../../src/observe/api-explore.ts";
import { extendTail, firstTail, fromOf, hexdump, jumpTail, KEEP, oneLine, pretty } from "./tail.ts";

const message = (offset: number, partition = 0): TopicMessage => ({
  partition,
  offset: String(offset),
  timestamp: offset,
  key: null,
  value: { text: `v${offset}`, truncated: false },
  headers: [],
  size: 2,
});
const page = (messages: TopicMessage[], next: string, end = true): MessagePage => ({
  messages,
  scanned: messages.length,
  end,
  next,
});
const range = (from: number, to: number): TopicMessage[] =>
  Array.from({ length: to - from }, (_, i) => message(from + i));
const offsets = (messages: readonly TopicMessage[]): number[] => messages.map((m) => Number(m.offset));

describe("the live end of a topic", () => {
  const first = firstTail(page(range(0, 3).reverse(), "0:3"));

  test("what comes in stands on top, once", () => {
    const tail = extendTail(first, page(range(2, 5), "0:5"));
    expect(offsets(tail.messages)).toEqual([4, 3, 2, 1, 0]);
    expect(tail).toMatchObject({ next: "0:5", skipped: 0 });
  });

  test("nothing new leaves the rows", () => {
    expect(extendTail(first, page([], "0:3")).messages).toBe(first.messages);
  });

  test("what is too fast is skipped and counted", () => {
    const more = extendTail(first, page(range(3, 103), "0:103", false));
    const tail = jumpTail(more, page(range(950, 1000).reverse(), "0:1000"));
    expect(offsets(tail.messages).slice(0, 2)).toEqual([999, 998]);
    expect(tail.skipped).toBe(1000 - 103 - 50);
    expect(tail.next).toBe("0:1000");
  });

  test("it is bounded", () => {
    expect(extendTail(first, page(range(3, 500), "0:500")).messages).toHaveLength(KEEP);
  });
});

test("where to read from", () => {
  const seek = { at: "", partition: "", search: "" };
  expect(fromOf({ ...seek, from: "latest" })).toEqual({ from: "latest" });
  expect(fromOf({ ...seek, from: "offset", at: " 17 " })).toEqual({ from: "17" });
  expect(fromOf({ ...seek, from: "offset", at: "-1" })).toHaveProperty("problem");
  expect(fromOf({ ...seek, from: "time", at: "2026-11-23T12:00:00" })).toEqual({
    from: new Date("2026-11-23T12:00:00").toISOString(),
  });
  expect(fromOf({ ...seek, from: "time" })).toHaveProperty("problem");
});

test("contents", () => {
  expect(pretty('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(pretty("{broken")).toBe("{broken");
  expect(pretty("12345678901234567890")).toBe("12345678901234567890");
  expect(oneLine({ text: "a\n  b", truncated: false })).toBe("a b");
  expect(oneLine({ text: "abcdef", truncated: false }, 3)).toBe("abc…");
  expect(oneLine(null)).toBe("null");
  expect(oneLine({ base64: "AAEC", truncated: false, reason: "It is not UTF-8." })).toBe("[binary] AAEC");
  expect(hexdump(btoa("\u0000hello"))).toBe("000000  00 68 65 6c 6c 6f                                .hello");
});
