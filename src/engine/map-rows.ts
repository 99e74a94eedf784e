import { callAll, callOnRows } from "../duckdb/call-function.ts";
import type { Connection } from "../duckdb/duckdb.ts";
import { toMillraceError } from "../duckdb/duckdb-error.ts";
import { CHUNK_ROWS, ChunkWriter, toRows } from "../duckdb/rows.ts";
import { userFunctionFailed } from "../duckdb/user-error.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { columnName, outputSelect } from "./compile.ts";

export type MapRowsNode = Extract<ResolvedRelation, { kind: "map_rows" }>;

/**
 * Runs a TypeScript function over rows and lays the results down in the TEMP table `table`, columns `c<id>` of the node's fields.
 * `input` is a SELECT of the input's columns `c<id>`. Results keep the order of the input. Functions may be asynchronous.
 *
 * @throws MillraceError USER_FUNCTION_FAILED with the cause, INVALID_VALUE when a result does not fit the declared schema
 * @returns the number of result rows
 */
export async function runMapRows(
  connection: Connection,
  node: MapRowsNode,
  input: string,
  table: string,
): Promise<number> {
  if (node.op === "filter") return runFilter(connection, node, input, table);
  const columns = node.fields.map((f) => `${columnName(f.id)} ${sqlType(f.type)}`);
  await connection.exec(`CREATE OR REPLACE TEMP TABLE ${table} (${columns.join(", ") || "none INTEGER"})`);
  const schema: StructType = {
    kind: "struct",
    fields: node.fields.map(({ name, type, nullable }) => ({ name, type, nullable })),
  };
  const writer = new ChunkWriter(schema, true);
  const names = node.input.fields.map((f) => f.name);
  const appender = await connection.appender(table, "main", "temp");
  let count = 0;
  let pending: AnyRow[] = [];
  const flush = (all: boolean): void => {
    while (pending.length >= CHUNK_ROWS || (all && pending.length > 0)) {
      const part = pending.slice(0, CHUNK_ROWS);
      pending = pending.slice(CHUNK_ROWS);
      let chunk: ReturnType<ChunkWriter["fromObjects"]>;
      try {
        chunk = writer.fromObjects(part);
      } catch (error) {
        throw userFunctionFailed(node.fn.name, error, part[0]);
      }
      appender.appendDataChunk(chunk);
      count += part.length;
    }
  };
  let done = false;
  try {
    for await (const chunk of connection.read(outputSelect(node.input, input))) {
      const rows = toRows(names, chunk.columns, chunk.rowCount);
      for (const row of await callOnRows(node.op, node.fn, rows)) pending.push(row);
      flush(false);
    }
    flush(true);
    appender.flushSync();
    done = true;
  } catch (error) {
    throw toMillraceError(error);
  } finally {
    if (!done) appender.clear();
    appender.closeSync();
  }
  return count;
}

/** A filter keeps the rows as they are in DuckDB, with all their microseconds: only the decision comes from TypeScript. */
async function runFilter(connection: Connection, node: MapRowsNode, input: string, table: string): Promise<number> {
  const columns = node.fields.map((f, i) => `${columnName(node.input.fields[i]!.id)} AS ${columnName(f.id)}`);
  await connection.exec(
    `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT ${columns.join(", ") || "1 AS none"} FROM (${input})`,
  );
  const names = node.input.fields.map((f) => f.name);
  // Within a transaction rows are not numbered from zero.
  const list = ["rowid", ...node.fields.map((f) => columnName(f.id))].join(", ");
  const dropped: bigint[] = [];
  let total = 0;
  for await (const chunk of connection.read(`SELECT ${list} FROM temp.main.${table} ORDER BY rowid`)) {
    const [ids, ...values] = chunk.columns;
    const outcomes = await callAll(node.fn.name, node.fn.call, toRows(names, values, chunk.rowCount));
    outcomes.forEach((keep, i) => {
      if (!keep) dropped.push(ids![i] as bigint);
    });
    total += chunk.rowCount;
  }
  if (dropped.length > 0) {
    await connection.exec(`CREATE OR REPLACE TEMP TABLE ${table}_dropped (id BIGINT)`);
    const appender = await connection.appender(`${table}_dropped`, "main", "temp");
    try {
      const writer = new ChunkWriter({
        kind: "struct",
        fields: [{ name: "id", type: { kind: "long" }, nullable: false }],
      });
      for (let i = 0; i < dropped.length; i += CHUNK_ROWS) {
        const part = dropped.slice(i, i + CHUNK_ROWS);
        appender.appendDataChunk(writer.fromColumns([part], part.length));
      }
      appender.flushSync();
    } finally {
      appender.closeSync();
    }
    await connection.exec(
      `DELETE FROM temp.main.${table} WHERE rowid IN (SELECT id FROM temp.main.${table}_dropped); DROP TABLE temp.main.${table}_dropped`,
    );
  }
  return total - dropped.length;
}
