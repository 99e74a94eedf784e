import {
  avg,
  col,
  count,
  from_json,
  type Infer,
  max,
  type SparkSession,
  type StatefulProcessor,
  type StatefulProcessorHandle,
  schema,
  t,
  type ValueState,
  when,
  window,
} from "millrace";
import { declareViews } from "./views.ts";

const Flight = schema({
  ts: t.timestamp,
  origin: t.string,
  destination: t.string,
  delay: t.int,
  distance: t.int,
});

const Usual = schema({ hours: t.notNull(t.int), mean: t.notNull(t.double), squares: t.notNull(t.double) });

const Alert = schema({
  hour: t.timestamp,
  origin: t.string,
  flights: t.long,
  delay: t.double,
  usual: t.double,
  deviations: t.double,
});

/** Starts the three queries on the topic `flights`. */
export async function startQueries(spark: SparkSession, options: { lake: string; checkpoints: string }) {
  const { lake: table, checkpoints } = options;
  declareViews(spark);
  const flights = spark.readStream
    .format("kafka")
    .option("subscribe", "flights")
    .option("startingOffsets", "earliest")
    .load()
    .select(from_json(col("value").cast("string"), Flight).as("flight"))
    .select("flight.*")
    .dropna("ts", "origin");

  // 1. Every event to the lake, by day.
  const lake = await flights
    .withColumn("day", col("ts").cast("date"))
    .writeStream.queryName("lake")
    .format("delta")
    .partitionBy("day")
    .trigger({ processingTime: "2 seconds" })
    .option("checkpointLocation", `${checkpoints}/lake`)
    .start(table);

  // 2. How late each airport's flights leave, by scheduled hour: to the database, and the latest hour to the cache.
  const hourly = flights
    .withWatermark("ts", "1 day")
    .groupBy(window("ts", "1 hour"), "origin")
    .agg(
      count("*").as("flights"),
      avg("delay").as("delay"),
      max("delay").as("worst"),
      avg(when(col("delay").gt(15), 1).otherwise(0)).as("late"),
    )
    .select(col("window.start").as("hour"), "origin", "flights", "delay", "worst", "late");

  const delays = await hourly.writeStream
    .queryName("delays")
    .outputMode("update")
    .sink("database", "postgres", { dbtable: "delays", key: "hour,origin" })
    .sink("cache", "redis", { key: "airport:{origin}", version: "hour", ttl: "7 days" })
    .option("checkpointLocation", `${checkpoints}/delays`)
    .start();

  // 3. Hours far above what is usual for that airport, once they are closed.
  const unusual = hourly.groupByKey("origin").transformWithState(UnusualDelays, { schema: Alert, orderBy: "hour" });

  const anomalies = await unusual.writeStream
    .queryName("anomalies")
    .outputMode("append")
    .sink("database", "postgres", { dbtable: "alerts", key: "hour,origin" })
    .sink("topic", "kafka", { topic: "alerts", valueFormat: "json", keyColumn: "origin" })
    .option("checkpointLocation", `${checkpoints}/anomalies`)
    .start();

  return { lake, delays, anomalies };
}

type Hour = { hour: Date; origin: string; flights: bigint; delay: number | null };

/** Welford's running mean and variance of an airport's hourly delay: https://doi.org/10.1080/00401706.1962.10490022 */
class UnusualDelays implements StatefulProcessor<string, Hour> {
  #usual!: ValueState<Infer<typeof Usual>>;

  init(handle: StatefulProcessorHandle) {
    this.#usual = handle.getValueState("usual", Usual);
  }

  *handleInputRows(origin: string, rows: Iterable<Hour>) {
    let { hours, mean, squares } = this.#usual.get() ?? { hours: 0, mean: 0, squares: 0 };
    for (const { hour, flights, delay } of rows) {
      if (delay === null) continue;
      const deviations = (delay - mean) / Math.sqrt(squares / (hours - 1));
      if (hours >= 100 && flights >= 5n && deviations > 3) {
        yield { hour, origin, flights, delay, usual: mean, deviations };
      }
      hours++;
      const step = delay - mean;
      mean += step / hours;
      squares += step * (delay - mean);
    }
    this.#usual.update({ hours, mean, squares });
  }
}
