import { setTimeout } from "node:timers/promises";
import { KafkaProducer } from "millrace/kafka";

const PER_SECOND = 50;
const COUNTRIES = ["DE", "FR", "GB", "IN", "JP", "US"];

/** Makes the topic, where it is not there yet. */
export async function createTopic(servers: string): Promise<void> {
  await using producer = new KafkaProducer({ servers });
  await producer.createTopic("orders", { partitions: 4 });
}

/** Sends orders of an invented shop to the topic `orders`, for as long as `wanted` says so. */
export async function sendOrders(servers: string, wanted: () => boolean): Promise<void> {
  await using producer = new KafkaProducer({ servers });
  let id = Date.now();
  while (wanted()) {
    const orders = Array.from({ length: PER_SECOND / 10 }, () => {
      const customer = `c${Math.floor(Math.random() * 1000)}`;
      const country = COUNTRIES[Math.floor(Math.random() ** 2 * COUNTRIES.length)]!;
      const amount = Math.round(500 + Math.random() * 9500) / 100;
      return { key: customer, value: { id: `${id++}`, ts: new Date(), customer, country, amount } };
    });
    await producer.send("orders", orders);
    await setTimeout(100);
  }
}
