import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Connection, openDatabase } from "../../duckdb/duckdb.ts";
import { quoteIdentifier, sqlString } from "../../types/duckdb-types.ts";
import type { FoundCheckpoint } from "./find.ts";

/** A table of a stateful operator. */
export interface StateTable {
  /** Position of the operator in the plan, bottom up. */
  readonly operator: number;
  /** What it does, as the query has it: `aggregate by [origin: string] of [count(): () long]`. */
  readonly description: string;
  /** `state`, `timers`, or the name of a state variable. */
  readonly part: string;
  readonly table: string;
  readonly rows: number;
  /** Blocks of the file that it takes, in bytes; small tables share one. */
  readonly bytes: number;
  readonly columns: readonly StateColumn[];
}

export interface StateColumn {
  /** In the table. */
  readonly name: string;
  /** As the query has it, `origin` for `k0`. */
  readonly label: string;
  readonly isKey: boolean;
  readonly isNumber: boolean;
}

/** What a state database says of itself. */
export interface StateContents {
  /** The batch whose state it is; null before the first. */
  readonly batchId: number | null;
  readonly tables: readonly StateTable[];
}

/**
 * Opens a copy of the state database of a query that does not run and gives it to `work`: what is looked at cannot be harmed. Throws
 * CHECKPOINT_CORRUPT and what `work` throws.
 */
export async function withState<T>(
  checkpoint: FoundCheckpoint,
  work: (connection: Connection, contents: StateContents) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-state-"));
  try {
    const file = join(folder, basename(checkpoint.statePath!));
    for (const end of ["", ".wal"]) {
      if (existsSync(`${checkpoint.statePath}${end}`)) copyFileSync(`${checkpoint.statePath}${end}`, `${file}${end}`);
    }
    const database = await openDatabase(file, { tempDirectory: folder });
    try {
      const connection = await database.connect();
      return await work(connection, await contentsOf(connection));
    } finally {
      database.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function contentsOf(connection: Connection): Promise<StateContents> {
  // What is only in the write-ahead log has no blocks yet.
  await connection.exec("CHECKPOINT");
  const shape = JSON.parse(
    String((await connection.query("SELECT shape FROM query")).rows[0]?.shape ?? "[]"),
  ) as unknown[];
  const lines = shape.filter((part): part is string => typeof part === "string");
  const operators = shape.filter((part): part is { operator: string } => typeof part === "object" && part !== null);
  const batch = (await connection.query("SELECT id FROM batch")).rows[0]?.id;
  const found = await connection.query(
    "SELECT table_name AS name FROM duckdb_tables() WHERE NOT internal AND NOT temporary AND regexp_matches(table_name, '^op[0-9]+_') ORDER BY 1",
  );
  const tables: StateTable[] = [];
  for (const { name } of found.rows) {
    const table = String(name);
    const [, number = "0", part = ""] = /^op(\d+)_(.*)$/.exec(table) ?? [];
    const operator = Number(number);
    const description = describe(lines, operators, operator);
    const { rows } = await connection.query(`SELECT count(*) AS n FROM ${quoteIdentifier(table)}`);
    const blocks = await connection.query(
      `SELECT count(DISTINCT block_id) AS n FROM pragma_storage_info(${sqlString(table)}) WHERE block_id >= 0`,
    );
    const columns = await connection.query(
      `SELECT column_name AS name, data_type AS type FROM duckdb_columns() WHERE table_name = ${sqlString(table)} ORDER BY column_index`,
    );
    tables.push({
      operator,
      description,
      part,
      table,
      rows: Number(rows[0]!.n),
      bytes: Number(blocks.rows[0]!.n) * 262_144,
      columns: labelled(
        columns.rows.map((c) => ({ name: String(c.name), type: String(c.type) })),
        description,
      ),
    });
  }
  return { batchId: batch === undefined ? null : Number(batch), tables };
}

/** Lines and operators stand in the order of the plan; where their numbers differ the operator's own name has to do. */
function describe(lines: readonly string[], operators: readonly { operator: string }[], index: number): string {
  const line = lines.length === operators.length ? lines[index] : undefined;
  return line ?? operators[index]?.operator ?? "operator";
}

function labelled(columns: readonly { name: string; type: string }[], description: string): StateColumn[] {
  const keys = listIn(description, / by \[/).map(withoutType);
  const calls = listIn(description, / of \[/).map(withoutType);
  return columns.map(({ name, type }) => {
    const isNumber = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/.test(type);
    const key = /^k(\d+)$/.exec(name)?.[1];
    if (key !== undefined) return { name, label: keys[Number(key)] ?? name, isKey: true, isNumber };
    const [, call, field] = /^s(\d+)_(\w+)$/.exec(name) ?? [];
    const what = call === undefined ? undefined : calls[Number(call)];
    const label = what === undefined ? name : field === "v" ? what : `${what} ${field}`;
    return { name, label, isKey: false, isNumber };
  });
}

/** The items of the list that starts behind `start`, at the commas outside of brackets. */
function listIn(text: string, start: RegExp): string[] {
  const match = start.exec(text);
  if (match === null) return [];
  const items: string[] = [];
  let item = "";
  let depth = 0;
  for (const c of text.slice(match.index + match[0].length)) {
    if (c === "]" && depth === 0) break;
    if ("([<{".includes(c)) depth++;
    if (")]>}".includes(c)) depth--;
    if (c === "," && depth === 0) {
      items.push(item.trim());
      item = "";
    } else item += c;
  }
  return item.trim() === "" ? items : [...items, item.trim()];
}

/** `origin` of `origin: string`, `window` of `window(ts, 60000000, ...): struct<...>`. */
function withoutType(item: string): string {
  const name = item.replace(/: (?:\(.*\) )?[^:]*(?:<.*>)?$/, "");
  return name.startsWith("window(") ? "window start" : name;
}
