import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SparkSession } from "millrace";
import { MemoryStream } from "millrace/testing";
import { delaysByAirport, veryLate } from "../src/delays.ts";
import { Flight } from "../src/flight.ts";

const spark = SparkSession.builder().appName("test").getOrCreate();
after(() => spark.stop());

const flight = (time: string, origin: string, delay: number) => ({
  ts: new Date(`2026-01-01T${time}Z`),
  origin,
  destination: "JFK",
  delay,
  distance: 760,
});

test("the delays of an airport are averaged by minute", async () => {
  const flights = spark.createDataFrame(
    [flight("10:00:01", "ATL", 10), flight("10:00:59", "ATL", 20), flight("10:01:00", "ATL", 5)],
    Flight,
  );
  const rows = await delaysByAirport(flights).orderBy("minute").collect();
  assert.deepEqual(rows, [
    { minute: new Date("2026-01-01T10:00:00Z"), origin: "ATL", flights: 2n, delay: 15, worst: 20 },
    { minute: new Date("2026-01-01T10:01:00Z"), origin: "ATL", flights: 1n, delay: 5, worst: 5 },
  ]);
});

test("a minute goes on growing while its flights come in", async () => {
  const flights = new MemoryStream<Flight>(Flight);
  const query = await delaysByAirport(flights.toDF(spark))
    .writeStream.format("memory")
    .queryName("delays_test")
    .outputMode("update")
    .start();
  flights.addData(flight("10:00:01", "ATL", 10));
  await query.processAllAvailable();
  flights.addData(flight("10:00:30", "ATL", 20), flight("10:00:31", "LAX", 0));
  await query.processAllAvailable();
  await query.stop();

  const rows = await spark.table("delays_test").select("origin", "flights", "delay").collect();
  assert.deepEqual(rows, [
    { origin: "ATL", flights: 1n, delay: 10 },
    { origin: "ATL", flights: 2n, delay: 15 },
    { origin: "LAX", flights: 1n, delay: 0 },
  ]);
});

test("two hours are very late", async () => {
  const flights = spark.createDataFrame([flight("10:00:00", "ATL", 119), flight("10:00:00", "LAX", 120)], Flight);
  assert.deepEqual(await veryLate(flights).select("origin").collect(), [{ origin: "LAX" }]);
});
