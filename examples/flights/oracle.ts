import type { DuckDBConnection } from "@duckdb/node-api";
import { FLIGHTS_IN_ORDER } from "./dataset.ts";

/**
 * What the three queries must have written, computed from the Parquet file alone by SQL of its own: tables `expected_lake`,
 * `expected_delays`, `expected_cache` and `expected_alerts` in `connection`. It shares no code with the engine.
 */
export async function createOracle(connection: DuckDBConnection, limit: number): Promise<void> {
  await connection.run(`CREATE TABLE expected_lake AS
    SELECT ts, origin, destination, delay, distance, ts::DATE AS day FROM (${FLIGHTS_IN_ORDER} LIMIT ${limit})`);

  await connection.run(`CREATE TABLE expected_delays AS
    SELECT date_trunc('hour', ts) AS hour, origin, count(*) AS flights, sum(delay) / count(*) AS delay, max(delay) AS worst,
           count(*) FILTER (WHERE delay > 15) / count(*) AS late
    FROM expected_lake GROUP BY ALL`);

  await connection.run(`CREATE TABLE expected_cache AS
    SELECT * FROM expected_delays QUALIFY row_number() OVER (PARTITION BY origin ORDER BY hour DESC) = 1`);

  // An hour is closed when the final watermark, the latest time less one day, has passed its end.
  await connection.run(`CREATE TABLE expected_alerts AS
    WITH closed AS (
      SELECT * FROM expected_delays
      WHERE hour + INTERVAL 1 HOUR <= (SELECT max(ts) FROM expected_lake) - INTERVAL 1 DAY),
    compared AS (
      SELECT *, count(*) OVER earlier AS hours, avg(delay) OVER earlier AS usual, stddev_samp(delay) OVER earlier AS deviation
      FROM closed
      WINDOW earlier AS (PARTITION BY origin ORDER BY hour ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
    SELECT hour, origin, flights, delay, usual, (delay - usual) / deviation AS deviations
    FROM compared WHERE hours >= 100 AND flights >= 5 AND delay > usual + 3 * deviation`);
}
