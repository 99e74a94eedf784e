import type { StateOperatorProgress } from "../backend.ts";
import type { Connection } from "../duckdb/duckdb.ts";
import { MillraceError } from "../errors.ts";
import type { Events } from "../events.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type PlannedBatch, sameOffset } from "./batch.ts";
import { type CompileContext, columnName, compileRelation, outputSelect } from "./compile.ts";
import { scanLeaf } from "./ingest.ts";
import { QueryState } from "./query-state.ts";
import type { EventTimeStats, OperatorMetrics, StatefulOperator } from "./stateful/operator.ts";
import type { Stage, StreamPlan } from "./stream-plan.ts";
import type { SavedWatermarks, WatermarkTracker } from "./watermark.ts";

/** What running a batch's plan gave. */
export interface BatchOutcome {
  readonly watermarks: SavedWatermarks;
  readonly eventTime: EventTimeStats | undefined;
  readonly operators: readonly StateOperatorProgress[];
  /** What was counted beside that, operator by operator. */
  readonly measured?: Events["batch.measured"]["operators"];
  /** For a staged plan: rows of table `output`. */
  readonly outputRows: number | undefined;
  /** For a plan that stages nothing: the SQL that computes the rows. */
  readonly outputSql: string | undefined;
}

type Measured = NonNullable<BatchOutcome["measured"]>[number];

/** Pieces that the batch half of the engine supplies. */
export interface RunnerParts {
  /** Compile settings of a batch, without leaves. */
  context(timestampMs: number): Omit<CompileContext, "leaf">;
  /** FROM items of the static scans, read anew for each batch. */
  staticLeaves(connection: Connection): Promise<ReadonlyMap<ResolvedRelation, string>>;
  /** Runs a TypeScript function over rows (`map`, `filter`, ...): lays its results down in a TEMP table with columns `c<id>`. */
  mapRows(
    connection: Connection,
    node: Extract<ResolvedRelation, { kind: "map_rows" }>,
    sql: string,
    table: string,
  ): Promise<void>;
}

/** Runs the SQL of a batch: stage by stage, then the output. */
export class BatchRunner {
  readonly #plan: StreamPlan;
  readonly #parts: RunnerParts;

  constructor(plan: StreamPlan, parts: RunnerParts) {
    this.#plan = plan;
    this.#parts = parts;
  }

  /**
   * One transaction: state changes, output rows (table `output`), next watermarks and the batch's number. Rolled back as a whole when
   * anything fails.
   */
  async runStaged(
    connection: Connection,
    batch: PlannedBatch,
    sources: readonly (string | undefined)[],
    tracker: WatermarkTracker,
  ): Promise<BatchOutcome> {
    const { operators } = this.#plan;
    try {
      const { value, last } = await connection.transactionWith(async () => {
        const { context, eventTimes, metrics } = await this.#runStages(connection, batch, sources);
        const watermarks = tracker.after(eventTimes.map((stats) => stats?.maxMs));
        connection.later(`CREATE OR REPLACE TABLE output AS ${storable(this.#plan.root, context)}`);
        connection.later(
          QueryState.markSql({
            batchId: batch.id,
            offsetsHash: batch.hash,
            timestampMs: batch.timestampMs,
            lateMs: batch.watermarkMs,
            watermarks,
          }),
        );
        return { watermarks, eventTimes, metrics };
      }, QueryState.OUTPUT_ROWS);
      const { watermarks, eventTimes, metrics } = value;
      return {
        watermarks,
        eventTime: merged(eventTimes),
        // From the result down, as Spark lists them.
        operators: operators.toReversed().map((operator) => toProgress(operator, metrics.get(operator)!)),
        measured: operators.toReversed().map((operator, i) => measuredOf(i, operator, metrics.get(operator)!)),
        outputRows: Number(last.columns[0]![0]),
        outputSql: undefined,
      };
    } catch (error) {
      for (const operator of operators) operator.rolledBack();
      throw error;
    }
  }

  /** For a plan without state whose only sink takes the rows as they are computed. */
  async runUnstaged(
    connection: Connection,
    batch: PlannedBatch,
    sources: readonly (string | undefined)[],
    tracker: WatermarkTracker,
  ): Promise<BatchOutcome> {
    const { context, eventTimes } = await this.#runStages(connection, batch, sources);
    return {
      watermarks: tracker.after(eventTimes.map((stats) => stats?.maxMs)),
      eventTime: merged(eventTimes),
      operators: [],
      outputRows: undefined,
      outputSql: outputSelect(this.#plan.root, compileRelation(this.#plan.root, context)),
    };
  }

  async #runStages(
    connection: Connection,
    batch: PlannedBatch,
    sources: readonly (string | undefined)[],
  ): Promise<{
    context: CompileContext;
    eventTimes: (EventTimeStats | undefined)[];
    metrics: Map<StatefulOperator, OperatorMetrics>;
  }> {
    const leaves = new Map<ResolvedRelation, string>(await this.#parts.staticLeaves(connection));
    this.#plan.sources.forEach(({ scans, columns }, i) => {
      for (const scan of scans) leaves.set(scan, scanLeaf(scan, sources[i], columns));
    });
    const context: CompileContext = { ...this.#parts.context(batch.timestampMs), leaf: (node) => leaves.get(node) };
    const eventTimes: (EventTimeStats | undefined)[] = this.#plan.delaysMs.map(() => undefined);
    const metrics = new Map<StatefulOperator, OperatorMetrics>();
    for (const stage of this.#plan.stages) {
      leaves.set(stage.leaf, await this.#runStage(stage, connection, context, batch, eventTimes, metrics));
    }
    return { context, eventTimes, metrics };
  }

  async #runStage(
    stage: Stage,
    connection: Connection,
    context: CompileContext,
    batch: PlannedBatch,
    eventTimes: (EventTimeStats | undefined)[],
    metrics: Map<StatefulOperator, OperatorMetrics>,
  ): Promise<string> {
    switch (stage.kind) {
      case "watermark": {
        const sql = compileRelation(stage.input, context);
        const columns = stage.columns.map(columnName).join(", ");
        await connection.exec(`CREATE OR REPLACE TEMP TABLE ${stage.table} AS SELECT ${columns} FROM (${sql})`);
        eventTimes[stage.watermark] = await measure(connection, stage.table, columnName(stage.eventTime.id));
        return padded(stage.leaf, stage.table, new Set(stage.columns));
      }
      case "map_rows":
        await this.#parts.mapRows(connection, stage.node, compileRelation(stage.input, context), stage.table);
        return stage.table;
      case "operator": {
        const { operator } = stage;
        const result = await operator.run({
          connection,
          context,
          // the operators above the first may have input when the sources have none
          empty:
            operator === this.#plan.operators[0] && batch.ends.every((end, i) => sameOffset(end, batch.starts[i]!)),
          input: context.leaf?.(operator.input) ?? `(${compileRelation(operator.input, context)})`,
          batchId: batch.id,
          timestampMs: batch.timestampMs,
          lateMs: batch.lateMs,
          evictMs: batch.watermarkMs,
        });
        if (stage.watermark !== undefined) eventTimes[stage.watermark] = result.eventTime;
        metrics.set(operator, result.metrics);
        return result.output;
      }
    }
  }
}

/** SELECT of the output under names that a table can have: field names may repeat, sinks are checked for that, a table cannot. */
function storable(root: ResolvedRelation, context: CompileContext): string {
  if (root.fields.length === 0) {
    throw new MillraceError("INVALID_SCHEMA", "The query has no columns to write.", {
      hint: "Select at least one column.",
    });
  }
  return outputSelect(root, compileRelation(root, context));
}

/** A table with some of a node's columns as a FROM item with all of them: compiled SQL lists columns that nobody reads. */
function padded(node: ResolvedRelation, table: string, columns: ReadonlySet<number>): string {
  if (node.fields.every((field) => columns.has(field.id))) return table;
  const list = node.fields.map((field) =>
    columns.has(field.id) ? columnName(field.id) : `CAST(NULL AS ${sqlType(field.type)}) AS ${columnName(field.id)}`,
  );
  return `(SELECT ${list.join(", ")} FROM ${table})`;
}

async function measure(connection: Connection, table: string, column: string): Promise<EventTimeStats | undefined> {
  const row = (
    await connection.query(
      `SELECT count(${column}) AS n, epoch_ms(min(${column})) AS lo, epoch_ms(max(${column})) AS hi, avg(epoch_ms(${column})) AS mean FROM ${table}`,
    )
  ).rows[0]!;
  const count = Number(row.n);
  if (count === 0) return undefined;
  return { count, minMs: Number(row.lo), maxMs: Number(row.hi), avgMs: Number(row.mean) };
}

/** Event times of the batch over all watermarks, as progress shows them. */
function merged(all: readonly (EventTimeStats | undefined)[]): EventTimeStats | undefined {
  const seen = all.filter((stats) => stats !== undefined);
  if (seen.length === 0) return undefined;
  const count = seen.reduce((sum, stats) => sum + stats.count, 0);
  return {
    count,
    minMs: Math.min(...seen.map((stats) => stats.minMs)),
    maxMs: Math.max(...seen.map((stats) => stats.maxMs)),
    avgMs: seen.reduce((sum, stats) => sum + stats.avgMs * stats.count, 0) / count,
  };
}

function measuredOf(i: number, operator: StatefulOperator, metrics: OperatorMetrics): Measured {
  return {
    operator: operatorKey(i, operator),
    ...(metrics.rowsIn !== undefined && { inputRows: metrics.rowsIn }),
    ...(metrics.rowsOut !== undefined && { outputRows: metrics.rowsOut }),
    lateSamples: metrics.lateSamples ?? [],
  };
}

/** An operator's position in progress and its name: how those who watch tell several of one kind apart. */
export function operatorKey(position: number, operator: { readonly operatorName: string }): string {
  return `${position} ${operator.operatorName}`;
}

function toProgress(operator: StatefulOperator, metrics: OperatorMetrics): StateOperatorProgress {
  return {
    operatorName: operator.operatorName,
    numRowsTotal: metrics.rowsTotal,
    numRowsUpdated: metrics.rowsUpdated,
    allUpdatesTimeMs: Math.round(metrics.updatesMs),
    numRowsRemoved: metrics.rowsRemoved,
    allRemovalsTimeMs: Math.round(metrics.removalsMs),
    // one commit for all operators: its time is in the batch's addBatch
    commitTimeMs: 0,
    memoryUsedBytes: 0,
    numRowsDroppedByWatermark: metrics.rowsDroppedByWatermark,
    numShufflePartitions: 1,
    numStateStoreInstances: 1,
    ...(metrics.custom && { customMetrics: metrics.custom }),
  };
}
