import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageError } from "../usage-error.ts";
import { readable } from "./bytes.ts";
import { formatter, recordParser } from "./format.ts";
import { rawElements, rawMembers } from "./raw-json.ts";
import { fromJsonLine, toJsonLine } from "./record.ts";
import { parseTime } from "./time.ts";

/** Bytes of all kinds: any, text, JSON as programs write it, JSON with blanks and line breaks. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b)),
  fc.string({ unit: "binary", maxLength: 40 }).map((s) => Buffer.from(s)),
  fc.json().map((s) => Buffer.from(s)),
  fc.jsonValue().map((v) => Buffer.from(` ${JSON.stringify(v, null, 2)}\n`)),
  fc
    .constantFrom('"text"', "null", "5", "-0", "1e3", "9007199254740993", '{"a" : 1}', "", " ", '{"a":"}"}', "true")
    .map((s) => Buffer.from(s)),
);
const nullable = fc.option(bytes, { nil: null });

describe("records as JSON lines", () => {
  test("come back byte for byte", () => {
    fc.assert(
      fc.property(
        fc.record({
          key: nullable,
          value: nullable,
          headers: fc.array(fc.record({ key: fc.string({ unit: "grapheme", maxLength: 5 }), value: nullable }), {
            maxLength: 3,
          }),
          timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 4_102_444_800_000 })),
          partition: fc.nat(100),
          offset: fc.nat(),
        }),
        (record) => {
          const line = toJsonLine(record);
          expect(line).not.toMatch(/[\r\n]/);
          const { offset, ...rest } = record;
          expect(JSON.parse(line).offset).toBe(offset);
          const again = fromJsonLine(line);
          const plain = (b: Uint8Array | null): string | null => (b === null ? null : Buffer.from(b).toString("hex"));
          expect({
            ...again,
            key: plain(again.key),
            value: plain(again.value),
            headers: again.headers.map((h) => [h.key, plain(h.value)]),
          }).toEqual({
            ...rest,
            key: plain(record.key),
            value: plain(record.value),
            headers: record.headers.map((h) => [h.key, plain(h.value)]),
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test("JSON stands in them as it was written, text as text, other bytes in hex", () => {
    expect(readable(Buffer.from('{"a": 9007199254740993}'))).toEqual({ json: '{"a": 9007199254740993}' });
    expect(readable(Buffer.from("5"))).toEqual({ json: "5" });
    expect(readable(Buffer.from("null"))).toEqual({ text: "null" });
    expect(readable(Buffer.from('"a"'))).toEqual({ text: '"a"' });
    expect(readable(Buffer.from('{\n"a":1}'))).toEqual({ text: '{\n"a":1}' });
    expect(readable(Buffer.from([0xff]))).toEqual({ hex: "ff" });
    expect(readable(null)).toBeNull();
  });

  test.each([
    ["nonsense", "It is no JSON"],
    ["[1]", "It is no JSON object"],
    ['{"vlaue":1}', 'A record has no "vlaue"'],
    ['{"valueHex":"f"}', "not pairs of hexadecimal digits"],
    ['{"partition":-1}', "partition is -1"],
    ['{"timestamp":"soon"}', 'timestamp is "soon"'],
    ['{"headers":{"a":1}}', "headers is no array"],
    ['{"headers":[{"value":1}]}', "Header 1 has no name"],
  ])("%s is refused", (line, message) => {
    expect(() => fromJsonLine(line)).toThrow(message);
  });

  test("the raw text of members and elements is what JSON.parse sees", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.array(fc.jsonValue()),
        fc.nat(4),
        (object, array, indent) => {
          const members = rawMembers(JSON.stringify(object, null, indent));
          expect(Object.fromEntries([...members].map(([k, v]) => [k, JSON.parse(v)]))).toEqual(
            JSON.parse(JSON.stringify(object)),
          );
          const elements = rawElements(JSON.stringify(array, null, indent));
          expect(elements.map((e) => JSON.parse(e))).toEqual(JSON.parse(JSON.stringify(array)));
        },
      ),
    );
  });
});

describe("formats", () => {
  const record = {
    topic: "t",
    partition: 3,
    offset: 7,
    timestamp: 1000,
    key: Buffer.from("k"),
    value: Buffer.from([1, 2, 255]),
    headers: [
      { key: "a", value: Buffer.from("1") },
      { key: "b", value: null },
    ],
  };

  test.each([
    ["%k\\t%v{hex}\\n", "k\t0102ff\n"],
    ["%t %p:%o %T %d", "t 3:7 1000 1970-01-01T00:00:01.000Z"],
    ["%h %K %V %S 100%% %v{base64}\\x41\\\\", "a=1,b= 1 3 3 100% AQL/A\\"],
  ])("%s", (format, expected) => {
    expect(formatter(format)(record).toString("latin1")).toBe(expected);
  });

  test("what is written in a format is read in it, however the bytes are cut", () => {
    const line = fc.string({ unit: "binary", maxLength: 10 }).filter((s) => !/[\t\n]/.test(s));
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ key: line, value: fc.uint8Array({ maxLength: 20 }), partition: fc.nat(9), ms: fc.nat() }),
          {
            minLength: 1,
            maxLength: 6,
          },
        ),
        fc.integer({ min: 1, max: 50 }),
        fc.boolean(),
        (records, step, cutLast) => {
          const format = "%p|%T|%k\\t%v{base64}\\n";
          const write = formatter(format);
          const all = Buffer.concat(
            records.map((r) => write({ ...record, ...r, timestamp: r.ms, key: Buffer.from(r.key), value: r.value })),
          );
          const input = cutLast ? all.subarray(0, -1) : all;
          const parser = recordParser(format);
          const found = [];
          for (let at = 0; at < input.length; at += step) found.push(...parser.push(input.subarray(at, at + step)));
          found.push(...parser.end());
          expect(
            found.map((r) => [r.partition, r.timestamp, r.key?.toString(), Buffer.from(r.value!).toString("hex")]),
          ).toEqual(records.map((r) => [r.partition, r.ms, r.key, Buffer.from(r.value).toString("hex")]));
        },
      ),
    );
  });

  test("lines, empty ones too, and nothing for them with nullEmpty", () => {
    const values = (parser: ReturnType<typeof recordParser>, text: string) =>
      [...parser.push(Buffer.from(text)), ...parser.end()].map((r) => r.value?.toString() ?? null);
    expect(values(recordParser("%v\\n"), "a\n\nb")).toEqual(["a", "", "b"]);
    expect(values(recordParser("%v", { nullEmpty: true }), "a\n\nb\n")).toEqual(["a", null, "b"]);
    expect(values(recordParser("%k=%v;"), "a=1;b=2;")).toEqual(["1", "2"]);
    expect(values(recordParser("%v\\n"), "")).toEqual([]);
  });

  test.each([
    ["%x", "--format has %x"],
    ["%k%v", "two fields without anything between"],
    ["\\n", "names no field"],
    ["%o %v", "what cannot be chosen"],
    ["%p{hex}", "--format has %p{hex}"],
    ["\\q%v", "--format has \\q"],
  ])("%s is refused", (format, message) => {
    expect(() => recordParser(format)).toThrow(message);
    expect(() => recordParser(format)).toThrow(UsageError);
  });

  test.each([
    ["%k\\t%v\\n", "no tab here\n", 'Record 1 does not fit the format: "\\t" is missing'],
    ["%p %v\\n", "0 a\nx b\n", 'Record 2 has the partition "x"'],
    ["%v{hex}\\n", "zz\n", "which is no hex"],
    ["%T %v\\n", "later b\n", 'Record 1 has the time "later"'],
  ])("%s of %j is said to be wrong", (format, text, message) => {
    const parser = recordParser(format);
    expect(() => [parser.push(Buffer.from(text)), parser.end()]).toThrow(message);
  });
});

test("times", () => {
  const now = 1_000_000_000_000;
  expect(parseTime("--since", "10m", now)).toBe(now - 600_000);
  expect(parseTime("--since", "-1h30m", now)).toBe(now - 5_400_000);
  expect(parseTime("--since", "1700000000000", now)).toBe(1_700_000_000_000);
  expect(parseTime("--since", "2026-01-31", now)).toBe(Date.UTC(2026, 0, 31));
  expect(parseTime("--since", "2026-01-31T10:00", now)).toBe(Date.UTC(2026, 0, 31, 10));
  expect(parseTime("--since", "2026-01-31 10:00:00+02:00", now)).toBe(Date.UTC(2026, 0, 31, 8));
  expect(() => parseTime("--since", "yesterday", now)).toThrow('--since cannot be "yesterday"');
});
