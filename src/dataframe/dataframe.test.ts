import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  avg,
  coalesce,
  col,
  count,
  count_distinct,
  expr,
  filter,
  from_json,
  lag,
  lit,
  max,
  row_number,
  SparkSession,
  schema,
  struct,
  sum,
  t,
  transform,
  udf,
  upper,
  Window,
  when,
  window,
} from "../index.ts";

const spark = SparkSession.builder().appName("dataframe tests").getOrCreate();
afterAll(() => spark.stop());

const Flight = schema({ origin: t.string, delay: t.int, distance: t.double });
const flights = spark.createDataFrame(
  [
    { origin: "ATL", delay: 5, distance: 100 },
    { origin: "ATL", delay: 20, distance: 200 },
    { origin: "BOS", delay: null, distance: 300 },
    { origin: null, delay: 7, distance: null },
  ],
  Flight,
);
const airports = spark.createDataFrame(
  [
    { origin: "ATL", city: "Atlanta" },
    { origin: "BOS", city: "Boston" },
    { origin: "SFO", city: "San Francisco" },
  ],
  schema({ origin: t.string, city: t.string }),
);

async function fails(action: () => unknown): Promise<{ code: string; message: string }> {
  try {
    await action();
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("it did not fail");
}

describe("columns", () => {
  test("select, alias, expressions, literals", async () => {
    const rows = await flights
      .select("origin", col("delay").plus(1).as("d"), lit("x").as("x"), upper("origin"), col("delay").cast("string"))
      .limit(1)
      .collect();
    expect(rows).toEqual([{ origin: "ATL", d: 6, x: "x", "upper(origin)": "ATL", delay: "5" }]);
  });

  test("names of unnamed columns are Spark's", async () => {
    const names = await flights
      .select(
        col("delay").plus(1),
        col("delay").divide(2).gt(1),
        upper("origin"),
        when(col("delay").gt(15), "late").otherwise("ok"),
        col("origin").isNull(),
        expr("cast(delay as bigint)"),
        expr("sum(delay) over ()"),
      )
      .columns();
    expect(names.slice(0, 6)).toEqual([
      "(delay + 1)",
      "((delay / 2) > 1)",
      "upper(origin)",
      "CASE WHEN (delay > 15) THEN late ELSE ok END",
      "(origin IS NULL)",
      "delay",
    ]);
  });

  test("withColumn replaces in place and adds at the end; renames; drops", async () => {
    const df = flights
      .withColumn("delay", col("delay").times(2))
      .withColumns({ late: col("delay").gt(15), km: col("distance").times(1.5) })
      .withColumnRenamed("origin", "from")
      .drop("distance");
    expect(await df.columns()).toEqual(["from", "delay", "late", "km"]);
    // withColumns sees the columns as they were before it: delay is doubled already.
    expect((await df.collect())[0]).toEqual({ from: "ATL", delay: 10, late: false, km: 150 });
  });

  test("selectExpr, expr and filter take Spark SQL", async () => {
    const rows = await flights
      .filter("delay > 4 and origin like 'A%'")
      .selectExpr("lower(origin) as o", "delay / 2 half", "case when delay > 10 then 'late' end state")
      .collect();
    expect(rows).toEqual([
      { o: "atl", half: 2.5, state: null },
      { o: "atl", half: 10, state: "late" },
    ]);
  });

  test("lambdas over arrays, nested struct fields", async () => {
    const rows = await spark
      .range(1)
      .select(expr("array(1, 2, 3)").as("xs"), struct(lit(1).as("a"), lit("b").as("b")).as("s"))
      .select(
        transform("xs", (x, i) => x.times(10).plus(i)).as("ys"),
        filter("xs", (x) => x.gt(1)).as("zs"),
        col("s.b"),
        col("xs").getItem(0).as("first"),
      )
      .collect();
    expect(rows).toEqual([{ ys: [10, 21, 32], zs: [2, 3], b: "b", first: 1 }]);
  });

  test("a column of a DataFrame is bound to it", async () => {
    const joined = flights.join(airports, flights.col("origin").eq(airports.col("origin")));
    const rows = await joined.select(airports.col("origin").as("a"), flights.col("delay"), "city").collect();
    expect(rows).toContainEqual({ a: "ATL", delay: 20, city: "Atlanta" });
    expect((await fails(() => joined.select("origin").collect())).code).toBe("AMBIGUOUS_REFERENCE");
  });

  test("a bound column goes to the side that still has it", async () => {
    const renamed = flights.withColumnRenamed("origin", "from");
    const joined = flights.join(renamed, "delay").drop(flights.col("origin"));
    expect(await joined.columns()).toEqual(["delay", "distance", "from", "distance"]);
  });

  test("aliases qualify names after a self join", async () => {
    const a = flights.alias("a");
    const b = flights.alias("b");
    const rows = await a
      .join(
        b,
        col("a.origin")
          .eq(col("b.origin"))
          .and(col("a.delay").lt(col("b.delay"))) as any,
      )
      .select(col("a.delay").as("x") as any, col("b.delay").as("y") as any)
      .collect();
    expect(rows).toEqual([{ x: 5, y: 20 }]);
  });

  test("sorting by a column that select left out", async () => {
    const rows = await flights
      .select("origin")
      .orderBy(col("delay").desc() as any)
      .collect();
    expect(rows.map((r) => r.origin)).toEqual(["ATL", null, "ATL", "BOS"]);
    const kept = await flights.select("origin").filter("delay = 20").collect();
    expect(kept).toEqual([{ origin: "ATL" }]);
  });
});

describe("groups", () => {
  test("aggregates, expressions over aggregates, distinct", async () => {
    const rows = await flights
      .groupBy("origin")
      .agg(
        count("*").as("n"),
        avg("delay").as("delay"),
        max("distance").plus(sum("delay")).as("both") as any,
        count_distinct("delay").as("delays"),
      )
      .orderBy("origin")
      .collect();
    expect(rows).toEqual([
      { origin: null, n: 1n, delay: 7, both: null, delays: 1n },
      { origin: "ATL", n: 2n, delay: 12.5, both: 225, delays: 2n },
      { origin: "BOS", n: 1n, delay: null, both: null, delays: 0n },
    ]);
  });

  test("agg without keys, and an aggregate in select", async () => {
    expect(await flights.agg(sum("delay").as("s")).collect()).toEqual([{ s: 32n }]);
    expect(await flights.select(max("delay").as("m")).collect()).toEqual([{ m: 20 }]);
    expect(await flights.count()).toBe(4);
  });

  test("rollup and cube add subtotals", async () => {
    const rows = await airports.rollup("origin").agg(count("*").as("n")).orderBy("n", "origin").collect();
    expect(rows).toEqual([
      { origin: "ATL", n: 1n },
      { origin: "BOS", n: 1n },
      { origin: "SFO", n: 1n },
      { origin: null, n: 3n },
    ]);
  });

  test("pivot makes columns of values; a combination without rows is null", async () => {
    const df = spark.createDataFrame([
      { year: 2001, course: "java", x: 10 },
      { year: 2001, course: "net", x: 20 },
      { year: 2002, course: "java", x: 5 },
    ]);
    const rows = await df.groupBy("year").pivot("course", ["java", "net"]).agg(sum("x")).orderBy("year").collect();
    expect(rows).toEqual([
      { year: 2001, java: 10n, net: 20n },
      { year: 2002, java: 5n, net: null },
    ]);
  });

  test("time windows, tumbling and sliding", async () => {
    const events = spark.createDataFrame([{ ts: new Date("2001-01-01T10:40:00Z") }], schema({ ts: t.timestamp }));
    const tumbling = await events.groupBy(window("ts", "1 hour")).agg(count("*").as("n")).collect();
    expect(tumbling).toEqual([
      { window: { start: new Date("2001-01-01T10:00:00Z"), end: new Date("2001-01-01T11:00:00Z") }, n: 1n },
    ]);
    const sliding = await events
      .groupBy(window("ts", "1 hour", "30 minutes"))
      .agg(count("*").as("n"))
      .select(col("window.start").as("s"))
      .orderBy("s")
      .collect();
    expect(sliding.map((r) => r.s.toISOString())).toEqual(["2001-01-01T10:00:00.000Z", "2001-01-01T10:30:00.000Z"]);
  });

  test("window functions", async () => {
    const w = Window.partitionBy("origin").orderBy("delay");
    const rows = await flights
      .filter("origin = 'ATL'")
      .select(
        "delay",
        row_number().over(w).as("n"),
        lag("delay").over(w).as("before"),
        sum("delay").over(w).as("running"),
      )
      .collect();
    expect(rows).toEqual([
      { delay: 5, n: 1, before: null, running: 5n },
      { delay: 20, n: 2, before: 5, running: 25n },
    ]);
  });
});

describe("missing values", () => {
  test("in the forms of Scala and Python too", async () => {
    const origins = async (df: { collect(): Promise<any[]> }) => (await df.collect()).map((r) => r.origin);
    expect(await origins(flights.na.drop("any"))).toEqual(["ATL", "ATL"]);
    expect(await origins(flights.na.drop("any", ["delay"]))).toEqual(["ATL", "ATL", null]);
    expect(await origins(flights.na.drop("all", ["origin", "distance"]))).toEqual(["ATL", "ATL", "BOS"]);
    expect(await origins(flights.na.drop(3))).toEqual(["ATL", "ATL"]);
    expect(await origins(flights.na.replace("ATL", "atl", ["origin"]))).toEqual(["atl", "atl", "BOS", null]);
    expect(await origins(flights.na.replace("ATL", null))).toEqual([null, null, "BOS", null]);
  });
  test("drop any, all, by threshold, by column", async () => {
    expect(await flights.dropna().count()).toBe(2);
    expect(await flights.dropna("origin").count()).toBe(3);
    expect(await flights.na.drop({ how: "all", subset: ["origin", "distance"] }).count()).toBe(3);
    expect(await flights.na.drop({ thresh: 3 }).count()).toBe(2);
  });
  test("fill and replace", async () => {
    const filled = await flights.na.fill(0).na.fill({ origin: "?" }).collect();
    expect(filled[2]).toEqual({ origin: "BOS", delay: 0, distance: 300 });
    expect(filled[3]).toEqual({ origin: "?", delay: 7, distance: 0 });
    const replaced = await flights.na.replace({ ATL: "atlanta" }, ["origin"]).select("origin").distinct().collect();
    expect(replaced.map((r) => r.origin).sort()).toEqual(["BOS", "atlanta", null]);
  });
});

describe("joins and set operations", () => {
  test("using a column shows it once", async () => {
    const left = await flights.join(airports, "origin", "left").orderBy("distance").collect();
    expect(left).toHaveLength(4);
    expect(left[1]).toEqual({ origin: "ATL", delay: 5, distance: 100, city: "Atlanta" });
    const right = await flights.join(airports, "origin", "right").filter("delay is null").orderBy("origin").collect();
    expect(right.map((r) => r.origin)).toEqual(["BOS", "SFO"]);
    const full = await flights.join(airports, "origin", "full").select("origin").distinct().count();
    expect(full).toBe(4);
    expect(await flights.join(airports, "origin", "semi").columns()).toEqual(["origin", "delay", "distance"]);
    expect(await airports.join(flights, "origin", "anti").collect()).toEqual([
      { origin: "SFO", city: "San Francisco" },
    ]);
    expect(await airports.crossJoin(spark.range(2)).count()).toBe(6);
  });
  test("union by position and by name, intersect, except, distinct", async () => {
    const a = spark.createDataFrame([{ x: 1, y: "a" }]);
    const b = spark.createDataFrame([{ y: "b", x: 2 }]);
    expect(await a.unionByName(b).collect()).toEqual([
      { x: 1, y: "a" },
      { x: 2, y: "b" },
    ]);
    const c = spark.createDataFrame([{ x: 1, z: true }]);
    expect(await a.unionByName(c, { allowMissingColumns: true }).collect()).toEqual([
      { x: 1, y: "a", z: null },
      { x: 1, y: null, z: true },
    ]);
    expect(await a.unionByName(c, true).collect()).toEqual(
      await a.unionByName(c, { allowMissingColumns: true }).collect(),
    );
    expect((await fails(() => a.unionByName(c).collect())).code).toBe("UNRESOLVED_COLUMN.WITH_SUGGESTION");
    const n = spark.range(3);
    expect(await n.union(n).distinct().count()).toBe(3);
    expect(await n.intersect(spark.range(1, 5)).orderBy("id").collect()).toEqual([{ id: 1n }, { id: 2n }]);
    expect(await n.subtract(spark.range(1, 5)).collect()).toEqual([{ id: 0n }]);
    expect((await fails(() => n.union(a as any).collect())).code).toBe("NUM_COLUMNS_MISMATCH");
    expect(
      await n
        .union(spark.createDataFrame([{ d: 0.5 }]) as any)
        .orderBy("id")
        .first(),
    ).toEqual({ id: 0 });
  });
});

describe("TypeScript functions", () => {
  test("udf, map, filter, flatMap", async () => {
    const twice = udf((x: number | null) => (x === null ? null : x * 2), t.int, { name: "twice" });
    expect(await flights.select(twice("delay").as("d")).collect()).toEqual([
      { d: 10 },
      { d: 40 },
      { d: null },
      { d: 14 },
    ]);
    const named = await flights
      .filter((row) => row.origin === "ATL")
      .map((row) => ({ text: `${row.origin} ${row.delay}` }), schema({ text: t.string }))
      .collect();
    expect(named).toEqual([{ text: "ATL 5" }, { text: "ATL 20" }]);
    const words = await airports
      .flatMap((r) => (r.city ?? "").split(" ").map((word) => ({ word })), schema({ word: t.string }))
      .collect();
    expect(words.map((w) => w.word)).toEqual(["Atlanta", "Boston", "San", "Francisco"]);
  });
});

test("what is no column, and no function, is said so", async () => {
  const any = flights as any;
  for (const wrong of [() => any.withColumn("x", "delay"), () => any.withColumns({ x: 5 })]) {
    expect(await fails(wrong)).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining('"x"') });
  }
  expect(await fails(() => any.writeStream.foreachBatch("rows"))).toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("types of TypeScript functions in Spark's words", async () => {
  const rows = flights.filter("delay > 6");
  expect(await rows.map((r) => ({ d: r.delay! * 2 }), "d INT").collect()).toEqual([{ d: 40 }, { d: 14 }]);
  expect(await rows.flatMap((r) => [{ d: r.delay }, { d: 0 }], "d LONG").count()).toBe(4);
  expect(await rows.select(udf((d: number | null) => `${d}`, "string")("delay").as("d")).collect()).toEqual([
    { d: "20" },
    { d: "7" },
  ]);
  expect(await fails(() => rows.map((r) => r, "d INTT"))).toMatchObject({
    message: expect.stringMatching(/INTT/),
  });
  expect(await fails(() => rows.map((r) => r, 5 as never))).toMatchObject({ code: "INVALID_SCHEMA" });
  expect(await rows.head()).toEqual({ origin: "ATL", delay: 20, distance: 200 });
  expect(await rows.head(1)).toHaveLength(1);
});

describe("modes of values", () => {
  const Event = schema({
    n: t.long({ mode: "number" }),
    ts: t.timestamp({ mode: "micros" }),
    xs: t.array(t.long({ mode: "number" })),
    s: t.struct({ n: t.long({ mode: "number" }) }),
    big: t.long,
  });
  const row = { n: 7, ts: 978_307_200_000_001n, xs: [1, 2], s: { n: 3 }, big: 9n };
  const events = spark.createDataFrame([row, { n: null, ts: null, xs: null, s: null, big: null }], Event);

  test("a long is a number and a timestamp microseconds where rows reach TypeScript", async () => {
    expect((await events.schema()).fields.map((f) => f.type.kind)).toEqual([
      "long",
      "timestamp",
      "array",
      "struct",
      "long",
    ]);
    expect(await events.collect()).toEqual([row, { n: null, ts: null, xs: null, s: null, big: null }]);
    expect(await events.select(max("n").as("m"), max("ts").as("ts")).collect()).toEqual([{ m: 7, ts: row.ts }]);
  });
  test("in TypeScript functions too", async () => {
    const seen = await events
      .filter((r) => r.n === 7)
      .map(
        (r) => ({ n: (r.n ?? 0) + 1, ts: (r.ts ?? 0n) + 1n }),
        schema({ n: t.long({ mode: "number" }), ts: t.timestamp({ mode: "micros" }) }),
      )
      .collect();
    expect(seen).toEqual([{ n: 8, ts: row.ts + 1n }]);
    const next = udf((n: number | null) => (n === null ? null : n + 1), t.int);
    expect(await events.select(next("n").as("n")).collect()).toEqual([{ n: 8 }, { n: null }]);
  });
});

describe("from_json is PERMISSIVE", () => {
  const texts = (...json: (string | null)[]) =>
    spark.createDataFrame(
      json.map((j) => ({ j })),
      schema({ j: t.string }),
    );
  const S = schema({ a: t.int, b: t.string, ts: t.timestamp, n: t.struct({ x: t.long }), ok: t.boolean, d: t.double });
  const none = { a: null, b: null, ts: null, n: null, ok: null, d: null };

  test("malformed text gives nulls, a field that does not fit null in that field only, null gives null", async () => {
    const rows = await texts(
      '{"a":1,"b":"x","ts":"2001-01-01T10:00:00Z","n":{"x":7},"ok":true,"d":1}',
      '{"a":1.5,"b":"x"}',
      '{"a":99999999999,"b":5}',
      '{"a":"text","n":{"x":1.5},"ok":1,"ts":"yesterday","d":"x"}',
      '{"a":',
      "",
      "[1]",
      null,
      "{}",
    )
      .select(from_json("j", S).as("r"))
      .collect();
    expect(rows.map((r) => r.r)).toEqual([
      { a: 1, b: "x", ts: new Date("2001-01-01T10:00:00Z"), n: { x: 7n }, ok: true, d: 1 },
      { ...none, b: "x" },
      { ...none, b: "5" },
      { ...none, n: { x: null } },
      none,
      null,
      none,
      null,
      none,
    ]);
  });

  test("a zod schema says the same, with numbers for integers", async () => {
    const Z = z.object({ a: z.int(), b: z.string().optional(), tags: z.array(z.string()), when: z.date() });
    const rows = await texts('{"a":9007199254740991,"b":"x","tags":["p"],"when":"2001-01-01T00:00:00Z"}')
      .select(from_json("j", Z).as("r"))
      .select("r.*")
      .collect();
    expect(rows).toEqual([{ a: 9007199254740991, b: "x", tags: ["p"], when: new Date("2001-01-01T00:00:00Z") }]);
  });
});

describe("errors", () => {
  test("Spark's classes with suggestions", async () => {
    const wrong = await fails(() => (flights as any).select("orgin").collect());
    expect(wrong.code).toBe("UNRESOLVED_COLUMN.WITH_SUGGESTION");
    expect(wrong.message).toContain("Did you mean one of the following? [`origin`");
    expect((await fails(() => flights.select(expr("uper(origin)")).collect())).message).toContain(
      "Did you mean upper?",
    );
    expect((await fails(() => (flights as any).groupBy("origin").agg(col("delay")).collect())).code).toBe(
      "MISSING_AGGREGATION",
    );
    expect((await fails(() => flights.filter(expr("max(delay) > 1") as any).collect())).code).toBe(
      "INVALID_WHERE_CONDITION",
    );
    expect((await fails(() => flights.select(expr("delay + array(1)")).collect())).code).toBe(
      "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
    );
    expect((await fails(() => flights.select(expr("sqrt()")).collect())).code).toBe(
      "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
    );
  });
  test("ANSI: overflow, division by zero and bad casts stop the query", async () => {
    expect((await fails(() => flights.selectExpr("delay / 0").collect())).code).toBe("DIVIDE_BY_ZERO");
    expect((await fails(() => spark.range(1).selectExpr("2147483647 + 1").collect())).code).toBe("ARITHMETIC_OVERFLOW");
    expect((await fails(() => spark.range(1).selectExpr("cast('x' as int)").collect())).code).toBe(
      "CAST_INVALID_INPUT",
    );
    expect(await spark.range(1).selectExpr("try_cast('x' as int) as x").collect()).toEqual([{ x: null }]);
  });
  test("coalesce is null only where all are", async () => {
    const rows = await flights.select(coalesce("delay", lit(0)).as("d")).collect();
    expect(rows.map((r) => r.d)).toEqual([5, 20, 0, 7]);
  });
});
