import { type Connection, columnDefinitions, insertRows } from "../../duckdb/duckdb.ts";
import { MillraceError } from "../../errors.ts";
import type { Field, ResolvedRelation } from "../../plan/resolved.ts";
import type { AnyRow, StructType } from "../../types/data-type.ts";
import { quoteIdentifier, sqlType } from "../../types/duckdb-types.ts";
import { callProcessor, processorFailed, processorGaveNoRows } from "../../types/processor-error.ts";
import type { StatefulProcessor, TimerValues } from "../../types/stateful.ts";
import { columnName, compileExpr } from "../compile.ts";
import type { OperatorResult, StatefulOperator } from "./operator.ts";
import {
  atOrBefore,
  eventTimeField,
  LateSampler,
  namedColumns,
  type OperatorBatch,
  type OperatorOptions,
} from "./operator.ts";
import { ProcessorHandle } from "./processor-handle.ts";
import type { Variable } from "./state-variables.ts";

type Node = Extract<ResolvedRelation, { kind: "transform_with_state" }>;

/** Keys whose state is in memory at one time. */
const KEYS_AT_ONCE = 20_000;
/** Output rows collected before they are stored. */
const ROWS_AT_ONCE = 16_384;

/**
 * `transformWithState` with the user's TypeScript processor. The batch's rows are sorted by key; the state of many keys is read with one
 * query for each variable, changed in memory and written back with one statement. Keys come in their own order, rows of a key in the
 * order asked for, else of arrival: the same batch calls the processor in the same way each time.
 */
export class TransformWithState implements StatefulOperator {
  readonly operatorName = "transformWithStateExec";
  readonly node: Node;
  readonly input: ResolvedRelation;
  readonly reads: ResolvedRelation;
  readonly #prefix: string;
  readonly #keys: readonly Field[];
  readonly #eventTime: Field | undefined;
  readonly #handle: ProcessorHandle;
  readonly #outputSchema: StructType;
  /** Made when the operator is opened, by `init` acquainted with the handle. */
  #processor!: StatefulProcessor;
  readonly #sampler = new LateSampler();
  #earliestTimer: number | undefined;
  #rows = 0;

  constructor(node: Node, input: ResolvedRelation, options: OperatorOptions) {
    this.node = node;
    this.input = input;
    this.reads = input;
    this.#prefix = `op${options.index}`;
    this.#keys = node.keys.map((id) => node.input.fields.find((field) => field.id === id)!);
    this.#eventTime = node.timeMode === "event_time" ? eventTimeField(node.input.fields) : undefined;
    this.#handle = new ProcessorHandle(node.timeMode);
    this.#outputSchema = {
      kind: "struct",
      fields: node.fields.map((field) => ({ name: columnName(field.id), type: field.type, nullable: field.nullable })),
    };
  }

  get shape(): Readonly<Record<string, unknown>> {
    return {
      operator: this.operatorName,
      processor: this.node.processor.name,
      keys: this.#keys.map((key) => sqlType(key.type)),
      timeMode: this.node.timeMode,
    };
  }

  /** Identifies the query to the processor's `getQueryInfo()`. */
  identify(queryId: string, runId: string): void {
    this.#handle.identify(queryId, runId);
  }

  async open(connection: Connection): Promise<void> {
    this.#userCode("init", () => {
      this.#processor = this.node.processor.create() as StatefulProcessor;
      this.#processor.init(this.#handle);
    });
    this.#handle.initialized();
    const keys = this.#keys.map((key, i) => `k${i} ${sqlType(key.type)}`);
    for (const variable of this.#handle.variables.values()) {
      const columns = columnDefinitions(variable.columns, (field) => sqlType(field.type));
      await connection.exec(`CREATE TABLE IF NOT EXISTS ${this.#table(variable)}(${[...keys, columns].join(", ")})`);
      await this.#checkVariable(connection, variable);
    }
    await connection.exec(
      `CREATE TABLE IF NOT EXISTS ${this.#prefix}_timers(${[...keys, "expiry_ms BIGINT"].join(", ")})`,
    );
    await this.#learn(connection);
  }

  hasWork(watermarkMs: number, nowMs: number): boolean {
    if (this.#earliestTimer === undefined) return false;
    return this.#earliestTimer <= (this.node.timeMode === "event_time" ? watermarkMs : nowMs);
  }

  nextDueMs(): number | undefined {
    return this.node.timeMode === "processing_time" ? this.#earliestTimer : undefined;
  }

  rolledBack(): void {
    this.#handle.reset();
  }

  close(): void {
    this.#userCode("close", () => this.#processor?.close?.());
  }

  async run(batch: OperatorBatch): Promise<OperatorResult> {
    const { connection, timestampMs, evictMs } = batch;
    const started = performance.now();
    const dueMs =
      this.node.timeMode === "none" ? undefined : this.node.timeMode === "event_time" ? evictMs : timestampMs;
    this.#handle.startBatch(batch.batchId, timestampMs);
    await this.#layDown(batch, dueMs);
    const keyCount = Number((await connection.query(`SELECT count(*) AS n FROM ${this.#prefix}_keys`)).rows[0]!.n);
    const counted = (
      await connection.query(`SELECT count(*) FILTER (late) AS late, count(*) AS rows FROM ${this.#prefix}_rows`)
    ).rows[0]!;
    const late = Number(counted.late);
    const lateSamples = await this.#sampler.take(
      connection,
      late,
      `SELECT ${namedColumns(this.node.input.fields)} FROM ${this.#prefix}_rows WHERE late`,
    );
    const output = new OutputTable(connection, `${this.#prefix}_out`, this.#outputSchema, this.node.fields);
    await output.create();
    const times: TimerValues = { processingTimeMs: timestampMs, watermarkMs: evictMs };
    let updated = 0;
    for (let from = 0; from < keyCount; from += KEYS_AT_ONCE) {
      updated += await this.#runKeys(batch, from, Math.min(keyCount, from + KEYS_AT_ONCE), times, dueMs, output);
    }
    await output.flush();
    const updatesMs = performance.now() - started;
    const removalStart = performance.now();
    const removed = await this.#expire(connection, timestampMs);
    await this.#learn(connection);
    return {
      output: output.name,
      metrics: {
        rowsTotal: this.#rows,
        rowsUpdated: updated,
        rowsRemoved: removed,
        rowsDroppedByWatermark: late,
        updatesMs,
        removalsMs: performance.now() - removalStart,
        rowsIn: Number(counted.rows),
        rowsOut: output.count,
        lateSamples,
      },
    };
  }

  /** The batch's rows, and its keys (those with rows and those with due timers) under numbers. */
  async #layDown({ connection, input, lateMs }: OperatorBatch, dueMs: number | undefined): Promise<void> {
    const p = this.#prefix;
    const late =
      this.#eventTime === undefined
        ? "false"
        : `coalesce(${atOrBefore(columnName(this.#eventTime.id), this.#eventTime, lateMs)}, false)`;
    const fromRows = this.#keys.map((key, i) => `${columnName(key.id)} AS k${i}`).join(", ");
    const names = this.#keys.map((_, i) => `k${i}`);
    const due =
      dueMs === undefined ? "" : ` UNION SELECT ${names.join(", ")} FROM ${p}_timers WHERE expiry_ms <= ${dueMs}`;
    await connection.exec(`
      CREATE OR REPLACE TEMP TABLE ${p}_rows AS SELECT *, ${late} AS late FROM ${input};
      CREATE OR REPLACE TEMP TABLE ${p}_keys AS
        SELECT CAST(row_number() OVER (ORDER BY ${names.map((name) => `${name} NULLS FIRST`).join(", ")}) - 1 AS INTEGER) AS kid, ${names.join(", ")}
        FROM (SELECT DISTINCT ${fromRows} FROM ${p}_rows WHERE NOT late${due})`);
  }

  async #runKeys(
    batch: OperatorBatch,
    from: number,
    to: number,
    times: TimerValues,
    dueMs: number | undefined,
    output: OutputTable,
  ): Promise<number> {
    const { connection } = batch;
    const range = `kid >= ${from} AND kid < ${to}`;
    this.#handle.reset();
    await this.#load(connection, range, times.processingTimeMs);
    const names = this.#keys.map((_, i) => `k${i}`).join(", ");
    const keyColumns = (await connection.query(`SELECT ${names} FROM ${this.#prefix}_keys WHERE ${range} ORDER BY kid`))
      .columns;
    const keyOf = (kid: number): unknown => {
      if (this.#keys.length === 1) return keyColumns[0]![kid - from];
      return Object.fromEntries(this.#keys.map((key, i) => [key.name, keyColumns[i]![kid - from]]));
    };

    for await (const [kid, rows] of this.#rowsByKey(batch, range)) {
      this.#handle.key = kid;
      const results = this.#userCode("handleInputRows", () => this.#processor.handleInputRows(keyOf(kid), rows, times));
      await this.#collect("handleInputRows", results, output);
    }
    if (dueMs !== undefined) {
      for (const [kid, expiryTimeMs] of this.#handle.dueTimers(dueMs)) {
        this.#handle.key = kid;
        // gone before the call, which may register it anew
        this.#handle.deleteTimer(expiryTimeMs);
        const results = this.#userCode("handleExpiredTimer", () =>
          this.#processor.handleExpiredTimer?.(keyOf(kid), times, { expiryTimeMs }),
        );
        if (results !== undefined) await this.#collect("handleExpiredTimer", results, output);
      }
    }
    this.#handle.key = -1;
    return this.#store(connection);
  }

  /** Rows of one key after the other; DuckDB holds the result while other statements run. */
  async *#rowsByKey({ connection, context }: OperatorBatch, range: string): AsyncGenerator<[number, AnyRow[]]> {
    const p = this.#prefix;
    const { fields } = this.node.input;
    const order = this.node.orderBy.map(
      (key) => `(${compileExpr(key.expr, context)}) ${key.direction.toUpperCase()} NULLS ${key.nulls.toUpperCase()}`,
    );
    const chunks = connection.read(
      `SELECT kid, ${fields.map((field) => columnName(field.id)).join(", ")} FROM (SELECT r.*, r.rowid AS arrival, k.kid FROM ${p}_rows r JOIN ${p}_keys k ON ${this.#same((i) => `r.${columnName(this.#keys[i]!.id)}`)} WHERE NOT r.late AND ${range}) ORDER BY ${["kid", ...order, "arrival"].join(", ")}`,
    );
    let current = -1;
    let rows: AnyRow[] = [];
    for await (const chunk of chunks) {
      const [kids, ...columns] = chunk.columns;
      for (let i = 0; i < chunk.rowCount; i++) {
        const kid = kids![i] as number;
        if (kid !== current) {
          if (rows.length > 0) yield [current, rows];
          current = kid;
          rows = [];
        }
        const row: Record<string, unknown> = {};
        for (let c = 0; c < fields.length; c++) row[fields[c]!.name] = columns[c]![i];
        rows.push(row as AnyRow);
      }
    }
    if (rows.length > 0) yield [current, rows];
  }

  async #collect(
    method: string,
    results: Iterable<unknown> | AsyncIterable<unknown>,
    output: OutputTable,
  ): Promise<void> {
    if (results === null || typeof results !== "object") {
      throw processorGaveNoRows(this.node.processor.name, method, results);
    }
    try {
      if (Symbol.asyncIterator in results) {
        for await (const row of results) if (output.add(row)) await output.flush();
      } else {
        for (const row of results as Iterable<unknown>) if (output.add(row)) await output.flush();
      }
    } catch (error) {
      throw processorFailed(this.node.processor.name, method, error);
    }
  }

  async #load(connection: Connection, range: string, nowMs: number): Promise<void> {
    const p = this.#prefix;
    for (const variable of this.#handle.variables.values()) {
      const columns = variable.columns.fields.map((field) => `v.${quoteIdentifier(field.name)}`);
      const alive =
        variable.declaration.ttlMs === undefined ? "" : ` AND (v.expires_ms IS NULL OR v.expires_ms > ${nowMs})`;
      const order = variable.declaration.kind === "list" ? " ORDER BY kid, v.pos" : "";
      const found = await connection.query(
        `SELECT k.kid, ${columns.join(", ")} FROM ${this.#table(variable)} v JOIN ${p}_keys k ON ${this.#same((i) => `v.k${i}`)} WHERE ${range}${alive}${order}`,
      );
      const [kids, ...rest] = found.columns;
      for (let i = 0; i < found.rowCount; i++) {
        variable.load(
          kids![i] as number,
          rest.map((column) => column[i]),
        );
      }
    }
    if (this.node.timeMode === "none") return;
    const timers = await connection.query(
      `SELECT k.kid, v.expiry_ms FROM ${p}_timers v JOIN ${p}_keys k ON ${this.#same((i) => `v.k${i}`)} WHERE ${range}`,
    );
    for (let i = 0; i < timers.rowCount; i++) {
      this.#handle.loadTimer(timers.columns[0]![i] as number, Number(timers.columns[1]![i]));
    }
  }

  /** Writes the changes of the keys in memory; gives the number of rows written. */
  async #store(connection: Connection): Promise<number> {
    let written = 0;
    for (const variable of this.#handle.variables.values()) {
      written += await this.#replace(connection, this.#table(variable), variable.columns, variable.changes());
    }
    const timers: StructType = {
      kind: "struct",
      fields: [{ name: "expiry_ms", type: { kind: "long" }, nullable: false }],
    };
    await this.#replace(connection, `${this.#prefix}_timers`, timers, this.#handle.timerChanges());
    return written;
  }

  async #replace(
    connection: Connection,
    table: string,
    columns: StructType,
    { replaced, rows }: { readonly replaced: number[]; readonly rows: unknown[][] },
  ): Promise<number> {
    const p = this.#prefix;
    if (replaced.length > 0) {
      await connection.exec(`CREATE OR REPLACE TEMP TABLE ${p}_replaced(kid INTEGER)`);
      await insertRows(
        connection,
        { name: `${p}_replaced`, catalog: "temp", schema: "main" },
        KEY_NUMBER,
        replaced.map((kid) => [kid]),
      );
      await connection.exec(
        `DELETE FROM ${table} WHERE rowid IN (SELECT v.rowid FROM ${table} v JOIN ${p}_keys k ON ${this.#same((i) => `v.k${i}`)} JOIN ${p}_replaced r ON r.kid = k.kid)`,
      );
    }
    if (rows.length > 0) {
      const schema: StructType = { kind: "struct", fields: [...KEY_NUMBER.fields, ...columns.fields] };
      await connection.exec(
        `CREATE OR REPLACE TEMP TABLE ${p}_changes(${columnDefinitions(schema, (field) => sqlType(field.type))})`,
      );
      await insertRows(connection, { name: `${p}_changes`, catalog: "temp", schema: "main" }, schema, rows);
      const names = columns.fields.map((field) => `c.${quoteIdentifier(field.name)}`);
      const keys = this.#keys.map((_, i) => `k.k${i}`);
      await connection.exec(
        `INSERT INTO ${table} SELECT ${[...keys, ...names].join(", ")} FROM ${p}_changes c JOIN ${p}_keys k ON c.kid = k.kid`,
      );
    }
    return rows.length;
  }

  async #expire(connection: Connection, nowMs: number): Promise<number> {
    let removed = 0;
    for (const variable of this.#handle.variables.values()) {
      if (variable.declaration.ttlMs === undefined) continue;
      const result = await connection.query(`DELETE FROM ${this.#table(variable)} WHERE expires_ms <= ${nowMs}`);
      removed += Number(result.columns[0]?.[0] ?? 0);
    }
    for (const name of this.#handle.deletedVariables()) {
      const result = await connection.query(`DELETE FROM ${this.#prefix}_v_${name}`);
      removed += Number(result.columns[0]?.[0] ?? 0);
    }
    return removed;
  }

  async #learn(connection: Connection): Promise<void> {
    const counts = [...this.#handle.variables.values()].map(
      (variable) => `(SELECT count(*) FROM ${this.#table(variable)})`,
    );
    const row = (
      await connection.query(
        `SELECT ${counts.join(" + ") || "0"} AS n, (SELECT min(expiry_ms) FROM ${this.#prefix}_timers) AS due`,
      )
    ).rows[0]!;
    this.#rows = Number(row.n);
    this.#earliestTimer = row.due === null ? undefined : Number(row.due);
  }

  async #checkVariable(connection: Connection, variable: Variable): Promise<void> {
    const found = await connection.query(
      `SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() AND table_name = '${this.#table(variable).replaceAll('"', "")}' AND column_name NOT SIMILAR TO 'k[0-9]+' ORDER BY column_index`,
    );
    const wanted = await connection.query(
      `DESCRIBE SELECT ${variable.columns.fields.map((field) => `CAST(NULL AS ${sqlType(field.type)}) AS ${quoteIdentifier(field.name)}`).join(", ")}`,
    );
    const was = found.columns[1]!.join(", ");
    const now = wanted.columns[1]!.join(", ");
    if (was === now) return;
    throw new MillraceError(
      "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
      `The state variable ${variable.declaration.name} of ${this.node.processor.name} has changed: in the checkpoint it holds (${was}), now (${now}).`,
      { hint: "Give the new variable another name, or start with a new checkpointLocation." },
    );
  }

  /** The condition that columns of a row equal those of key `k`. */
  #same(column: (i: number) => string): string {
    return (
      this.#keys.map((key, i) => `${column(i)} ${key.nullable ? "IS NOT DISTINCT FROM" : "="} k.k${i}`).join(" AND ") ||
      "true"
    );
  }

  #table(variable: Variable): string {
    return quoteIdentifier(`${this.#prefix}_v_${variable.declaration.name}`);
  }

  #userCode<T>(method: string, call: () => T): T {
    return callProcessor(this.node.processor.name, method, call);
  }
}

const KEY_NUMBER: StructType = {
  kind: "struct",
  fields: [{ name: "kid", type: { kind: "integer" }, nullable: false }],
};

/** The rows that a processor gives, on their way into a table. */
class OutputTable {
  readonly name: string;
  readonly #connection: Connection;
  readonly #schema: StructType;
  readonly #fields: readonly Field[];
  #rows: unknown[][] = [];
  /** Rows taken. */
  count = 0;

  constructor(connection: Connection, name: string, schema: StructType, fields: readonly Field[]) {
    this.#connection = connection;
    this.name = name;
    this.#schema = schema;
    this.#fields = fields;
  }

  async create(): Promise<void> {
    await this.#connection.exec(
      `CREATE OR REPLACE TEMP TABLE ${this.name}(${columnDefinitions(this.#schema, (field) => sqlType(field.type))})`,
    );
  }

  /** Takes a row; true when it is time to flush. */
  add(row: unknown): boolean {
    if (row === null || typeof row !== "object") {
      throw new MillraceError(
        "INVALID_VALUE",
        `A stateful processor gave ${row === null ? "null" : typeof row} where a row (an object) is due.`,
      );
    }
    this.count++;
    this.#rows.push(this.#fields.map((field) => (row as Record<string, unknown>)[field.name]));
    return this.#rows.length >= ROWS_AT_ONCE;
  }

  async flush(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    await insertRows(this.#connection, { name: this.name, catalog: "temp", schema: "main" }, this.#schema, rows);
  }
}
