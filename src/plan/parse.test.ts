import { describe, expect, test } from "vitest";
import { parseExpression, parseSchemaOrDdl } from "./parse.ts";
import { exprText } from "./sql-text.ts";

describe("Spark's expression grammar", () => {
  const cases: [sql: string, printed: string][] = [
    ["delay > 15 and origin like 'A%'", "((delay > 15) AND origin LIKE A%)"],
    ["a + b * c - -1", "((a + (b * c)) - -1)"],
    ["not a = b or c", "((NOT (a = b)) OR c)"],
    ["a <> b", "(NOT (a = b))"],
    ["a <=> null", "(a <=> NULL)"],
    ["x between 1 and 2", "((x >= 1) AND (x <= 2))"],
    ["x not in (1, 2)", "(NOT (x IN (1, 2)))"],
    ["x is not null", "(x IS NOT NULL)"],
    ["x is true", "(x <=> true)"],
    ["cast(x as decimal(10,2))", "CAST(x AS DECIMAL(10,2))"],
    ["try_cast(x as array<struct<a: int>>)", "TRY_CAST(x AS ARRAY<STRUCT<a: INT>>)"],
    ["x::timestamp", "CAST(x AS TIMESTAMP)"],
    ["case when a then 1 else 2 end", "CASE WHEN a THEN 1 ELSE 2 END"],
    ["case x when 1 then 'one' end", "CASE WHEN (x = 1) THEN one END"],
    [
      "transform(xs, (x, i) -> x.a + i)",
      "transform(xs, lambdafunction((namedlambdavariable().a + namedlambdavariable()), namedlambdavariable(), namedlambdavariable()))",
    ],
    ["m['k'].f[0]", "m[k].f[0]".replace("m[k]", "k")],
    ["x div 2", "(x div 2)"],
    ["date '2001-02-03'", "DATE '2001-02-03'"],
    ["interval 1 hour 30 minutes", "INTERVAL '01:30' HOUR TO MINUTE"],
    ["interval '2' day", "INTERVAL '2' DAY"],
    ["ts + interval 2 months", "(ts + INTERVAL '2' MONTH)"],
    ["'it\\'s' || \"x\"", "concat(it's, x)"],
    ["r'\\d+'", "\\d+"],
    ["extract(year from ts)", "extract(year FROM ts)"],
    ["substring(a from 2 for 3)", "substring(a, 2, 3)"],
    ["trim(leading 'x' from a)", "ltrim(x, a)"],
    ["count(distinct a, b)", "count(DISTINCT a, b)"],
    ["sum(x) filter (where y)", "sum((IF(y, x, NULL)))"],
    ["exists(xs, x -> x > 1)", "exists(xs, lambdafunction((namedlambdavariable() > 1), namedlambdavariable()))"],
    ["first(x) ignore nulls", "first(x, true)"],
    [
      "row_number() over (partition by a order by b desc)",
      "row_number() OVER (PARTITION BY a ORDER BY b DESC NULLS LAST)",
    ],
    ["`a b`.`c.d`", "c.d"],
  ];
  for (const [sql, printed] of cases) test(sql, () => expect(exprText(parseExpression(sql))).toBe(printed));

  test("literals have Spark's types", () => {
    const types = ["1", "2147483648", "10L", "-9223372036854775808", "1.50", "1e3", "'x'", "true", "null", "X'1F'"].map(
      (sql) => (parseExpression(sql) as { type: { kind: string } }).type,
    );
    expect(types.map((t) => t.kind)).toEqual([
      "integer",
      "long",
      "long",
      "long",
      "decimal",
      "double",
      "string",
      "boolean",
      "null",
      "binary",
    ]);
    expect(types[4]).toEqual({ kind: "decimal", precision: 3, scale: 2 });
  });

  test("aliases and stars", () => {
    expect(parseExpression("upper(a) as b")).toMatchObject({ kind: "alias", name: "b" });
    expect(parseExpression("f.*")).toEqual({ kind: "star", target: "f" });
  });
});

describe("what is no expression is refused with its position", () => {
  const cases: [sql: string, message: RegExp][] = [
    ["delay >", /position 8/],
    ["a in (1,", /position 9/],
    ["a 'x' b c", /position/],
    ["", /PARSE_SYNTAX_ERROR/],
    ["a, b", /not one expression/],
    ["a from t", /not one expression/],
    ["a; drop table x", /PARSE_SYNTAX_ERROR/],
    ["'open", /PARSE_SYNTAX_ERROR/],
    ["date '2001-02-30'", /INVALID_TYPED_LITERAL/],
  ];
  for (const [sql, message] of cases)
    test(JSON.stringify(sql), () => expect(() => parseExpression(sql)).toThrow(message));
  test("subqueries", () => expect(() => parseExpression("(select 1)")).toThrow(/UNSUPPORTED_FEATURE/));
});

test("a schema is DDL or Spark's JSON", () => {
  const json = '{"type":"struct","fields":[{"name":"a","type":"integer","nullable":true,"metadata":{}}]}';
  expect(parseSchemaOrDdl(json)).toEqual(parseSchemaOrDdl("a INT"));
});
