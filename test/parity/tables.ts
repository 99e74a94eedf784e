import type { StructType } from "../../src/types/data-type.ts";
import { parseDdl } from "../../src/types/ddl.ts";

/**
 * The inputs that cases name: small, full of edges. `id` numbers the rows. Columns are given as Spark SQL text of the value, cast to the
 * type of the schema, so that both engines read the very same microseconds, decimals and NaN.
 */
export interface Table {
  /** DDL. */
  readonly schema: string;
  /** Each row: Spark SQL expressions, in the order of the schema. */
  readonly rows: readonly (readonly string[])[];
}

export type TableName = "numbers" | "strings" | "times" | "nested" | "people" | "orders" | "empty" | "mixed";

const N = "NULL";

export const TABLES: Readonly<Record<TableName, Table>> = {
  /** b byte, s short, i int, l long, f float, d double, m decimal(10,2), w decimal(38,10), p boolean. */
  numbers: {
    schema: "id INT, b BYTE, s SHORT, i INT, l LONG, f FLOAT, d DOUBLE, m DECIMAL(10,2), w DECIMAL(38,10), p BOOLEAN",
    rows: [
      ["1", "0", "0", "0", "0", "0", "0", "0", "0", "false"],
      ["2", "1", "1", "1", "1", "1.5", "1.5", "1.50", "1.5", "true"],
      ["3", "-1", "-1", "-1", "-1", "-1.5", "-1.5", "-1.50", "-1.5", "true"],
      [
        "4",
        "127",
        "32767",
        "2147483647",
        "9223372036854775807",
        "3.4028235E38",
        "1.7976931348623157E308",
        "99999999.99",
        "1234567890123456789.0123456789",
        "true",
      ],
      [
        "5",
        "-128",
        "-32768",
        "-2147483648",
        "-9223372036854775808",
        "-3.4028235E38",
        "-1.7976931348623157E308",
        "-99999999.99",
        "-1234567890123456789.0123456789",
        "false",
      ],
      ["6", N, N, N, N, N, N, N, N, N],
      ["7", "7", "300", "70000", "5000000000", "'NaN'", "'NaN'", "2.50", "2.5", N],
      ["8", "-7", "-300", "-70000", "-5000000000", "'Infinity'", "'Infinity'", "-2.50", "-2.5", "false"],
      ["9", "2", "2", "2", "2", "'-Infinity'", "'-Infinity'", "0.05", "0.0000000001", "true"],
      ["10", "3", "3", "3", "3", "-0.0F", "-0.0D", "3.45", "3.1415926535", "false"],
      ["11", "10", "10", "10", "10", "0.1", "0.1", "10.00", "10", "true"],
      ["12", "100", "1000", "123456", "1234567890123", "2.5", "2.675", "1234.56", "1234.56", "false"],
    ],
  },
  /** a, b text; n a number as text; c one separator-joined list; j JSON; x binary. */
  strings: {
    schema: "id INT, a STRING, b STRING, n STRING, c STRING, j STRING, x BINARY",
    rows: [
      ["1", "'Spark SQL'", "'SQL'", "'42'", "'a,b,c'", `'{"a":1,"b":"x","c":[1,2]}'`, "X'00FF10'"],
      ["2", "''", "''", "''", "''", "''", "X''"],
      ["3", N, N, N, N, N, N],
      ["4", "'héllo wörld'", "'ö'", "'-7.5'", "'x,,y'", `'{"a":null}'`, "encode('héllo', 'UTF-8')"],
      ["5", "'日本語テキスト'", "'本'", "'1e3'", "','", `'[1,2,3]'`, "encode('日本', 'UTF-8')"],
      ["6", "'😀 smile'", "'😀'", "'abc'", "'😀,b'", `'not json'`, "X'F09F9880'"],
      ["7", "'  padded  '", "' '", "' 12 '", "' a , b '", `'{"a":{"b":{"c":true}}}'`, "X'61'"],
      ["8", "'UPPER lower'", "'lower'", "'9223372036854775808'", "'k1=v1&k2=v2'", `'{"A":1.5e2}'`, "X'DEADBEEF'"],
      ["9", "'a%b_c\\\\d'", "'%'", "'0x1F'", "'a.b.c'", `'{"a":1,"a":2}'`, "X'FF'"],
      ["10", "'line\\nbreak\\ttab'", "'\\n'", "'NaN'", "'a|b'", `'{"a":"2020-01-01"}'`, "X'0A'"],
    ],
  },
  /** d date, t timestamp, n timestamp_ntz, s text of a time, e seconds since 1970. */
  times: {
    schema: "id INT, d DATE, t TIMESTAMP, n TIMESTAMP_NTZ, s STRING, e LONG",
    rows: [
      [
        "1",
        "DATE'2020-02-29'",
        "TIMESTAMP'2020-02-29 12:34:56.789123'",
        "TIMESTAMP_NTZ'2020-02-29 12:34:56.789123'",
        "'2020-02-29 12:34:56'",
        "1582979696",
      ],
      [
        "2",
        "DATE'1970-01-01'",
        "TIMESTAMP'1970-01-01 00:00:00'",
        "TIMESTAMP_NTZ'1970-01-01 00:00:00'",
        "'1970-01-01'",
        "0",
      ],
      [
        "3",
        "DATE'1969-12-31'",
        "TIMESTAMP'1969-12-31 23:59:59.999999'",
        "TIMESTAMP_NTZ'1969-12-31 23:59:59.999999'",
        "'1969-12-31T23:59:59'",
        "-1",
      ],
      ["4", N, N, N, N, N],
      [
        "5",
        "DATE'2024-12-30'",
        "TIMESTAMP'2024-12-30 00:00:00.1'",
        "TIMESTAMP_NTZ'2024-12-30 00:00:00.1'",
        "'30/12/2024'",
        "1735516800",
      ],
      [
        "6",
        "DATE'2001-01-31'",
        "TIMESTAMP'2001-01-31 23:00:00'",
        "TIMESTAMP_NTZ'2001-01-31 23:00:00'",
        "'not a time'",
        "980982000",
      ],
      [
        "7",
        "DATE'0001-01-01'",
        "TIMESTAMP'1900-01-01 00:00:00'",
        "TIMESTAMP_NTZ'0001-01-01 00:00:00'",
        "'0001-01-01'",
        "-2208988800",
      ],
      [
        "8",
        "DATE'9999-12-31'",
        "TIMESTAMP'9999-12-31 23:59:59.999999'",
        "TIMESTAMP_NTZ'9999-12-31 23:59:59.999999'",
        "'9999-12-31'",
        "253402300799",
      ],
      [
        "9",
        "DATE'2021-03-28'",
        "TIMESTAMP'2021-03-28 01:30:00'",
        "TIMESTAMP_NTZ'2021-03-28 02:30:00'",
        "'2021-03-28 02:30:00'",
        "1616895000",
      ],
    ],
  },
  /** a array<int>, s array<string>, m map<string,int>, r struct<x:int,y:string>, aa array<array<int>>, ar array<struct<k:string,v:int>>. */
  nested: {
    schema:
      "id INT, a ARRAY<INT>, s ARRAY<STRING>, m MAP<STRING, INT>, r STRUCT<x: INT, y: STRING>, aa ARRAY<ARRAY<INT>>, ar ARRAY<STRUCT<k: STRING, v: INT>>",
    rows: [
      [
        "1",
        "array(3, 1, 2)",
        "array('b', 'a')",
        "map('a', 1, 'b', 2)",
        "named_struct('x', 1, 'y', 'one')",
        "array(array(1, 2), array(3))",
        "array(named_struct('k', 'p', 'v', 1), named_struct('k', 'q', 'v', 2))",
      ],
      ["2", "array()", "array()", "map()", "named_struct('x', NULL, 'y', NULL)", "array()", "array()"],
      ["3", N, N, N, N, N, N],
      [
        "4",
        "array(1, NULL, 3, 1)",
        "array(NULL, 'a', 'a')",
        "map('k', NULL)",
        "named_struct('x', 2, 'y', NULL)",
        "array(NULL, array(NULL))",
        "array(NULL, named_struct('k', NULL, 'v', 3))",
      ],
      [
        "5",
        "array(-5)",
        "array('', ' ')",
        "map('', 0, 'z', -1)",
        "named_struct('x', -2147483648, 'y', '')",
        "array(array())",
        "array(named_struct('k', 'p', 'v', NULL))",
      ],
      [
        "6",
        "array(2147483647, -2147483648)",
        "array('é', '日本')",
        "map('b', 2, 'a', 1)",
        "named_struct('x', 7, 'y', '日')",
        "array(array(5, 4), array(5))",
        "array(named_struct('k', 'a', 'v', 9))",
      ],
    ],
  },
  /** For joins, groups and windows: orders.person = people.id, with rows that have no partner. */
  people: {
    schema: "id INT, name STRING, city STRING, age INT, boss INT",
    rows: [
      ["1", "'Ann'", "'Oslo'", "34", N],
      ["2", "'Bob'", "'Rome'", "28", "1"],
      ["3", "'Cid'", "'Oslo'", "45", "1"],
      ["4", "'Dee'", N, N, "2"],
      ["5", "'Eve'", "'Rome'", "28", "2"],
    ],
  },
  orders: {
    schema: "id INT, person INT, item STRING, price DECIMAL(8,2), qty INT, at TIMESTAMP",
    rows: [
      ["1", "1", "'pen'", "1.20", "10", "TIMESTAMP'2024-01-01 10:00:00'"],
      ["2", "1", "'ink'", "7.50", "1", "TIMESTAMP'2024-01-01 10:20:00'"],
      ["3", "2", "'pen'", "1.20", "3", "TIMESTAMP'2024-01-01 11:05:00'"],
      ["4", "3", "'pad'", "4.00", N, "TIMESTAMP'2024-01-02 00:00:00'"],
      ["5", "9", "'pen'", "1.10", "5", "TIMESTAMP'2024-01-02 00:00:00'"],
      ["6", N, "'ink'", N, "2", N],
      ["7", "2", "'pad'", "4.00", "3", "TIMESTAMP'2024-01-03 23:59:59.999999'"],
    ],
  },
  empty: { schema: "id INT, x INT, s STRING", rows: [] },
  /** A column of every type, for generated expressions: values that mostly go through, and a row of nulls. */
  mixed: {
    schema:
      "id INT, p BOOLEAN, b BYTE, h SHORT, i INT, l LONG, f FLOAT, d DOUBLE, m DECIMAL(10,2), w DECIMAL(38,10), s STRING, x BINARY, e DATE, t TIMESTAMP, n TIMESTAMP_NTZ, ai ARRAY<INT>, as ARRAY<STRING>, ad ARRAY<DOUBLE>, ms MAP<STRING, INT>, r STRUCT<x: INT, y: STRING>, aa ARRAY<ARRAY<INT>>, ar ARRAY<STRUCT<k: STRING, v: INT>>",
    rows: [
      [
        "1",
        "true",
        "1",
        "2",
        "3",
        "4",
        "1.5",
        "2.5",
        "1.25",
        "3.5",
        "'abc'",
        "X'616263'",
        "DATE'2020-02-29'",
        "TIMESTAMP'2020-02-29 12:34:56.789123'",
        "TIMESTAMP_NTZ'2020-02-29 12:34:56.789123'",
        "array(3, 1, 2)",
        "array('b', 'a')",
        "array(1.5, 2.5)",
        "map('a', 1, 'b', 2)",
        "named_struct('x', 1, 'y', 'one')",
        "array(array(1, 2), array(3))",
        "array(named_struct('k', 'p', 'v', 1))",
      ],
      [
        "2",
        "false",
        "-1",
        "-2",
        "-3",
        "-4",
        "-0.5",
        "-2.5",
        "-1.25",
        "-3.5",
        "'12'",
        "X''",
        "DATE'1969-12-31'",
        "TIMESTAMP'1969-12-31 23:59:59.999999'",
        "TIMESTAMP_NTZ'1969-12-31 23:59:59.999999'",
        "array()",
        "array()",
        "array()",
        "map()",
        "named_struct('x', -7, 'y', '')",
        "array()",
        "array()",
      ],
      ["3", N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N],
      [
        "4",
        "true",
        "0",
        "0",
        "0",
        "0",
        "-0.0F",
        "-0.0D",
        "0",
        "0",
        "''",
        "X'00'",
        "DATE'1970-01-01'",
        "TIMESTAMP'1970-01-01 00:00:00'",
        "TIMESTAMP_NTZ'1970-01-01 00:00:00'",
        "array(1, NULL, 3, 1)",
        "array(NULL, 'a', 'a')",
        "array(CAST('NaN' AS DOUBLE), NULL)",
        "map('k', NULL)",
        "named_struct('x', NULL, 'y', NULL)",
        "array(NULL, array(NULL))",
        "array(NULL, named_struct('k', NULL, 'v', 3))",
      ],
      [
        "5",
        "false",
        "7",
        "300",
        "70000",
        "5000000000",
        "'NaN'",
        "'NaN'",
        "2.50",
        "2.5",
        "'日本 😀'",
        "X'F09F9880'",
        "DATE'2024-12-30'",
        "TIMESTAMP'2024-12-30 00:00:00.1'",
        "TIMESTAMP_NTZ'2021-03-28 02:30:00'",
        "array(-5)",
        "array('', ' ', 'é')",
        "array(-0.0D, 0.0D)",
        "map('', 0, 'z', -1)",
        "named_struct('x', 2, 'y', '日')",
        "array(array())",
        "array(named_struct('k', 'q', 'v', NULL))",
      ],
      [
        "6",
        "true",
        "2",
        "10",
        "25",
        "1234567890123",
        "'Infinity'",
        "'-Infinity'",
        "99999999.99",
        "1234567890.0123456789",
        "'Spark SQL, fast'",
        "X'FF'",
        "DATE'2001-01-31'",
        "TIMESTAMP'2001-01-31 23:00:00'",
        "TIMESTAMP_NTZ'2001-01-31 23:00:00'",
        "array(7, 7, 2)",
        "array('c', 'b', 'a')",
        "array(1e10, -1e-10)",
        "map('b', 2, 'a', 1)",
        "named_struct('x', 7, 'y', 'z')",
        "array(array(5, 4), array(5))",
        "array(named_struct('k', 'a', 'v', 9), named_struct('k', 'b', 'v', 8))",
      ],
    ],
  },
};

export const EMPTY_SCHEMA: StructType = { kind: "struct", fields: [] };

const schemas = new Map<TableName, StructType>();

/** The columns of a table, all nullable. */
export function schemaOfTable(name: TableName): StructType {
  let schema = schemas.get(name);
  if (schema === undefined) {
    schema = parseDdl(TABLES[name].schema);
    schemas.set(name, schema);
  }
  return schema;
}
