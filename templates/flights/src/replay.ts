import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { KafkaProducer } from "millrace/kafka";
import type { Flight } from "./flight.ts";

const FLIGHTS_PER_SECOND = 200;
const TICK_MS = 100;

const sample = readSample();
let next = 0;

const producer = new KafkaProducer<{ flights: Flight }>();

/** Makes the topic, where it is not there yet, with the first flights in it. */
export async function createTopic(): Promise<void> {
  await producer.createTopic("flights", { partitions: 4 });
  await send(FLIGHTS_PER_SECOND);
}

/** Sends the flights of a day in 2001 again and again, as if they left now, for as long as `wanted` says so. */
export async function replay(wanted: () => boolean): Promise<void> {
  let due = 0;
  for (let before = Date.now(); wanted(); await setTimeout(TICK_MS)) {
    const now = Date.now();
    due += ((now - before) / 1000) * FLIGHTS_PER_SECOND;
    before = now;
    await send(Math.floor(due));
    due -= Math.floor(due);
  }
  await producer.close();
}

async function send(count: number): Promise<void> {
  const ts = new Date();
  const records = Array.from({ length: count }, () => {
    const flight = sample[next++ % sample.length]!;
    return { key: flight.origin, value: { ts, ...flight } };
  });
  await producer.send("flights", records);
}

function readSample(): (Omit<Flight, "ts"> & { origin: string })[] {
  const [, ...lines] = readFileSync(new URL("../data/flights.csv", import.meta.url), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => {
    const [origin = "", destination = "", delay, distance] = line.split(",");
    return { origin, destination, delay: Number(delay), distance: Number(distance) };
  });
}
