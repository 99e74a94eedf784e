import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { DataType, StructType } from "./data-type.ts";
import { parseDdl, parseType, sqlName, toDdl } from "./ddl.ts";
import { schema, structOf, t, valueMode } from "./schema.ts";
import { fromSparkJson, structFromSparkJson, toSparkJson } from "./struct-json.ts";

const name = fc.string({ minLength: 1, maxLength: 12 }).filter((n) => n.trim() !== "");
const atomic = fc.constantFrom<DataType>(
  { kind: "boolean" },
  { kind: "byte" },
  { kind: "short" },
  { kind: "integer" },
  { kind: "long" },
  { kind: "float" },
  { kind: "double" },
  { kind: "string" },
  { kind: "binary" },
  { kind: "date" },
  { kind: "timestamp" },
  { kind: "timestamp_ntz" },
  { kind: "decimal", precision: 12, scale: 3 },
);
const { type } = fc.letrec<{ type: DataType; struct: StructType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3 },
    atomic,
    tie("struct"),
    tie("type").map((elementType): DataType => ({ kind: "array", elementType, containsNull: true })),
    fc
      .tuple(tie("type"), tie("type"))
      .map(([keyType, valueType]): DataType => ({ kind: "map", keyType, valueType, valueContainsNull: true })),
  ),
  struct: fc
    .uniqueArray(fc.record({ name, type: tie("type"), nullable: fc.boolean() }), {
      selector: (f) => f.name,
      maxLength: 4,
    })
    .map((fields): StructType => ({ kind: "struct", fields })),
}));

describe("a type survives", () => {
  test("Spark's JSON", () => {
    fc.assert(
      fc.property(type, (x) => {
        expect(fromSparkJson(JSON.parse(JSON.stringify(toSparkJson(x))))).toEqual(x);
      }),
    );
  });
  test("DDL", () => {
    fc.assert(
      fc.property(type, (x) => {
        expect(parseType(sqlName(x))).toEqual(x);
      }),
    );
  });
});

describe("DDL", () => {
  test("reads what Spark writes", () => {
    const s = parseDdl(
      "ts timestamp not null, `a b` array<string>, m MAP<STRING,DECIMAL(10,2)>, p STRUCT<x: DOUBLE, y DOUBLE> COMMENT 'it\\'s'",
    );
    expect(toDdl(s)).toBe(
      "ts TIMESTAMP NOT NULL, `a b` ARRAY<STRING>, m MAP<STRING, DECIMAL(10,2)>, p STRUCT<x: DOUBLE, y: DOUBLE> COMMENT 'it\\'s'",
    );
    expect(parseDdl(toDdl(s))).toEqual(s);
    expect(parseDdl("")).toEqual({ kind: "struct", fields: [] });
  });
  test("says where it is wrong", () => {
    expect(() => parseDdl("a INT,, b STRING")).toThrow(/PARSE_SYNTAX_ERROR.*position 7/);
    expect(() => parseDdl("a INTT")).toThrow(/UNSUPPORTED_DATATYPE.*Did you mean "INT"/);
    expect(() => parseDdl("a ARRAY<INT")).toThrow(/position 12/);
    expect(() => parseDdl("a INT;")).toThrow(/position 6/);
  });
});

describe("schema", () => {
  test("is Spark's StructType, as Delta stores it", () => {
    const s = schema({ k: t.notNull(t.string), n: t.long({ mode: "number" }), xs: t.array(t.struct({ x: t.double })) });
    expect(s.dataType.fields.map((f) => [f.name, sqlName(f.type), f.nullable])).toEqual([
      ["k", "STRING", false],
      ["n", "BIGINT", true],
      ["xs", "ARRAY<STRUCT<x: DOUBLE>>", true],
    ]);
    expect(valueMode(s.dataType.fields[1]!)).toBe("number");
    expect(structFromSparkJson(JSON.stringify(toSparkJson(s.dataType)))).toEqual(s.dataType);
  });
  test("comes from zod", () => {
    const s = schema(
      z.object({
        id: z.bigint(),
        n: z.int32(),
        big: z.int(),
        d: z.number().optional(),
        at: z.date().nullable(),
        tags: z.array(z.string()),
        by: z.record(z.string(), z.number()),
        kind: z.enum(["a", "b"]),
        in: z.object({ ok: z.boolean() }),
      }),
    );
    expect(toDdl(s.dataType)).toBe(
      "id BIGINT, n INT, big BIGINT, d DOUBLE, at TIMESTAMP, tags ARRAY<STRING>, by MAP<STRING, DOUBLE>, kind STRING, in STRUCT<ok: BOOLEAN>",
    );
    expect(valueMode(s.dataType.fields[2]!)).toBe("number");
  });
  test("says what to do where a library gives no structure or a field has no one type", () => {
    const silent = { "~standard": { version: 1, vendor: "quiet", validate: (value: unknown) => ({ value }) } } as const;
    expect(() => structOf(silent)).toThrow(/INVALID_SCHEMA.*quiet.*~standard\.jsonSchema/);
    expect(() => schema(z.object({ x: z.union([z.string(), z.number()]) }))).toThrow(
      /INVALID_SCHEMA.*"x".*string\|number/,
    );
    expect(() => schema(z.string())).toThrow(/INVALID_SCHEMA.*not an object/);
    expect(() => schema({ x: undefined as any })).toThrow(/INVALID_SCHEMA.*"x"/);
    expect(() => t.decimal(50, 2)).toThrow(/INVALID_SCHEMA/);
  });
});
