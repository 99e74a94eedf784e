import type { DataType, StructType } from "../../../src/types/data-type.ts";
import { parseType, sqlName } from "../../../src/types/ddl.ts";

/** Types that generated expressions are made of; the key is Spark's SQL name. */
export const POOL: ReadonlyMap<string, DataType> = new Map(
  [
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INT",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL(10,2)",
    "DECIMAL(38,10)",
    "STRING",
    "BINARY",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_NTZ",
    "ARRAY<INT>",
    "ARRAY<STRING>",
    "ARRAY<DOUBLE>",
    "MAP<STRING, INT>",
    "STRUCT<x: INT, y: STRING>",
    "ARRAY<ARRAY<INT>>",
    "ARRAY<STRUCT<k: STRING, v: INT>>",
  ].map((name) => [name, parseType(name)]),
);

export const keyOf = (type: DataType): string => sqlName(type);

/** Values of a type as SQL, edges among them. */
const LITERALS: Readonly<Record<string, readonly string[]>> = {
  BOOLEAN: ["true", "false"],
  TINYINT: ["1Y", "-128Y", "127Y", "0Y"],
  SMALLINT: ["2S", "-32768S", "300S"],
  INT: ["0", "1", "-1", "2", "3", "7", "10", "2147483647"],
  BIGINT: ["0L", "1L", "5000000000L", "-3L", "9223372036854775807L"],
  FLOAT: ["CAST(1.5 AS FLOAT)", "CAST('NaN' AS FLOAT)", "CAST(-0.0 AS FLOAT)", "CAST(0.1 AS FLOAT)"],
  DOUBLE: ["1.5D", "0.1D", "CAST('NaN' AS DOUBLE)", "CAST('-Infinity' AS DOUBLE)", "-2.5D", "1e300D", "0.0D"],
  "DECIMAL(10,2)": ["CAST(1.25 AS DECIMAL(10,2))", "CAST(-3.50 AS DECIMAL(10,2))", "CAST(0 AS DECIMAL(10,2))"],
  "DECIMAL(38,10)": ["CAST(2.5 AS DECIMAL(38,10))", "CAST(-0.0000000001 AS DECIMAL(38,10))"],
  STRING: ["'a'", "''", "'Spark SQL'", "'12'", "'héllo'", "'😀b'", "' x '", "'2020-02-29'", "'a,b,c'"],
  BINARY: ["X'00FF'", "X''", "X'616263'"],
  DATE: ["DATE'2020-02-29'", "DATE'1969-12-31'", "DATE'2024-12-30'"],
  TIMESTAMP: ["TIMESTAMP'2020-02-29 12:34:56.789123'", "TIMESTAMP'1969-12-31 23:59:59.999999'"],
  TIMESTAMP_NTZ: ["TIMESTAMP_NTZ'2021-03-28 02:30:00'", "TIMESTAMP_NTZ'1970-01-01 00:00:00.000001'"],
  "ARRAY<INT>": ["array(3, 1, 2)", "array(1, NULL, 1)"],
  "ARRAY<STRING>": ["array('b', 'a')", "array('', NULL)"],
  "ARRAY<DOUBLE>": ["array(1.5D, CAST('NaN' AS DOUBLE))", "array(-0.0D, 0.0D)"],
  "MAP<STRING, INT>": ["map('a', 1, 'b', 2)", "map('k', CAST(NULL AS INT))"],
  "STRUCT<x: INT, y: STRING>": ["named_struct('x', 1, 'y', 'one')"],
  "ARRAY<ARRAY<INT>>": ["array(array(1, 2), array(3))"],
  "ARRAY<STRUCT<k: STRING, v: INT>>": ["array(named_struct('k', 'p', 'v', 1))"],
};

export function literalsOf(type: DataType): readonly string[] {
  const key = keyOf(type);
  return LITERALS[key] ?? [`CAST(NULL AS ${key})`];
}

/** Columns of a schema by the key of their type. */
export function columnsByType(schema: StructType): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const f of schema.fields) {
    const list = found.get(keyOf(f.type)) ?? [];
    list.push(f.name);
    found.set(keyOf(f.type), list);
  }
  return found;
}
