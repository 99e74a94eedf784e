import type { Expr } from "../plan/expr.ts";
import { parseExpression } from "../plan/parse.ts";
import type { Relation, RelationNode } from "../plan/relation.ts";
import { noteSite } from "../plan/site.ts";
import type { StructType } from "../types/data-type.ts";
import { type Infer, type SchemaLike, structOf } from "../types/schema.ts";
import { DataFrameActions } from "./actions.ts";
import { Column, columnExpr, named, newColumn } from "./column.ts";
import { nextPlanId, type SessionContext } from "./context.ts";
import { GroupedData, KeyValueGroupedDataset } from "./grouped.ts";
import { DataFrameNaFunctions, type Scalar } from "./na.ts";
import { aggregated, joinType, sampled } from "./relations.ts";
import type {
  All,
  Fits,
  Flat,
  Joined,
  JoinedUsing,
  JoinHow,
  Last,
  Lift,
  Need,
  NotNulls,
  Path,
  ProvenBy,
  Ref,
  Renamed,
  Selected,
  WithColumn,
  WithColumns,
} from "./row-types.ts";
import { DataStreamWriter } from "./stream-writer.ts";
import { userFunction } from "./udf.ts";
import { forScript, forScriptArg, fromScript, mayHaveModes } from "./value-modes.ts";
import { DataFrameWriter, DataFrameWriterV2 } from "./writer.ts";

type Condition = Column<boolean | null | Lift<boolean, any>, any, any>;

/**
 * A table that is described, not computed: a plan over sources. Building is synchronous; actions (`collect`, `show`, `count`,
 * `writeStream.start`) return promises. Names and meaning are Spark's.
 * https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/dataframe.html
 *
 * `R` is the type of a row. A column that is not in it does not compile; `DataFrame<any>` takes any name.
 */
export class DataFrame<R = any> extends DataFrameActions<R> {
  /** Phantom: never there at run time. */
  declare readonly "~row": R;
  readonly plan: Relation;
  readonly session: SessionContext;

  constructor(session: SessionContext, node: RelationNode) {
    super();
    this.session = session;
    this.plan = Object.freeze({ ...node, planId: nextPlanId() });
    noteSite(this.plan);
  }

  #next<S>(node: RelationNode): DataFrame<S> {
    return new DataFrame<S>(this.session, node);
  }

  // ------------------------------------------------------------------------------------------------------- columns

  /** Some columns or expressions: `select("a", col("b").as("c"), "f.*")`. */
  select<const C extends readonly (Path<R> | "*" | Column<any, any, any>)[]>(
    ...cols: All<R, C>
  ): DataFrame<Selected<R, C[number]>> {
    return this.#next({
      kind: "project",
      input: this.plan,
      exprs: (cols as unknown as (string | Column)[]).map(columnExpr),
    });
  }

  /** Expressions in Spark SQL: `selectExpr("upper(origin) as o", "delay / 60")`. */
  selectExpr<S = any>(...exprs: string[]): DataFrame<S> {
    return this.#next({ kind: "project", input: this.plan, exprs: exprs.map(parseExpression) });
  }

  /** Adds a column, or replaces the one of that name in its place. */
  withColumn<const N extends string, C extends Column<any, any, any>>(
    name: N,
    column: Fits<R, C>,
  ): DataFrame<WithColumn<R, N, C extends Column<infer T, any, any> ? T : never>> {
    return this.#next({ kind: "with_columns", input: this.plan, columns: [{ name, expr: newColumn(name, column) }] });
  }

  /** Adds or replaces several columns; all see the columns as they were before. */
  withColumns<const C extends Readonly<Record<string, Column<any, any, any>>>>(
    columns: { [K in keyof C]: Fits<R, C[K]> },
  ): DataFrame<WithColumns<R, C>> {
    const list = Object.entries(columns as Record<string, Column>).map(([name, c]) => ({
      name,
      expr: newColumn(name, c),
    }));
    return this.#next({ kind: "with_columns", input: this.plan, columns: list });
  }

  /** Renames a column; does nothing when there is none of that name. */
  withColumnRenamed<const A extends keyof R & string, const B extends string>(
    from: A,
    to: B,
  ): DataFrame<Renamed<R, { [K in A]: B }>> {
    return this.#next({ kind: "with_columns_renamed", input: this.plan, renames: { [from]: to } });
  }

  /** Renames several columns; names that are not there are ignored. */
  withColumnsRenamed<const M extends { readonly [K in keyof R]?: string }>(renames: M): DataFrame<Renamed<R, M>> {
    return this.#next({
      kind: "with_columns_renamed",
      input: this.plan,
      renames: { ...renames } as Record<string, string>,
    });
  }

  /** Leaves columns out; a name that is not there is ignored. */
  drop<const K extends (keyof R & string) | Column<any, any, any>>(
    ...cols: K[]
  ): DataFrame<
    0 extends 1 & R ? any : Flat<Omit<R, K extends string ? K : K extends Column<Ref<infer P>, any, any> ? P : never>>
  > {
    return this.#next({ kind: "drop", input: this.plan, columns: cols.map(columnExpr) });
  }

  /** New names for all columns, in order. */
  toDF<S = any>(...names: string[]): DataFrame<S> {
    return this.#next({ kind: "to_df", input: this.plan, names });
  }

  /** A column of this very DataFrame, as is needed where a join has two of the same name. */
  col<const P extends Path<R>>(path: P): Column<Ref<P>, Last<P>, Need<P>> {
    return new Column(named(path, this.plan.planId));
  }

  // ---------------------------------------------------------------------------------------------------------- rows

  /**
   * The rows for which a condition holds: a column, Spark SQL text, or a TypeScript function over the row.
   * `filter(col("ts").isNotNull())` makes `ts` not null in the row type.
   */
  filter<C extends Condition>(condition: Fits<R, C>): DataFrame<NotNulls<R, ProvenBy<C>>>;
  filter(condition: string): DataFrame<R>;
  filter<S extends R>(condition: (row: R) => row is S): DataFrame<S>;
  filter(condition: (row: R) => boolean): DataFrame<R>;
  filter(condition: unknown): DataFrame<any> {
    if (typeof condition === "string") {
      return this.#next({ kind: "filter", input: this.plan, condition: parseExpression(condition) });
    }
    if (typeof condition === "function") {
      return this.#filterRows(condition);
    }
    return this.#next({ kind: "filter", input: this.plan, condition: columnExpr(condition as Column) });
  }

  #filterRows(condition: Function): DataFrame<any> {
    if (!mayHaveModes(this.plan, this.session.views)) {
      return this.#next({ kind: "map_rows", input: this.plan, op: "filter", fn: userFunction(condition) });
    }
    // The function sees the row in TypeScript's form, beside the columns that go on as they are.
    const row = this.select("*" as any).plan;
    const all: Expr = { kind: "call", name: "struct", args: [{ kind: "star" }] };
    const input: Relation = {
      kind: "project",
      input: row,
      exprs: [{ kind: "star" }, { kind: "alias", child: forScriptArg(all), name: "__row" }],
    };
    const fn = userFunction((r: { __row: unknown }) => condition(r.__row), condition.name || "lambda");
    return this.#next<any>({ kind: "map_rows", input, op: "filter", fn }).drop("__row");
  }

  /** As `filter`. */
  where<C extends Condition>(condition: Fits<R, C>): DataFrame<NotNulls<R, ProvenBy<C>>>;
  where(condition: string): DataFrame<R>;
  where(condition: any): DataFrame<any> {
    return this.filter(condition);
  }

  /** The rows sorted: `orderBy("a", col("b").desc())`. */
  orderBy<const C extends readonly (Path<R> | Column<any, any, any>)[]>(...cols: All<R, C>): DataFrame<R> {
    return this.#next({
      kind: "sort",
      input: this.plan,
      order: (cols as unknown as (string | Column)[]).map(columnExpr),
      global: true,
    });
  }
  /** As `orderBy`. */
  sort<const C extends readonly (Path<R> | Column<any, any, any>)[]>(...cols: All<R, C>): DataFrame<R> {
    return this.orderBy<C>(...cols);
  }

  /** The first `n` rows. */
  limit(n: number): DataFrame<R> {
    return this.#next({ kind: "limit", input: this.plan, limit: n });
  }
  /** All rows but the first `n`. */
  offset(n: number): DataFrame<R> {
    return this.#next({ kind: "offset", input: this.plan, offset: n });
  }

  /** Each different row once. */
  distinct(): DataFrame<R> {
    return this.#deduplicate([], false);
  }
  /** One row for each combination of the columns (default: all). */
  dropDuplicates(...columns: (keyof R & string)[]): DataFrame<R> {
    return this.#deduplicate(columns, false);
  }
  /** As `dropDuplicates`, for rows no further apart than the delay of the watermark. */
  dropDuplicatesWithinWatermark(...columns: (keyof R & string)[]): DataFrame<R> {
    return this.#deduplicate(columns, true);
  }
  #deduplicate(columns: readonly string[], withinWatermark: boolean): DataFrame<R> {
    const flat = columns.flat();
    const of = flat.length === 0 ? "all" : flat;
    return this.#next({ kind: "deduplicate", input: this.plan, columns: of, withinWatermark });
  }

  /** About `fraction` of the rows, by chance; the same `seed` gives the same rows of the same input. */
  sample(fraction: number, options: { readonly seed?: number; readonly withReplacement?: boolean } = {}): DataFrame<R> {
    return this.#next(sampled(this.plan, fraction, options));
  }

  /** Spark's hint for how work is spread; this engine spreads it by itself, so it changes nothing. */
  repartition(partitions: number, ...cols: (string | Column<any, any, any>)[]): DataFrame<R> {
    return this.#next({ kind: "repartition", input: this.plan, partitions, exprs: cols.map(columnExpr) });
  }
  /** As `repartition`. */
  coalesce(partitions: number): DataFrame<R> {
    return this.repartition(partitions);
  }

  /**
   * Says that events are at most `delay` ("1 hour") behind the latest of column `eventTime`: state older than that is dropped, and
   * later events are ignored by stateful operators.
   */
  withWatermark(
    eventTime: { [K in keyof R & string]: WatermarkColumn<R, K> }[keyof R & string],
    delay: string,
  ): DataFrame<R> {
    return this.#next({ kind: "with_watermark", input: this.plan, column: eventTime as string, delay });
  }

  /** A name for this DataFrame, for `col("name.column")` after a join. */
  alias(name: string): DataFrame<R> {
    return this.#next({ kind: "subquery_alias", input: this.plan, alias: name });
  }
  /** As `alias`. */
  as(name: string): DataFrame<R> {
    return this.alias(name);
  }

  // ------------------------------------------------------------------------------------------------ missing values

  /** Functions on missing values: drop, fill, replace. */
  get na(): DataFrameNaFunctions<R> {
    return new DataFrameNaFunctions(this);
  }
  /** Rows without null (or NaN) in these columns (default: all); the columns are not null in the row type from here on. */
  dropna<const K extends keyof R & string>(
    ...cols: K[]
  ): DataFrame<[K] extends [never] ? NotNulls<R, keyof R> : NotNulls<R, K>> {
    return this.#next({ kind: "na_drop", input: this.plan, columns: cols });
  }
  /** Values in place of null, as `na.fill`. */
  fillna(
    value: Scalar | Partial<Record<keyof R & string, Scalar>>,
    cols?: readonly (keyof R & string)[],
  ): DataFrame<R> {
    return this.na.fill(value, cols);
  }

  // ------------------------------------------------------------------------------------------- groups, joins, unions

  /** Groups of rows with the same values: `groupBy(window("ts", "1 hour"), "origin").agg(count("*").as("n"))`. */
  groupBy<const C extends readonly ((keyof R & string) | Path<R> | Column<any, any, any>)[]>(
    ...cols: All<R, C>
  ): GroupedData<R, Selected<R, C[number]>> {
    return new GroupedData(this, "groupby", (cols as unknown as (string | Column)[]).map(columnExpr));
  }
  /** As `groupBy`. */
  groupby<const C extends readonly ((keyof R & string) | Path<R> | Column<any, any, any>)[]>(
    ...cols: All<R, C>
  ): GroupedData<R, Selected<R, C[number]>> {
    return this.groupBy<C>(...cols);
  }
  /** As `groupBy`, with subtotals from right to left and the total: the columns left out are null. */
  rollup<const C extends readonly ((keyof R & string) | Path<R> | Column<any, any, any>)[]>(
    ...cols: All<R, C>
  ): GroupedData<R, { [K in keyof Selected<R, C[number]>]: Selected<R, C[number]>[K] | null }> {
    return new GroupedData(this, "rollup", (cols as unknown as (string | Column)[]).map(columnExpr));
  }
  /** As `groupBy`, with subtotals over every choice of the columns. */
  cube<const C extends readonly ((keyof R & string) | Path<R> | Column<any, any, any>)[]>(
    ...cols: All<R, C>
  ): GroupedData<R, { [K in keyof Selected<R, C[number]>]: Selected<R, C[number]>[K] | null }> {
    return new GroupedData(this, "cube", (cols as unknown as (string | Column)[]).map(columnExpr));
  }
  /** Aggregates over all rows. */
  agg<const C extends readonly Column<any, any, any>[]>(...cols: All<R, C>): DataFrame<Selected<R, C[number]>> {
    return this.#next(aggregated(this.plan, (cols as unknown as Column[]).map(columnExpr)));
  }

  /** Groups for a TypeScript function over each group: `groupByKey("origin").transformWithState(...)`. */
  groupByKey<const K extends keyof R & string>(
    ...keys: [K, ...K[]]
  ): KeyValueGroupedDataset<
    [K] extends [infer One extends keyof R] ? (IsUnion<One> extends true ? Pick<R, One> : R[One]) : never,
    R
  > {
    return new KeyValueGroupedDataset(this, keys);
  }

  /** Joins by a condition, or by columns of the same name, which the result has once. */
  join<S, C extends Condition, const H extends JoinHow = "inner">(
    right: DataFrame<S>,
    on: Fits<Joined<R, S, "inner">, C>,
    how?: H,
  ): DataFrame<Joined<R, S, H>>;
  join<S, const K extends keyof R & keyof S & string, const H extends JoinHow = "inner">(
    right: DataFrame<S>,
    on: K | readonly K[],
    how?: H,
  ): DataFrame<JoinedUsing<R, S, K, H>>;
  join(right: DataFrame<any>, on: unknown, how: JoinHow = "inner"): DataFrame<any> {
    const type = joinType(how);
    const base = { kind: "join", left: this.plan, right: right.plan, type } as const;
    if (typeof on === "string") return this.#next({ ...base, using: [on] });
    if (Array.isArray(on) && on.every((n) => typeof n === "string")) return this.#next({ ...base, using: on });
    return this.#next({ ...base, condition: columnExpr(on as Column) });
  }
  /** Every row with every row of `right`. */
  crossJoin<S>(right: DataFrame<S>): DataFrame<Joined<R, S, "inner">> {
    return this.#next({ kind: "join", left: this.plan, right: right.plan, type: "cross" });
  }

  #setOp(
    op: "union" | "intersect" | "except",
    right: DataFrame<any>,
    all: boolean,
    byName = false,
    allowMissingColumns = false,
  ): DataFrame<any> {
    return this.#next({ kind: "set_op", op, left: this.plan, right: right.plan, all, byName, allowMissingColumns });
  }
  /** The rows of both, matched by position; duplicates stay. */
  union<S>(right: DataFrame<S>): DataFrame<R> {
    return this.#setOp("union", right, true);
  }
  /** As `union`. */
  unionAll<S>(right: DataFrame<S>): DataFrame<R> {
    return this.union(right);
  }
  /** The rows of both, matched by name; with `allowMissingColumns` (also as `true`) what one side lacks is null. */
  unionByName<S>(
    right: DataFrame<S>,
    options: boolean | { readonly allowMissingColumns?: boolean } = {},
  ): DataFrame<R> {
    const missing = typeof options === "boolean" ? options : (options.allowMissingColumns ?? false);
    return this.#setOp("union", right, true, true, missing);
  }
  /** The different rows that are in both. */
  intersect(right: DataFrame<any>): DataFrame<R> {
    return this.#setOp("intersect", right, false);
  }
  /** The rows that are in both, as often as in both. */
  intersectAll(right: DataFrame<any>): DataFrame<R> {
    return this.#setOp("intersect", right, true);
  }
  /** The different rows that are not in `right`. */
  subtract(right: DataFrame<any>): DataFrame<R> {
    return this.#setOp("except", right, false);
  }
  /** The rows without those of `right`, one for one. */
  exceptAll(right: DataFrame<any>): DataFrame<R> {
    return this.#setOp("except", right, true);
  }

  // ------------------------------------------------------------------------------------------ TypeScript functions

  /** A row for each row, made by a TypeScript function. The schema may be DDL text, `map((r) => ({ a: r.id }), "a INT")`. */
  map<S extends SchemaLike>(fn: (row: R) => Infer<S>, schema: S): DataFrame<Infer<S>>;
  map(fn: (row: R) => object, schema: string | StructType): DataFrame<any>;
  map(fn: (row: R) => object, schema: SchemaLike | string | StructType): DataFrame<any> {
    return this.#mapRows("map", fn, structOf(schema));
  }
  /** Any number of rows for each row. */
  flatMap<S extends SchemaLike>(fn: (row: R) => Iterable<Infer<S>>, schema: S): DataFrame<Infer<S>>;
  flatMap(fn: (row: R) => Iterable<object>, schema: string | StructType): DataFrame<any>;
  flatMap(fn: (row: R) => Iterable<object>, schema: SchemaLike | string | StructType): DataFrame<any> {
    return this.#mapRows("flat_map", fn, structOf(schema));
  }
  /** Any number of rows for some rows at once; the function may be async. How rows are cut into batches is not fixed. */
  mapBatch<S extends SchemaLike>(
    fn: (rows: readonly R[]) => Iterable<Infer<S>> | Promise<Iterable<Infer<S>>>,
    schema: S,
  ): DataFrame<Infer<S>>;
  mapBatch(
    fn: (rows: readonly R[]) => Iterable<object> | Promise<Iterable<object>>,
    schema: string | StructType,
  ): DataFrame<any>;
  mapBatch(
    fn: (rows: readonly R[]) => Iterable<object> | Promise<Iterable<object>>,
    schema: SchemaLike | string | StructType,
  ): DataFrame<any> {
    return this.#mapRows("map_batch", fn, structOf(schema));
  }
  #mapRows(op: "map" | "flat_map" | "map_batch", fn: Function, result: StructType): DataFrame<any> {
    const input = forScript(this.plan, this.session.views);
    return this.#next(fromScript(result, (schema) => ({ kind: "map_rows", input, op, fn: userFunction(fn), schema })));
  }
  /** `df.transform(f)` is `f(df)`, for chaining. */
  transform<S>(fn: (df: DataFrame<R>) => DataFrame<S>): DataFrame<S> {
    return fn(this);
  }

  // ------------------------------------------------------------------------------------------------------- writing

  /** Writes a batch DataFrame: `df.write.format("parquet").mode("overwrite").save(path)`. */
  get write(): DataFrameWriter<R> {
    return new DataFrameWriter(this);
  }
  /** Writes a batch DataFrame to a table: `df.writeTo("db.t").using("delta").createOrReplace()`. */
  writeTo(table: string): DataFrameWriterV2<R> {
    return new DataFrameWriterV2(this, table);
  }
  /** Writes a streaming DataFrame: `df.writeStream.format("delta").option(...).start(path)`. */
  get writeStream(): DataStreamWriter<R> {
    return new DataStreamWriter(this);
  }
}

type WatermarkColumn<R, K extends keyof R> = [R[K]] extends [Date | bigint | { start: Date; end: Date } | null]
  ? K
  : never;
type IsUnion<T, U = T> = (T extends unknown ? ([U] extends [T] ? false : true) : never) extends false ? false : true;
