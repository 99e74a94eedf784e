import { avg, col, count, from_json, round, SparkSession, StringDeserializer, schema, sum, t, window } from "millrace";
import { createTopic, sendOrders } from "./tutorial-orders.ts";

// 1. Where the orders come from, as any Kafka consumer would be told.
const kafkaParams = {
  "bootstrap.servers": process.env.MILLRACE_KAFKA ?? "localhost:9092",
  "key.deserializer": StringDeserializer,
  "value.deserializer": StringDeserializer,
  "group.id": "real-time-data-pipeline",
  "auto.offset.reset": "latest",
  "enable.auto.commit": false,
};

// 2. The session, and the folder where each query remembers how far it is.
const spark = SparkSession.builder()
  .appName("RealTimeDataPipeline")
  .config("spark.sql.streaming.checkpointLocation", ".millrace/checkpoints/tutorial")
  .getOrCreate();

// 3. The stream: a row for each record of the topic, its value as text.
await createTopic(kafkaParams["bootstrap.servers"]);
const records = spark.readStream.format("kafka").options(kafkaParams).option("subscribe", "orders").load();

// 4. The transformation: text to columns, without what is no order, then a row for each minute and country.
const Order = schema({ id: t.string, ts: t.timestamp, customer: t.string, country: t.string, amount: t.double });

const orders = records
  .select(from_json(col("value"), Order).as("order"))
  .select("order.*")
  .filter(col("id").isNotNull().and(col("amount").gt(0)));

const revenue = orders
  .withWatermark("ts", "10 seconds")
  .groupBy(window("ts", "1 minute"), "country")
  .agg(count("*").as("orders"), round(sum("amount"), 2).as("revenue"), round(avg("amount"), 2).as("average"))
  .select(col("window.start").as("minute"), "country", "orders", "revenue", "average");

// 5. The sinks. Every order goes to the lake; what changed in a minute to the screen, the database and the cache.
await orders.writeStream.queryName("orders").format("delta").trigger({ processingTime: "5 seconds" }).start("orders");

const query = await revenue.writeStream
  .queryName("revenue")
  .outputMode("update")
  .sink("console")
  .sink("database", "postgres", { dbtable: "revenue", key: "minute,country" })
  .sink("cache", "redis", { key: "revenue:{country}", version: "minute", ttl: "1 hour" })
  .trigger({ processingTime: "2 seconds" })
  .start();

// 6. Some orders to look at. Take this away when there are orders of your own.
await sendOrders(kafkaParams["bootstrap.servers"], () => query.isActive);
