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
    ["x between 1 and 2", "between(x, 1, 2)"],
    ["x not in (1, 2)", "(NOT (x IN (1, 2)))"],
    ["x is not null", "(x IS NOT NULL)"],
    ["x is true", "(x <=> true)"],
    ["cast(x as decimal(10,2))", "CAST(x AS DECIMAL(10,2))"],
    ["try_cast(x as array<struct<a: int>>)", "x"],
    ["x::timestamp", "CAST(x AS TIMESTAMP)"],
    ["case when a then 1 else 2 end", "CASE WHEN a THEN 1 ELSE 2 END"],
    ["case x when 1 then 'one' end", "CASE WHEN (x = 1) THEN one END"],
    [
      "transform(xs, (x, i) -> x.a + i)",
      "transform(xs, lambdafunction((namedlambdavariable().a + namedlambdavariable()), namedlambdavariable(), namedlambdavariable()))",
    ],
    ["m['k'].f[0]", "m.k.f[0]"],
    ["x div 2", "(x div 2)"],
    ["date '2001-02-03'", "DATE '2001-02-03'"],
    ["interval 1 hour 30 minutes", "INTERVAL '01:30' HOUR TO MINUTE"],
    ["interval '2' day", "INTERVAL '2' DAY"],
    ["ts + interval 2 months", "(ts + INTERVAL '2' MONTH)"],
    ["'it\\'s' || \"x\"", "concat(it's, x)"],
    ["r'\\d+'", "\\d+"],
    ["extract(year from ts)", "extract(year FROM ts)"],
    ["substring(a from 2 for 3)", "substring(a, 2, 3)"],
    ["trim(leading 'x' from a)", "TRIM(LEADING x FROM a)"],
    ["count(distinct a, b)", "count(DISTINCT a, b)"],
    ["sum(x) filter (where y)", "sum(x) FILTER (WHERE y)"],
    ["exists(xs, x -> x > 1)", "exists(xs, lambdafunction((namedlambdavariable() > 1), namedlambdavariable()))"],
    ["first(x) ignore nulls", "first(x)"],
    [
      "row_number() over (partition by a order by b desc)",
      "row_number() OVER (PARTITION BY a ORDER BY b DESC NULLS LAST ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    ],
    ["`a b`.`c.d`", "c.d"],
    ["1 | 5 << 1 + 1 & 7", "(1 | ((5 << (1 + 1)) & 7))"],
    ["a >>> b >> 2 < cast(null as array<array<int>>)[0][1]", "(((a >>> b) >> 2) < NULL[0][1])"],
    ["a rlike null", "RLIKE(a, NULL)"],
    ["-a + (-(-128y))", "((- a) + (- -128))"],
    ["a not like all ('x', 'y')", "notlikeall(a)"],
    ["a ilike any ('x', b)", "(ilike(a, x) OR ilike(a, b))"],
    ["(a, 1) in ((2, b))", "(named_struct(a, a, col2, 1) IN (named_struct(col1, 2, b, b)))"],
    ["trim(both from a)", "trim(a)"],
    ["1.0D + -0.5f - 1e-7bd * 1E10", "((1.0 + -0.5) - (1E-7 * 1.0E10))"],
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

  test("suffixes tell a number's type", () => {
    const of = (sql: string): unknown => {
      const { value, type } = parseExpression(sql) as { value: unknown; type: { kind: string } };
      return [value, type];
    };
    expect(of("-128Y")).toEqual([-128, { kind: "byte" }]);
    expect(of("- 32768s")).toEqual([-32768, { kind: "short" }]);
    expect(of("0.1F")).toEqual([Math.fround(0.1), { kind: "float" }]);
    expect(of("-0.0D")).toEqual([-0, { kind: "double" }]);
    expect(of("-12.50BD")).toEqual(["-12.50", { kind: "decimal", precision: 4, scale: 2 }]);
    expect(of("1e3BD")).toEqual(["1000", { kind: "decimal", precision: 4, scale: 0 }]);
    expect(of("-0.00BD")).toEqual(["0.00", { kind: "decimal", precision: 2, scale: 2 }]);
    for (const sql of ["128Y", "-(128Y)", "32768S", "9223372036854775808L", "1e40F", "1e400D", "1e400"]) {
      expect(() => parseExpression(sql), sql).toThrow(/INVALID_NUMERIC_LITERAL_RANGE/);
    }
    expect(() => parseExpression("1e38BD")).toThrow(/DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION/);
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
