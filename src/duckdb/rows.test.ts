import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AnyRow, DataType, StructType, Value } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type Connection, columnDefinitions, type Database, insertRows, openDatabase } from "./duckdb.ts";
import { literalSql } from "./literal.ts";

let database: Database;
let connection: Connection;

beforeAll(async () => {
  database = await openDatabase(":memory:", { threads: 1 });
  connection = await database.connect();
});
afterAll(() => database.close());

const ATOMS: readonly (readonly [DataType, fc.Arbitrary<Value>])[] = [
  [{ kind: "boolean" }, fc.boolean()],
  [{ kind: "byte" }, fc.integer({ min: -128, max: 127 })],
  [{ kind: "short" }, fc.integer({ min: -32768, max: 32767 })],
  [{ kind: "integer" }, fc.integer()],
  [{ kind: "long" }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  [{ kind: "float" }, fc.float()],
  [{ kind: "double" }, fc.double()],
  [{ kind: "string" }, fc.string({ unit: "binary", maxLength: 40 })],
  [{ kind: "binary" }, fc.uint8Array({ maxLength: 40 })],
  [{ kind: "date" }, fc.integer({ min: -700_000, max: 2_000_000 }).map((days) => new Date(days * 86_400_000))],
  [{ kind: "timestamp" }, fc.integer({ min: -60_000_000_000_000, max: 200_000_000_000_000 }).map((ms) => new Date(ms))],
  [
    { kind: "timestamp_ntz" },
    fc.integer({ min: -60_000_000_000_000, max: 200_000_000_000_000 }).map((ms) => new Date(ms)),
  ],
  [{ kind: "interval_day_time" }, fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n })],
  ...[
    [4, 2],
    [9, 0],
    [18, 6],
    [38, 10],
  ].map(
    ([precision, scale]) =>
      [
        { kind: "decimal", precision: precision!, scale: scale! } as DataType,
        fc.bigInt({ min: -(10n ** BigInt(precision!)) + 1n, max: 10n ** BigInt(precision!) - 1n }).map((n) => {
          const digits = (n < 0n ? -n : n).toString().padStart(scale! + 1, "0");
          const text = scale === 0 ? digits : `${digits.slice(0, -scale!)}.${digits.slice(-scale!)}`;
          return n < 0n ? `-${text}` : text;
        }),
      ] as const,
  ),
];

interface Typed {
  readonly type: DataType;
  readonly value: fc.Arbitrary<Value>;
}

const typed: fc.Arbitrary<Typed> = fc.letrec<{ any: Typed }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.constant<Typed>({ type: { kind: "struct", fields: [] }, value: fc.constant({}) }),
    fc.constantFrom(...ATOMS).map(([type, value]) => ({ type, value })),
    tie("any").map(({ type, value }) => ({
      type: { kind: "array", elementType: type, containsNull: true } as DataType,
      value: fc.array(fc.option(value), { maxLength: 4 }) as fc.Arbitrary<Value>,
    })),
    fc.tuple(fc.constantFrom<"string" | "integer">("string", "integer"), tie("any")).map(([key, { type, value }]) => ({
      type: { kind: "map", keyType: { kind: key }, valueType: type, valueContainsNull: true } as DataType,
      value: fc
        .array(fc.tuple(key === "string" ? fc.string({ maxLength: 6 }) : fc.integer(), fc.option(value)), {
          maxLength: 4,
        })
        .map((pairs) => new Map<Value, Value>(pairs)) as fc.Arbitrary<Value>,
    })),
    fc.array(tie("any"), { minLength: 1, maxLength: 3 }).map((fields) => ({
      type: {
        kind: "struct",
        fields: fields.map((f, i) => ({ name: `f ${i}"`, type: f.type, nullable: true })),
      } as DataType,
      value: fc.record(
        Object.fromEntries(fields.map((f, i) => [`f ${i}"`, fc.option(f.value)])),
      ) as unknown as fc.Arbitrary<Value>,
    })),
  ),
})).any;

/** NaN equals NaN and -0 equals 0, which DuckDB keeps apart but nobody else. */
function normal(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(normal);
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [normal(k), normal(v)]));
  if (value !== null && typeof value === "object" && value.constructor === Object) {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, normal(v)]));
  }
  return value;
}

test("values of every type come back as they went in, through the appender", async () => {
  await fc.assert(
    fc.asyncProperty(
      typed.chain(({ type, value }) =>
        fc.record({ type: fc.constant(type), rows: fc.array(fc.option(value), { maxLength: 12 }) }),
      ),
      async ({ type, rows }) => {
        const schema: StructType = { kind: "struct", fields: [{ name: "v", type, nullable: true }] };
        await connection.exec(`CREATE OR REPLACE TABLE t (${columnDefinitions(schema, (f) => sqlType(f.type))})`);
        await insertRows(
          connection,
          "t",
          schema,
          rows.map((v) => ({ v }) as AnyRow),
        );
        const { rows: back } = await connection.query("SELECT v FROM t ORDER BY rowid");
        expect(back.map((r) => normal(r.v))).toEqual(rows.map(normal));
      },
    ),
    { numRuns: 150 },
  );
});

test("values of every type come back as they went in, as SQL literals", async () => {
  await fc.assert(
    fc.asyncProperty(
      typed.chain(({ type, value }) => fc.record({ type: fc.constant(type), value: fc.option(value) })),
      async ({ type, value }) => {
        const { rows, types } = await connection.query(
          `SELECT ${literalSql(value, type)} AS v, CAST(NULL AS ${sqlType(type)}) AS n`,
        );
        expect(String(types[0])).toBe(String(types[1]));
        expect(normal(rows[0]!.v)).toEqual(normal(value));
      },
    ),
    { numRuns: 150 },
  );
});

test("several chunks, rows as arrays", async () => {
  const schema: StructType = {
    kind: "struct",
    fields: [
      { name: "a", type: { kind: "long" }, nullable: true },
      { name: "b", type: { kind: "array", elementType: { kind: "string" }, containsNull: true }, nullable: true },
    ],
  };
  await connection.exec("CREATE OR REPLACE TABLE t (a BIGINT, b VARCHAR[])");
  const rows = Array.from({ length: 5000 }, (_, i) => [BigInt(i), i % 3 === 0 ? null : [`x${i}`, null]] as const);
  await insertRows(connection, "t", schema, rows);
  const { columns } = await connection.query("SELECT a, b FROM t ORDER BY a");
  expect(columns[0]).toEqual(rows.map((r) => r[0]));
  expect(columns[1]).toEqual(rows.map((r) => r[1]));
});

const refused: readonly (readonly [DataType, unknown, RegExp])[] = [
  [{ kind: "long" }, 1.5, /Column `v` cannot hold 1.5: its type is BIGINT. A `long` is a bigint/],
  [{ kind: "long" }, 2n ** 63n, /cannot hold 9223372036854775808n/],
  [{ kind: "byte" }, 128, /cannot hold 128/],
  [{ kind: "integer" }, "1", /cannot hold "1"/],
  [{ kind: "boolean" }, 1, /cannot hold 1/],
  [{ kind: "string" }, 1, /cannot hold 1: its type is STRING/],
  [{ kind: "timestamp" }, 1, /A `timestamp` is a Date/],
  [{ kind: "timestamp" }, new Date(Number.NaN), /cannot hold null/],
  [{ kind: "decimal", precision: 4, scale: 2 }, "123.4", /cannot hold "123.4"/],
  [
    { kind: "array", elementType: { kind: "integer" }, containsNull: true },
    ["a"],
    /Column `v.element` cannot hold "a"/,
  ],
  [{ kind: "struct", fields: [{ name: "x", type: { kind: "integer" }, nullable: true }] }, { x: "a" }, /Column `v.x`/],
  [{ kind: "struct", fields: [] }, 5, /cannot hold 5/],
];

test.each(refused)("a value of the wrong type is refused: %j", async (type, value, message) => {
  const schema: StructType = { kind: "struct", fields: [{ name: "v", type, nullable: true }] };
  await connection.exec(`CREATE OR REPLACE TABLE t (${columnDefinitions(schema, (f) => sqlType(f.type))})`);
  await expect(insertRows(connection, "t", schema, [{ v: value } as AnyRow])).rejects.toMatchObject({
    code: "INVALID_VALUE",
    message: expect.stringMatching(message),
  });
  expect((await connection.query("SELECT count(*) AS n FROM t")).rows).toEqual([{ n: 0n }]);
});

test("a safe integer serves as long, a number as decimal", async () => {
  const schema: StructType = {
    kind: "struct",
    fields: [
      { name: "l", type: { kind: "long" }, nullable: true },
      { name: "d", type: { kind: "decimal", precision: 10, scale: 2 }, nullable: true },
    ],
  };
  await connection.exec("CREATE OR REPLACE TABLE t (l BIGINT, d DECIMAL(10,2))");
  await insertRows(connection, "t", schema, [{ l: 5, d: 1.005 }, { l: -1, d: "2.345" }, { d: "1e3" }]);
  expect((await connection.query("FROM t")).rows).toEqual([
    { l: 5n, d: "1.01" },
    { l: -1n, d: "2.35" },
    { l: null, d: "1000.00" },
  ]);
});
