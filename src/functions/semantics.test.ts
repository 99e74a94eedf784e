import { afterAll, describe, expect, test } from "vitest";
import { SparkSession } from "../session.ts";

/** Where Spark's meaning is not the obvious one. */
const spark = SparkSession.builder().getOrCreate();
afterAll(() => spark.stop());

async function result(sql: string): Promise<unknown> {
  const rows: Record<string, unknown>[] = await spark.range(1).selectExpr(`${sql} as r`).collect();
  return rows[0]!.r;
}

const cases: [group: string, ...tests: [sql: string, expected: unknown][]][] = [
  [
    "strings",
    ["substring('abc', 0, 2)", "ab"],
    ["substring('abc', -5, 3)", "a"],
    ["substring('abc', 2)", "bc"],
    ["substring('abc', 5)", ""],
    ["substring('abc', 1, -1)", ""],
    ["concat('a', null)", null],
    ["concat_ws(',', 'a', null, 'b')", "a,b"],
    ["concat_ws(',', array('a', null), 'b')", "a,b"],
    ["trim('\\t a ')", "\t a"],
    ["split('a,b,,', ',')", ["a", "b", "", ""]],
    ["split('a,b,c', ',', 2)", ["a", "b,c"]],
    ["locate('b', 'abcb', 3)", 4],
    ["regexp_replace('a1b2', '([0-9])', '<$1>')", "a<1>b<2>"],
    ["regexp_extract('abc', 'x(y)', 1)", ""],
    ["lpad('abc', 2, 'x')", "ab"],
    ["'100%' like '100\\\\%'", true],
    ["substring_index('a.b.c', '.', -2)", "b.c"],
    ["initcap('HELLO wORLD')", "Hello World"],
    ["overlay('abcdef' placing 'XY' from 2 for 3)", "aXYef"],
    ["hex('Spark')", "537061726B"],
    ["hex(-1)", "FFFFFFFFFFFFFFFF"],
  ],
  [
    "numbers",
    ["3 / 2", 1.5],
    ["7 % -3", 1],
    ["-7 % 3", -1],
    ["-7 div 2", -3n],
    ["round(2.5D)", 3],
    ["round(-2.5D)", -3],
    ["round(2.675D, 2)", 2.68],
    ["round(125, -1)", 130],
    ["bround(3.5D)", 4],
    ["bround(2.5D)", 2],
    ["ceil(-0.5D)", 0n],
    ["floor(-0.5D)", -1n],
    ["1.10 + 2.2", "3.30"],
    ["cast(1.5 as decimal(5,2)) * cast(2 as decimal(5,2))", "3.0000"],
    ["cast(10 as decimal(10,2)) / cast(3 as decimal(10,2))", "3.3333333333333"],
    ["1 / 0.5D", 2],
    ["ln(0)", null],
    ["sqrt(-1D)", Number.NaN],
    ["cast('NaN' as double) = cast('NaN' as double)", true],
    ["cast('NaN' as double) > 1e308", true],
    ["greatest(1, null, 3)", 3],
    ["pmod(-7, 3)", 2],
    ["5 <=> null", false],
    ["null and false", false],
    ["1 in (2, null)", null],
    ["shiftleft(1, 3)", 8],
    ["1 | 5 << 1 + 1 & 7", 5],
    ["-8 >>> 28 >> 1", 7],
    ["-128Y - 1", -129],
    ["1E-7BD + 0", "0.0000001"],
    ["try_add(2147483647, 1)", null],
    ["abs(-9223372036854775807)", 9223372036854775807n],
  ],
  [
    "dates and times",
    ["to_date('2001-02-03')", new Date("2001-02-03T00:00:00Z")],
    ["cast(' Epoch UTC' as date)", new Date(0)],
    ["cast('yesterday' as date) = date_sub(current_date(), 1)", true],
    ["cast('today' as timestamp) = cast(current_date() as timestamp)", true],
    ["try_cast(concat('epo', 'ch') as date)", null],
    ["cast('T4:05:06.5' as timestamp) = cast(concat(current_date(), ' 04:05:06.5') as timestamp)", true],
    ["to_json(map(date '2001-02-03', from_json('{\"a\":[1]}', schema_of_json('{\"a\":[2]}'))))", '{"11356":{"a":[1]}}'],
    ["to_timestamp('2001-02-03T04:05:06+02:00')", new Date("2001-02-03T02:05:06Z")],
    ["to_timestamp('03/02/2001 04:05', 'dd/MM/yyyy HH:mm')", new Date("2001-02-03T04:05:00Z")],
    ["date_format(timestamp '2001-02-03 04:05:06.789', \"yyyy-MM-dd'T'HH:mm:ss.SSS\")", "2001-02-03T04:05:06.789"],
    ["date_trunc('hour', timestamp '2001-02-03 04:55:06')", new Date("2001-02-03T04:00:00Z")],
    ["date_trunc('nonsense', timestamp '2001-02-03 04:55:06')", null],
    ["timestamp '2001-01-31 10:00:00' + interval 1 month", new Date("2001-02-28T10:00:00Z")],
    ["timestamp '2001-01-01 10:00:00' + interval 90 minutes", new Date("2001-01-01T11:30:00Z")],
    ["timestamp '2001-01-01 10:00:00' - timestamp '2001-01-01 09:00:00'", 3_600_000_000n],
    ["date '2001-01-31' + 1", new Date("2001-02-01T00:00:00Z")],
    ["datediff('2001-03-01', '2001-02-01')", 28],
    ["add_months('2001-01-31', 1)", new Date("2001-02-28T00:00:00Z")],
    ["dayofweek(date '2001-01-07')", 1],
    ["weekday(date '2001-01-07')", 6],
    ["unix_timestamp(timestamp '1970-01-01 00:00:01.9')", 1n],
    ["unix_timestamp(timestamp '1969-12-31 23:59:59.5')", 0n],
    ["from_unixtime(86399)", "1970-01-01 23:59:59"],
    ["months_between('2001-03-31', '2001-02-28')", 1],
    ["next_day('2001-01-07', 'Sunday')", new Date("2001-01-14T00:00:00Z")],
    [
      "window_time(named_struct('start', timestamp '2001-01-01', 'end', timestamp '2001-01-02'))",
      new Date("2001-01-01T23:59:59.999Z"),
    ],
    ["cast(timestamp '2001-01-01 00:00:00' as long)", 978307200n],
    ["cast(0.5D as timestamp)", new Date(500)],
  ],
  [
    "collections",
    ["array(1, 2.5D)", [1, 2.5]],
    ["array_contains(array(1, null), 2)", null],
    ["array_distinct(array(3, 1, null, 3, null))", [3, 1, null]],
    ["array_distinct(array_union(array_distinct(array(2, 2, 1)), array(1, 3)))", [2, 1, 3]],
    ["array_distinct(cast(null as array<int>))", null],
    ["array_position(array(1, 2), 9)", 0n],
    ["sort_array(array(3, null, 1), false)", [3, 1, null]],
    // A null inside of a value comes before all else.
    ["sort_array(array(array(1), array(cast(null as int)), array()))", [[], [null], [1]]],
    ["array_max(array(named_struct('x', 1), null, named_struct('x', cast(null as int))))", { x: 1 }],
    ["greatest(array(1), array(cast(null as int)))", [1]],
    ["cast(array_min(cast(null as array<array<int>>)) as array<string>)", null],
    ["least(array(1), array(0, cast(null as int)), null)", [0, null]],
    ["named_struct('x', cast(null as int)) < named_struct('x', 1)", true],
    ["array(1) < array(cast(null as int))", false],
    ["array(named_struct('x', 1)) >= array(named_struct('x', cast(null as int)))", true],
    ["slice(array(1, 2, 3, 4), -2, 2)", [3, 4]],
    ["sequence(5, 1, -2)", [5, 3, 1]],
    ["flatten(array(array(1), null))", null],
    ["size(map(1, 2))", 1],
    ["element_at(array(1, 2, 3), -1)", 3],
    ["element_at(map('a', 1), 'b')", null],
    ["map('a', 1)['a']", 1],
    ["named_struct('a', 1, 'b', 'x').b", "x"],
    ["array(named_struct('a', 1), named_struct('a', 2)).a", [1, 2]],
    ["aggregate(array(1, 2, 3), 10, (a, x) -> a + x)", 16],
    ["exists(array(1, null), x -> x > 5)", null],
    ["transform(array(5, 6), (x, i) -> x * i)", [0, 6]],
    ["array_join(array('a', null, 'b'), '-', '?')", "a-?-b"],
    ["array_except(array(1, null, 2, null), array(2))", [1, null]],
    ["array_repeat(1, 0)", []],
  ],
  [
    "json",
    [
      "to_json(named_struct('a', 1, 'b', cast(null as int), 't', timestamp '2001-01-01 00:00:00'))",
      '{"a":1,"t":"2001-01-01T00:00:00.000Z"}',
    ],
    ["to_json(array(named_struct('a', 'x\"y')))", '[{"a":"x\\"y"}]'],
    ["to_json(map('k', array(1, null)))", '{"k":[1,null]}'],
    ["get_json_object('{\"a\":{\"b\":[1,2]}}', '$.a.b[1]')", "2"],
    ["get_json_object('broken', '$.a')", null],
    ["from_json('{\"a\":[1,2]}', 'a array<int>')", { a: [1, 2] }],
    ["from_json('[{\"a\":1}]', 'array<struct<a:int>>')", [{ a: 1 }]],
    ["from_json('{\"k\":1}', 'map<string,int>')", new Map([["k", 1]])],
  ],
];

for (const [group, ...tests] of cases) {
  describe(group, () => {
    for (const [sql, expected] of tests) {
      test(sql, async () => {
        const r = await result(sql);
        if (typeof expected === "number" && !Number.isInteger(expected) && !Number.isNaN(expected))
          expect(r).toBeCloseTo(expected, 9);
        else expect(r).toEqual(expected);
      });
    }
  });
}

describe("ANSI errors", () => {
  const errors: [sql: string, code: string][] = [
    ["1 / 0", "DIVIDE_BY_ZERO"],
    ["1 % 0", "REMAINDER_BY_ZERO"],
    ["1 div 0", "DIVIDE_BY_ZERO"],
    ["2147483647 + 1", "ARITHMETIC_OVERFLOW"],
    ["-(-2147483648)", "ARITHMETIC_OVERFLOW"],
    ["cast('abc' as int)", "CAST_INVALID_INPUT"],
    ["cast(3000000000 as int)", "CAST_OVERFLOW"],
    ["get(array(1), 3000000000)", "CAST_OVERFLOW"],
    ["listagg('a', ',', 'b', 1)", "WRONG_NUM_ARGS.WITHOUT_SUGGESTION"],
    ["percentile_disc(id, 0.5)", "WRONG_NUM_ARGS.WITHOUT_SUGGESTION"],
    ["percentile(id, 1.5)", "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE"],
    ["percentile_approx(id, array(0.5, null))", "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE"],
    ["element_at(array(1), 5)", "INVALID_ARRAY_INDEX_IN_ELEMENT_AT"],
    ["array(1, 2)[2]", "INVALID_ARRAY_INDEX"],
    ["array(1, 2)[-1]", "INVALID_ARRAY_INDEX"],
    ["to_timestamp('not a time')", "CAST_INVALID_INPUT"],
    ["assert_true(1 > 2)", "USER_RAISED_EXCEPTION"],
  ];
  for (const [sql, code] of errors) {
    test(sql, async () => expect(result(sql)).rejects.toMatchObject({ code }));
  }
});

describe("the session's time zone", () => {
  const zoned: [sql: string, expected: unknown][] = [
    ["to_timestamp('2001-06-01 12:00:00')", new Date("2001-06-01T10:00:00Z")],
    ["to_timestamp('2001-06-01 12:00', 'yyyy-MM-dd HH:mm')", new Date("2001-06-01T10:00:00Z")],
    ["from_json('{\"t\":\"2001-06-01T12:00:00\"}', 't timestamp').t", new Date("2001-06-01T10:00:00Z")],
    ["from_json('{\"t\":\"2001-06-01T12:00:00Z\"}', 't timestamp').t", new Date("2001-06-01T12:00:00Z")],
    ["to_json(named_struct('t', timestamp '2001-06-01 12:00:00Z'))", '{"t":"2001-06-01T14:00:00.000+02:00"}'],
    ["hour(timestamp '2001-06-01 12:00:00Z')", 14],
    ["date_format(timestamp '2001-06-01 12:00:00Z', 'HH:mm')", "14:00"],
    ["date_trunc('day', timestamp '2001-06-01 23:30:00Z')", new Date("2001-06-01T22:00:00Z")],
    ["to_date(timestamp '2001-06-01 23:30:00Z')", new Date("2001-06-02T00:00:00Z")],
    ["unix_timestamp('2001-06-01 12:00:00')", 991389600n],
  ];
  for (const [sql, expected] of zoned) {
    test(sql, async () => {
      spark.conf.set("spark.sql.session.timeZone", "Europe/Berlin");
      try {
        expect(await result(sql)).toEqual(expected);
      } finally {
        spark.conf.unset("spark.sql.session.timeZone");
      }
    });
  }
});

describe("aggregates over rows", () => {
  const queries: [sql: string, expected: readonly unknown[]][] = [
    [
      "max(r), min(r), max_by(i, r), min_by(i, r) FROM VALUES (array(1), 1), (array(null), 2), (array(0, null), 3), (null, 4) t(r, i)",
      [[1], [null], 1, 2],
    ],
    ["max(r) FROM VALUES (named_struct('x', 1)), (named_struct('x', null)), (null) t(r)", [{ x: 1 }]],
    [
      "sort_array(collect_list(s)) FROM (SELECT s FROM VALUES (array(1)), (array(null)) t(s) ORDER BY s)",
      [[[null], [1]]],
    ],
    // Spark merges partial results by powers of the mean.
    ["var_pop(x), var_samp(x), regr_sxx(x, x) FROM VALUES (double('NaN')) t(x)", [Number.NaN, null, Number.NaN]],
    [
      "var_pop(x), stddev(x), covar_pop(x, x) FROM VALUES (1e300d), (1e300d) t(x)",
      [Number.NaN, Number.NaN, Number.NaN],
    ],
    [
      "regr_sxx(y, x), regr_syy(y, x), regr_sxy(y, x), corr(y, x) FROM VALUES (1e300d, 1d), (1d, 2d) t(y, x)",
      [0.5, Number.NaN, -5e299, Number.NaN],
    ],
    ["regr_slope(y, x), regr_r2(y, x) FROM VALUES (1d, 2d), (2d, 2d) t(y, x)", [null, null]],
    ["regr_slope(y, x), regr_intercept(y, x) FROM VALUES (double('Infinity'), 2d), (2d, 2d) t(y, x)", [null, null]],
    ["skewness(x), kurtosis(x) FROM VALUES (1e100d), (1d) t(x)", [0, Number.NaN]],
  ];
  test.each(queries)("%s", async (sql, expected) => {
    const rows = await spark.sql(`SELECT ${sql}`).collect();
    expect(Object.values(rows[0] as object)).toEqual(expected);
  });
  test("a correlation without variance divides by zero", async () => {
    const df = spark.sql("SELECT corr(x, y) FROM VALUES (1d, 2d), (2d, 2d) t(x, y)");
    await expect(df.collect()).rejects.toMatchObject({ code: "DIVIDE_BY_ZERO" });
  });
});
