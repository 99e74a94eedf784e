import { avg, col, count, expr, max, min, sum, window } from "../../../src/index.ts";
import { streams } from "../case.ts";

const T = (minutes: number, seconds = 0): string => new Date(Date.UTC(2024, 0, 1, 0, minutes, seconds)).toISOString();

const schema = "ts TIMESTAMP, k STRING, v INT";

/** Events that go on, one late within the watermark, one too late, then a jump that closes all. */
const events = [
  [
    [T(1), "a", 1],
    [T(2), "b", 2],
    [T(4), "a", 3],
  ],
  [
    [T(11), "a", 4],
    [T(3), "b", 5],
  ],
  [
    [T(25), "a", 6],
    [T(12), "b", 7],
  ],
  [
    [T(2), "a", 100],
    [T(26), "b", 8],
  ],
  [[T(60), "c", 9]],
];

const nulls = [
  [
    [T(1), "a", null],
    [T(2), null, 2],
    [null, "a", 3],
  ],
  [
    [T(3), "a", 5],
    [T(4), null, null],
  ],
  [[T(40), "z", 1]],
];

const modes = ["append", "update", "complete"] as const;
const watermarked = (input: any): any => input.withWatermark("ts", "10 minutes");

export const cases = [
  ...modes.flatMap((outputMode) =>
    streams(
      "stream-aggregate",
      { schema, batches: events, outputMode },
      {
        [`windows, ${outputMode}`]: (s) =>
          watermarked(s)
            .groupBy(window(col("ts"), "10 minutes"))
            .agg(count("*").as("n"), sum("v").as("s")),
        [`windows and a key, ${outputMode}`]: (s) =>
          watermarked(s)
            .groupBy(window(col("ts"), "10 minutes"), "k")
            .agg(sum("v").as("s"), max("v").as("m")),
        [`sliding windows, ${outputMode}`]: (s) =>
          watermarked(s)
            .groupBy(window(col("ts"), "10 minutes", "5 minutes"))
            .agg(count("*").as("n")),
        [`the event time itself as key, ${outputMode}`]: (s) => watermarked(s).groupBy("ts").agg(sum("v").as("s")),
        [`windows with a start, ${outputMode}`]: (s) =>
          watermarked(s)
            .groupBy(window(col("ts"), "10 minutes", "10 minutes", "3 minutes"))
            .count(),
        [`a filter before windows, ${outputMode}`]: (s) =>
          watermarked(s)
            .filter("v > 2")
            .groupBy(window(col("ts"), "10 minutes"))
            .count(),
        [`a filter after windows, ${outputMode}`]: (s) =>
          watermarked(s)
            .groupBy(window(col("ts"), "10 minutes"))
            .count()
            .filter("count > 1"),
        [`no delay, ${outputMode}`]: (s) =>
          s
            .withWatermark("ts", "0 seconds")
            .groupBy(window(col("ts"), "10 minutes"))
            .count(),
        [`a computed key, ${outputMode}`]: (s) =>
          watermarked(s)
            .groupBy(window(col("ts"), "10 minutes"), expr("upper(k) AS u"))
            .agg(avg("v").as("a")),
      },
    ),
  ),
  ...modes.flatMap((outputMode) =>
    streams(
      "stream-aggregate",
      { schema, batches: nulls, outputMode },
      {
        [`nulls in windows, ${outputMode}`]: (s) =>
          watermarked(s)
            .groupBy(window(col("ts"), "10 minutes"), "k")
            .agg(count("v").as("n"), sum("v").as("s"), min("v").as("mi"), max("v").as("ma"), avg("v").as("a")),
      },
    ),
  ),
  ...(["update", "complete"] as const).flatMap((outputMode) =>
    streams(
      "stream-aggregate",
      { schema, batches: events, outputMode },
      {
        [`without a watermark, ${outputMode}`]: (s) => s.groupBy("k").agg(count("*").as("n"), sum("v").as("s")),
        [`without groups, ${outputMode}`]: (s) => s.groupBy().agg(count("*").as("n"), max("v").as("m")),
        [`a key beside the watermark, ${outputMode}`]: (s) => watermarked(s).groupBy("k").agg(sum("v").as("s")),
        [`first and last, ${outputMode}`]: (s) =>
          s.groupBy("k").agg(expr("min_by(v, ts) AS f"), expr("max_by(v, ts) AS l")),
        [`statistics, ${outputMode}`]: (s) =>
          s.groupBy("k").agg(expr("round(stddev(v), 6) AS d"), expr("count_if(v > 3) AS c")),
      },
    ),
  ),
  ...streams(
    "stream-aggregate",
    { schema, batches: events, outputMode: "complete" },
    {
      "sorted in complete mode": (s) => s.groupBy("k").count().orderBy("k"),
      "a limit in complete mode": (s) => s.groupBy("k").count().orderBy("k").limit(1),
    },
  ),
  ...streams(
    "stream-aggregate",
    { schema, batches: [[], events[0]!, [], events[4]!], outputMode: "append" },
    {
      "batches without rows": (s) =>
        watermarked(s)
          .groupBy(window(col("ts"), "10 minutes"))
          .count(),
    },
  ),
  ...streams(
    "stream-aggregate",
    { schema, batches: events, outputMode: "append" },
    {
      "window_time after windows": (s) =>
        watermarked(s)
          .groupBy(window(col("ts"), "10 minutes"))
          .count()
          .select(expr("window_time(window) AS t"), "count"),
      "windows over windows": (s) =>
        watermarked(s)
          .groupBy(window(col("ts"), "5 minutes"), "k")
          .agg(sum("v").as("s"))
          .groupBy(window(col("window"), "10 minutes"))
          .agg(sum("s").as("s"), count("*").as("n")),
    },
  ),
];
