import type { OutputMode } from "../../connectors/connector.ts";
import type { Connection } from "../../duckdb/duckdb.ts";
import { MillraceError } from "../../errors.ts";
import type { FunctionDef, SqlTypes } from "../../functions/index.ts";
import { columnOf } from "../../plan/resolve-expr.ts";
import type { Field, ResolvedExpr, ResolvedRelation } from "../../plan/resolved.ts";
import type { AnyRow } from "../../types/data-type.ts";
import { quoteIdentifier, sqlType } from "../../types/duckdb-types.ts";
import { groupKey } from "../../types/group-key.ts";
import { callTypes, columnName, compileExpr, functionOf, windowOf, windowStruct } from "../compile.ts";
import {
  atOrBefore,
  type EventTimeStats,
  eventTimeField,
  eventTimeMsSql,
  LateSampler,
  type OperatorBatch,
  type OperatorOptions,
  type OperatorResult,
  reading,
  type StatefulOperator,
  timestampSql,
} from "./operator.ts";

type AggregateNode = Extract<ResolvedRelation, { kind: "aggregate" }>;
type Call = Extract<ResolvedExpr, { kind: "call" }>;

interface Key {
  readonly field: Field;
  readonly expr: ResolvedExpr;
  readonly name: string;
  /** Set for a window: only its start is kept. */
  readonly durationMicros: bigint | undefined;
  readonly type: string;
}

interface Aggregate {
  readonly field: Field;
  readonly call: Call;
  readonly def: FunctionDef;
  readonly types: SqlTypes;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/**
 * A streaming aggregation. Each batch is aggregated by itself (`partial`), the groups that it touched are looked up together and
 * merged, and written back together. Output: append the closed groups, update the touched ones, complete all.
 */
export class StreamingAggregate implements StatefulOperator {
  readonly operatorName = "stateStoreSave";
  readonly node: AggregateNode;
  readonly input: ResolvedRelation;
  readonly reads: ResolvedRelation;
  readonly #mode: OutputMode;
  readonly #state: string;
  readonly #merged: string;
  readonly #closed: string;
  readonly #keys: readonly Key[];
  readonly #aggregates: readonly Aggregate[];
  readonly #eventKey: Key | undefined;
  /** Column of the input whose event times are measured here; see fuse-watermark.ts. */
  readonly #eventTime: number | undefined;
  readonly #sampler = new LateSampler();
  #known: Known = { rows: 0, earliestMs: undefined };
  #knownBefore: Known = this.#known;

  constructor(node: AggregateNode, input: ResolvedRelation, eventTime: number | undefined, options: OperatorOptions) {
    this.node = node;
    this.input = input;
    this.#mode = options.outputMode;
    this.#eventTime = eventTime;
    this.#state = `op${options.index}_state`;
    this.#merged = `op${options.index}_merged`;
    this.#closed = `op${options.index}_closed`;
    this.#keys = node.keys.map(({ field, expr }, i) => {
      const durationMicros = windowOf(expr, node.input)?.durationMicros;
      const start = field.type.kind === "struct" ? field.type.fields[0]?.type : undefined;
      const type = durationMicros !== undefined && start !== undefined ? start : field.type;
      return { field, expr, name: `k${i}`, durationMicros, type: sqlType(type) };
    });
    this.#aggregates = node.calls.map(({ field, expr }, i) => {
      if (expr.kind !== "call") throw new MillraceError("INTERNAL", `An aggregate holds a ${expr.kind}, not a call.`);
      const def = functionOf(expr.name);
      if (def.aggregate === undefined || !def.aggregate.streaming || expr.distinct) {
        throw new MillraceError(
          "UNSUPPORTED_OPERATION",
          `${expr.distinct ? "Distinct aggregations are" : `The aggregate \`${expr.name}\` is`} not supported on streaming data.`,
          { hint: expr.distinct ? "Use approx_count_distinct." : "Its state would have to keep every row." },
        );
      }
      const types = callTypes(expr);
      const columns = def.aggregate.state(types.args).map((column) => ({
        name: `s${i}_${column.name}`,
        type: sqlType(column.type),
      }));
      return { field, call: expr, def, types, columns };
    });
    const measured = input.fields.find((field) => field.id === eventTime);
    this.reads = reading(input, [
      ...this.#keys.map((key) => key.expr),
      ...this.#aggregates.flatMap((a) => a.call.args),
      ...(measured === undefined ? [] : [columnOf(measured)]),
    ]);
    const eventField = eventTimeField(this.#keys.map((key) => key.field));
    this.#eventKey = options.outputMode === "complete" ? undefined : this.#keys.find((key) => key.field === eventField);
  }

  get shape(): Readonly<Record<string, unknown>> {
    return {
      operator: this.operatorName,
      keys: this.#keys.map((key) => `${key.type}${key.durationMicros === undefined ? "" : `/${key.durationMicros}us`}`),
      aggregates: this.#aggregates.map((a) => `${a.call.name}(${a.columns.map((c) => c.type).join(",")})`),
    };
  }

  async open(connection: Connection): Promise<void> {
    const columns = [
      ...this.#keys.map((key) => `${key.name} ${key.type}`),
      ...this.#stateColumns().map((column) => `${quoted(column.name)} ${column.type}`),
    ];
    await connection.exec(`CREATE TABLE IF NOT EXISTS ${this.#state}(${columns.join(", ") || "none BOOLEAN"})`);
    await this.#learn(connection);
    this.#knownBefore = this.#known;
  }

  hasWork(watermarkMs: number): boolean {
    return this.#known.earliestMs !== undefined && this.#known.earliestMs <= watermarkMs;
  }

  async run(batch: OperatorBatch): Promise<OperatorResult> {
    this.#knownBefore = this.#known;
    const started = performance.now();
    const { stats, groups } = batch.empty ? NOTHING : await this.#merge(batch);
    const late = Number(stats.late ?? 0);
    const lateSamples = await this.#sampler.take(batch.connection, late, this.#lateSql());
    const updatesMs = performance.now() - started;
    const removalStart = performance.now();
    const removed = await this.#evict(batch);
    return {
      output: this.#outputSql(this.#mode === "append" ? removed > 0 : !batch.empty || this.#mode === "complete"),
      metrics: {
        rowsTotal: this.#known.rows,
        rowsUpdated: groups,
        rowsRemoved: removed,
        rowsDroppedByWatermark: late,
        updatesMs,
        removalsMs: performance.now() - removalStart,
        rowsIn: Number(stats.rows ?? 0),
        rowsOut: this.#mode === "append" ? removed : this.#mode === "update" ? groups : this.#known.rows,
        lateSamples,
      },
      eventTime: eventTimeOf(stats),
    };
  }

  rolledBack(): void {
    this.#known = this.#knownBefore;
  }

  /** Looks up how much state there is and when the first of it closes. */
  async #learn(connection: Connection): Promise<void> {
    const key = this.#eventKey;
    const earliest = key === undefined ? "NULL" : `min(${this.#closesMsSql(key.name)})`;
    const row = (await connection.query(`SELECT count(*) AS n, ${earliest} AS earliest FROM ${this.#state}`)).rows[0]!;
    this.#known = { rows: Number(row.n), earliestMs: optionalNumber(row.earliest) };
  }

  async #merge(batch: OperatorBatch): Promise<{ stats: AnyRow; groups: number }> {
    const { connection } = batch;
    connection.later(this.#mergeSql(batch));
    const stats = (await connection.query(this.#statsSql())).rows[0]!;
    const groups = Number(stats.groups);
    const updated = Number(stats.updated);
    if (updated > 0) {
      connection.later(
        `DELETE FROM ${this.#state} WHERE rowid IN (SELECT rid FROM ${this.#merged} WHERE rid IS NOT NULL)`,
      );
    }
    if (groups > 0) {
      const names = [...this.#keys.map((key) => key.name), ...this.#stateColumns().map((c) => quoted(c.name))];
      connection.later(
        `INSERT INTO ${this.#state} SELECT ${names.join(", ") || "true"} FROM ${this.#merged} WHERE NOT late`,
      );
    }
    const earliest = optionalNumber(stats.earliest);
    this.#known = {
      rows: this.#known.rows + groups - updated,
      earliestMs:
        earliest === undefined ? this.#known.earliestMs : Math.min(earliest, this.#known.earliestMs ?? earliest),
    };
    return { stats, groups };
  }

  /** The groups of the batch merged with their state; `rid` is the state row that each replaces, `late` marks what must not count. */
  #mergeSql({ context, input, lateMs }: OperatorBatch): string {
    const keys = this.#keys.map((key) => {
      const sql = groupKey(compileExpr(key.expr, context), key.expr.type);
      return `${key.durationMicros === undefined ? sql : `struct_extract(${sql}, 'start')`} AS ${key.name}`;
    });
    const partials = this.#aggregates.flatMap(({ def, call, types, columns }) => {
      const args = call.args.map((arg) => `(${compileExpr(arg, context)})`);
      return def
        .aggregate!.partial(args, types)
        .map((sql, i) => `CAST(${sql} AS ${columns[i]!.type}) AS ${quoted(columns[i]!.name)}`);
    });
    const time = this.#eventTime === undefined ? undefined : columnName(this.#eventTime);
    const times =
      time === undefined
        ? []
        : [
            `min(${time}) AS t_min`,
            `max(${time}) AS t_max`,
            `sum(CAST(epoch_ms(${time}) AS DOUBLE)) AS t_sum`,
            `count(${time}) AS t_count`,
          ];
    const group = this.#keys.length === 0 ? "" : ` GROUP BY ${this.#keys.map((_, i) => i + 1).join(", ")}`;
    const partial = `SELECT ${[...keys, ...partials, "count(*) AS n", ...times].join(", ")} FROM ${input}${group}`;

    const merged = this.#aggregates.flatMap(({ def, types, columns }) => {
      const left = columns.map((c) => `st.${quoted(c.name)}`);
      const right = columns.map((c) => `p.${quoted(c.name)}`);
      return def.aggregate!.merge(left, right, types).map((sql, i) => {
        const { name, type } = columns[i]!;
        return `CASE WHEN st.rid IS NULL THEN ${right[i]} ELSE CAST(${sql} AS ${type}) END AS ${quoted(name)}`;
      });
    });
    const on = this.#keys.map((key) => {
      // plain equality lets DuckDB skip the parts of the state that hold other keys
      const equal = key.durationMicros !== undefined || !key.field.nullable;
      return `p.${key.name} ${equal ? "=" : "IS NOT DISTINCT FROM"} st.${key.name}`;
    });
    const late = this.#eventKey === undefined ? "false" : this.#closedSql(`p.${this.#eventKey.name}`, lateMs);
    return `CREATE OR REPLACE TEMP TABLE ${this.#merged} AS SELECT ${[
      ...this.#keys.map((key) => `p.${key.name}`),
      ...merged,
      "p.n",
      ...(time === undefined ? [] : ["t_min", "t_max", "t_sum", "t_count"]),
      "st.rid",
      `coalesce(${late}, false) AS late`,
    ].join(
      ", ",
    )} FROM (${partial}) p LEFT JOIN (SELECT *, rowid AS rid FROM ${this.#state}) st ON ${on.join(" AND ") || "true"}`;
  }

  #statsSql(): string {
    const times =
      this.#eventTime === undefined
        ? ""
        : ", epoch_ms(min(t_min)) AS t_min, epoch_ms(max(t_max)) AS t_max, sum(t_sum) AS t_sum, sum(t_count) AS t_count";
    const key = this.#eventKey;
    const earliest = key === undefined ? "" : `, min(${this.#closesMsSql(key.name)}) FILTER (NOT late) AS earliest`;
    return `SELECT count(*) FILTER (NOT late) AS groups, count(rid) FILTER (NOT late) AS updated, coalesce(sum(n) FILTER (late), 0) AS late, coalesce(sum(n), 0) AS rows${earliest}${times} FROM ${this.#merged}`;
  }

  /** Removes closed groups; in append mode they are the output. */
  async #evict({ connection, evictMs }: OperatorBatch): Promise<number> {
    if (!this.hasWork(evictMs)) return 0;
    const closed = this.#closedSql(this.#eventKey!.name, evictMs);
    const before = this.#known.rows;
    if (this.#mode === "append") {
      connection.later(`CREATE OR REPLACE TEMP TABLE ${this.#closed} AS FROM ${this.#state} WHERE ${closed}`);
    }
    connection.later(`DELETE FROM ${this.#state} WHERE ${closed}`);
    await this.#learn(connection);
    return before - this.#known.rows;
  }

  /** When a group closes, in milliseconds. */
  #closesMsSql(column: string): string {
    const key = this.#eventKey!;
    if (key.durationMicros === undefined) return eventTimeMsSql(column, key.field);
    return `(epoch_ms(${column}) + ${key.durationMicros / 1000n})`;
  }

  #closedSql(column: string, watermarkMs: number): string {
    const key = this.#eventKey!;
    if (key.durationMicros === undefined) return atOrBefore(column, key.field, watermarkMs);
    const kind = key.field.type.kind === "struct" ? key.field.type.fields[0]?.type.kind : undefined;
    return `${column} <= ${timestampSql(watermarkMs * 1000 - Number(key.durationMicros), kind)}`;
  }

  /** `some`: whether there may be output at all; if not, the table to read may not be there. */
  #outputSql(some: boolean): string {
    const table =
      !some || this.#mode === "complete" ? this.#state : this.#mode === "append" ? this.#closed : this.#merged;
    const where = !some ? " WHERE false" : this.#mode === "update" ? " WHERE NOT late" : "";
    const keys = this.#keys.map((key) => `${this.#keySql(key)} AS ${columnName(key.field.id)}`);
    const results = this.#aggregates.map(({ def, types, columns, field }) => {
      const sql = def.aggregate!.final(
        columns.map((c) => quoted(c.name)),
        types,
      );
      return `CAST(${sql} AS ${sqlType(field.type)}) AS ${columnName(field.id)}`;
    });
    return `(SELECT ${[...keys, ...results].join(", ") || "1 AS none"} FROM ${table}${where})`;
  }

  /** The groups that late rows of the batch would have gone into, and how many rows of each. */
  #lateSql(): string {
    const keys = this.#keys.map((key) => `${this.#keySql(key)} AS ${quoteIdentifier(key.field.name)}`);
    return `SELECT ${[...keys, 'n AS "(rows)"'].join(", ")} FROM ${this.#merged} WHERE late`;
  }

  /** The value of a key from the column that keeps it. */
  #keySql(key: Key): string {
    if (key.durationMicros === undefined) return key.name;
    return windowStruct(`epoch_us(${key.name})`, key.durationMicros, key.field);
  }

  #stateColumns(): { readonly name: string; readonly type: string }[] {
    return this.#aggregates.flatMap((aggregate) => aggregate.columns);
  }
}

interface Known {
  readonly rows: number;
  /** When the first group closes; undefined when none ever does. */
  readonly earliestMs: number | undefined;
}

const NOTHING: { readonly stats: AnyRow; readonly groups: number } = { stats: {}, groups: 0 };

function optionalNumber(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function eventTimeOf(stats: Record<string, unknown>): EventTimeStats | undefined {
  const count = Number(stats.t_count ?? 0);
  if (count === 0) return undefined;
  return {
    count,
    minMs: Number(stats.t_min),
    maxMs: Number(stats.t_max),
    avgMs: Number(stats.t_sum) / count,
  };
}

function quoted(name: string): string {
  return `"${name}"`;
}
