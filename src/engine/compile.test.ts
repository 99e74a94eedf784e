import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Expr, UserFunction } from "../plan/expr.ts";
import type { Relation } from "../plan/relation.ts";
import type { AnyRow, DataType, StructType, Value } from "../types/data-type.ts";
import { parseDdl } from "../types/ddl.ts";
import { createEmbeddedBackend } from "./backend.ts";

const backend = createEmbeddedBackend({ threads: 2 });
afterAll(() => backend.close());

const col = (name: string): Expr => ({ kind: "attribute", name });
const lit = (value: Value, kind: "integer" | "string" | "double" | "long" = "integer"): Expr => ({
  kind: "literal",
  value,
  type: { kind },
});
const call = (name: string, ...args: Expr[]): Expr => ({ kind: "call", name, args });
const as = (child: Expr, name: string): Expr => ({ kind: "alias", child, name });
const asc = (child: Expr, nulls: "first" | "last" = "first"): Expr => ({
  kind: "sort_order",
  child,
  direction: "asc",
  nulls,
});
const desc = (child: Expr, nulls: "first" | "last" = "last"): Expr => ({
  kind: "sort_order",
  child,
  direction: "desc",
  nulls,
});

function local(ddl: string, ...rows: Value[][]): Relation {
  return { kind: "local", schema: parseDdl(ddl) as StructType, rows };
}
function project(input: Relation, ...exprs: Expr[]): Relation {
  return { kind: "project", input, exprs };
}
async function collect(plan: Relation, conf: Record<string, string> = {}): Promise<AnyRow[]> {
  const rows: AnyRow[] = [];
  for await (const chunk of backend.run(plan, conf)) rows.push(...chunk);
  return rows;
}
/** Rows as sorted JSON text, for plans without an order. */
async function bag(plan: Relation): Promise<string[]> {
  return (await collect(plan))
    .map((r) => JSON.stringify(Object.values(r), (_, v) => (typeof v === "bigint" ? Number(v) : v)))
    .sort();
}

const people = local(
  "name STRING, age INT, city STRING",
  ["ann", 30, "rome"],
  ["bob", null, "oslo"],
  ["cid", 25, null],
  ["dan", 30, "oslo"],
);

describe("sort, limit, offset", () => {
  test("nulls come first ascending and last descending, unless said otherwise", async () => {
    const names = async (order: Expr[]): Promise<Value[]> =>
      (await collect({ kind: "sort", input: people, order, global: true })).map((r) => r.name!);
    expect(await names([asc(col("age")), asc(col("name"))])).toEqual(["bob", "cid", "ann", "dan"]);
    expect(await names([desc(col("age")), desc(col("name"))])).toEqual(["dan", "ann", "cid", "bob"]);
    expect(await names([asc(col("age"), "last"), asc(col("name"))])).toEqual(["cid", "ann", "dan", "bob"]);
  });

  test("limit and offset keep the order below them", async () => {
    const sorted: Relation = { kind: "sort", input: people, order: [asc(col("name"))], global: true };
    const page: Relation = { kind: "limit", input: { kind: "offset", input: sorted, offset: 1 }, limit: 2 };
    expect((await collect(project(page, col("name")))).map((r) => r.name)).toEqual(["bob", "cid"]);
  });

  test("NaN is the greatest number", async () => {
    const data = local("x DOUBLE", [1], [Number.NaN], [null], [-1]);
    const sorted = await collect({ kind: "sort", input: data, order: [asc(col("x"))], global: true });
    expect(sorted.map((r) => r.x)).toEqual([null, -1, 1, Number.NaN]);
  });
});

describe("aggregate", () => {
  test("a null is a group; count skips nulls of its column", async () => {
    const plan: Relation = {
      kind: "aggregate",
      input: people,
      group: "groupby",
      grouping: [col("city")],
      aggregates: [
        as(call("count", lit(1)), "n"),
        as(call("count", col("age")), "ages"),
        as(call("sum", col("age")), "sum"),
      ],
    };
    expect(await bag(plan)).toEqual(['["oslo",2,1,30]', '["rome",1,1,30]', "[null,1,1,25]"]);
  });

  test("without keys there is one row, also over no rows", async () => {
    const none: Relation = { kind: "filter", input: people, condition: call(">", col("age"), lit(99)) };
    const plan: Relation = {
      kind: "aggregate",
      input: none,
      group: "groupby",
      grouping: [],
      aggregates: [as(call("count", lit(1)), "n"), as(call("max", col("age")), "max")],
    };
    expect(await collect(plan)).toEqual([{ n: 0n, max: null }]);
  });

  test("DISTINCT counts values, and combinations without nulls", async () => {
    const data = local("a INT, b INT", [1, 1], [1, 1], [1, 2], [2, null], [null, 2]);
    const distinct = (name: string, ...args: Expr[]): Expr => ({ kind: "call", name, args, distinct: true });
    const plan: Relation = {
      kind: "aggregate",
      input: data,
      group: "groupby",
      grouping: [],
      aggregates: [
        as(distinct("count", col("a")), "n"),
        as(distinct("count", col("a"), col("b")), "pairs"),
        as(distinct("sum", col("a")), "sum"),
        as(distinct("avg", col("b")), "avg"),
      ],
    };
    expect(await collect(plan)).toEqual([{ n: 2n, pairs: 2n, sum: 3n, avg: 1.5 }]);
  });

  test("DISTINCT for every aggregate, also those that DuckDB has none for", async () => {
    const data = local("k STRING, x INT", ["a", 1], ["a", 1], ["a", 2], ["b", null], ["b", 5], ["b", 5]);
    const distinct = (name: string, ...args: Expr[]): Expr => ({ kind: "call", name, args, distinct: true });
    const plan: Relation = {
      kind: "aggregate",
      input: data,
      group: "groupby",
      grouping: [col("k")],
      aggregates: [
        as(distinct("collect_list", col("x")), "list"),
        as(distinct("count_if", call(">", col("x"), lit(0))), "positive"),
        as(call("count", col("x")), "all"),
        as(distinct("stddev_pop", col("x")), "stddev"),
      ],
    };
    const rows = (await collect({ kind: "sort", input: plan, order: [asc(col("k"))], global: true })).map((r) => ({
      ...r,
      list: [...(r.list as number[])].sort(),
    }));
    expect(rows).toEqual([
      { k: "a", list: [1, 2], positive: 1n, all: 3n, stddev: 0.5 },
      { k: "b", list: [5], positive: 1n, all: 2n, stddev: 0 },
    ]);
  });

  test("rollup adds subtotals", async () => {
    const plan: Relation = {
      kind: "aggregate",
      input: local("a STRING, b STRING, x INT", ["p", "q", 1], ["p", "r", 2], ["s", "q", 4]),
      group: "rollup",
      grouping: [col("a"), col("b")],
      aggregates: [as(call("sum", col("x")), "sum")],
    };
    expect(await bag(plan)).toEqual(
      ['["p","q",1]', '["p","r",2]', '["p",null,3]', '["s","q",4]', '["s",null,4]', "[null,null,7]"].sort(),
    );
  });
});

describe("time windows", () => {
  const at = (text: string): Date => new Date(`${text}Z`);
  const windows = async (rows: Value[][], ...args: string[]): Promise<string[]> =>
    (
      await collect({
        kind: "aggregate",
        input: local("t TIMESTAMP", ...rows),
        group: "groupby",
        grouping: [call("window", col("t"), ...args.map((a) => lit(a, "string")))],
        aggregates: [as(call("count", lit(1)), "n")],
      })
    )
      .map((r) => {
        const w = r.window as { start: Date; end: Date };
        return `${w.start.toISOString().slice(0, 19)} ${w.end.toISOString().slice(0, 19)} ${r.n}`;
      })
      .sort();

  test("tumbling windows are aligned to the epoch, hold their start and not their end, and skip null times", async () => {
    const rows = [[at("2020-01-01T10:00:00")], [at("2020-01-01T10:59:59.999")], [at("2020-01-01T11:00:00")], [null]];
    expect(await windows(rows, "1 hour")).toEqual([
      "2020-01-01T10:00:00 2020-01-01T11:00:00 2",
      "2020-01-01T11:00:00 2020-01-01T12:00:00 1",
    ]);
  });

  test("before the epoch and with a start time", async () => {
    expect(await windows([[at("1969-12-31T23:30:00")]], "1 hour")).toEqual([
      "1969-12-31T23:00:00 1970-01-01T00:00:00 1",
    ]);
    expect(await windows([[at("1969-12-31T23:10:00")]], "1 hour", "1 hour", "15 minutes")).toEqual([
      "1969-12-31T22:15:00 1969-12-31T23:15:00 1",
    ]);
  });

  test("any length, slide and start: the windows that hold the moment, and no others", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -4_000_000, max: 4_000_000_000 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 0, max: 4999 }),
        async (ms, a, b, start) => {
          const [duration, slide] = a > b ? [a, b] : [b, a];
          fc.pre(duration / slide < 50);
          const offset = start % slide;
          const expected: string[] = [];
          const iso = (t: number): string => new Date(t).toISOString().slice(0, 19);
          // straight from the definition: [start + k * slide, + duration) for every k
          const first = Math.floor((ms - offset - duration) / slide) - 1;
          for (let k = first; k <= first + Math.ceil(duration / slide) + 3; k++) {
            const from = offset + k * slide;
            if (from <= ms && ms < from + duration) expected.push(`${iso(from)} ${iso(from + duration)} 1`);
          }
          const found = await windows(
            [[new Date(ms)]],
            `${duration} milliseconds`,
            `${slide} milliseconds`,
            `${offset} milliseconds`,
          );
          expect(found).toEqual(expected.sort());
        },
      ),
      { numRuns: 60 },
    );
  });

  test("sliding windows hold each row as often as they overlap", async () => {
    expect(await windows([[at("2020-01-01T10:05:00")]], "10 minutes", "5 minutes")).toEqual([
      "2020-01-01T10:00:00 2020-01-01T10:10:00 1",
      "2020-01-01T10:05:00 2020-01-01T10:15:00 1",
    ]);
    expect(await windows([[at("2020-01-01T10:24:00")]], "1 hour", "25 minutes")).toHaveLength(3);
  });
});

describe("joins", () => {
  const l = local("id INT, v STRING", [1, "a"], [2, "b"], [2, "c"], [null, "n"]);
  const r = local("id INT, w STRING", [2, "x"], [3, "y"], [null, "z"]);
  const join = (type: Extract<Relation, { kind: "join" }>["type"]): Relation => ({
    kind: "join",
    left: l,
    right: r,
    type,
    ...(type === "cross" ? {} : { using: ["id"] }),
  });
  test.each([
    ["inner", ['[2,"b","x"]', '[2,"c","x"]']],
    ["left_outer", ['[1,"a",null]', '[2,"b","x"]', '[2,"c","x"]', '[null,"n",null]']],
    ["right_outer", ['[2,"b","x"]', '[2,"c","x"]', '[3,null,"y"]', '[null,null,"z"]']],
    [
      "full_outer",
      ['[1,"a",null]', '[2,"b","x"]', '[2,"c","x"]', '[3,null,"y"]', '[null,"n",null]', '[null,null,"z"]'],
    ],
    ["left_semi", ['[2,"b"]', '[2,"c"]']],
    ["left_anti", ['[1,"a"]', '[null,"n"]']],
  ] as const)("%s", async (type, expected) => {
    expect(await bag(join(type))).toEqual([...expected].sort());
  });

  test("cross joins and conditions that are no equality", async () => {
    expect(await collect(join("cross"))).toHaveLength(12);
    const named: Relation = {
      kind: "join",
      left: { kind: "subquery_alias", input: l, alias: "l" },
      right: { kind: "subquery_alias", input: r, alias: "r" },
      type: "inner",
      condition: call("<", col("l.id"), col("r.id")),
    };
    expect(await bag(project(named, col("v"), col("w")))).toEqual(['["a","x"]', '["a","y"]', '["b","y"]', '["c","y"]']);
  });
});

describe("sets, duplicates, samples", () => {
  const a = local("x INT, y STRING", [1, "a"], [1, "a"], [2, null], [2, null], [3, "c"]);
  const b = local("x INT, y STRING", [1, "a"], [2, null]);
  const set = (op: "union" | "intersect" | "except", all: boolean): Relation => ({
    kind: "set_op",
    op,
    left: a,
    right: b,
    all,
    byName: false,
    allowMissingColumns: false,
  });
  test("union, intersect and except take nulls for equal", async () => {
    expect(await bag(set("union", true))).toHaveLength(7);
    expect(await bag(set("intersect", false))).toEqual(['[1,"a"]', "[2,null]"]);
    expect(await bag(set("except", true))).toEqual(['[1,"a"]', "[2,null]", '[3,"c"]']);
    expect(await bag(set("except", false))).toEqual(['[3,"c"]']);
  });

  test("dropDuplicates keeps one row of each key", async () => {
    const all: Relation = { kind: "deduplicate", input: a, columns: "all", withinWatermark: false };
    expect(await bag(all)).toEqual(['[1,"a"]', "[2,null]", '[3,"c"]']);
    const keyed: Relation = {
      kind: "deduplicate",
      input: local("k INT, v INT", [1, 10], [1, 10], [null, 5], [null, 5]),
      columns: ["k"],
      withinWatermark: false,
    };
    expect(await bag(keyed)).toEqual(["[1,10]", "[null,5]"]);
  });

  test("a sample of a seed is always the same", async () => {
    const range: Relation = { kind: "range", start: 0n, end: 10_000n, step: 1n };
    const sample = (withReplacement: boolean, upper: number): Relation => ({
      kind: "sample",
      input: range,
      lower: 0,
      upper,
      withReplacement,
      seed: 7n,
    });
    const once = await collect(sample(false, 0.1));
    expect(once).toEqual(await collect(sample(false, 0.1)));
    expect(once.length).toBeGreaterThan(850);
    expect(once.length).toBeLessThan(1150);
    const twice = await collect(sample(true, 2));
    expect(twice.length).toBeGreaterThan(19_000);
    expect(twice.length).toBeLessThan(21_000);
  });
});

describe("values and names", () => {
  test("columns of the same name stay apart", async () => {
    const twice = project(people, col("name"), as(col("age"), "name"));
    const schema = await backend.schema(twice, {});
    expect(schema.fields.map((f) => f.name)).toEqual(["name", "name"]);
    expect((await collect({ kind: "to_df", input: twice, names: ["a", "b"] }))[0]).toEqual({ a: "ann", b: 30 });
  });

  test("rows without columns are still rows", async () => {
    expect(await collect(project(people))).toHaveLength(4);
  });

  test("current_timestamp is the same for all rows of a query", async () => {
    const before = Date.now();
    const rows = await collect(
      project({ kind: "range", start: 0n, end: 5000n, step: 1n }, as(call("current_timestamp"), "t")),
    );
    expect(new Set(rows.map((r) => (r.t as Date).getTime())).size).toBe(1);
    expect((rows[0]!.t as Date).getTime()).toBeGreaterThanOrEqual(before);
  });

  test("names with quotes, dots and any letters", async () => {
    const odd = local('`a"b.c` INT, `ü` STRUCT<`x.y`: INT>', [1, { "x.y": 2 }]);
    expect(await collect(odd)).toEqual([{ 'a"b.c': 1, ü: { "x.y": 2 } }]);
    expect(await collect(project(odd, col('`a"b.c`'), as(col("ü.`x.y`"), "z")))).toEqual([{ 'a"b.c': 1, z: 2 }]);
  });

  test("large local data goes through a table", async () => {
    const rows = Array.from({ length: 3000 }, (_, i): Value[] => [i, `x${i}`]);
    const plan: Relation = {
      kind: "filter",
      input: local("i INT, s STRING", ...rows),
      condition: call(">=", col("i"), lit(2998)),
    };
    expect(await collect(plan)).toEqual([
      { i: 2998, s: "x2998" },
      { i: 2999, s: "x2999" },
    ]);
  });

  test("errors of a value say which", async () => {
    const divide = project(people, as(call("%", col("age"), lit(0)), "x"));
    await expect(collect(divide)).rejects.toMatchObject({ code: "REMAINDER_BY_ZERO" });
    const big = local("x BIGINT", [2n ** 62n]);
    await expect(collect(project(big, as(call("*", col("x"), lit(4n, "long")), "y")))).rejects.toMatchObject({
      code: "ARITHMETIC_OVERFLOW",
    });
  });

  test("a malformed record gives a struct of nulls, no record gives null", async () => {
    const json = local("s STRING", ['{"a":1,"b":"x"}'], ["{bad"], ["[1]"], [null], ['{"a":"no","b":"kept"}']);
    const parsed = project(json, as(call("from_json", col("s"), lit("a INT, b STRING", "string")), "f"));
    expect((await collect(parsed)).map((r) => r.f)).toEqual([
      { a: 1, b: "x" },
      { a: null, b: null },
      { a: null, b: null },
      null,
      { a: null, b: "kept" },
    ]);
  });
});

describe("TypeScript functions", () => {
  const fn = (call: Function, name = "f"): UserFunction => ({ name, deterministic: true, call });
  const map = (op: "map" | "flat_map" | "map_batch" | "filter", call: Function, ddl?: string): Relation => ({
    kind: "map_rows",
    input: people,
    op,
    fn: fn(call),
    ...(ddl !== undefined && { schema: parseDdl(ddl) as StructType }),
  });
  const udf = (call: Function, type: DataType, ...args: Expr[]): Expr => ({ kind: "udf", fn: fn(call), args, type });

  test("map, flatMap, mapBatch and filter keep the order of the rows", async () => {
    expect(await collect(map("map", (r: AnyRow) => ({ n: `${r.name}!` }), "n STRING"))).toEqual([
      { n: "ann!" },
      { n: "bob!" },
      { n: "cid!" },
      { n: "dan!" },
    ]);
    expect(
      await collect(map("flat_map", (r: AnyRow) => (r.age === 30 ? [{ n: 1n }, { n: null }] : []), "n BIGINT")),
    ).toEqual([{ n: 1n }, { n: null }, { n: 1n }, { n: null }]);
    expect(await collect(map("map_batch", (rows: AnyRow[]) => [{ n: BigInt(rows.length) }], "n BIGINT"))).toEqual([
      { n: 4n },
    ]);
    expect((await collect(map("filter", (r: AnyRow) => r.city === "oslo"))).map((r) => r.name)).toEqual(["bob", "dan"]);
  });

  test("asynchronous functions, over many rows", async () => {
    const range: Relation = { kind: "range", start: 0n, end: 5000n, step: 1n };
    const plan: Relation = {
      kind: "map_rows",
      input: range,
      op: "map",
      fn: fn(async (r: AnyRow) => ({ x: (r.id as bigint) * 2n })),
      schema: parseDdl("x BIGINT") as StructType,
    };
    const rows = await collect(plan);
    expect(rows.map((r) => r.x)).toEqual(Array.from({ length: 5000 }, (_, i) => BigInt(i) * 2n));
  });

  test("filter keeps microseconds, which a Date does not have", async () => {
    const text = local("s STRING", ["2020-01-01 00:00:00.123456"]);
    const stamped = project(
      text,
      as({ kind: "cast", child: col("s"), type: { kind: "timestamp" }, mode: "ansi" }, "t"),
    );
    const kept: Relation = { kind: "map_rows", input: stamped, op: "filter", fn: fn(() => true) };
    const back = project(kept, as({ kind: "cast", child: col("t"), type: { kind: "string" }, mode: "ansi" }, "s"));
    expect(await collect(back)).toEqual([{ s: "2020-01-01 00:00:00.123456" }]);
  });

  test("a failure carries the message, the cause and the row", async () => {
    const boom = new RangeError("boom");
    const plan = map(
      "map",
      (r: AnyRow) => {
        if (r.name === "cid") throw boom;
        return { n: "x" };
      },
      "n STRING",
    );
    await expect(collect(plan)).rejects.toMatchObject({
      code: "USER_FUNCTION_FAILED",
      cause: boom,
      message: '[USER_FUNCTION_FAILED] Function `f` failed on {"name":"cid","age":25,"city":null}: boom',
    });
  });

  test("a result that does not fit the schema names column and value", async () => {
    await expect(collect(map("map", () => ({ n: "text" }), "n INT"))).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: expect.stringContaining('Column `n` cannot hold "text": its type is INT'),
    });
    await expect(collect(map("map", () => ({}), "n INT NOT NULL"))).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: expect.stringContaining("may not be null"),
    });
    await expect(collect(map("map", () => 5, "n INT"))).rejects.toMatchObject({ code: "INVALID_VALUE" });
  });

  test("udf gets nulls, and all types go through", async () => {
    const plan = project(
      people,
      as(
        udf(
          (a: number | null, n: string) => (a === null ? `${n}?` : null),
          { kind: "string" },
          col("age"),
          col("name"),
        ),
        "s",
      ),
      as(
        udf(
          (n: string) => ({ xs: [n, null], m: new Map([[n, new Date(0)]]) }),
          parseDdl("xs ARRAY<STRING>, m MAP<STRING, TIMESTAMP>"),
          col("name"),
        ),
        "o",
      ),
    );
    const rows = await collect(plan);
    expect(rows.map((r) => r.s)).toEqual([null, "bob?", null, null]);
    expect(rows[0]!.o).toEqual({ xs: ["ann", null], m: new Map([["ann", new Date(0)]]) });
  });

  test("a failing udf carries its cause; a promise is refused", async () => {
    const cause = new Error("no such city");
    const fails = udf(
      () => {
        throw cause;
      },
      { kind: "string" },
      col("city"),
    );
    await expect(collect(project(people, as(fails, "x")))).rejects.toMatchObject({
      code: "USER_FUNCTION_FAILED",
      cause,
    });
    await expect(
      collect(
        project(
          people,
          as(
            udf(async () => 1, { kind: "integer" }, col("age")),
            "x",
          ),
        ),
      ),
    ).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: expect.stringContaining("Use `map` for asynchronous work"),
    });
  });

  test("a udf is called once for each row, whatever the plan does with its result", async () => {
    let calls = 0;
    const counted = project(
      { kind: "range", start: 0n, end: 100n, step: 1n },
      as(
        udf(
          (x: bigint) => {
            calls++;
            return x;
          },
          { kind: "long" },
          col("id"),
        ),
        "x",
      ),
    );
    const filtered: Relation = { kind: "filter", input: counted, condition: call(">", col("x"), lit(49n, "long")) };
    expect(await collect(filtered)).toHaveLength(50);
    expect(calls).toBe(100);
  });
});
