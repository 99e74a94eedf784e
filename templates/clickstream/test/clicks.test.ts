import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SparkSession } from "millrace";
import { MemoryStream } from "millrace/testing";
import { Click } from "../src/click.ts";
import { clicksByPage } from "../src/pages.ts";
import { sessionsOf } from "../src/sessions.ts";

const spark = SparkSession.builder().appName("test").getOrCreate();
after(() => spark.stop());

const at = (time: string) => new Date(`2026-01-01T${time}Z`);
const click = (time: string, visitor: string, page: string) => ({ ts: at(time), visitor, page });

test("clicks and visitors are counted by page and time", async () => {
  const clicks = spark.createDataFrame(
    [
      click("10:00:01", "ann", "/"),
      click("10:00:02", "ann", "/"),
      click("10:00:03", "bob", "/"),
      click("10:00:12", "bob", "/tea"),
    ],
    Click,
  );
  assert.deepEqual(await clicksByPage(clicks).orderBy("time").collect(), [
    { time: at("10:00:00"), page: "/", clicks: 3n, visitors: 2n },
    { time: at("10:00:10"), page: "/tea", clicks: 1n, visitors: 1n },
  ]);
});

test("a session is over after a pause of twenty seconds", async () => {
  const clicks = new MemoryStream<Click>(Click);
  const query = await sessionsOf(clicks.toDF(spark)).writeStream.format("memory").queryName("sessions_test").start();
  clicks.addData(click("10:00:00", "ann", "/"), click("10:00:04", "ann", "/tea"));
  await query.processAllAvailable();
  assert.equal(await spark.table("sessions_test").count(), 0);
  // Time goes on by the clicks of others: the watermark lies five seconds behind them.
  clicks.addData(click("10:00:30", "bob", "/"));
  await query.processAllAvailable();
  await query.stop();
  assert.deepEqual(await spark.table("sessions_test").collect(), [
    { visitor: "ann", started: at("10:00:00"), seconds: 4, clicks: 2, pages: ["/", "/tea"] },
  ]);
});
