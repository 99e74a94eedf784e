import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { fromDuckDBType } from "../formats/from-duckdb-type.ts";
import type { StructType } from "../types/data-type.ts";

let shared: Promise<DuckDBConnection> | undefined;
let turn: Promise<unknown> = Promise.resolve();

/** Runs `fn` on a small DuckDB in memory, one caller after another; for looking into files before a query is planned. */
function inspect<T>(fn: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  shared ??= DuckDBInstance.create(":memory:", {
    threads: "1",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  }).then(async (instance) => {
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    return connection;
  });
  const connection = shared;
  const result = turn.then(async () => fn(await connection));
  turn = result.catch(() => undefined);
  return result;
}

/** The columns of a table expression such as `read_parquet(...)`, as Spark types, all nullable. */
export function describeTable(from: string): Promise<StructType> {
  return inspect(async (connection) => {
    const result = await connection.run(`SELECT * FROM ${from} LIMIT 0`);
    const names = result.columnNames();
    return {
      kind: "struct",
      fields: result.columnTypes().map((type, i) => ({ name: names[i]!, type: fromDuckDBType(type), nullable: true })),
    };
  });
}
