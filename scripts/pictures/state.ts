import { count, SparkSession, schema, t, window } from "millrace";
import { MemoryStream } from "millrace/testing";
import { BLUE, Drawing, RED, randomOf, scale } from "./drawing.ts";

const Event = schema({ user: t.string, ts: t.timestamp });
const BATCHES = 40;
const START = Date.UTC(2026, 0, 15, 10);

/** Rows of state, batch by batch: with a watermark windows are closed and forgotten, without one everything is kept. */
export async function state(): Promise<Drawing> {
  const bounded = await run("30 seconds");
  const unbounded = await run(undefined);
  const d = new Drawing(
    760,
    360,
    "Rows of state with and without a watermark",
    `${BATCHES} batches of ten seconds. With a watermark of thirty seconds the state stays below ${Math.max(...bounded)} rows; without one it has grown to ${unbounded.at(-1)}.`,
  );
  const most = Math.ceil(Math.max(...unbounded) / 200) * 200;
  const x = scale([0, BATCHES - 1], [64, 700]);
  const y = scale([0, most], [300, 56]);
  d.text(64, 30, "Counting events by minute and user: rows that are remembered", "head");
  for (let rows = 0; rows <= most; rows += most / 4) {
    d.line(64, y(rows), 700, y(rows), "grid");
    d.text(56, y(rows) + 4, String(rows), "small", "end");
  }
  for (let batch = 0; batch < BATCHES; batch += 5) d.text(x(batch), 318, String(batch), "small", "middle");
  d.line(64, 300, 700, 300);
  d.text(700, 334, "batch", "small", "end");
  d.path(
    bounded.map((rows, i) => [x(i), y(rows)]),
    "a",
  );
  d.path(
    unbounded.map((rows, i) => [x(i), y(rows)]),
    "b",
  );
  d.text(704, y(bounded.at(-1)!) + 4, String(bounded.at(-1)), "small");
  d.text(704, y(unbounded.at(-1)!) + 4, String(unbounded.at(-1)), "small");
  d.legend(64, 346, [
    [BLUE, "with a watermark of 30 seconds: a minute that is over is forgotten"],
    [RED, "without one"],
  ]);
  return d;
}

/** `numRowsTotal` after each batch of ten seconds of events. */
async function run(delay: string | undefined): Promise<number[]> {
  const random = randomOf(3);
  const spark = SparkSession.builder().getOrCreate();
  const stream = new MemoryStream(Event);
  const df = stream.toDF(spark);
  const query = await (delay === undefined ? df : df.withWatermark("ts", delay))
    .groupBy(window("ts", "1 minute"), "user")
    .agg(count("*").as("events"))
    .writeStream.format("noop")
    .outputMode("update")
    .start();
  const rows: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const events = Array.from({ length: 60 }, () => ({
      user: `u${Math.floor(random() ** 2 * 400)}`,
      ts: new Date(START + batch * 10_000 + random() * 10_000),
    }));
    stream.addData(...events);
    await query.processAllAvailable();
    rows.push(query.lastProgress!.stateOperators[0]!.numRowsTotal);
  }
  await query.stop();
  await spark.stop();
  return rows;
}
