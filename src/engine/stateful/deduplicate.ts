import type { Connection } from "../../duckdb/duckdb.ts";
import { MillraceError } from "../../errors.ts";
import type { Field, ResolvedRelation } from "../../plan/resolved.ts";
import { sqlType } from "../../types/duckdb-types.ts";
import { columnName } from "../compile.ts";
import {
  atOrBefore,
  eventTimeField,
  eventTimeMsSql,
  LateSampler,
  namedColumns,
  type OperatorBatch,
  type OperatorOptions,
  type OperatorResult,
  type StatefulOperator,
} from "./operator.ts";

type DeduplicateNode = Extract<ResolvedRelation, { kind: "deduplicate" }>;

/**
 * `dropDuplicates` and `dropDuplicatesWithinWatermark` on a stream: the state is the keys seen; the first row of a key in order of
 * arrival goes on. Late rows are dropped whenever the input has an event-time column. A key is forgotten when its own event time
 * (dropDuplicates, if a key column carries it) or its first row's event time plus the delay (within watermark) is at or before the watermark.
 */
export class StreamingDeduplicate implements StatefulOperator {
  readonly operatorName: string;
  readonly node: DeduplicateNode;
  readonly input: ResolvedRelation;
  readonly reads: ResolvedRelation;
  readonly #state: string;
  readonly #rowsTable: string;
  readonly #firstTable: string;
  readonly #keys: readonly Field[];
  readonly #eventTime: Field | undefined;
  readonly #sampler = new LateSampler();
  #known: { readonly rows: number; readonly earliestMs: number | undefined } = { rows: 0, earliestMs: undefined };
  #knownBefore = this.#known;

  constructor(node: DeduplicateNode, input: ResolvedRelation, options: OperatorOptions) {
    this.node = node;
    this.input = input;
    this.reads = input;
    this.operatorName = node.withinWatermark ? "dedupeWithinWatermark" : "dedupe";
    this.#state = `op${options.index}_state`;
    this.#rowsTable = `op${options.index}_rows`;
    this.#firstTable = `op${options.index}_first`;
    this.#keys = node.keys.map((id) => node.input.fields.find((field) => field.id === id)!);
    this.#eventTime = eventTimeField(node.input.fields);
    if (node.withinWatermark && this.#eventTime === undefined) {
      throw new MillraceError(
        "UNSUPPORTED_OPERATION",
        "dropDuplicatesWithinWatermark needs a watermark on its input.",
        {
          hint: "Call withWatermark before it.",
        },
      );
    }
  }

  get shape(): Readonly<Record<string, unknown>> {
    return { operator: this.operatorName, keys: this.#keys.map((key) => sqlType(key.type)) };
  }

  async open(connection: Connection): Promise<void> {
    const columns = this.#keys.map((key, i) => `k${i} ${sqlType(key.type)}`);
    if (this.node.withinWatermark) columns.push("expires_us BIGINT");
    await connection.exec(`CREATE TABLE IF NOT EXISTS ${this.#state}(${columns.join(", ") || "none BOOLEAN"})`);
    await this.#learn(connection);
    this.#knownBefore = this.#known;
  }

  hasWork(watermarkMs: number): boolean {
    return this.#known.earliestMs !== undefined && this.#known.earliestMs <= watermarkMs;
  }

  async run(batch: OperatorBatch): Promise<OperatorResult> {
    const { connection, input, lateMs, evictMs } = batch;
    this.#knownBefore = this.#known;
    const started = performance.now();
    const late =
      this.#eventTime === undefined
        ? "false"
        : `coalesce(${atOrBefore(columnName(this.#eventTime.id), this.#eventTime, lateMs)}, false)`;
    const columns = this.node.input.fields.map((field) => columnName(field.id));
    const keys = this.#keys.map((key) => columnName(key.id));
    const same = keys.map((key, i) => `r.${key} IS NOT DISTINCT FROM st.k${i}`).join(" AND ") || "true";
    // row numbers follow the order of arrival, which decides which row of a key comes first
    await connection.exec(`
      CREATE OR REPLACE TEMP TABLE ${this.#rowsTable} AS SELECT *, ${late} AS late FROM ${input};
      CREATE OR REPLACE TEMP TABLE ${this.#firstTable} AS
        SELECT ${columns.join(", ") || "1 AS none"} FROM ${this.#rowsTable} r WHERE rowid IN (
          SELECT min(rowid) FROM ${this.#rowsTable} WHERE NOT late${keys.length === 0 ? "" : ` GROUP BY ${keys.join(", ")}`})
        AND NOT EXISTS (SELECT 1 FROM ${this.#state} st WHERE ${same}) ORDER BY rowid;`);
    const values = [...keys];
    if (this.node.withinWatermark) {
      const time = this.#eventTime!;
      const micros =
        time.type.kind === "struct"
          ? `epoch_us(struct_extract(${columnName(time.id)}, 'end'))`
          : `epoch_us(${columnName(time.id)})`;
      values.push(`${micros} + ${time.watermark!.delayMicros}`);
    }
    await connection.exec(`INSERT INTO ${this.#state} SELECT ${values.join(", ") || "true"} FROM ${this.#firstTable}`);
    const stats = (
      await connection.query(
        `SELECT count(*) FILTER (late) AS late, count(*) AS rows, (SELECT count(*) FROM ${this.#firstTable}) AS first, (SELECT min(${this.#closesMsSql("new")}) FROM ${this.#firstTable}) AS earliest FROM ${this.#rowsTable}`,
      )
    ).rows[0]!;
    const first = Number(stats.first);
    const earliest = stats.earliest === null ? undefined : Number(stats.earliest);
    this.#known = {
      rows: this.#known.rows + first,
      earliestMs:
        earliest === undefined ? this.#known.earliestMs : Math.min(earliest, this.#known.earliestMs ?? earliest),
    };
    const lateRows = Number(stats.late);
    const lateSamples = await this.#sampler.take(
      connection,
      lateRows,
      `SELECT ${namedColumns(this.node.input.fields)} FROM ${this.#rowsTable} WHERE late`,
    );
    const updatesMs = performance.now() - started;
    const removalStart = performance.now();
    const removed = this.hasWork(evictMs) ? await this.#evict(connection, evictMs) : 0;
    return {
      output: this.#firstTable,
      metrics: {
        rowsTotal: this.#known.rows,
        rowsUpdated: first,
        rowsRemoved: removed,
        rowsDroppedByWatermark: lateRows,
        updatesMs,
        removalsMs: performance.now() - removalStart,
        custom: { numDroppedDuplicateRows: Number(stats.rows) - lateRows - first },
        rowsIn: Number(stats.rows),
        rowsOut: first,
        lateSamples,
      },
    };
  }

  rolledBack(): void {
    this.#known = this.#knownBefore;
  }

  async #learn(connection: Connection): Promise<void> {
    const row = (
      await connection.query(
        `SELECT count(*) AS n, min(${this.#closesMsSql("stored")}) AS earliest FROM ${this.#state}`,
      )
    ).rows[0]!;
    this.#known = { rows: Number(row.n), earliestMs: row.earliest === null ? undefined : Number(row.earliest) };
  }

  /** When a key may be forgotten, in milliseconds; null for never. */
  #closesMsSql(where: "stored" | "new"): string {
    if (this.node.withinWatermark) {
      if (where === "stored") return "expires_us // 1000";
      const time = this.#eventTime!;
      return `${eventTimeMsSql(columnName(time.id), time)} + ${time.watermark!.delayMicros / 1000n}`;
    }
    const at = this.#eventKey;
    if (at < 0) return "CAST(NULL AS BIGINT)";
    const key = this.#keys[at]!;
    return eventTimeMsSql(where === "stored" ? `k${at}` : columnName(key.id), key);
  }

  get #eventKey(): number {
    return this.#keys.findIndex((key) => key.watermark !== undefined);
  }

  async #evict(connection: Connection, evictMs: number): Promise<number> {
    const at = this.#eventKey;
    const closed = this.node.withinWatermark
      ? `expires_us <= ${evictMs * 1000}`
      : atOrBefore(`k${at}`, this.#keys[at]!, evictMs);
    const before = this.#known.rows;
    await connection.exec(`DELETE FROM ${this.#state} WHERE ${closed}`);
    await this.#learn(connection);
    return before - this.#known.rows;
  }
}
