import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { Redis } from "iovalkey";
import pg from "pg";
import { openDuckDB } from "./dataset.ts";
import { createOracle } from "./oracle.ts";

export interface Verification {
  /** Empty when everything agrees; otherwise one sentence per difference, with an example. */
  readonly differences: readonly string[];
  readonly lakeRows: number;
  readonly delaysRows: number;
  readonly airports: number;
  readonly alerts: number;
}

export interface VerifyOptions {
  /** The folder of the Delta table. */
  readonly lake: string;
  readonly postgres: string;
  readonly redis: string;
  /** How many events were sent. */
  readonly events: number;
}

/**
 * Compares what lake, database and cache hold with the oracle. It reads them as strangers would: the Delta log as JSON and the data
 * files with a DuckDB of its own, PostgreSQL and Redis through their usual clients.
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const connection = await openDuckDB();
  const temporary = mkdtempSync(join(tmpdir(), "millrace-verify-"));
  try {
    await createOracle(connection, options.events);
    await readLake(connection, options.lake);
    const client = new pg.Client({ connectionString: options.postgres });
    await client.connect();
    try {
      await readTable(connection, client, "delays", DELAYS, temporary);
      await readTable(connection, client, "alerts", ALERTS, temporary);
    } finally {
      await client.end();
    }
    await readCache(connection, options.redis, temporary);
    const differences = [
      ...(await compare(connection, "lake", ["ts", "origin", "destination", "delay", "distance", "day"], [])),
      ...(await compare(connection, "delays", ["hour", "origin"], ["flights", "delay", "worst", "late"])),
      ...(await compare(connection, "cache", ["hour", "origin"], ["flights", "delay", "worst", "late"])),
      ...(await compare(connection, "alerts", ["hour", "origin"], ["flights", "delay", "usual", "deviations"])),
    ];
    const rows = async (table: string): Promise<number> =>
      Number((await connection.runAndReadAll(`SELECT count(*) FROM actual_${table}`)).getRows()[0]![0]);
    return {
      differences,
      lakeRows: await rows("lake"),
      delaysRows: await rows("delays"),
      airports: await rows("cache"),
      alerts: await rows("alerts"),
    };
  } finally {
    connection.closeSync();
    rmSync(temporary, { recursive: true, force: true });
  }
}

const DELAYS = {
  hour: "TIMESTAMP",
  origin: "VARCHAR",
  flights: "BIGINT",
  delay: "DOUBLE",
  worst: "INTEGER",
  late: "DOUBLE",
};
const ALERTS = {
  hour: "TIMESTAMP",
  origin: "VARCHAR",
  flights: "BIGINT",
  delay: "DOUBLE",
  usual: "DOUBLE",
  deviations: "DOUBLE",
};

interface DeltaFile {
  readonly path: string;
  readonly partition: Record<string, string | null>;
  /** As the log counts them. */
  readonly rows: number;
}

/** The files that the Delta log says are part of the table now. https://github.com/delta-io/delta/blob/master/PROTOCOL.md */
export function deltaFiles(table: string): DeltaFile[] {
  const log = join(table, "_delta_log");
  if (!existsSync(log)) return [];
  const files = new Map<string, DeltaFile>();
  const versions = readdirSync(log)
    .filter((name) => /^\d{20}\.json$/.test(name))
    .sort();
  versions.forEach((name, i) => {
    if (Number(name.slice(0, 20)) !== i) throw new Error(`${log}: version ${i} is missing`);
    for (const line of readFileSync(join(log, name), "utf8").split("\n")) {
      if (line === "") continue;
      const action = JSON.parse(line);
      if (action.remove) files.delete(action.remove.path);
      if (action.add) {
        const { path, partitionValues, stats } = action.add;
        files.set(path, {
          path: join(table, decodeURIComponent(path)),
          partition: partitionValues,
          rows: JSON.parse(stats ?? "{}").numRecords ?? 0,
        });
      }
    }
  });
  return [...files.values()];
}

async function readLake(connection: DuckDBConnection, table: string): Promise<void> {
  const files = deltaFiles(table);
  await connection.run(
    "CREATE TABLE actual_lake (ts TIMESTAMP, origin VARCHAR, destination VARCHAR, delay INTEGER, distance INTEGER, day DATE)",
  );
  // A partition's value is what the log says, not the name of a folder.
  for (const [day, group] of Map.groupBy(files, (file) => file.partition.day)) {
    const list = group.map((file) => `'${file.path.replaceAll("'", "''")}'`).join(", ");
    await connection.run(`INSERT INTO actual_lake
      SELECT ts, origin, destination, delay, distance, '${day}'::DATE FROM read_parquet([${list}], hive_partitioning = false)`);
  }
}

async function readTable(
  connection: DuckDBConnection,
  client: pg.Client,
  table: string,
  columns: Record<string, string>,
  temporary: string,
): Promise<void> {
  const names = Object.keys(columns);
  const list = names.map((name) =>
    name === "hour" ? `to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS hour` : name,
  );
  const exists = await client.query("SELECT to_regclass($1) AS name", [table]);
  const rows = exists.rows[0].name === null ? [] : (await client.query(`SELECT ${list.join(", ")} FROM ${table}`)).rows;
  await load(connection, `actual_${table}`, columns, rows, temporary);
}

async function readCache(connection: DuckDBConnection, address: string, temporary: string): Promise<void> {
  const redis = new Redis(address);
  try {
    const rows: Record<string, unknown>[] = [];
    for await (const keys of redis.scanStream({ match: "airport:*", count: 1000 })) {
      for (const key of keys as string[]) {
        const hash = await redis.hgetall(key);
        rows.push({ ...hash, origin: key.slice("airport:".length) });
      }
    }
    const unique = [...new Map(rows.map((row) => [row.origin, row])).values()];
    await load(connection, "actual_cache", DELAYS, unique, temporary);
  } finally {
    redis.disconnect();
  }
}

async function load(
  connection: DuckDBConnection,
  table: string,
  columns: Record<string, string>,
  rows: readonly Record<string, unknown>[],
  temporary: string,
): Promise<void> {
  const types = Object.entries(columns);
  await connection.run(`CREATE TABLE ${table} (${types.map(([name, type]) => `${name} ${type}`).join(", ")})`);
  if (rows.length === 0) return;
  const file = join(temporary, `${table}.json`);
  const text = rows.map((row) => JSON.stringify(Object.fromEntries(types.map(([name]) => [name, row[name]]))));
  writeFileSync(file, `${text.join("\n")}\n`);
  const read = `{${types.map(([name, type]) => `${name}: '${type === "TIMESTAMP" ? "VARCHAR" : type}'`).join(", ")}}`;
  const values = types.map(([name, type]) =>
    type === "TIMESTAMP" ? `${name}::TIMESTAMPTZ AT TIME ZONE 'UTC'` : `${name}`,
  );
  await connection.run(`INSERT INTO ${table} SELECT ${values.join(", ")} FROM read_json('${file}', columns = ${read})`);
}

/** Rows as a multiset by `key`; `values` agree when they are the same number up to the last digits of a double. */
async function compare(
  connection: DuckDBConnection,
  table: string,
  key: string[],
  values: string[],
): Promise<string[]> {
  const same = (name: string): string =>
    `(e.${name} IS NOT DISTINCT FROM a.${name} OR coalesce(abs(e.${name} - a.${name}) <= 1e-9 * greatest(1, abs(e.${name})), false))`;
  const grouped = (side: string): string =>
    `(SELECT ${key.join(", ")}, count(*) AS copies${values.map((v) => `, any_value(${v}) AS ${v}`).join("")}
      FROM ${side}_${table} GROUP BY ${key.map((_, i) => i + 1).join(", ")})`;
  const found = await connection.runAndReadAll(`
    SELECT coalesce(e.copies, 0) AS expected, coalesce(a.copies, 0) AS actual, e, a
    FROM ${grouped("expected")} e FULL JOIN ${grouped("actual")} a ON ${key.map((k) => `e.${k} IS NOT DISTINCT FROM a.${k}`).join(" AND ")}
    WHERE e.copies IS DISTINCT FROM a.copies ${values.map((v) => `OR NOT ${same(v)}`).join(" ")}`);
  if (found.currentRowCount === 0) return [];
  const rows = found.getRowsJson() as [string, string, unknown, unknown][];
  const missing = rows.filter((row) => Number(row[0]) > Number(row[1])).length;
  const extra = rows.filter((row) => Number(row[0]) < Number(row[1])).length;
  const example = rows[0]!;
  return [
    `${table}: ${missing} missing, ${extra} too many, ${rows.length - missing - extra} with other values; ` +
      `for example expected ${JSON.stringify(example[2])}, found ${JSON.stringify(example[3])}`,
  ];
}
