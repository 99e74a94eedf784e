import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Connection, type Database, openDatabase } from "../duckdb/duckdb.ts";
import { literalSql } from "../duckdb/literal.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { parseType } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { castSql } from "./cast.ts";

let database: Database;
let connection: Connection;

beforeAll(async () => {
  database = await openDatabase(":memory:", { threads: 1 });
  connection = await database.connect();
});
afterAll(() => database.close());

/** Casts a stored value, so that DuckDB cannot fold it while planning. */
async function cast(
  value: Value,
  from: string,
  to: string,
  mode: "ansi" | "try" = "ansi",
  timeZone = "UTC",
): Promise<unknown> {
  const [a, b]: DataType[] = [parseType(from), parseType(to)];
  await connection.exec(`CREATE OR REPLACE TABLE v AS SELECT ${literalSql(value, a!)} AS x`);
  const { rows, types } = await connection.query(
    `SELECT ${castSql("x", a!, b!, mode, timeZone)} AS y, CAST(NULL AS ${sqlType(b!)}) AS n FROM v`,
  );
  expect(String(types[0])).toBe(String(types[1]));
  return rows[0]!.y;
}

const date = (text: string): Date => new Date(text);

// Results of Spark 4 with spark.sql.ansi.enabled = true.
const works: readonly (readonly [Value, string, string, unknown])[] = [
  ["12", "string", "int", 12],
  [" \t+7\n", "string", "int", 7],
  ["-128", "string", "tinyint", -128],
  ["9223372036854775807", "string", "bigint", 9223372036854775807n],
  ["1.5", "string", "double", 1.5],
  [" 1e3 ", "string", "double", 1000],
  ["2.5f", "string", "double", 2.5],
  ["NaN", "string", "double", Number.NaN],
  ["Infinity", "string", "double", Number.POSITIVE_INFINITY],
  ["1.005", "string", "decimal(10,2)", "1.01"],
  ["Yes", "string", "boolean", true],
  [" 0 ", "string", "boolean", false],
  ["2020-02-29", "string", "date", date("2020-02-29")],
  ["2020-2-9", "string", "date", date("2020-02-09")],
  ["2020-02", "string", "date", date("2020-02-01")],
  ["2020", "string", "date", date("2020-01-01")],
  ["2020-02-29T10:00:00", "string", "date", date("2020-02-29")],
  ["2020-02-29 10:11:12.123456", "string", "timestamp", date("2020-02-29T10:11:12.123Z")],
  ["2020-02-29T10:11:12Z", "string", "timestamp", date("2020-02-29T10:11:12Z")],
  ["2020-02-29T10:11:12.5+02:00", "string", "timestamp", date("2020-02-29T08:11:12.5Z")],
  ["2020-02-29 10:11:12 Europe/Berlin", "string", "timestamp", date("2020-02-29T09:11:12Z")],
  ["2020-02-29", "string", "timestamp", date("2020-02-29")],
  ["2020-2-9", "string", "timestamp", date("2020-02-09")],
  ["2020", "string", "timestamp", date("2020-01-01")],
  ["2020-02-29 10:11:12Z", "string", "timestamp_ntz", date("2020-02-29T10:11:12Z")],
  ["2020-02-29 10:11:12+05:00", "string", "timestamp_ntz", date("2020-02-29T10:11:12Z")],
  ["héllo", "string", "binary", new TextEncoder().encode("héllo")],
  [
    new TextEncoder().encode("héllo wörld, more than twelve bytes"),
    "binary",
    "string",
    "héllo wörld, more than twelve bytes",
  ],
  [new Uint8Array([0x61, 0xff, 0x62]), "binary", "string", "a\ufffdb"],
  [new Uint8Array([]), "binary", "string", ""],
  [1.9, "double", "int", 1],
  [-1.9, "double", "bigint", -1n],
  ["2.99", "decimal(4,2)", "int", 2],
  [3, "int", "boolean", true],
  [0, "int", "boolean", false],
  [true, "boolean", "int", 1],
  [true, "boolean", "decimal(3,1)", "1.0"],
  [1, "int", "timestamp", date("1970-01-01T00:00:01Z")],
  [-1.5, "double", "timestamp", date("1969-12-31T23:59:58.5Z")],
  [date("1969-12-31T23:59:59.5Z"), "timestamp", "bigint", -1n],
  [date("1970-01-01T00:00:01.5Z"), "timestamp", "double", 1.5],
  [date("2020-02-29T23:59:59.999Z"), "timestamp", "date", date("2020-02-29")],
  [date("2020-02-29"), "date", "timestamp", date("2020-02-29")],
  [12, "int", "string", "12"],
  [true, "boolean", "string", "true"],
  ["1.50", "decimal(4,2)", "string", "1.50"],
  [date("2020-02-09"), "date", "string", "2020-02-09"],
  [date("2020-02-29T10:11:12.120Z"), "timestamp", "string", "2020-02-29 10:11:12.12"],
  [date("2020-02-29T10:11:12Z"), "timestamp", "string", "2020-02-29 10:11:12"],
  [93784500000n, "interval day to second", "string", "INTERVAL '1 02:03:04.5' DAY TO SECOND"],
  [1, "double", "string", "1.0"],
  [-0.5, "double", "string", "-0.5"],
  [1e7, "double", "string", "1.0E7"],
  [9999999.5, "double", "string", "9999999.5"],
  [123456789.5, "double", "string", "1.234567895E8"],
  [-1.5e20, "double", "string", "-1.5E20"],
  [1e20, "double", "string", "1.0E20"],
  [0.001, "double", "string", "0.001"],
  [0.00012, "double", "string", "1.2E-4"],
  [1e-5, "double", "string", "1.0E-5"],
  [-2.5e-10, "double", "string", "-2.5E-10"],
  [0, "double", "string", "0.0"],
  [Number.NaN, "double", "string", "NaN"],
  [Number.NEGATIVE_INFINITY, "double", "string", "-Infinity"],
  [0.1, "float", "string", "0.1"],
  [[1, null, 3], "array<int>", "string", "[1, null, 3]"],
  [[], "array<int>", "string", "[]"],
  [new Map([["a", 1]]), "map<string,int>", "string", "{a -> 1}"],
  [{ a: 1, b: null }, "struct<a: int, b: string>", "string", "{1, null}"],
  [["1", null], "array<string>", "array<int>", [1, null]],
  [new Map([["1", "2"]]), "map<string,string>", "map<int,bigint>", new Map([[1, 2n]])],
  // by position, as Spark does
  [{ a: 1, b: "2" }, "struct<a: int, b: string>", "struct<b: bigint, a: int>", { b: 1n, a: 2 }],
];

describe("casts of Spark", () => {
  test.each(works)("%o: %s to %s", async (value, from, to, result) => {
    expect(await cast(value, from, to)).toEqual(result);
    expect(await cast(value, from, to, "try")).toEqual(result);
    expect(await cast(null, from, to)).toBeNull();
  });

  const fails: readonly (readonly [Value, string, string, string])[] = [
    ["1.5", "string", "int", "CAST_INVALID_INPUT"],
    ["1e3", "string", "int", "CAST_INVALID_INPUT"],
    ["0x1F", "string", "int", "CAST_INVALID_INPUT"],
    ["1_000", "string", "int", "CAST_INVALID_INPUT"],
    ["", "string", "int", "CAST_INVALID_INPUT"],
    ["128", "string", "tinyint", "CAST_INVALID_INPUT"],
    ["abc", "string", "double", "CAST_INVALID_INPUT"],
    ["maybe", "string", "boolean", "CAST_INVALID_INPUT"],
    ["2020-02-30", "string", "date", "CAST_INVALID_INPUT"],
    ["2020/02/03", "string", "date", "CAST_INVALID_INPUT"],
    ["yesterday", "string", "timestamp", "CAST_INVALID_INPUT"],
    ["2020-13-01 00:00:00", "string", "timestamp", "CAST_INVALID_INPUT"],
    [300, "int", "tinyint", "CAST_OVERFLOW"],
    [1e20, "double", "bigint", "CAST_OVERFLOW"],
    [Number.NaN, "double", "int", "CAST_OVERFLOW"],
    ["12345.6", "decimal(6,1)", "decimal(4,1)", "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION"],
  ];
  test.each(fails)("%o: %s to %s fails, try_cast gives null", async (value, from, to, code) => {
    await expect(cast(value, from, to)).rejects.toMatchObject({ code });
    expect(await cast(value, from, to, "try")).toBeNull();
  });

  test.each([
    ["5000000000", "bigint", "int"],
    ["1234567890123456789.5", "decimal(38,10)", "int"],
    ["999", "decimal(3,0)", "tinyint"],
    ["123456", "decimal(18,0)", "decimal(5,0)"],
    ["5000000000", "bigint", "decimal(9,0)"],
  ])("%s as %s, too large for %s, is compared as null", async (value, from, to) => {
    const [wide, narrow] = [parseType(from), parseType(to)];
    const attempt = castSql("x", wide, narrow, "try", "UTC");
    const whole = castSql("x", wide, { kind: "boolean" }, "try", "UTC");
    const row = `SELECT ${attempt} > 1 AS more, ${castSql(attempt, narrow, { kind: "boolean" }, "try", "UTC")} AS truth, ${whole} AS whole`;
    const { rows } = await connection.query(`${row} FROM (SELECT unnest([CAST('${value}' AS ${sqlType(wide)})]) AS x)`);
    expect(rows).toEqual([{ more: null, truth: null, whole: true }]);
  });

  test("the message is Spark's", async () => {
    await expect(cast("it's", "string", "int")).rejects.toThrow(
      `[CAST_INVALID_INPUT] The value 'it's' of the type "STRING" cannot be cast to "INT" because it is malformed.`,
    );
  });

  test("timestamps follow the session's zone", async () => {
    const zone = "America/New_York";
    await connection.exec(`SET TimeZone = '${zone}'`);
    try {
      expect(await cast("2020-07-01 12:00:00", "string", "timestamp", "ansi", zone)).toEqual(
        date("2020-07-01T16:00:00Z"),
      );
      expect(await cast("2020-07-01 12:00:00Z", "string", "timestamp", "ansi", zone)).toEqual(
        date("2020-07-01T12:00:00Z"),
      );
      expect(await cast(date("2020-07-01T02:00:00Z"), "timestamp", "date", "ansi", zone)).toEqual(date("2020-06-30"));
      expect(await cast(date("2020-07-01T02:00:00Z"), "timestamp", "string", "ansi", zone)).toBe("2020-06-30 22:00:00");
      expect(await cast(date("2020-07-01"), "date", "timestamp", "ansi", zone)).toEqual(date("2020-07-01T04:00:00Z"));
      expect(await cast(date("2020-01-01T05:00:00Z"), "timestamp", "timestamp_ntz", "ansi", zone)).toEqual(
        date("2020-01-01"),
      );
    } finally {
      await connection.exec("SET TimeZone = 'UTC'");
    }
  });

  test("types that have nothing to do with each other are refused", () => {
    expect(() => castSql("x", { kind: "date" }, { kind: "integer" }, "ansi", "UTC")).toThrow(
      "[DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION] Cannot cast DATE to INT.",
    );
  });
});
