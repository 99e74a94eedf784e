import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { KafkaProducer } from "millrace/kafka";
import type { Flight } from "./flight.ts";

const FLIGHTS_PER_SECOND = 200;
const TICK_MS = 100;

const producer = new KafkaProducer<{ flights: Flight }>();

/** Makes the topic, where it is not there yet. */
export function createTopic(): Promise<void> {
  return producer.createTopic("flights", { partitions: 4 });
}

/** Sends the flights of a day in 2001 again and again, as if they left now, for as long as `wanted` says so. */
export async function replay(wanted: () => boolean): Promise<void> {
  const flights = readSample();
  const startedAt = Date.now();
  let sent = 0;
  while (wanted()) {
    const due = Math.floor(((Date.now() - startedAt) / 1000) * FLIGHTS_PER_SECOND) + 1;
    const ts = new Date();
    const records = Array.from({ length: due - sent }, (_, i) => {
      const flight = flights[(sent + i) % flights.length]!;
      return { key: flight.origin, value: { ts, ...flight } };
    });
    sent = due;
    await producer.send("flights", records);
    await setTimeout(TICK_MS);
  }
  await producer.close();
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
