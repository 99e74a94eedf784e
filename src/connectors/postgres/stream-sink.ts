import type pg from "pg";
import { MillraceError } from "../../errors.ts";
import { quoteIdentifier } from "../../types/duckdb-types.ts";
import type {
  BatchWriteRequest,
  Options,
  SinkBatch,
  SinkMarker,
  SinkRequest,
  SinkResult,
  StreamSink,
  StreamSinkRequest,
} from "../connector.ts";
import { type BatchWrite, beginWrite, openTarget, type WriteTarget, wroteBeside } from "../written.ts";
import { addressOf, connect, type PostgresAddress, translate } from "./connection.ts";
import { arraysSql } from "./encode.ts";
import { checkTable, createTableSql, type TableName, tableExists, tableName } from "./table.ts";

const MARKER_TABLE = "millrace_commits";

/** What a sink works with, read from its options. */
interface Target {
  readonly address: PostgresAddress;
  readonly table: TableName;
  readonly marker: TableName;
  readonly key: readonly string[];
  readonly createTable: boolean;
  readonly rowsPerStatement: number;
}

function targetOf(options: Options): Target {
  const table = tableName(options.dbtable ?? "");
  const schema = table.schema === undefined ? "" : `${quoteIdentifier(table.schema)}.`;
  return {
    address: addressOf(options),
    table,
    // Beside the table, so that a role that may write to one schema only can keep its marker there.
    marker: tableName(`${schema}${MARKER_TABLE}`),
    key: keyOf(options),
    createTable: (options.createTable ?? "true").toLowerCase() === "true",
    rowsPerStatement: Math.max(1, Number(options.batchsize ?? 10_000)),
  };
}

/** The table as those name it who follow what is written there. */
function writeTargetOf({ address, table }: Target): WriteTarget {
  return { kind: "table", server: address.label, schema: table.schema, table: table.name };
}

function keyOf(options: Options): readonly string[] {
  return (options.key ?? "")
    .split(",")
    .map((n) => n.trim())
    .filter((n) => n !== "");
}

/** Options and key against the schema. @throws MillraceError INVALID_OPTION, MISSING_OPTION */
export function validatePostgres(request: SinkRequest): void {
  if ((request.options.dbtable ?? "") === "") {
    throw new MillraceError("MISSING_OPTION", "The format postgres needs the option dbtable.", {
      hint: 'Give the table as option("dbtable", "delays").',
      parameters: { option: "dbtable" },
    });
  }
  const { key } = targetOf(request.options);
  const names = new Set(request.schema.fields.map((f) => f.name));
  const unknown = key.filter((n) => !names.has(n));
  if (unknown.length > 0) {
    throw new MillraceError(
      "INVALID_OPTION",
      `The option key names ${unknown.join(", ")}; the rows have ${[...names].join(", ")}.`,
      { hint: "Name columns of the query's result, separated by commas.", parameters: { option: "key" } },
    );
  }
  if (request.outputMode === "update" && key.length === 0) {
    throw new MillraceError("MISSING_OPTION", "Output mode update needs the option key.", {
      hint: "Name the columns that identify a row, such as the grouping columns, or use output mode append.",
      parameters: { option: "key" },
    });
  }
  if (request.partitionBy.length > 0) {
    throw new MillraceError("INVALID_OPTION", "The format postgres has no partitionBy.", {
      hint: "Remove partitionBy; partition the table in PostgreSQL if it should be.",
    });
  }
}

export async function openPostgresSink(request: StreamSinkRequest): Promise<StreamSink> {
  const sink = new PostgresSink(request);
  try {
    await sink.prepare();
  } catch (error) {
    await sink.close();
    throw error;
  }
  return sink;
}

class PostgresSink implements StreamSink {
  readonly description: string;
  readonly #request: StreamSinkRequest;
  readonly #target: Target;
  readonly #writeTarget: WriteTarget;
  readonly #closeTarget: () => void;
  #client: pg.Client | undefined;
  #types: readonly string[] = [];
  /** Set when a batch had two rows of one key: from then on batches are reduced before they are sent. */
  #reduces = false;

  constructor(request: StreamSinkRequest) {
    this.#request = request;
    this.#target = targetOf(request.options);
    this.#writeTarget = writeTargetOf(this.#target);
    this.#closeTarget = openTarget(this.#writeTarget);
    this.description = `PostgresSink[${this.#target.address.label}, ${this.#target.table.label}]`;
  }

  async prepare(): Promise<void> {
    await this.#work("prepare the table", async (client) => {
      this.#types = await prepareTable(client, this.#target, this.#request);
      await ensureMarkerTable(client, this.#target.marker);
    });
  }

  async lastBatch(): Promise<SinkMarker | undefined> {
    return await this.#work("read the last batch", (client) => this.#readMarker(client));
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    const write = beginWrite(this.#writeTarget, batch);
    try {
      const result = await this.#deliverReduced(batch, write);
      write.done();
      return result;
    } catch (error) {
      write.failed();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closeTarget();
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #deliverReduced(batch: SinkBatch, write: BatchWrite): Promise<SinkResult> {
    try {
      return await this.#deliver(batch, write);
    } catch (error) {
      // 21000: ON CONFLICT DO UPDATE command cannot affect row a second time. Nothing was written; reduce and send again.
      if (!this.#reduces && this.#target.key.length > 0 && stateOf(error) === "21000") {
        this.#reduces = true;
        return await this.#deliverReduced(batch, write);
      }
      // What a follower wants to be given may be what failed, and a follower never stops a query.
      if ((error as MillraceError).code !== "POSTGRES_FAILED" || !write.asked) throw error;
      write.forget();
      return await this.#deliver(batch, undefined);
    }
  }

  async #deliver(batch: SinkBatch, write: BatchWrite | undefined): Promise<SinkResult> {
    write?.again();
    const { key, rowsPerStatement } = this.#target;
    const isSmall = batch.rowCount !== undefined && batch.rowCount <= rowsPerStatement;
    const sql = arraysSql(batch.schema, {
      chunkRows: isSmall ? undefined : rowsPerStatement,
      lastByKey: this.#reduces ? key : [],
    });
    return await this.#work(`write batch ${batch.id}`, async (client) => {
      const parts = partsOf(batch, sql);
      try {
        const first = await parts.next();
        const second = first.done ? first : await parts.next();
        if (second.done && batch.outputMode !== "complete") {
          return await this.#writeAtOnce(client, batch, first.done ? undefined : first.value, write);
        }
        return await this.#writeInTransaction(client, batch, [first, second], parts, write);
      } finally {
        await parts.return(undefined);
      }
    });
  }

  /** One statement is one transaction: the marker decides, in the same statement, whether the rows are written. */
  async #writeAtOnce(
    client: pg.Client,
    batch: SinkBatch,
    part: Part | undefined,
    write: BatchWrite | undefined,
  ): Promise<SinkResult> {
    const returning = write?.returning(part?.rowCount ?? 0) ?? [];
    const hasRows = part !== undefined && returning.length > 0;
    const insert =
      part === undefined
        ? ""
        : `, written AS (${insertSql(this.#target, batch, this.#types, 5, "WHERE EXISTS (SELECT 1 FROM marker)", returning)})`;
    const result = await client.query({
      text: `WITH marker AS (${this.#markSql()})${insert} SELECT (SELECT count(*)::int FROM marker)${
        hasRows ? ", written.* FROM (SELECT 1) AS one LEFT JOIN written ON true" : ""
      }`,
      values: [...this.#markValues(batch), ...(part?.arrays ?? [])],
      rowMode: "array",
    });
    if (result.rows[0]![0] !== 1) {
      await this.#expectSameBatch(client, batch);
      return { metrics: { rowsWritten: "0" } };
    }
    // One row of nulls where nothing was written.
    if (hasRows) write?.rows(result.rows.flatMap((row: string[]) => (row[1] === null ? [] : [row.slice(1)])));
    return { metrics: { rowsWritten: `${part?.rowCount ?? 0}` } };
  }

  async #writeInTransaction(
    client: pg.Client,
    batch: SinkBatch,
    begun: readonly IteratorResult<Part, void>[],
    rest: AsyncIterable<Part>,
    write: BatchWrite | undefined,
  ): Promise<SinkResult> {
    let count = 0;
    await client.query("BEGIN");
    try {
      const marked = await client.query({ text: this.#markSql(), values: this.#markValues(batch) });
      if (marked.rowCount !== 1) {
        await this.#expectSameBatch(client, batch);
        await client.query("ROLLBACK");
        return { metrics: { rowsWritten: "0" } };
      }
      if (batch.outputMode === "complete") {
        await client.query(`DELETE FROM ${this.#target.table.sql}`);
        write?.replaced();
      }
      const [first, second] = begun;
      // A batch of several parts is too large to be handed on.
      const returning = (second?.done !== false && write?.returning(first?.value?.rowCount ?? 0)) || [];
      const text = insertSql(this.#target, batch, this.#types, 1, "", returning);
      const insert = async (part: Part): Promise<void> => {
        const { rows } = await client.query({ text, values: [...part.arrays], rowMode: "array" });
        if (returning.length > 0) write?.rows(rows);
        count += part.rowCount;
      };
      for (const { done, value } of begun) if (!done) await insert(value);
      for await (const part of rest) await insert(part);
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK").catch(() => undefined);
      throw error;
    }
    return { metrics: { rowsWritten: `${count}` } };
  }

  #markSql(): string {
    return `INSERT INTO ${this.#target.marker.sql} AS m (query_id, sink_name, batch_id, offsets_hash, committed_at)
      VALUES ($1, $2, $3::bigint, $4, now())
      ON CONFLICT (query_id, sink_name) DO UPDATE SET batch_id = excluded.batch_id, offsets_hash = excluded.offsets_hash,
        committed_at = excluded.committed_at WHERE m.batch_id < excluded.batch_id RETURNING 1`;
  }

  #markValues(batch: SinkBatch): unknown[] {
    return [this.#request.queryId, this.#request.sinkName, batch.id, batch.offsetsHash];
  }

  async #readMarker(client: pg.Client): Promise<SinkMarker | undefined> {
    const found = await client.query({
      text: `SELECT batch_id, offsets_hash FROM ${this.#target.marker.sql} WHERE query_id = $1 AND sink_name = $2`,
      values: [this.#request.queryId, this.#request.sinkName],
    });
    const row = found.rows[0];
    if (row === undefined) return undefined;
    const batchId = Number(row.batch_id);
    return row.offsets_hash === null ? { batchId } : { batchId, hash: row.offsets_hash };
  }

  /** The marker is not older than the batch: it must be the same batch. */
  async #expectSameBatch(client: pg.Client, batch: SinkBatch): Promise<void> {
    const held = await this.#readMarker(client);
    if (held?.batchId === batch.id && (held.hash === undefined || held.hash === batch.offsetsHash)) return;
    throw new MillraceError(
      "CHECKPOINT_DIVERGED",
      `The table ${this.#target.table.label} holds batch ${held?.batchId} of query ${this.#request.queryId} (sink ${this.#request.sinkName})${
        held?.batchId === batch.id ? " with other offsets" : `, and batch ${batch.id} was delivered`
      }.`,
      {
        hint: `The checkpoint is an older copy, or another one with the same id. Use the checkpoint that wrote the table, or start a new query into a new table.`,
        parameters: { table: this.#target.table.label, batchId: `${batch.id}` },
      },
    );
  }

  /** Runs work on the connection, opening it first when there is none; after a broken connection the next call opens a new one. */
  async #work<T>(doing: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    if (this.#client === undefined) {
      const opened = await connect(this.#target.address);
      // A connection that ends between two batches (a restart, an idle limit) costs the next batch nothing.
      opened.once("end", () => {
        if (this.#client === opened) this.#client = undefined;
      });
      this.#client = opened;
    }
    const client = this.#client;
    try {
      return await work(client);
    } catch (error) {
      const translated = translate(error, this.#target.address, doing, this.#target.table.label);
      if (translated.code === "POSTGRES_UNREACHABLE") {
        this.#client = undefined;
        await client.end().catch(() => undefined);
      }
      throw translated;
    }
  }
}

function stateOf(error: unknown): string | undefined {
  return ((error as MillraceError).cause as { code?: string } | undefined)?.code;
}

/** Creates the table when it is missing and allowed, and checks it. Gives the table's types for the columns of the rows. */
async function prepareTable(client: pg.ClientBase, target: Target, request: SinkRequest): Promise<readonly string[]> {
  if (!(await tableExists(client, target.table))) {
    if (!target.createTable) {
      throw new MillraceError(
        "POSTGRES_FAILED",
        `The table ${target.table.label} does not exist at ${target.address.label}.`,
        {
          hint: `Create it, or set createTable to true. A table that fits: ${createTableSql(target.table, request.schema, target.key)}.`,
          parameters: { table: target.table.label },
        },
      );
    }
    await createOnce(client, createTableSql(target.table, request.schema, target.key));
  }
  return (await checkTable(client, target.table, request.schema, target.key)).types;
}

async function ensureMarkerTable(client: pg.ClientBase, marker: TableName): Promise<void> {
  if (await tableExists(client, marker)) return;
  await createOnce(
    client,
    `CREATE TABLE ${marker.sql} (query_id text NOT NULL, sink_name text NOT NULL, batch_id bigint NOT NULL,
       offsets_hash text, committed_at timestamp with time zone NOT NULL, PRIMARY KEY (query_id, sink_name))`,
  );
}

/** Another query may create the same table at the same moment: then it is there, which is all that was wanted. */
async function createOnce(client: pg.ClientBase, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    const state = (error as pg.DatabaseError).code;
    const isRace = state === "42P07" || (state === "23505" && (error as pg.DatabaseError).schema === "pg_catalog");
    if (!isRace) throw error;
  }
}

/** `INSERT INTO t (...) SELECT * FROM unnest($n::type[], ...)`, with the upsert when there is a key. */
function insertSql(
  target: Target,
  batch: SinkBatch,
  types: readonly string[],
  firstParameter: number,
  condition: string,
  returning: readonly string[] = [],
): string {
  const names = batch.schema.fields.map((f) => f.name);
  const arrays = types.map((type, i) => `$${firstParameter + i}::${type}[]`);
  const columns = names.map(quoteIdentifier).join(", ");
  const rest = names.filter((n) => !target.key.includes(n));
  const update =
    rest.length === 0
      ? "DO NOTHING"
      : `DO UPDATE SET ${rest.map((n) => `${quoteIdentifier(n)} = excluded.${quoteIdentifier(n)}`).join(", ")}`;
  const upsert = target.key.length === 0 ? "" : `ON CONFLICT (${target.key.map(quoteIdentifier).join(", ")}) ${update}`;
  const back = returning.length === 0 ? "" : ` RETURNING ${returning.map((sql, i) => `${sql} AS "~${i}"`).join(", ")}`;
  return `INSERT INTO ${target.table.sql} (${columns}) SELECT * FROM unnest(${arrays.join(", ")}) ${condition} ${upsert}${back}`;
}

/** The rows of one statement: an array literal per column. */
interface Part {
  readonly rowCount: number;
  readonly arrays: readonly unknown[];
}

async function* partsOf(batch: SinkBatch, sql: string): AsyncGenerator<Part, void, undefined> {
  for await (const chunk of batch.query(sql)) {
    for (let row = 0; row < chunk.rowCount; row++) {
      const rowCount = Number(chunk.columns[0]![row]);
      if (rowCount > 0) yield { rowCount, arrays: chunk.columns.slice(1).map((c) => c[row]) };
    }
  }
}

async function insertPart(client: pg.ClientBase, text: string, part: Part): Promise<number> {
  await client.query({ text, values: [...part.arrays] });
  return part.rowCount;
}

/** `df.write.format("postgres")`: one transaction. */
export async function writePostgres(request: BatchWriteRequest): Promise<void> {
  const target = targetOf(request.options);
  const client = await connect(target.address);
  try {
    await client.query("BEGIN");
    const exists = await tableExists(client, target.table);
    if (exists && request.mode === "error") {
      throw new MillraceError(
        "PATH_ALREADY_EXISTS",
        `The table ${target.table.label} exists at ${target.address.label}.`,
        {
          hint: 'Use mode("append") or mode("overwrite").',
        },
      );
    }
    if (exists && request.mode === "ignore") return;
    if (exists && request.mode === "overwrite") {
      if ((request.options.truncate ?? "false").toLowerCase() === "true")
        await client.query(`TRUNCATE ${target.table.sql}`);
      else await client.query(`DROP TABLE ${target.table.sql}`);
    }
    const types = await prepareTable(client, target, request);
    // Rows of a batch write may repeat a key anywhere, so they are reduced at once.
    const sql = arraysSql(request.schema, { chunkRows: target.rowsPerStatement, lastByKey: target.key });
    const text = insertSql(target, request.batch, types, 1, "");
    for await (const part of partsOf(request.batch, sql)) await insertPart(client, text, part);
    await client.query("COMMIT");
    wroteBeside(writeTargetOf(target));
  } catch (error) {
    throw translate(error, target.address, "write the table", target.table.label);
  } finally {
    // Ends an open transaction, which undoes it.
    await client.end().catch(() => undefined);
  }
}
