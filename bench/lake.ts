/** Kafka JSON -> Delta, partitioned by day as in the example and in one folder. */
import { join } from "node:path";
import { col, from_json, SparkSession, schema, t } from "millrace";
import { report, withFolder } from "./measurement.ts";
import { stackWithFlights } from "./topic.ts";

const EVENTS = 3_000_000;
const Flight = schema({ ts: t.timestamp, origin: t.string, destination: t.string, delay: t.int, distance: t.int });

await withFolder(async (folder) => {
  const stack = await stackWithFlights(join(folder, "stack"), EVENTS);
  const spark = SparkSession.builder().getOrCreate();
  for (const what of ["one folder, cold", "one folder", "partitioned by day"]) {
    const flights = spark.readStream
      .format("kafka")
      .option("subscribe", "flights")
      .option("startingOffsets", "earliest")
      .load()
      .select(from_json(col("value").cast("string"), Flight).as("f"))
      .select("f.*")
      .withColumn("day", col("ts").cast("date"));
    const writer = flights.writeStream
      .format("delta")
      .option("checkpointLocation", join(folder, "checkpoints", what))
      .trigger({ availableNow: true });
    const startedAt = performance.now();
    const path = join(folder, "lake", what);
    const query = await (what === "partitioned by day" ? writer.partitionBy("day") : writer).start(path);
    await query.awaitTermination();
    const seconds = (performance.now() - startedAt) / 1000;
    const rows = Number(await spark.read.format("delta").load(path).count());
    if (rows !== EVENTS) throw new Error(`wrote ${rows} of ${EVENTS}`);
    report({
      benchmark: "lake",
      what: `Kafka JSON -> Delta, ${what}`,
      value: rows / seconds,
      unit: "rows/s",
      goal: ">= 500,000",
      detail: { seconds },
    });
  }
  await spark.stop();
  await stack.stop();
});
