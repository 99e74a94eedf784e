import {
  avg,
  col,
  count,
  countDistinct,
  type DataFrame,
  explode,
  expr,
  first,
  lag,
  lit,
  max,
  posexplode,
  row_number,
  type SparkSession,
  sum,
  to_json,
  transform,
  Window,
  window,
} from "../../src/index.ts";

type Frame = DataFrame<any>;

/** Rows with every kind of value, nulls and nests. */
export function sample(spark: SparkSession): Frame {
  return spark.createDataFrame(
    [
      [1, "x", 1.5, new Date(1_700_000_000_000), [1, 2, 3], new Map([["k", 1]]), { x: 1, y: { z: "q" } }],
      [2, "y", null, new Date(1_600_000_000_000), [], new Map(), { x: 2, y: { z: null } }],
      [3, null, -0.5, null, null, null, null],
      [1, "x", 2.5, new Date(1_700_000_100_000), [7, null], new Map([["k", null]]), { x: 3, y: null }],
    ],
    "a INT, b STRING, c DOUBLE, d TIMESTAMP, e ARRAY<INT>, m MAP<STRING,INT>, s STRUCT<x INT, y STRUCT<z STRING>>",
  );
}

const other = (spark: SparkSession): Frame =>
  spark.createDataFrame([
    { a: 1, z: "p" },
    { a: 9, z: "q" },
  ]);

/**
 * Plans by name: each kind of relation and expression at least once. Both engines give the same rows of them, in this order; names and
 * types are compared by the parity suite.
 */
export const plans: Readonly<Record<string, (df: Frame, spark: SparkSession) => Frame>> = {
  "select, filter": (df) => df.filter("a > 1 and c is not null").select("b", col("a").plus(1).as("n")),
  range: (_, spark) => spark.range(2, 11, 3),
  withColumn: (df) => df.withColumn("n", col("a").plus(1)).withColumn("a", col("a").multiply(2)).select("a", "n"),
  withColumnRenamed: (df) => df.withColumnRenamed("a", "q").select("q"),
  "drop by name": (df) => df.drop("e", "m", "s", "there is none"),
  "drop by column": (df) => df.drop(col("s")).drop(col("m")),
  "drop of one side": (df) => {
    const [l, r] = [df.select("a", "b"), df.select("a", "c")];
    return l
      .join(r, l.col("a").eq(r.col("a")))
      .drop(r.col("a"))
      .orderBy("a", "b", "c");
  },
  toDF: (df) => df.select("a", "b").toDF("x", "y"),
  "na.drop": (df) => df.na.drop("b", "c"),
  "na.drop, some": (df) => df.na.drop(6).select("a"),
  "na.fill": (df) => df.select("a", "b", "c").na.fill(7),
  "na.fill by column": (df) => df.select("a", "b", "c").na.fill({ b: "q", c: 1.25 }),
  "na.replace": (df) => df.select("a", "b", "c").na.replace({ x: "X" }, ["b"]).na.replace(1, 100),
  groupBy: (df) =>
    df
      .groupBy("b")
      .agg(count("*").as("n"), sum("a").as("s"), avg("c").as("m"), countDistinct("a").as("u"))
      .orderBy("b"),
  rollup: (df) => df.rollup("b", "a").agg(count("*").as("n")).orderBy("b", "a", "n"),
  cube: (df) => df.cube("b", "a").agg(count("*").as("n")).orderBy("b", "a", "n"),
  pivot: (df) => df.groupBy("b").pivot("a", [1, 2]).agg(sum("c").as("s"), count("*").as("n")).orderBy("b"),
  "join by condition": (df) =>
    df.alias("l").join(df.alias("r"), expr("l.a = r.a and l.c < r.c")).select("l.a", "l.c", col("r.c").as("rc")),
  ...Object.fromEntries(
    (["inner", "left", "right", "outer", "semi", "anti"] as const).map((how) => [
      `join using, ${how}`,
      (df: Frame, spark: SparkSession) => df.select("a", "c").join(other(spark), "a", how).orderBy("a", "c"),
    ]),
  ),
  crossJoin: (df) => df.select("a").crossJoin(df.select("b")).orderBy("a", "b"),
  union: (df) => df.select("a").union(df.select("a")),
  unionByName: (df) => df.select("a", "b").unionByName(df.select("b", "c"), true),
  intersect: (df) => df.select("a", "b").intersect(df.select("a", "b")).orderBy("a"),
  exceptAll: (df) => df.select("a").exceptAll(df.select("a").limit(1)).orderBy("a"),
  distinct: (df) => df.select("a", "b").distinct().orderBy("a"),
  dropDuplicates: (df) => df.select("a", "b").dropDuplicates("b").orderBy("b"),
  "sort, limit, offset": (df) => df.orderBy(col("b").desc_nulls_last(), col("c").asc()).offset(1).limit(2).select("b"),
  repartition: (df) => df.repartition(3).repartition(2, "a").select("a").orderBy("a"),
  sample: (df) => df.sample(1).select("a").orderBy("a"),
  "struct and its fields": (df) => df.select("s.*", col("s.y.z").as("z"), expr("s.y").as("y")),
  "elements and keys": (df) => df.select(expr("get(e, 0)").as("e0"), expr("m['k']").as("k")),
  explode: (df) => df.select("a", explode("e").as("x")),
  posexplode: (df) => df.select("a", posexplode("e")),
  "explode of a map": (df) => df.select("a", explode("m")),
  "lambdas, nested and with names of columns": (df) =>
    df.select(
      transform("e", (x) => x.plus(col("a"))).as("t"),
      expr("transform(e, x -> aggregate(e, 0, (s, y) -> s + coalesce(y, 0) * x))").as("u"),
      expr("filter(e, a -> a > 1)").as("f"),
    ),
  "window, ranked": (df) => {
    const w = Window.partitionBy("a").orderBy("c");
    return df.select("a", "c", row_number().over(w).as("n"), lag("c", 1).over(w).as("before")).orderBy("a", "c");
  },
  "window, frames": (df) => {
    const w = Window.orderBy("a", "c");
    const rows = w.rowsBetween(Window.unboundedPreceding, Window.currentRow);
    const range = Window.orderBy("a").rangeBetween(-1, 1);
    return df.select("a", sum("a").over(rows).as("run"), count("*").over(range).as("near")).orderBy("a", "run");
  },
  "time window": (df) =>
    df.filter("d is not null").groupBy(window("d", "1 day")).agg(count("*").as("n")).orderBy("window"),
  "case, in, between, like": (df) =>
    df.select(
      expr("case when a = 1 then 'one' when a between 2 and 3 then 'few' end").as("w"),
      expr("b in ('x', 'z')").as("i"),
      expr("b like 'x%' or b like '/_' escape '/'").as("l"),
    ),
  casts: (df) =>
    df.select(
      expr("cast(a as string)").as("s"),
      expr("try_cast(b as int)").as("t"),
      col("c").cast("decimal(10,2)").as("d"),
      expr("cast(d as date)").as("day"),
    ),
  intervals: (df) =>
    df.select(
      expr("d + interval 1 day 2 hours").as("later"),
      expr("d - interval '1-2' year to month").as("before"),
      expr("interval 90 minutes").as("i"),
    ),
  "extract and units": (df) =>
    df.select(
      expr("extract(year from d)").as("y"),
      expr("datediff(day, d, timestamp'2024-01-01 00:00:00')").as("n"),
      expr("dateadd(month, 2, d)").as("m"),
    ),
  literals: (_, spark) =>
    spark
      .range(1)
      .select(
        lit("it's").as("s"),
        lit(7).as("i"),
        lit(2n ** 40n).as("l"),
        lit(1.5).as("f"),
        lit(new Date(1)).as("t"),
        lit(new Uint8Array([1, 255])).as("b"),
        lit(null).as("z"),
        expr("1.50BD").as("dec"),
        expr("date'2024-02-29'").as("day"),
      ),
  "aggregates in SQL": (df) =>
    df.agg(
      expr("count(*) filter (where a = 1)").as("n"),
      expr("sum(distinct a)").as("s"),
      expr("max_by(b, c)").as("m"),
      first("b", true).as("f"),
      max("d").as("t"),
    ),
  "null-safe": (df) => df.select(expr("b <=> null").as("n"), expr("c is distinct from 1.5").as("d")),
  json: (df) => df.select(to_json("s").as("j"), expr("from_json('{\"p\":1}', 'p INT')").as("p")),
  "names that need quotes": (_, spark) =>
    (spark.createDataFrame([{ "a.b": 1, "c d": 2, "e`f": 3 }]) as Frame).select("`a.b`", "`c d`", "`e``f`"),
  "no rows": (_, spark) => spark.createDataFrame([], "a INT, b ARRAY<STRUCT<x DECIMAL(5,2)>>"),
  "rows without columns": (_, spark) => spark.createDataFrame([{}, {}], "").select(lit(1).as("one")),
};
