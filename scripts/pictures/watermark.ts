import { collect_set, SparkSession, schema, t, window } from "millrace";
import { MemoryStream } from "millrace/testing";
import { AMBER, BLUE, Drawing, GREY, RED, randomOf, scale } from "./drawing.ts";

const Event = schema({ id: t.int, ts: t.timestamp });
const STEP = 5;
const DELAY = 10;
const WINDOW = 10;
const START = Date.UTC(2026, 0, 15, 10) / 1000;

interface Event {
  readonly id: number;
  /** Seconds since the first batch. */
  readonly arrives: number;
  readonly happened: number;
}

/** Event time against arrival, the watermark of each batch, and the rows that came too late: counted in windows of ten seconds. */
export async function watermark(): Promise<Drawing> {
  const events = someEvents();
  const spark = SparkSession.builder().getOrCreate();
  const stream = new MemoryStream(Event);
  const query = await stream
    .toDF(spark)
    .withWatermark("ts", `${DELAY} seconds`)
    .groupBy(window("ts", `${WINDOW} seconds`))
    .agg(collect_set("id").as("ids"))
    .writeStream.format("memory")
    .queryName("watermark_picture")
    .outputMode("update")
    .start();
  const marks: { at: number; watermark: number }[] = [];
  let dropped = 0;
  for (const arrives of new Set(events.map((e) => e.arrives))) {
    const batch = events.filter((e) => e.arrives === arrives);
    stream.addData(...batch.map(({ id, happened }) => ({ id, ts: new Date((START + happened) * 1000) })));
    const before = query.lastProgress?.batchId ?? -1;
    await query.processAllAvailable();
    const [first] = query.recentProgress.filter((p) => p.batchId > before && p.numInputRows > 0);
    const seconds = Date.parse(first!.eventTime!.watermark!) / 1000 - START;
    marks.push({ at: arrives, watermark: seconds });
  }
  for (const progress of query.recentProgress) {
    for (const operator of progress.stateOperators) dropped += operator.numRowsDroppedByWatermark;
  }
  await query.stop();
  const taken = new Set((await spark.table("watermark_picture").collect()).flatMap((row) => row.ids as number[]));
  await spark.stop();
  const late = events.filter((e) => !taken.has(e.id));
  if (late.length === 0 || dropped === 0) throw new Error("the picture needs late rows");
  return draw(events, marks, new Set(late.map((e) => e.id)));
}

function someEvents(): Event[] {
  const random = randomOf(5);
  const events: Event[] = [];
  for (let arrives = STEP; arrives <= 70; arrives += STEP) {
    // One part of the senders is silent for a while and then sends what it has kept.
    for (let i = 0; i < 4; i++) {
      const behind = i === 0 && random() < 0.7 ? 12 + random() * 30 : random() * 8;
      events.push({ id: events.length, arrives, happened: Math.max(0, arrives - behind) });
    }
  }
  return events;
}

function draw(
  events: readonly Event[],
  marks: readonly { at: number; watermark: number }[],
  late: ReadonlySet<number>,
): Drawing {
  const d = new Drawing(
    760,
    440,
    "Event time against processing time, with the watermark",
    `${events.length} events in batches of five seconds. The watermark follows the newest event ten seconds behind; ${late.size} events whose window was closed are dropped.`,
  );
  const x = scale([0, 75], [64, 730]);
  const y = scale([0, 75], [380, 56]);
  d.text(64, 30, "A watermark of ten seconds over windows of ten seconds", "head");
  for (let s = 0; s <= 70; s += WINDOW) {
    d.line(64, y(s), 730, y(s), "grid");
    d.text(56, y(s) + 4, `:${String(s).padStart(2, "0")}`, "small", "end");
    d.text(x(s), 398, `:${String(s).padStart(2, "0")}`, "small", "middle");
  }
  d.line(64, 56, 64, 380);
  d.line(64, 380, 730, 380);
  d.text(64, 50, "event time (when it happened)", "small");
  d.text(730, 414, "processing time (when it arrived)", "small", "end");
  const shown = marks.filter((m) => m.watermark > 0);
  const steps = shown.flatMap((m, i): [number, number][] => [
    [x(m.at), y(shown[Math.max(0, i - 1)]!.watermark)],
    [x(m.at), y(m.watermark)],
  ]);
  steps.push([x(72), y(shown.at(-1)!.watermark)]);
  d.path(steps, "watermark");
  let newest = 0;
  const ahead: [number, number][] = [];
  for (const m of marks) {
    newest = Math.max(newest, ...events.filter((e) => e.arrives === m.at).map((e) => e.happened));
    ahead.push([x(m.at), y(newest)]);
  }
  d.path(ahead, "newest");
  events.forEach((e, i) => {
    const px = x(e.arrives) + 4 + (i % 4) * 5;
    if (late.has(e.id)) d.cross(px, y(e.happened), RED, 5);
    else d.dot(px, y(e.happened), BLUE);
  });
  d.legend(64, 430, [
    [BLUE, "counted"],
    [RED, "too late: its window was closed"],
    [AMBER, "watermark of the batch"],
    [GREY, "newest event so far"],
  ]);
  return d;
}
