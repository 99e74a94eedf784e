import { col, from_json, SparkSession } from "millrace";
import { delaysByAirport, veryLate } from "./delays.ts";
import { Flight } from "./flight.ts";
import { createTopic, replay } from "./replay.ts";

const spark = SparkSession.builder()
  .appName("__NAME__")
  .config("spark.sql.streaming.checkpointLocation", ".millrace/checkpoints")
  .getOrCreate();

await createTopic();

const flights = spark.readStream
  .format("kafka")
  .option("subscribe", "flights")
  .option("startingOffsets", "earliest")
  .load()
  .select(from_json(col("value").cast("string"), Flight).as("flight"))
  .select("flight.*");

// How late each airport is: all of it in the cache, some rows of every batch on this screen.
const delays = await delaysByAirport(flights)
  .writeStream.queryName("delays")
  .outputMode("update")
  .sink("screen", "console", { numRows: 5 })
  .sink("cache", "redis", { key: "airport:{origin}", version: "minute", ttl: "1 hour" })
  .trigger({ processingTime: "2 seconds" })
  .start();

// Every flight, as it came, in the lake.
await flights.writeStream.queryName("lake").format("delta").trigger({ processingTime: "5 seconds" }).start("flights");

// The very late ones in a table of the database.
await veryLate(flights).writeStream.queryName("late").format("postgres").option("dbtable", "late_flights").start();

// Makes data for as long as the query runs. Take this line away when flights of your own come in.
await replay(() => delays.isActive);
