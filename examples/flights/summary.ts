import { join } from "node:path";
import { Redis } from "iovalkey";
import pg from "pg";
import { ALERTS_TOPIC, endOffsets, TOPIC } from "./replay.ts";
import { deltaFiles } from "./verify.ts";

export interface Addresses {
  readonly kafka: string;
  readonly postgres: string;
  readonly redis: string;
  readonly lake: string;
}

/** Where the layers are: the embedded servers set these variables, or they lead to servers of yours. */
export function addressesFrom(env: NodeJS.ProcessEnv): Addresses {
  const { MILLRACE_KAFKA, MILLRACE_POSTGRES, MILLRACE_REDIS, MILLRACE_LAKE } = env;
  if (!MILLRACE_KAFKA || !MILLRACE_POSTGRES || !MILLRACE_REDIS || !MILLRACE_LAKE)
    throw new Error("no stack is running");
  return {
    kafka: MILLRACE_KAFKA,
    postgres: MILLRACE_POSTGRES,
    redis: MILLRACE_REDIS,
    lake: join(MILLRACE_LAKE, "flights"),
  };
}

/** What `--json` prints. */
export interface Summary {
  readonly events: number;
  readonly lakeRows: number;
  readonly delaysRows: number;
  readonly airports: number;
  readonly alerts: number;
  /** Flights sent by this run, from the first one sent until all three queries are through; null when there was nothing to send. */
  readonly eventsPerSecond: number | null;
  /** From the start of the process until the first hours are in the database and the cache; null when there were none. */
  readonly firstResultMs: number | null;
  readonly lateRows: number;
  readonly seconds: number;
  readonly peakMemoryMb: number;
  readonly addresses: Addresses;
  /** With `--verify`: how the results differ from the oracle. */
  readonly differences?: readonly string[];
}

/** What is in topic, lake, database and cache now. */
export async function countResults(
  addresses: Addresses,
): Promise<Pick<Summary, "events" | "lakeRows" | "delaysRows" | "airports" | "alerts">> {
  const client = new pg.Client({ connectionString: addresses.postgres });
  const redis = new Redis(addresses.redis);
  await client.connect();
  try {
    const rows = async (table: string): Promise<number> => {
      const exists = await client.query("SELECT to_regclass($1) IS NOT NULL AS yes", [table]);
      return exists.rows[0].yes ? (await client.query(`SELECT count(*)::int AS n FROM ${table}`)).rows[0].n : 0;
    };
    const airports = new Set<string>();
    for await (const keys of redis.scanStream({ match: "airport:*", count: 1000 })) {
      for (const key of keys as string[]) airports.add(key);
    }
    return {
      events: (await endOffsets(addresses.kafka, TOPIC)).reduce((sum, end) => sum + end, 0),
      lakeRows: deltaFiles(addresses.lake).reduce((sum, file) => sum + file.rows, 0),
      delaysRows: await rows("delays"),
      airports: airports.size,
      alerts: await rows("alerts"),
    };
  } finally {
    redis.disconnect();
    await client.end();
  }
}

/** For people. How fast it went says something only of a run that did not wait for the clock. */
export function summaryText(summary: Summary, once: boolean): string {
  const n = (value: number): string => value.toLocaleString("en-US");
  const lines = [
    `${n(summary.events)} flights in the topic, ${n(summary.lateRows)} of them too late`,
    `${n(summary.lakeRows)} rows in the lake`,
    `${n(summary.delaysRows)} rows (hour and airport) in the table delays`,
    `${n(summary.airports)} airports in the cache`,
    `${n(summary.alerts)} rows in the table alerts`,
    ...(summary.eventsPerSecond === null || !once
      ? []
      : [`${n(summary.eventsPerSecond)} flights per second through all three queries`]),
    ...(summary.firstResultMs === null ? [] : [`first result after ${n(summary.firstResultMs)} ms`]),
    `${summary.seconds} seconds in all, at most ${n(summary.peakMemoryMb)} MB of memory`,
  ];
  if (summary.differences?.length === 0) lines.push("every row agrees with the oracle");
  for (const difference of summary.differences ?? []) lines.push(`NOT AS EXPECTED: ${difference}`);
  return `${lines.join("\n")}\n`;
}

/** Commands that show the results; they work as long as the servers run. */
export function commandsText({ kafka, postgres, redis, lake }: Addresses): string {
  const { hostname, port } = new URL(redis);
  return [
    `kcat -b ${kafka} -t ${TOPIC} -C -c 3`,
    `kcat -b ${kafka} -t ${ALERTS_TOPIC} -C -e -c 3`,
    `psql ${postgres} -c 'select * from delays order by hour desc, flights desc limit 5'`,
    `psql ${postgres} -c 'select * from alerts order by deviations desc limit 5'`,
    `redis-cli -h ${hostname} -p ${port} hgetall airport:ATL`,
    `ls ${lake}`,
    "",
  ].join("\n");
}
