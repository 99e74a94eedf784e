import type { OutputMode } from "../../connectors/connector.ts";
import type { Connection } from "../../duckdb/duckdb.ts";
import { hasListeners } from "../../events.ts";
import type { Field, NamedExpr, ResolvedExpr, ResolvedRelation } from "../../plan/resolved.ts";
import type { AnyRow } from "../../types/data-type.ts";
import { quoteIdentifier } from "../../types/duckdb-types.ts";
import { type CompileContext, columnName } from "../compile.ts";

/**
 * A stateful operator: takes the rows of a batch, its keys' state in bulk, and gives its output rows and the new state, all inside the
 * batch's transaction on the state database.
 */
export interface StatefulOperator {
  /** Spark's name in progress events. */
  readonly operatorName: string;
  readonly node: ResolvedRelation;
  readonly input: ResolvedRelation;
  /** A relation whose fields are what the operator reads of `input`. */
  readonly reads: ResolvedRelation;
  /** What the stored state depends on; a query whose shape differs may not go on with it. */
  readonly shape: Readonly<Record<string, unknown>>;
  /** Creates missing tables and learns how much state there is. Called once per run, outside a transaction. */
  open(connection: Connection): Promise<void>;
  /** Runs inside the batch's transaction. */
  run(batch: OperatorBatch): Promise<OperatorResult>;
  /** The batch was rolled back: forget what `run` learned. */
  rolledBack(): void;
  /** Whether a batch without input would do something now that the watermark is `watermarkMs` and the clock `nowMs`. */
  hasWork(watermarkMs: number, nowMs: number): boolean;
  /** The next moment of the clock at which `hasWork` may turn true by itself; undefined when only the watermark matters. */
  nextDueMs?(): number | undefined;
  close?(): void;
}

export interface OperatorBatch {
  readonly connection: Connection;
  readonly context: CompileContext;
  /** FROM item with the input rows, columns `c<id>`. Reading it twice computes it twice. */
  readonly input: string;
  /** Known to have no input rows. */
  readonly empty: boolean;
  readonly batchId: number;
  readonly timestampMs: number;
  /** Input rows with event time at or before this are late. */
  readonly lateMs: number;
  /** State with event time at or before this is closed. */
  readonly evictMs: number;
}

export interface OperatorResult {
  /** FROM item with the output rows, columns `c<id>` of the node's fields; good until the operator runs again. */
  readonly output: string;
  readonly metrics: OperatorMetrics;
  /** Event times seen at a watermark that this operator measures on the way (see `FusedWatermark`). */
  readonly eventTime?: EventTimeStats | undefined;
}

export interface OperatorMetrics {
  readonly rowsTotal: number;
  readonly rowsUpdated: number;
  readonly rowsRemoved: number;
  readonly rowsDroppedByWatermark: number;
  readonly updatesMs: number;
  readonly removalsMs: number;
  readonly custom?: Readonly<Record<string, number>>;
  /** Rows that came in, where counting them costs nothing. */
  readonly rowsIn?: number;
  /** Rows that went on. */
  readonly rowsOut?: number;
  readonly lateSamples?: readonly AnyRow[];
}

export interface EventTimeStats {
  readonly count: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly avgMs: number;
}

export interface OperatorOptions {
  /** Number of the operator in the plan, bottom up: names its tables. */
  readonly index: number;
  readonly outputMode: OutputMode;
}

/** The event-time column among fields, as Spark finds it by its metadata. */
export function eventTimeField(fields: readonly Field[]): Field | undefined {
  return fields.find((field) => field.watermark !== undefined);
}

/**
 * SQL that says whether a column's event time is at or before a watermark, Spark's test both for late rows and for closed state. A
 * window counts by its end.
 */
export function atOrBefore(column: string, field: Field, watermarkMs: number): string {
  if (field.type.kind === "struct") {
    const end = field.type.fields.find((f) => f.name === "end");
    return `struct_extract(${column}, 'end') <= ${timestampSql(watermarkMs * 1000, end?.type.kind)}`;
  }
  return `${column} <= ${timestampSql(watermarkMs * 1000, field.type.kind)}`;
}

/** Milliseconds of the event time of a column; of a window, its end. Null for null. */
export function eventTimeMsSql(column: string, field: Field): string {
  return field.type.kind === "struct" ? `epoch_ms(struct_extract(${column}, 'end'))` : `epoch_ms(${column})`;
}

/** A constant of the type of an event-time column. */
export function timestampSql(micros: number, kind: string | undefined): string {
  return kind === "timestamp_ntz" ? `make_timestamp(${micros})` : `make_timestamptz(${micros})`;
}

/** A projection of expressions over a relation, for saying what is read of it. */
export function reading(input: ResolvedRelation, exprs: readonly ResolvedExpr[]): ResolvedRelation {
  const named: NamedExpr[] = exprs.map((expr, i) => ({
    field: { id: -1 - i, name: `r${i}`, type: expr.type, nullable: expr.nullable },
    expr,
  }));
  return { kind: "project", input, exprs: named, fields: named.map(({ field }) => field), streaming: input.streaming };
}

const SAMPLES = 5;
const SAMPLE_EVERY_MS = 1_000;

/** Looks at a few late rows for those who watch the query: only when somebody does, and at most once a second. */
export class LateSampler {
  #lastMs = Number.NEGATIVE_INFINITY;

  /** `from`: a SELECT without LIMIT over the late rows of the batch, of which there are `late`. */
  async take(connection: Connection, late: number, from: string): Promise<readonly AnyRow[]> {
    if (late === 0 || !hasListeners("batch.measured")) return [];
    const now = performance.now();
    if (now - this.#lastMs < SAMPLE_EVERY_MS) return [];
    this.#lastMs = now;
    return (await connection.query(`${from} LIMIT ${SAMPLES}`)).rows;
  }
}

/** The columns of fields under their own names. */
export function namedColumns(fields: readonly Field[]): string {
  return fields.map((field) => `${columnName(field.id)} AS ${quoteIdentifier(field.name)}`).join(", ") || "1 AS none";
}
