import { col, count, expr, row_number, sum, Window, window } from "../../../src/index.ts";
import { streams } from "../case.ts";

const T = (minutes: number): string => new Date(Date.UTC(2024, 0, 1, 0, minutes)).toISOString();
const schema = "ts TIMESTAMP, k STRING, v INT";
const batches = [
  [
    [T(1), "a", 1],
    [T(1), "a", 1],
    [T(2), "b", 2],
  ],
  [
    [T(1), "a", 1],
    [T(9), "c", 3],
    [T(9), null, null],
  ],
  [
    [T(30), "a", 1],
    [T(3), "b", 2],
  ],
  [
    [T(2), "b", 2],
    [T(31), "a", 1],
    [T(31), "d", 4],
  ],
  [[T(90), "a", 1]],
];
const other = {
  schema: "ts TIMESTAMP, k STRING, w INT",
  batches: [[[T(1), "a", 10]], [[T(5), "b", 20]], [[T(28), "a", 30]], [[T(40), "c", 40]], [[T(80), "d", 50]]],
};
const wm = (input: any, delay = "10 minutes"): any => input.withWatermark("ts", delay);

const append = { schema, batches, outputMode: "append" } as const;
const update = { ...append, outputMode: "update" } as const;
const complete = { ...append, outputMode: "complete" } as const;

const groupingSets = {
  known: "rollup and cube on a stream are refused: group by the finest keys, and sum that up where it is read",
};

export const cases = [
  ...streams("stream-stateless", append, {
    "select and filter": (s) => s.select("k", col("v").plus(1).as("w")).filter("w > 1"),
    "a watermark without state": (s) => wm(s).select("k"),
    explode: (s) => s.selectExpr("k", "explode(array(v, v + 1)) AS e"),
    "a time window in a projection": (s) => s.select(window(col("ts"), "10 minutes").as("w"), "k"),
    "rows without any column of a value": (s) => s.select("k").filter("k IS NULL"),
    "na functions": (s) => s.fillna("-").dropna("v"),
    "a join with a table": (s, spark) =>
      s
        .join(
          spark.createDataFrame(
            [
              ["a", "A"],
              ["b", "B"],
            ],
            "k STRING, n STRING",
          ),
          "k",
          "inner",
        )
        .select("k", "n", "v"),
    "a left join with a table": (s, spark) =>
      s.join(spark.createDataFrame([["a", "A"]], "k STRING, n STRING"), "k", "left").select("k", "n", "v"),
    "a semi join with a table": (s, spark) =>
      s.join(spark.createDataFrame([["a"]], "k STRING"), "k", "left_semi").select("k", "v"),
    "an anti join with a table": (s, spark) =>
      s.join(spark.createDataFrame([["a"]], "k STRING"), "k", "left_anti").select("k", "v"),
    "a table joined with the stream, right": (s, spark) =>
      spark
        .createDataFrame([["a", "A"]], "k STRING, n STRING")
        .join(s, "k", "right")
        .select("k", "n", "v"),
    "a union with itself": [
      (s) => s.filter("v = 1").select("k").union(s.filter("v = 2").select("k")),
      { known: "Spark counts the rows of a source once for each time that the plan names it; they are read once here" },
    ],
    "a limit": (s) => s.select("k").limit(4),
  }),
  ...streams("stream-stateless", update, {
    "stateless in update mode": (s) => s.select("k", "v"),
  }),
  ...streams(
    "stream-stateless",
    { ...append, other },
    {
      "a union of two streams": (s, _, o) => s.select("k").union(o.select("k")),
      "a union of two streams by name": (s, _, o) => s.select("v", "k").unionByName(o.select("k", col("w").as("v"))),
    },
  ),
  ...streams(
    "stream-two",
    { ...append, other },
    {
      "windows over a union, the lower watermark": (s, _, o) =>
        wm(s, "5 minutes")
          .select("ts", "k")
          .union(wm(o, "20 minutes").select("ts", "k"))
          .groupBy(window(col("ts"), "10 minutes"))
          .count(),
      "one watermark of two, windows": (s, _, o) =>
        wm(s.select("ts", "k").union(o.select("ts", "k")))
          .groupBy(window(col("ts"), "10 minutes"))
          .count(),
    },
  ),
  ...[append, update].flatMap((mode) =>
    streams("stream-deduplicate", mode, {
      [`dropDuplicates of a key, ${mode.outputMode}`]: (s) => s.dropDuplicates("k"),
      [`dropDuplicates of all, ${mode.outputMode}`]: (s) => s.dropDuplicates(),
      [`distinct, ${mode.outputMode}`]: (s) => s.select("k", "v").distinct(),
      [`dropDuplicates with the event time, ${mode.outputMode}`]: (s) => wm(s).dropDuplicates("ts", "k"),
      [`dropDuplicates beside the watermark, ${mode.outputMode}`]: (s) => wm(s).dropDuplicates("k"),
      [`dropDuplicatesWithinWatermark, ${mode.outputMode}`]: (s) => wm(s).dropDuplicatesWithinWatermark("k"),
      [`dropDuplicatesWithinWatermark of all, ${mode.outputMode}`]: (s) => wm(s).dropDuplicatesWithinWatermark(),
    }),
  ),
  ...streams("stream-chain", append, {
    "deduplicate, then windows": (s) =>
      wm(s)
        .dropDuplicates("ts", "k")
        .groupBy(window(col("ts"), "10 minutes"))
        .agg(sum("v").as("s")),
    "deduplicate within the watermark, then windows": (s) =>
      wm(s)
        .dropDuplicatesWithinWatermark("k")
        .groupBy(window(col("ts"), "10 minutes"))
        .count(),
  }),
  ...streams("stream-refused", append, {
    "append without a watermark": (s) => s.groupBy("k").count(),
    "append with a watermark that is no key": (s) => wm(s).groupBy("k").count(),
    "a sort": (s) => s.orderBy("k"),
    "an offset": (s) => s.offset(1),
    "a sample": (s) => s.sample(0.5),
    "a window function": (s) => s.select(row_number().over(Window.partitionBy("k").orderBy("ts"))),
    "a distinct aggregate": (s) =>
      wm(s)
        .groupBy(window(col("ts"), "10 minutes"))
        .agg(expr("count(DISTINCT k)")),
    pivot: [
      (s) => wm(s).groupBy("ts").pivot("k", ["a"]).count(),
      { known: "pivot on a stream is refused: it groups twice, and Spark too takes it over Spark Connect only" },
    ],
    "a union with a table": (s, spark) => s.select("k").union(spark.createDataFrame([["a"]], "k STRING")),
    "an intersect with itself": (s) => s.select("k").intersect(s.select("k")),
    "a table less the stream": (s, spark) => spark.createDataFrame([["a"]], "k STRING").subtract(s.select("k")),
    "a right join with a table": (s, spark) => s.join(spark.createDataFrame([["a"]], "k STRING"), "k", "right"),
    "a full join with a table": (s, spark) => s.join(spark.createDataFrame([["a"]], "k STRING"), "k", "outer"),
    "a table joined left with the stream": (s, spark) =>
      spark.createDataFrame([["a"]], "k STRING").join(s, "k", "left"),
    "a table less the stream's keys": (s, spark) =>
      spark.createDataFrame([["a"]], "k STRING").join(s, "k", "left_anti"),
    "a table of the stream's keys": (s, spark) => spark.createDataFrame([["a"]], "k STRING").join(s, "k", "left_semi"),
    "within the watermark without one": (s) => s.dropDuplicatesWithinWatermark("k"),
    "an event time that is no time": (s) => s.withWatermark("k", "1 minute").groupBy("k").count(),
    "an event time that is not there": (s) => s.withWatermark("nothing", "1 minute"),
    "a delay below zero": (s) => s.withWatermark("ts", "-1 minute").groupBy("ts").count(),
    "a delay of a month": (s) => s.withWatermark("ts", "1 month").groupBy("ts").count(),
    "two watermarks on one column": [
      (s) => wm(wm(s)).groupBy("ts").count(),
      { known: "refused when the query starts (UNSUPPORTED_OPERATION); on Spark it fails when its first batch runs" },
    ],
    "an anti join of two streams": (s) => s.alias("a").join(s.alias("b"), expr("a.k = b.k"), "left_anti"),
  }),
  ...streams("stream-refused", update, {
    rollup: [(s) => wm(s).rollup("k").count(), groupingSets],
    cube: [(s) => wm(s).cube("k").count(), groupingSets],
    "a limit in update mode": (s) => s.limit(1),
    "an aggregate below another in update mode": (s) =>
      wm(s)
        .groupBy(window(col("ts"), "10 minutes"), "k")
        .count()
        .groupBy("window")
        .agg(count("*").as("n")),
    "a sort in update mode": (s) => s.groupBy("k").count().orderBy("k"),
  }),
  ...streams("stream-refused", complete, {
    "complete without an aggregate": (s) => s.select("k"),
    "complete after deduplication": (s) => s.dropDuplicates("k"),
  }),
];
