import { describe, expect, test } from "vitest";
import { isCommand, parseCommand } from "./command.ts";
import { withLiterals } from "./parameters.ts";

describe("what is a command", () => {
  test.each([
    "SELECT 1",
    "  (select 1) union (select 2)",
    "-- insert into t\nWITH t AS (SELECT 1) SELECT * FROM t",
    "/* create */ VALUES (1)",
    "TABLE t",
    "FROM t SELECT a",
    "WITH t AS (SELECT 'insert into x') SELECT * FROM t",
  ])("%s is a query", (sql) => expect(isCommand(sql)).toBe(false));
  test.each([
    "CREATE TABLE t (a INT)",
    " show tables",
    "WITH s AS (SELECT 1) INSERT INTO t SELECT * FROM s",
    "SET a = b",
  ])("%s is one", (sql) => expect(isCommand(sql)).toBe(true));
});

describe("commands are read", () => {
  test("a table with all its clauses", () => {
    const sql = `CREATE OR REPLACE TABLE IF NOT EXISTS db.\`my t\` (a INT COMMENT 'it''s (one)', b DECIMAL(10, 2))
      USING delta OPTIONS ('k.x' = 'v', n 2) PARTITIONED BY (a, \`b\`) COMMENT "c" LOCATION '/x' -- end
      AS SELECT * FROM s;`;
    expect(parseCommand(sql)).toEqual({
      kind: "create_table",
      name: "db.`my t`",
      replace: true,
      ifNotExists: true,
      columns: "a INT COMMENT 'it''s (one)', b DECIMAL(10, 2)",
      format: "delta",
      options: { "k.x": "v", n: "2" },
      partitionBy: ["a", "b"],
      location: "/x",
      comment: "c",
      query: "SELECT * FROM s",
    });
  });

  test.each([
    [
      "insert into t (a, b) values (1, 2)",
      { kind: "insert", columns: ["a", "b"], overwrite: false, query: "values (1, 2)" },
    ],
    ["INSERT OVERWRITE TABLE db.t BY NAME SELECT 1 AS a", { name: "db.t", overwrite: true, byName: true }],
    [
      "CREATE GLOBAL TEMPORARY VIEW v (x COMMENT 'c') AS SELECT 1",
      { scope: "global", columns: ["x"], query: "SELECT 1" },
    ],
    ["DROP SCHEMA IF EXISTS s CASCADE", { object: "database", ifExists: true, cascade: true }],
    ["show tables in db like 'a*|b'", { what: "tables", of: "db", pattern: "a*|b" }],
    ["SET spark.x.y = a = b", { key: "spark.x.y", value: "a = b" }],
    ["SET TIME ZONE 'Europe/Berlin'", { key: "spark.sql.session.timeZone", value: "Europe/Berlin" }],
    ["DESC EXTENDED t", { kind: "describe", name: "t", extended: true }],
    ["EXPLAIN EXTENDED SELECT 1", { kind: "explain", mode: "extended", query: "SELECT 1" }],
  ])("%s", (sql, command) => expect(parseCommand(sql)).toMatchObject(command));

  test.each([
    ["CREATE TABLE", /PARSE_SYNTAX_ERROR.*the end.*position 13/],
    ["DROP TABLE t u", /PARSE_SYNTAX_ERROR.*'u'.*position 14/],
    ["CREATE VIEW v SELECT 1", /PARSE_SYNTAX_ERROR.*expected AS/],
    ["CREATE TABLE t (a INT", /PARSE_SYNTAX_ERROR.*not closed/],
    ["ALTER TABLE t ADD COLUMN a INT", /UNSUPPORTED_FEATURE.*ALTER/],
    ["CREATE FUNCTION f AS 'x'", /UNSUPPORTED_FEATURE.*udf/],
    ["HELLO", /PARSE_SYNTAX_ERROR.*position 1/],
  ])("%s is refused", (sql, message) => expect(() => parseCommand(sql)).toThrow(message));
});

test("literals take the places of parameters, and of nothing else", () => {
  const text = (value: string): any => ({ kind: "literal", value, type: { kind: "string" } });
  const sql = "SELECT :a, ':a', `:a`, x::int, m[:a] -- :a";
  expect(withLiterals(sql, { a: text("it's \\") })).toBe(
    "SELECT 'it\\'s \\\\', ':a', `:a`, x::int, m['it\\'s \\\\'] -- :a",
  );
  expect(withLiterals("SELECT ?, '?', ?", [text("1"), { kind: "literal", value: -1n, type: { kind: "long" } }])).toBe(
    "SELECT '1', '?', (-1L)",
  );
  expect(withLiterals("SELECT :a", {})).toBeUndefined();
  expect(withLiterals("SELECT :a", { a: { kind: "call", name: "array", args: [] } })).toBeUndefined();
});
