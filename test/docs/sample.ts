import { Redis } from "iovalkey";
import pg from "pg";
import { KafkaProducer } from "../../src/kafka/producer.ts";

/** What the programs of the pages find: topics with a few records, tables with a few rows. The same for every page. */
export async function fillTopics(servers: string): Promise<void> {
  await using producer = new KafkaProducer({ servers });
  const at = (second: number) => new Date(Date.UTC(2026, 0, 15, 10, 0, second));
  const airports = ["ATL", "DFW", "JFK", "LAX", "ORD"];
  const flights = Array.from({ length: 200 }, (_, i) => ({
    ts: at(i * 60),
    origin: airports[i % 5],
    destination: airports[(i * 3 + 1) % 5],
    delay: ((i * 37) % 90) - 10,
    distance: 300 + ((i * 97) % 2000),
  }));
  const orders = Array.from({ length: 60 }, (_, i) => ({
    id: `o${i}`,
    ts: at(i * 5),
    customer: `c${i % 7}`,
    country: ["DE", "FR", "US"][i % 3],
    amount: 5 + ((i * 31) % 100),
  }));
  // Every fifth order is sent twice, as a producer that tries again would.
  const twice = orders.flatMap((order, i) => (i % 5 === 0 ? [order, order] : [order]));
  const clicks = Array.from({ length: 80 }, (_, i) => ({
    user: `u${i % 6}`,
    page: ["/", "/search", "/cart", "/pay"][i % 4],
    ts: at(i * 7 + (i % 6) * 200),
  }));
  for (const [topic, key, rows] of [
    ["flights", "origin", flights],
    ["orders", "customer", twice],
    ["clicks", "user", clicks],
  ] as const) {
    await producer.createTopic(topic, { partitions: 2 });
    await producer.send(
      topic,
      rows.map((row) => ({ key: (row as Record<string, unknown>)[key] as string, value: row })),
    );
  }
  await producer.createTopic("readings", { partitions: 1 });
  await producer.send("readings", [
    { key: "s1", value: '{"sensor":"s1","ts":"2026-01-15T10:00:00Z","celsius":21.5}' },
    { key: "s2", value: "not json at all" },
    { key: "s1", value: '{"sensor":"s1","ts":"2026-01-15T10:00:10Z","celsius":"warm"}' },
    { key: "s3", value: '{"sensor":"s3","ts":"2026-01-15T10:00:20Z","celsius":19}' },
  ]);
}

/** Empties database and cache and fills in the tables that programs read. */
export async function fillTables(postgres: string, redis: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgres });
  await client.connect();
  try {
    await client.query("DROP SCHEMA public CASCADE");
    await client.query("CREATE SCHEMA public");
    await client.query("CREATE TABLE customers (id text PRIMARY KEY, name text, tier text)");
    await client.query(
      "INSERT INTO customers SELECT 'c' || n, 'Customer ' || n, CASE n % 3 WHEN 0 THEN 'gold' ELSE 'plain' END FROM generate_series(0, 6) AS n",
    );
    await client.query("CREATE TABLE airports (code text PRIMARY KEY, name text, country text)");
    await client.query(
      "INSERT INTO airports VALUES ('ATL', 'Atlanta', 'US'), ('DFW', 'Dallas', 'US'), ('JFK', 'New York', 'US'), ('LAX', 'Los Angeles', 'US'), ('ORD', 'Chicago', 'US')",
    );
  } finally {
    await client.end();
  }
  const cache = new Redis(redis);
  await cache.flushall();
  cache.disconnect();
}
