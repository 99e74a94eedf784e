/**
 * node bench/latency-client.ts KAFKA POSTGRES RATE: prints percentiles of the time from produce to visible.
 *
 * Visible is what a SELECT of this client returns, at the time when the answer is here. Asking every few milliseconds would take a fifth of
 * the processor time of what is measured (one session serves all clients of the embedded database), so a trigger on the table says when to ask.
 */
import pg from "pg";
import { KafkaClient, KafkaProducer } from "../src/kafka/client/index.ts";
import { partitionForKey } from "../src/kafka/wire/murmur2.ts";
import { percentile } from "./measurement.ts";

const [kafka, postgres, rateText] = process.argv.slice(2) as [string, string, string];
const rate = Number(rateText);
const WARM_MS = 4_000;
const MEASURE_MS = 10_000;
const TICK_MS = 5;
/** Asks without having been called, should a call be lost. */
const POLL_MS = 100;
const PARTITIONS = 4;

const origins = Array.from({ length: 200 }, (_, i) => `A${i}`);
const partitions = origins.map((origin) => partitionForKey(Buffer.from(origin), PARTITIONS));
const client = KafkaClient.connect({ "bootstrap.servers": kafka });
const producer = new KafkaProducer(client);
const database = new pg.Client({ connectionString: postgres });
await database.connect();

/** Sent and not yet seen, by partition, in order. */
const waiting = Array.from({ length: PARTITIONS }, () => [] as { seq: number; at: number }[]);
const latencies: number[] = [];
// The table may hold the numbers of an earlier rate.
const exists = await database.query("SELECT to_regclass('progress') IS NOT NULL AS yes");
let seq: number = exists.rows[0].yes
  ? ((await database.query("SELECT max(seq) AS n FROM progress")).rows[0].n ?? 0)
  : 0;

const startedAt = performance.now();
let sending = true;
const sends = (async () => {
  let due = 0;
  while (performance.now() - startedAt < WARM_MS + MEASURE_MS) {
    const now = performance.now();
    const until = ((now - startedAt) / 1000) * rate;
    const records: { key: string; value: string; partition: number }[] = [];
    for (; due < until; due++) {
      const i = due % origins.length;
      records.push({
        key: origins[i]!,
        value: JSON.stringify({ ts: new Date(), origin: origins[i], seq: ++seq }),
        partition: partitions[i]!,
      });
      waiting[partitions[i]!]!.push({ seq, at: now });
    }
    producer.send("events", records).catch((error) => {
      throw error;
    });
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await producer.flush();
  sending = false;
})();

/** Resolves at the next call of the trigger, or after POLL_MS; at once when there was one since the last time. */
let called = false;
let wake: (() => void) | undefined;
database.on("notification", () => {
  called = true;
  wake?.();
});
async function change(): Promise<void> {
  if (!called) {
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, POLL_MS);
    });
  }
  called = false;
}

let hasTrigger = false;
async function prepareTrigger(): Promise<void> {
  await database.query(`
    CREATE OR REPLACE FUNCTION tell_progress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY progress; RETURN NULL; END $$;
    CREATE OR REPLACE TRIGGER tell AFTER INSERT ON progress FOR EACH STATEMENT EXECUTE FUNCTION tell_progress();
    LISTEN progress`);
  hasTrigger = true;
}

const horizon =
  "SELECT partition, max(seq) AS seq FROM progress WHERE minute > now() - interval '5 minutes' GROUP BY partition";
for (const deadline = performance.now() + WARM_MS + MEASURE_MS + 10_000; performance.now() < deadline; ) {
  const rows = await database.query(horizon).then(
    (result) => result.rows,
    () => [], // the table comes with the first batch
  );
  const now = performance.now();
  for (const row of rows) {
    const queue = waiting[row.partition]!;
    let n = 0;
    for (; n < queue.length && queue[n]!.seq <= row.seq; n++) {
      if (queue[n]!.at - startedAt > WARM_MS) latencies.push(now - queue[n]!.at);
    }
    queue.splice(0, n);
  }
  if (!sending && waiting.every((queue) => queue.length === 0)) break;
  // the table comes with the first batch
  if (hasTrigger) await change();
  else await prepareTrigger().catch(() => new Promise((resolve) => setTimeout(resolve, POLL_MS)));
}
await sends;
const lost = waiting.reduce((sum, queue) => sum + queue.length, 0);
if (lost > 0) throw new Error(`${lost} events never became visible`);
latencies.sort((a, b) => a - b);
const ms = (value: number): number => Math.round(value * 10) / 10;
console.log(
  JSON.stringify({
    events: latencies.length,
    p50: ms(percentile(latencies, 50)),
    p99: ms(percentile(latencies, 99)),
    max: ms(latencies.at(-1) ?? Number.NaN),
  }),
);
await producer.close();
client.close();
await database.end();
