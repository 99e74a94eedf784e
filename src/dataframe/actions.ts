import type { ExplainMode } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import type { Relation } from "../plan/relation.ts";
import { blame, noteSite } from "../plan/site.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { Column } from "./column.ts";
import type { SessionContext } from "./context.ts";
import { counted, isStreaming } from "./relations.ts";
import { formatTable, treeString } from "./show.ts";
import { forScript } from "./value-modes.ts";

/** What a DataFrame does: rows, schemas, views. */
export abstract class DataFrameActions<R> {
  abstract readonly plan: Relation;
  abstract readonly session: SessionContext;

  /** Whether a source of it grows. */
  get isStreaming(): boolean {
    return isStreaming(this.plan, this.session.views);
  }
  /** The session that it was made by. */
  get sparkSession(): object {
    return this.session.owner;
  }

  /** The schema. May read a file's footer or first lines. Throws Spark's analysis errors. */
  async schema(): Promise<StructType> {
    return (await this.session.backend()).schema(this.plan, this.session.confValues());
  }
  /** The names of its columns. */
  async columns(): Promise<string[]> {
    return (await this.schema()).fields.map((f) => f.name);
  }
  /** Prints the schema as a tree. */
  async printSchema(): Promise<void> {
    console.log(treeString(await this.schema()));
  }

  async *#chunks(plan: Relation): AsyncGenerator<readonly R[]> {
    const call = {};
    noteSite(call);
    try {
      const rows = (await this.session.backend()).run(forScript(plan, this.session.views), this.session.confValues());
      yield* rows as AsyncIterable<readonly R[]>;
    } catch (error) {
      blame(error, call);
      throw error;
    }
  }
  async #rows(plan: Relation): Promise<R[]> {
    const all: R[] = [];
    for await (const rows of this.#chunks(plan)) for (const row of rows) all.push(row);
    return all;
  }

  /** The rows, a part at a time. */
  async *toLocalIterator(): AsyncGenerator<R> {
    for await (const rows of this.#chunks(this.plan)) yield* rows;
  }
  /** All rows, as plain objects. */
  async collect(): Promise<R[]> {
    return this.#rows(this.plan);
  }
  /** The first `n` rows, as plain objects. */
  async take(n: number): Promise<R[]> {
    return this.#rows({ kind: "limit", input: this.plan, limit: n });
  }
  /** The last `n` rows. */
  async tail(n: number): Promise<R[]> {
    if (!Number.isInteger(n) || n < 0) {
      throw new MillraceError("INVALID_ARGUMENT", `tail needs a whole number that is not negative, got ${n}.`);
    }
    let last: R[] = [];
    for await (const rows of this.#chunks(this.plan))
      last = [...last, ...rows].slice(Math.max(0, last.length + rows.length - n));
    return last;
  }
  /** The first row, or null; with `n` the first rows. */
  head(): Promise<R | null>;
  head(n: number): Promise<R[]>;
  head(n?: number): Promise<R | null | R[]> {
    return n === undefined ? this.first() : this.take(n);
  }
  /** The first row, or null. */
  async first(): Promise<R | null> {
    return (await this.take(1))[0] ?? null;
  }
  /** Whether there is no row. */
  async isEmpty(): Promise<boolean> {
    return (await this.first()) === null;
  }
  /** The number of rows. */
  async count(): Promise<number> {
    const [row] = await this.#rows(counted(this.plan));
    return Number((row as { count: bigint }).count);
  }
  /** Prints the first `n` rows as a table; longer values are cut to `truncate` characters. */
  async show(n = 20, truncate: boolean | number = true): Promise<void> {
    const schema = await this.schema();
    const rows = (await this.take(n + 1)) as AnyRow[];
    console.log(formatTable(schema, rows.slice(0, n), { truncate, more: rows.length > n }));
  }
  /** Prints the plan. */
  async explain(mode: ExplainMode | boolean = "simple"): Promise<void> {
    const m = typeof mode === "boolean" ? (mode ? "extended" : "simple") : mode;
    console.log(await (await this.session.backend()).explain(this.plan, m, this.session.confValues()));
  }

  // --------------------------------------------------------------------------------------------------------- views

  /**
   * Gives it a name in this session, for `spark.table` and `spark.sql`. What is asked of the session afterwards waits for it.
   * Throws TEMP_TABLE_OR_VIEW_ALREADY_EXISTS and, as the plan is checked here, Spark's analysis errors.
   */
  createTempView(name: string): Promise<void> {
    return this.#view(name, false, false);
  }
  /** As `createTempView`, in place of a view that has the name. */
  createOrReplaceTempView(name: string): Promise<void> {
    return this.#view(name, false, true);
  }
  /** As `createTempView` for all sessions of the process, under `global_temp.name`. */
  createGlobalTempView(name: string): Promise<void> {
    return this.#view(name, true, false);
  }
  /** As `createGlobalTempView`, in place of a view that has the name. */
  createOrReplaceGlobalTempView(name: string): Promise<void> {
    return this.#view(name, true, true);
  }
  async #view(name: string, global: boolean, replace: boolean): Promise<void> {
    const { session, plan } = this;
    session.views.set(`${global ? "global_temp." : ""}${name.replaceAll("`", "").toLowerCase()}`, plan);
    const conf = session.confValues();
    await session.command((backend) => backend.catalog.createView(plan, { name, global, replace }, conf));
  }

  // ------------------------------------------------------------------------------------------------------- caching

  /** Spark keeps the rows from the first use on. Here they are computed again each time: results are the same. */
  cache(): this {
    return this;
  }
  /** As `cache`; the storage level changes nothing. */
  persist(_storageLevel?: unknown): this {
    return this;
  }
  /** Undoes `cache`. */
  unpersist(_blocking?: boolean): this {
    return this;
  }
  /** In Spark the rows are stored and the plan forgotten. Here it stays as it is: results are the same. */
  checkpoint(_eager?: boolean): this {
    return this;
  }
  /** As `checkpoint`. */
  localCheckpoint(_eager?: boolean): this {
    return this;
  }

  // ---------------------------------------------------------------------------------------------------- subqueries

  /** Its one value, inside an expression over another DataFrame. Throws SCALAR_SUBQUERY_TOO_MANY_ROWS where it has several rows. */
  scalar<T = any>(): Column<T, string, never> {
    return new Column({ kind: "subquery", type: "scalar", plan: this.plan });
  }
  /** Whether it has a row, inside an expression over another DataFrame. */
  exists(): Column<boolean, string, never> {
    return new Column({ kind: "subquery", type: "exists", plan: this.plan });
  }
}
