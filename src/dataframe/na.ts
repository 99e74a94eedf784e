import { MillraceError } from "../errors.ts";
import type { Value } from "../types/data-type.ts";
import { DataFrame } from "./dataframe.ts";
import type { NotNulls } from "./row-types.ts";

/** What can stand for a missing value. */
export type Scalar = string | number | bigint | boolean | Date;

/** Functions on missing values. https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/api/pyspark.sql.DataFrameNaFunctions.html */
export class DataFrameNaFunctions<R> {
  readonly #df: DataFrame<R>;

  constructor(df: DataFrame<R>) {
    this.#df = df;
  }

  /**
   * Drops rows with missing values in the given columns (default: all): `any` of them missing, `all` of them, or fewer than `thresh` present.
   */
  drop<const K extends keyof R & string>(
    ...cols: K[]
  ): DataFrame<[K] extends [never] ? NotNulls<R, keyof R> : NotNulls<R, K>>;
  drop(options: {
    readonly how?: "any" | "all";
    readonly thresh?: number;
    readonly subset?: readonly (keyof R & string)[];
  }): DataFrame<R>;
  drop(...args: any[]): DataFrame<any> {
    const o = typeof args[0] === "object" ? args[0] : { subset: args };
    const minNonNulls = o.thresh ?? (o.how === "all" ? 1 : undefined);
    return new DataFrame(this.#df.session, {
      kind: "na_drop",
      input: this.#df.plan,
      columns: o.subset ?? [],
      ...(minNonNulls !== undefined && { minNonNulls }),
    });
  }

  /** Fills missing values: one value for all columns that it fits, or a value per column. */
  fill(
    value: Scalar | Partial<Record<keyof R & string, Scalar>>,
    cols: readonly (keyof R & string)[] = [],
  ): DataFrame<R> {
    const perColumn = typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
    const columns = perColumn ? Object.keys(value) : cols;
    const values = perColumn ? (Object.values(value) as Value[]) : [value as Value];
    if (values.some((v) => v === null || v === undefined)) {
      throw new MillraceError("INVALID_ARGUMENT", "fill() cannot fill with null.");
    }
    return new DataFrame<R>(this.#df.session, { kind: "na_fill", input: this.#df.plan, columns, values });
  }

  /** Replaces values by others in the given columns (default: all that they fit). */
  replace(
    replacements: ReadonlyMap<Value, Value> | Readonly<Record<string, Value>>,
    cols: readonly (keyof R & string)[] = [],
  ): DataFrame<R> {
    const entries = replacements instanceof Map ? [...replacements] : Object.entries(replacements);
    return new DataFrame<R>(this.#df.session, {
      kind: "na_replace",
      input: this.#df.plan,
      columns: cols,
      replacements: entries.map(([from, to]) => ({ from: from as Value, to: to as Value })),
    });
  }
}
