import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CommandReader, encode, encodeCommand, type Reply, splitInline } from "./resp.ts";

function readAll(bytes: Buffer, sizes: number[]): { commands: string[][]; fault: string | undefined } {
  const reader = new CommandReader();
  const commands: string[][] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : Math.max(1, sizes[i % sizes.length]!);
    commands.push(...reader.push(Buffer.from(bytes.subarray(at, at + size))));
    at += size;
  }
  return { commands, fault: reader.fault?.message };
}

const word = fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b).toString("latin1"));

describe("reading commands", () => {
  test("any commands, cut anywhere, come back as they were sent", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 8 }),
        (commands, sizes) => {
          const bytes = Buffer.from(commands.map(encodeCommand).join(""), "latin1");
          expect(readAll(bytes, sizes)).toEqual({ commands, fault: undefined });
        },
      ),
    );
  });

  test("where each command ended is told", () => {
    const [a, b] = [encodeCommand(["SET", "k", "v"]), encodeCommand(["DEL", "k"])];
    const reader = new CommandReader();
    reader.push(Buffer.from(a.slice(0, 9)));
    expect(reader.ends).toEqual([]);
    reader.push(Buffer.from(a.slice(9) + b));
    expect(reader.ends).toEqual([a.length, a.length + b.length]);
  });

  test("lines typed by hand, with quotes", () => {
    expect(readAll(Buffer.from("PING\r\n\r\n  set \"a b\" 'c'\n"), [3])).toEqual({
      commands: [["PING"], ["set", "a b", "c"]],
      fault: undefined,
    });
    expect(splitInline("a \"\\x41\\n\\\"\" 'it\\'s'")).toEqual(["a", 'A\n"', "it's"]);
  });

  test.each([
    ["*1\r\n:3\r\n", "expected '$', got ':'"],
    ["*x\r\n", "invalid multibulk length"],
    ["*1048577\r\n", "invalid multibulk length"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ["*1\r\n$536870913\r\n", "invalid bulk length"],
    ['"open\r\n', "unbalanced quotes in request"],
    ["x".repeat(70_000), "too big inline request"],
  ])("%j ends the stream", (bytes, fault) => {
    expect(readAll(Buffer.from(`*1\r\n$4\r\nPING\r\n${bytes}`), [])).toEqual({ commands: [["PING"]], fault });
  });

  test("a huge argument in many pieces is joined once", () => {
    const value = "v".repeat(20_000_000);
    const bytes = Buffer.from(encodeCommand(["SET", "k", value]));
    const started = process.cpuUsage();
    expect(readAll(bytes, [65_536]).commands[0]![2]!.length).toBe(value.length);
    expect(process.cpuUsage(started).user).toBeLessThan(5_000_000);
  });
});

describe("replies", () => {
  test.each<[Reply, string, string]>([
    ["text", "$4\r\ntext\r\n", "$4\r\ntext\r\n"],
    [null, "$-1\r\n", "_\r\n"],
    [-3, ":-3\r\n", ":-3\r\n"],
    [2n ** 62n, ":4611686018427387904\r\n", ":4611686018427387904\r\n"],
    [["a", 1], "*2\r\n$1\r\na\r\n:1\r\n", "*2\r\n$1\r\na\r\n:1\r\n"],
    [{ map: ["f", "v"] }, "*2\r\n$1\r\nf\r\n$1\r\nv\r\n", "%1\r\n$1\r\nf\r\n$1\r\nv\r\n"],
    [{ nullArray: true }, "*-1\r\n", "_\r\n"],
    [{ pushes: [["message", "c"]] }, "*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n", ">2\r\n$7\r\nmessage\r\n$1\r\nc\r\n"],
    [{ error: "ERR a\r\nb" }, "-ERR a b\r\n", "-ERR a b\r\n"],
  ])("%s in both versions", (reply, two, three) => {
    expect(encode(reply, 2)).toBe(two);
    expect(encode(reply, 3)).toBe(three);
  });
});
