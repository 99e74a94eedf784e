import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import type { RelationNode } from "../plan/relation.ts";
import type { Value } from "../types/data-type.ts";
import { type Infer, type SchemaLike, structOf } from "../types/schema.ts";
import type { StatefulProcessor } from "../types/stateful.ts";
import { type Column, columnExpr, named } from "./column.ts";
import { DataFrame } from "./dataframe.ts";
import type { All, Flat, Selected } from "./row-types.ts";
import { forScript, fromScript } from "./value-modes.ts";

type Numeric<R> = { [K in keyof R & string]: NonNullable<R[K]> extends number | bigint | string ? K : never }[keyof R &
  string];

/**
 * Rows grouped by keys, to be aggregated. https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/grouping.html
 */
export class GroupedData<R, K> {
  readonly #df: DataFrame<R>;
  readonly #group: "groupby" | "rollup" | "cube";
  readonly #grouping: readonly Expr[];
  readonly #pivot: { readonly column: Expr; readonly values: readonly Value[] } | undefined;

  constructor(
    df: DataFrame<R>,
    group: "groupby" | "rollup" | "cube",
    grouping: readonly Expr[],
    pivot?: { readonly column: Expr; readonly values: readonly Value[] },
  ) {
    this.#df = df;
    this.#group = group;
    this.#grouping = grouping;
    this.#pivot = pivot;
  }

  #aggregate<S>(aggregates: readonly Expr[]): DataFrame<S> {
    const node: RelationNode = {
      kind: "aggregate",
      input: this.#df.plan,
      group: this.#pivot ? "pivot" : this.#group,
      grouping: this.#grouping,
      aggregates,
      ...(this.#pivot && { pivot: this.#pivot }),
    };
    return new DataFrame<S>(this.#df.session, node);
  }

  /** One row per group: the keys, then these aggregates. */
  agg<const C extends readonly Column<any, any, any>[]>(
    ...cols: All<R, C>
  ): DataFrame<0 extends 1 & R ? any : Flat<K & Selected<R, C[number]>>> {
    if (cols.length === 0) throw new MillraceError("INVALID_ARGUMENT", "agg() needs at least one aggregate.");
    return this.#aggregate((cols as unknown as Column[]).map(columnExpr));
  }

  /** The number of rows of each group, as column `count`. */
  count(): DataFrame<Flat<K & { count: bigint }>> {
    const call: Expr = { kind: "call", name: "count", args: [{ kind: "star" }] };
    return this.#aggregate([{ kind: "alias", child: call, name: "count" }]);
  }

  #each(name: string, columns: readonly string[]): DataFrame<any> {
    if (columns.length === 0) {
      throw new MillraceError("INVALID_ARGUMENT", `${name}() needs the names of the columns.`, {
        hint: `Write ${name}("delay"), or agg(${name}("delay").as("d")).`,
      });
    }
    return this.#aggregate(columns.map((c): Expr => ({ kind: "call", name, args: [named(c)] })));
  }
  /** The sum of each column. */
  sum<const C extends Numeric<R>>(
    ...columns: C[]
  ): DataFrame<
    Flat<K & { [P in C as `sum(${P})`]: (R[P] extends number | null ? number | bigint : NonNullable<R[P]>) | null }>
  > {
    return this.#each("sum", columns);
  }
  /** The mean of each column. */
  avg<const C extends Numeric<R>>(...columns: C[]): DataFrame<Flat<K & { [P in C as `avg(${P})`]: number | null }>> {
    return this.#each("avg", columns);
  }
  /** As `avg`. */
  mean<const C extends Numeric<R>>(...columns: C[]): DataFrame<Flat<K & { [P in C as `avg(${P})`]: number | null }>> {
    return this.avg(...columns);
  }
  /** The greatest value of each column. */
  max<const C extends keyof R & string>(
    ...columns: C[]
  ): DataFrame<Flat<K & { [P in C as `max(${P})`]: R[P] | null }>> {
    return this.#each("max", columns);
  }
  /** The least value of each column. */
  min<const C extends keyof R & string>(
    ...columns: C[]
  ): DataFrame<Flat<K & { [P in C as `min(${P})`]: R[P] | null }>> {
    return this.#each("min", columns);
  }

  /**
   * Turns the given values of a column into columns. The values must be named: finding them out would need a query, and building a
   * plan starts none.
   */
  pivot(column: (keyof R & string) | Column<any, any, any>, values: readonly Value[]): GroupedData<any, any> {
    if (!Array.isArray(values) || values.length === 0) {
      throw new MillraceError("INVALID_ARGUMENT", "pivot() needs the values that become columns.", {
        hint: 'Write pivot("year", [2001, 2002]).',
      });
    }
    if (this.#group !== "groupby" || this.#pivot) {
      throw new MillraceError("UNSUPPORTED_OPERATION", "pivot() may follow groupBy() only, once.");
    }
    return new GroupedData<any, any>(this.#df, "groupby", this.#grouping, { column: columnExpr(column), values });
  }
}

/** A stateful processor: an instance, a class, or a function that makes one. */
export type ProcessorSource<K, R, O> =
  | StatefulProcessor<K, R, O>
  | (() => StatefulProcessor<K, R, O>)
  | (new () => StatefulProcessor<K, R, O>);

/** Rows grouped by key columns, for a TypeScript function over each group. `K` is one value for a single key, an object for several. */
export class KeyValueGroupedDataset<K, R> {
  readonly #df: DataFrame<R>;
  readonly #keys: readonly string[];

  constructor(df: DataFrame<R>, keys: readonly string[]) {
    this.#df = df;
    this.#keys = keys;
  }

  /**
   * Runs a stateful processor over each key's rows, batch after batch. Its state is kept with the query and restored after a
   * failure. https://spark.apache.org/docs/latest/streaming/structured-streaming-transform-with-state.html
   *
   * `orderBy`: columns that a key's rows are sorted by before the processor sees them (Spark leaves the order open).
   * `eventTimeColumn`: an output column that carries the watermark on.
   */
  transformWithState<const S extends SchemaLike>(
    processor: ProcessorSource<K, R, Infer<S>>,
    options: {
      readonly schema: S;
      readonly outputMode?: "append" | "update";
      readonly timeMode?: "none" | "processingTime" | "eventTime";
      readonly orderBy?: (keyof R & string) | readonly (keyof R & string)[];
      readonly eventTimeColumn?: string;
      /** A name for messages and explain; default: the class's name. */
      readonly name?: string;
    },
  ): DataFrame<Infer<S>> {
    const orderBy = options.orderBy === undefined ? undefined : [options.orderBy].flat();
    const { name, create } = processorOf(processor);
    const timeMode = TIME_MODES[(options.timeMode ?? "none").toLowerCase()];
    if (timeMode === undefined) {
      throw new MillraceError("INVALID_ARGUMENT", `Unknown time mode "${options.timeMode}".`, {
        hint: "Use none, processingTime or eventTime.",
      });
    }
    const input = forScript(this.#df.plan, this.#df.session.views);
    const node = fromScript(structOf(options.schema), (schema) => ({
      kind: "transform_with_state",
      input,
      grouping: this.#keys.map((k) => named(k)),
      processor: { name: options.name ?? name, create, ...(orderBy && { orderBy: orderBy as string[] }) },
      outputMode: options.outputMode ?? "append",
      timeMode,
      schema,
      ...(options.eventTimeColumn !== undefined && { eventTimeColumn: options.eventTimeColumn }),
    }));
    return new DataFrame<Infer<S>>(this.#df.session, node);
  }
}

const TIME_MODES: Readonly<Record<string, "none" | "processing_time" | "event_time">> = {
  none: "none",
  processingtime: "processing_time",
  eventtime: "event_time",
};

function processorOf(source: ProcessorSource<any, any, any>): { name: string; create: () => StatefulProcessor } {
  if (typeof source !== "function") {
    if (typeof source?.handleInputRows !== "function") {
      throw new MillraceError("INVALID_ARGUMENT", "A stateful processor needs the methods init and handleInputRows.");
    }
    return { name: source.constructor?.name || "StatefulProcessor", create: () => source };
  }
  const isClass = /^class\b/.test(Function.prototype.toString.call(source));
  const create = isClass ? () => new (source as new () => StatefulProcessor)() : (source as () => StatefulProcessor);
  return { name: source.name || "StatefulProcessor", create };
}
