import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";

/** Three million US flights of 2001-01-01 to 2001-07-01: date, delay (minutes), distance (miles), origin, destination. */
export const FLIGHTS_FILE = join(
  dirname(createRequire(import.meta.url).resolve("vega-datasets")),
  "../data/flights-3m.parquet",
);
export const FLIGHTS_TOTAL = 3_000_000;

/**
 * The flights in the order in which their departures become known: at the scheduled time plus the delay, ninety minutes after the
 * scheduled time at the latest, earlier for those that left early. The other columns make the order total, so that every run,
 * and every continued run, sends the same records to the same offsets. The columns are those of the JSON record.
 */
export const FLIGHTS_IN_ORDER = `
  SELECT date AS ts, origin, destination, delay::INTEGER AS delay, distance::INTEGER AS distance,
         date + to_minutes(least(delay, 90)::INTEGER) AS departure
  FROM read_parquet('${FLIGHTS_FILE.replaceAll("'", "''")}')
  ORDER BY departure, ts, origin, destination, delay, distance`;

/** A DuckDB of its own: neither the replay nor the oracle shares anything with the engine under test. */
export async function openDuckDB(): Promise<DuckDBConnection> {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  return connection;
}

/** The flights by column, in sending order. Times are minutes since 1970 in UTC, airports are positions in `airports`. */
export interface Flights {
  readonly count: number;
  readonly airports: readonly string[];
  readonly scheduled: Int32Array;
  readonly departure: Int32Array;
  readonly delay: Int32Array;
  readonly distance: Int32Array;
  readonly origin: Int32Array;
  readonly destination: Int32Array;
}

/** Reads and sorts the first `limit` flights (about a second for all of them). */
export async function loadFlights(limit = FLIGHTS_TOTAL): Promise<Flights> {
  const connection = await openDuckDB();
  try {
    await connection.run(`CREATE TEMP TABLE flight AS ${FLIGHTS_IN_ORDER} LIMIT ${limit}`);
    await connection.run(`CREATE TEMP TABLE airport AS
      SELECT name, (row_number() OVER (ORDER BY name) - 1)::INTEGER AS id
      FROM (SELECT origin AS name FROM flight UNION SELECT destination FROM flight)`);
    const names = await connection.runAndReadAll("SELECT name FROM airport ORDER BY id");
    const count = Number((await connection.runAndReadAll("SELECT count(*) FROM flight")).getRows()[0]![0]);
    const columns = Array.from({ length: 6 }, () => new Int32Array(count));
    // The join may disturb the order of the table; the row id brings it back.
    const result = await connection.stream(`
      SELECT (epoch(ts) // 60)::INTEGER, (epoch(departure) // 60)::INTEGER, delay, distance, o.id, d.id
      FROM flight JOIN airport o ON o.name = flight.origin JOIN airport d ON d.name = flight.destination
      ORDER BY flight.rowid`);
    let at = 0;
    for (
      let chunk = await result.fetchChunk();
      chunk !== null && chunk.rowCount > 0;
      chunk = await result.fetchChunk()
    ) {
      for (let c = 0; c < columns.length; c++) {
        const { items } = chunk.getColumnVector(c) as unknown as { items: Int32Array };
        columns[c]!.set(items.subarray(0, chunk.rowCount), at);
      }
      at += chunk.rowCount;
    }
    const [scheduled, departure, delay, distance, origin, destination] = columns as [
      Int32Array,
      Int32Array,
      Int32Array,
      Int32Array,
      Int32Array,
      Int32Array,
    ];
    return {
      count,
      airports: names.getRows().map((row) => String(row[0])),
      scheduled,
      departure,
      delay,
      distance,
      origin,
      destination,
    };
  } finally {
    connection.closeSync();
  }
}
