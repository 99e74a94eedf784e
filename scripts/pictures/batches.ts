import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  col,
  count,
  from_json,
  SparkSession,
  type StreamingQueryProgress,
  schema,
  startStack,
  t,
  window,
} from "millrace";
import { KafkaProducer } from "millrace/kafka";
import { Drawing, randomOf, scale } from "./drawing.ts";

const Click = schema({ page: t.string, ts: t.timestamp });
const COLORS = ["#2563eb", "#7c3aed", "#0891b2", "#16a34a", "#d97706", "#db2777", "#475569", "#65a30d"];

/** The phases of a batch in their order, in words. */
const PHASES: readonly (readonly [name: string, words: string, color: string])[] = [
  ["latestOffset", "what is new?", "#64748b"],
  ["walCommit", "write down what to do", "#d97706"],
  ["getBatch", "read", "#0891b2"],
  ["addBatch", "compute and deliver", "#2563eb"],
  ["commitOffsets", "write down that it is done", "#16a34a"],
];

/** Real batches over a topic of two partitions: which records each took, and what it did with its time. */
export async function batches(): Promise<{ offsets: Drawing; phases: Drawing }> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-pictures-"));
  const env: NodeJS.ProcessEnv = {};
  const stack = await startStack({ directory: folder, env, want: ["kafka"], ports: { kafka: 0 } });
  try {
    const servers = stack.addresses.kafka!;
    const producer = new KafkaProducer({ servers });
    await producer.createTopic("clicks", { partitions: 2 });
    const spark = SparkSession.builder().getOrCreate();
    const query = await spark.readStream
      .format("kafka")
      .option("kafka.bootstrap.servers", servers)
      .option("subscribe", "clicks")
      .option("startingOffsets", "earliest")
      .load()
      .select(from_json(col("value").cast("string"), Click).as("click"))
      .select("click.*")
      .withWatermark("ts", "1 minute")
      .groupBy(window("ts", "10 seconds"), "page")
      .agg(count("*").as("clicks"))
      .writeStream.format("noop")
      .outputMode("update")
      .trigger({ processingTime: "1 second" })
      .start();
    const random = randomOf(11);
    // Traffic that comes and goes, more of it in the first partition.
    for (let tick = 0; tick < 100; tick++) {
      const much = 6 + 5 * Math.sin(tick / 9);
      const records = Array.from({ length: Math.round(random() * much) }, () => ({
        partition: random() < 0.62 ? 0 : 1,
        value: { page: `/${Math.floor(random() * 20)}`, ts: new Date() },
      }));
      await producer.send("clicks", records);
      await setTimeout(100);
    }
    await query.processAllAvailable();
    const progress = query.recentProgress.filter((p) => p.numInputRows > 0);
    await query.stop();
    await spark.stop();
    await producer.close();
    return { offsets: offsetsOf(progress.slice(0, 8)), phases: phasesOf(progress.slice(1, 9)) };
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

type Positions = Readonly<Record<string, Readonly<Record<string, number>>>>;

function offsetsOf(progress: readonly StreamingQueryProgress[]): Drawing {
  const end = (p: StreamingQueryProgress) => p.sources[0]!.endOffset as Positions;
  const start = (p: StreamingQueryProgress) => (p.sources[0]!.startOffset ?? {}) as Positions;
  const most = Math.max(...["0", "1"].map((partition) => end(progress.at(-1)!).clicks![partition]!));
  const d = new Drawing(
    760,
    240,
    "Two partitions of a topic, cut into batches",
    `${progress.length} batches of one second. Each takes a range of offsets from each partition.`,
  );
  const x = scale([0, most], [110, 720]);
  d.text(40, 30, "A batch is a range of offsets in each partition", "head");
  ["0", "1"].forEach((partition, row) => {
    const top = 56 + row * 56;
    d.text(40, top + 24, `partition ${partition}`);
    for (const [i, p] of progress.entries()) {
      const from = start(p).clicks?.[partition] ?? 0;
      const to = end(p).clicks![partition]!;
      if (to === from) continue;
      d.rect(x(from) + 1, top, x(to) - x(from) - 2, 38, COLORS[i % COLORS.length]!, 'rx="3"');
      if (x(to) - x(from) > 18) d.text((x(from) + x(to)) / 2, top + 24, String(p.batchId), "white", "middle");
    }
  });
  d.line(110, 172, 720, 172);
  for (let offset = 0; offset <= most; offset += 50) {
    d.line(x(offset), 172, x(offset), 177);
    d.text(x(offset), 191, String(offset), "small", "middle");
  }
  d.text(720, 208, "offset of the record in its partition", "small", "end");
  d.text(
    40,
    226,
    "The number in a box is that of the batch. A new one begins every second; what came in between is its input.",
    "small",
  );
  return d;
}

function phasesOf(progress: readonly StreamingQueryProgress[]): Drawing {
  const most = Math.max(...progress.map((p) => PHASES.reduce((sum, [name]) => sum + (p.durationMs[name] ?? 0), 0)));
  const d = new Drawing(
    760,
    120 + progress.length * 26,
    "Batches and their phases",
    `${progress.length} batches; most of the time of each goes into computing and delivering.`,
  );
  const top = Math.max(10, Math.ceil(most / 10) * 10);
  const x = scale([0, top], [150, 720]);
  d.text(40, 30, "What a batch does with its time", "head");
  progress.forEach((p, row) => {
    const y = 50 + row * 26;
    d.text(40, y + 14, `batch ${p.batchId}`);
    d.text(142, y + 14, `${p.numInputRows} rows`, "small", "end");
    let at = 0;
    for (const [name, , color] of PHASES) {
      const ms = p.durationMs[name] ?? 0;
      d.rect(x(at), y, x(at + ms) - x(at), 18, color);
      at += ms;
    }
  });
  const axis = 54 + progress.length * 26;
  d.line(150, axis, 720, axis);
  for (let i = 0; i <= 4; i++)
    d.text(x((top * i) / 4), axis + 16, `${Math.round((top * i) / 4)} ms`, "small", "middle");
  d.legend(
    40,
    axis + 46,
    PHASES.map(([, words, color]) => [color, words] as const),
  );
  return d;
}
