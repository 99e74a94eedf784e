import type { DataFrame, SparkSession } from "../../src/index.ts";
import type { TableName } from "./tables.ts";

/**
 * Cases that run on real Spark and embedded, and must give the same: values, types, nullability, order where there is one, error class
 * where it fails. A case is data: what is asked, over which input, under which settings. `cases/<area>.ts` hold them; `cases/index.ts` lists them.
 */
export type ParityCase = ExpressionCase | QueryCase | PlanCase | StreamCase;

interface Common {
  /** Unique within its family where there is no `sql` to name the case by. */
  readonly name?: string;
  /** Settings of the session for this case, such as `spark.sql.session.timeZone`. */
  readonly conf?: Readonly<Record<string, string>>;
  /** Relative error allowed in floating results, for sums whose order is free. */
  readonly tolerance?: number;
  /** The engines differ and this is why it stays so: a strict expected failure, the case fails when they agree. */
  readonly known?: string;
}

/** One Spark SQL expression, evaluated for each row of a table; without a table, once. An aggregate gives one row. */
export interface ExpressionCase extends Common {
  readonly kind: "expression";
  readonly family: string;
  readonly sql: string;
  readonly on?: TableName;
}

/** A whole SQL query; every table of `tables.ts` is there under its name. `ordered`: the order of the rows is compared too. */
export interface QueryCase extends Common {
  readonly kind: "query";
  readonly family: string;
  readonly sql: string;
  readonly ordered?: boolean;
}

/** A plan built with the DataFrame API: the very program a user writes. */
export interface PlanCase extends Common {
  readonly kind: "plan";
  readonly family: string;
  readonly name: string;
  readonly build: (spark: SparkSession, table: (name: TableName) => DataFrame<any>) => DataFrame<any>;
  readonly ordered?: boolean;
}

/**
 * A streaming query over batches given row by row: both engines read batch after batch, and every batch's output, watermark, state and
 * dropped rows are compared; or both refuse to start, with the same error class. Rows are values in the order of the schema; timestamps
 * are ISO text.
 */
export interface StreamCase extends Common {
  readonly kind: "stream";
  readonly family: string;
  readonly name: string;
  readonly schema: string;
  readonly batches: StreamBatches;
  /** A second stream, its batches beside those of the first. */
  readonly other?: { readonly schema: string; readonly batches: StreamBatches };
  readonly outputMode: "append" | "update" | "complete";
  readonly build: (input: DataFrame<any>, spark: SparkSession, other: DataFrame<any>) => DataFrame<any>;
}

export type StreamBatches = readonly (readonly (readonly unknown[])[])[];

/** Many expressions over one table: `...expressions("math", "numbers", ["abs(i)", ["pmod(i, 3)", { known: "..." }]])`. */
export function expressions(
  family: string,
  on: TableName | undefined,
  list: readonly (string | readonly [sql: string, more: Common])[],
): ExpressionCase[] {
  return list.map((entry) => {
    const [sql, more] = typeof entry === "string" ? [entry, {}] : entry;
    return { kind: "expression", family, sql, ...(on && { on }), ...more };
  });
}

/** Many queries: `...queries("join", ["SELECT ...", ["SELECT ... ORDER BY 1", { ordered: true }]])`. */
export function queries(
  family: string,
  list: readonly (string | readonly [sql: string, more: Common & { readonly ordered?: boolean }])[],
): QueryCase[] {
  return list.map((entry) => {
    const [sql, more] = typeof entry === "string" ? [entry, {}] : entry;
    return { kind: "query", family, sql, ...more };
  });
}

type Table = (name: TableName) => DataFrame<any>;
type Build = (table: Table, spark: SparkSession) => DataFrame<any>;

/** Many plans by name: `...plans("join", { "inner by a condition": (t) => t("people").join(...) })`. */
export function plans(
  family: string,
  list: Readonly<Record<string, Build | readonly [build: Build, more: Common & { readonly ordered?: boolean }]>>,
): PlanCase[] {
  return Object.entries(list).map(([name, entry]) => {
    const [build, more] = typeof entry === "function" ? [entry, {}] : entry;
    return { kind: "plan", family, name, build: (spark, table) => build(table, spark), ...more };
  });
}

type StreamBuild = StreamCase["build"];

/** Many streaming queries over the same batches in one output mode, by name. */
export function streams(
  family: string,
  input: Pick<StreamCase, "schema" | "batches" | "outputMode" | "other">,
  list: Readonly<Record<string, StreamBuild | readonly [build: StreamBuild, more: Common]>>,
): StreamCase[] {
  return Object.entries(list).map(([name, entry]) => {
    const [build, more] = typeof entry === "function" ? [entry, {}] : entry;
    return { kind: "stream", family, name, build, ...input, ...more };
  });
}
