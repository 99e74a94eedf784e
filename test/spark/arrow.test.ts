import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sparkHome } from "../../services/spark.ts";
import { decodeArrow, decodeArrowColumns, encodeArrow } from "../../src/spark/arrow.ts";
import type { AnyRow, DataType, StructType } from "../../src/types/data-type.ts";
import { parseDdl } from "../../src/types/ddl.ts";
import { given } from "../needs.ts";
import { typedRow } from "./typed-values.ts";

const rowsOf = typedRow.chain(({ type, values }) =>
  fc.record({ schema: fc.constant(type as StructType), rows: fc.array(values, { maxLength: 20 }) }),
);

describe("Arrow", () => {
  test("rows of every type, nesting and null come back as they went in", () => {
    fc.assert(
      fc.property(rowsOf, ({ schema, rows }) => {
        const bytes = encodeArrow(schema, rows as AnyRow[]);
        expect(decodeArrow(bytes, schema).rows).toEqual(rows);
      }),
      { numRuns: 500 },
    );
  });

  test("the stream alone says the types, but for metadata", () => {
    fc.assert(
      fc.property(rowsOf, ({ schema, rows }) => {
        expect(decodeArrow(encodeArrow(schema, rows as AnyRow[]))).toEqual({ schema, rows });
      }),
      { numRuns: 200 },
    );
  });

  test("a stream that begins anywhere in a buffer", () => {
    const schema = parseDdl("a BIGINT, b STRING");
    const bytes = encodeArrow(schema, [{ a: 1n, b: "x" }]);
    for (let shift = 0; shift < 9; shift++) {
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      expect(decodeArrow(moved.subarray(shift), schema).rows).toEqual([{ a: 1n, b: "x" }]);
    }
  });

  test("microseconds are kept where they are asked for", () => {
    const schema = parseDdl("t TIMESTAMP, n TIMESTAMP_NTZ, l ARRAY<TIMESTAMP>");
    const row = { t: 978307200000001n, n: -62135596800000000n + 1n, l: [253402300799999999n, null] };
    const bytes = encodeArrow(schema, [row], { timestamps: "micros" });
    expect(decodeArrow(bytes, schema, { timestamps: "micros" }).rows).toEqual([row]);
    // As a Date they are cut downwards, before 1970 too.
    expect(decodeArrow(bytes, schema).rows).toEqual([
      { t: new Date(978307200000), n: new Date(-62135596800000), l: [new Date(253402300799999), null] },
    ]);
    const before = encodeArrow(parseDdl("t TIMESTAMP"), [{ t: -1n }], { timestamps: "micros" });
    expect(decodeArrow(before).rows).toEqual([{ t: new Date(-1) }]);
  });

  test("forms of values that the fields ask for", () => {
    const mode = (m: string) => ({ metadata: { "millrace:mode": m } });
    const schema: StructType = {
      kind: "struct",
      fields: [
        { name: "n", type: { kind: "long" }, nullable: true, ...mode("number") },
        { name: "t", type: { kind: "timestamp" }, nullable: true, ...mode("micros") },
        {
          name: "l",
          type: { kind: "array", elementType: { kind: "long" }, containsNull: true },
          nullable: true,
          ...mode("number"),
        },
      ],
    };
    const bytes = encodeArrow(schema, [{ n: 7n, t: new Date(1), l: [1n, null] }, {}]);
    expect(decodeArrow(bytes, schema, { modes: true }).rows).toEqual([
      { n: 7, t: 1000n, l: [1, null] },
      { n: null, t: null, l: null },
    ]);
    expect(decodeArrow(bytes, schema).rows[0]).toEqual({ n: 7n, t: new Date(1), l: [1n, null] });
  });

  test("of equal names the last counts, and a field may be called __proto__", () => {
    const schema = parseDdl("a INT, `__proto__` INT, a STRING");
    const { batches } = decodeArrowColumns(encodeArrow(schema, []), schema);
    expect(batches).toHaveLength(1);
    const own = decodeArrow(encodeArrow(parseDdl("`__proto__` INT"), [JSON.parse('{"__proto__": 5}')])).rows[0]!;
    expect(Object.entries(own)).toEqual([["__proto__", 5]]);
  });

  test("rows without columns are counted by the server's word", () => {
    const none: StructType = { kind: "struct", fields: [] };
    expect(decodeArrow(encodeArrow(none, []), none, { rowCount: 3 }).rows).toEqual([{}, {}, {}]);
  });

  const refused: readonly (readonly [DataType, unknown, RegExp])[] = [
    [{ kind: "long" }, 1.5, /Column `v` cannot hold 1.5: its type is BIGINT/],
    [{ kind: "long" }, 2n ** 63n, /cannot hold 9223372036854775808n/],
    [{ kind: "byte" }, 128, /cannot hold 128/],
    [{ kind: "integer" }, "1", /cannot hold "1"/],
    [{ kind: "boolean" }, 1, /cannot hold 1/],
    [{ kind: "string" }, 1, /cannot hold 1: its type is STRING/],
    [{ kind: "binary" }, "x", /cannot hold "x"/],
    [{ kind: "date" }, 1, /cannot hold 1/],
    [{ kind: "timestamp" }, 1n, /cannot hold 1n/],
    [{ kind: "timestamp" }, new Date(Number.NaN), /cannot hold null/],
    [{ kind: "decimal", precision: 4, scale: 2 }, "123.4", /cannot hold "123.4"/],
    [{ kind: "null" }, 1, /cannot hold 1/],
    [{ kind: "array", elementType: { kind: "integer" }, containsNull: true }, ["a"], /`v.element` cannot hold "a"/],
    [{ kind: "array", elementType: { kind: "integer" }, containsNull: false }, [null], /`v.element` cannot hold null/],
    [
      { kind: "struct", fields: [{ name: "x", type: { kind: "integer" }, nullable: false }] },
      {},
      /`v.x` cannot hold null/,
    ],
    [{ kind: "struct", fields: [] }, 5, /cannot hold 5/],
    [
      { kind: "map", keyType: { kind: "string" }, valueType: { kind: "integer" }, valueContainsNull: false },
      new Map([["a", null]]),
      /`v.value` cannot hold null/,
    ],
  ];
  test.each(refused)("a value of the wrong type is refused: %j", (type, value, message) => {
    const schema: StructType = { kind: "struct", fields: [{ name: "v", type, nullable: true }] };
    expect(() => encodeArrow(schema, [{ v: value } as AnyRow])).toThrow(
      expect.objectContaining({ code: "INVALID_VALUE", message: expect.stringMatching(message) }),
    );
  });

  test("a null struct has null fields, whatever they may be", () => {
    const schema: StructType = {
      kind: "struct",
      fields: [{ name: "s", type: parseDdl("x INT NOT NULL"), nullable: true }],
    };
    const rows = [{ s: null }, { s: { x: 1 } }];
    expect(decodeArrow(encodeArrow(schema, rows)).rows).toEqual(rows);
    const strict = { kind: "struct", fields: [{ name: "s", type: { kind: "long" }, nullable: false }] } as const;
    expect(() => encodeArrow(strict, [{ s: null }])).toThrow(/may not be null/);
  });
});

const home = given(await sparkHome());

describe.skipIf(home === undefined)("pyarrow", () => {
  test("reads what we write, and we read what it writes", () => {
    const samples = fc.sample(rowsOf, { numRuns: 60, seed: 4 });
    const streams = samples.map(({ schema, rows }) => encodeArrow(schema, rows as AnyRow[]));
    // Read, check, write again: with large offsets, too, which Spark sends on request.
    const program = `
import sys, pyarrow as pa, json
def large(t):
    if pa.types.is_string(t): return pa.large_string()
    if pa.types.is_binary(t): return pa.large_binary()
    return t
data = sys.stdin.buffer.read()
at = 0
while at < len(data):
    n = int.from_bytes(data[at:at + 4], "little")
    table = pa.ipc.open_stream(data[at + 4:at + 4 + n]).read_all()
    table.validate(full=True)
    at += 4 + n
    table = pa.Table.from_arrays([c.cast(large(c.type)) for c in table.columns], schema=pa.schema([pa.field(f.name, large(f.type), f.nullable) for f in table.schema]))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    out = sink.getvalue().to_pybytes()
    sys.stdout.buffer.write(len(out).to_bytes(4, "little") + out)
`;
    const input = Buffer.concat(
      streams.flatMap((s) => {
        const head = Buffer.alloc(4);
        head.writeUInt32LE(s.length);
        return [head, s];
      }),
    );
    const output = execFileSync(home!.python, ["-c", program], { input, maxBuffer: 64 << 20 });
    let at = 0;
    for (const { schema, rows } of samples) {
      const n = output.readUInt32LE(at);
      const { rows: back } = decodeArrow(output.subarray(at + 4, at + 4 + n), schema);
      at += 4 + n;
      expect(back).toEqual(rows);
    }
    expect(at).toBe(output.length);
  });
});
