import { MillraceError } from "../../errors.ts";
import type { Field, ResolvedRelation } from "../../plan/resolved.ts";
import { columnName } from "../compile.ts";
import type { Connection } from "../duckdb.ts";
import { sqlType } from "../duckdb-types.ts";
import {
  atOrBefore,
  eventTimeField,
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
  #rows = 0;
  #rowsBefore = 0;

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
    this.#rows = Number((await connection.query(`SELECT count(*) AS n FROM ${this.#state}`)).rows[0]!.n);
    this.#rowsBefore = this.#rows;
  }

  hasWork(nextWatermarkMs: number, watermarkMs: number): boolean {
    return this.#evictable && nextWatermarkMs > watermarkMs;
  }

  async run({ connection, input, lateMs, evictMs }: OperatorBatch): Promise<OperatorResult> {
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
        `SELECT count(*) FILTER (late) AS late, count(*) AS rows, (SELECT count(*) FROM ${this.#firstTable}) AS first FROM ${this.#rowsTable}`,
      )
    ).rows[0]!;
    const first = Number(stats.first);
    const updatesMs = performance.now() - started;
    const removalStart = performance.now();
    const removed = this.#evictable && evictMs > lateMs ? await this.#evict(connection, evictMs) : 0;
    this.#rowsBefore = this.#rows;
    this.#rows += first - removed;
    return {
      output: this.#firstTable,
      metrics: {
        rowsTotal: this.#rows,
        rowsUpdated: first,
        rowsRemoved: removed,
        rowsDroppedByWatermark: Number(stats.late),
        updatesMs,
        removalsMs: performance.now() - removalStart,
        custom: { numDroppedDuplicateRows: Number(stats.rows) - Number(stats.late) - first },
      },
    };
  }

  rolledBack(): void {
    this.#rows = this.#rowsBefore;
  }

  get #eventKey(): number {
    return this.#keys.findIndex((key) => key.watermark !== undefined);
  }

  get #evictable(): boolean {
    return this.node.withinWatermark || this.#eventKey >= 0;
  }

  async #evict(connection: Connection, evictMs: number): Promise<number> {
    const at = this.#eventKey;
    const closed = this.node.withinWatermark
      ? `expires_us <= ${evictMs * 1000}`
      : atOrBefore(`k${at}`, this.#keys[at]!, evictMs);
    const result = await connection.query(`DELETE FROM ${this.#state} WHERE ${closed}`);
    return Number(result.columns[0]?.[0] ?? 0);
  }
}
