/** Produces departures at a steady rate until its parent ends: node bench/live-producer.ts KAFKA RATE. */
import { KafkaClient, KafkaProducer } from "../src/kafka/client/index.ts";

const [kafka, rateText] = process.argv.slice(2) as [string, string];
const rate = Number(rateText);
const TICK_MS = 10;
/** Event time passes this many times as fast as the clock, so that hours close while it is measured. */
const SPEED = 600;

const origins = Array.from({ length: 340 }, (_, i) => `A${String(i).padStart(3, "0")}`);
const client = KafkaClient.connect({ "bootstrap.servers": kafka });
const producer = new KafkaProducer(client);
const startedAt = performance.now();
const begin = Date.UTC(2001, 0, 1);
let sent = 0;
setInterval(() => {
  const elapsed = performance.now() - startedAt;
  const records: { key: string; value: string }[] = [];
  for (const until = (elapsed / 1000) * rate; sent < until; sent++) {
    const origin = origins[(sent * 7919) % origins.length]!;
    const ts = new Date(begin + elapsed * SPEED).toISOString();
    records.push({ key: origin, value: JSON.stringify({ ts, origin, delay: (sent * 31) % 97, distance: 500 }) });
  }
  if (records.length > 0) producer.send("flights", records).catch(() => process.exit(1));
}, TICK_MS);
process.on("disconnect", () => process.exit());
