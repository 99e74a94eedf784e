import { col, from_json, SparkSession } from "millrace";
import { KafkaProducer } from "millrace/kafka";
import { Click } from "./click.ts";
import { clicksByPage } from "./pages.ts";
import { startServer } from "./server.ts";
import { sessionsOf } from "./sessions.ts";
import { visit } from "./visitors.ts";

const spark = SparkSession.builder()
  .appName("__NAME__")
  .config("spark.sql.streaming.checkpointLocation", ".millrace/checkpoints")
  .getOrCreate();

const producer = new KafkaProducer<{ clicks: Click }>();
await producer.createTopic("clicks", { partitions: 4 });

const clicks = spark.readStream
  .format("kafka")
  .option("subscribe", "clicks")
  .option("startingOffsets", "earliest")
  .load()
  .select(from_json(col("value").cast("string"), Click).as("click"))
  .select("click.*")
  .dropna("ts", "visitor", "page");

// Which pages are looked at now: on this screen and in the cache.
const pages = await clicksByPage(clicks)
  .writeStream.queryName("pages")
  .outputMode("update")
  .sink("screen", "console")
  .sink("cache", "redis", { key: "page:{page}", version: "time", ttl: "1 hour" })
  .trigger({ processingTime: "2 seconds" })
  .start();

// Clicks come in by HTTP: yours from the page, and those of a few invented visitors, which you may take away.
if (pages.isActive) {
  const address = await startServer(producer);
  console.error(`the shop is at ${address}`);
  void visit(address);
}

// Every click, as it came, in the lake.
await clicks.writeStream.queryName("lake").format("delta").trigger({ processingTime: "5 seconds" }).start("clicks");

// What a visitor did from the first click to the last: a row of the database for each session.
await sessionsOf(clicks)
  .writeStream.queryName("sessions")
  .format("postgres")
  .option("dbtable", "sessions")
  .option("key", "visitor,started")
  .start();
