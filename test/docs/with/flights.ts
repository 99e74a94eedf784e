import { col, from_json, SparkSession, schema, t } from "millrace";

const Flight = schema({ ts: t.timestamp, origin: t.string, destination: t.string, delay: t.int, distance: t.int });
const spark = SparkSession.builder().config("spark.sql.streaming.checkpointLocation", "checkpoints").getOrCreate();
export const df = spark.readStream
  .format("kafka")
  .option("subscribe", "flights")
  .option("startingOffsets", "earliest")
  .load()
  .select("key", "value", from_json(col("value").cast("string"), Flight).as("f"))
  .select("key", "value", "f.*")
  .withColumn("day", col("ts").cast("date"))
  .withColumn("hour", col("ts"));
