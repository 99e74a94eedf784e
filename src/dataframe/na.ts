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
   * `drop()`, `drop("all")`, `drop(2, ["a", "b", "c"])`, `drop("a", "b")`, `drop({ how: "all", subset: ["a", "b"] })`.
   */
  drop(how: "all" | number, subset?: readonly (keyof R & string)[]): DataFrame<R>;
  drop<const K extends keyof R & string>(
    how: "any",
    subset?: readonly K[],
  ): DataFrame<[K] extends [never] ? NotNulls<R, keyof R> : NotNulls<R, K>>;
  drop<const K extends keyof R & string>(
    ...cols: K[]
  ): DataFrame<[K] extends [never] ? NotNulls<R, keyof R> : NotNulls<R, K>>;
  drop(options: {
    readonly how?: "any" | "all";
    readonly thresh?: number;
    readonly subset?: readonly (keyof R & string)[];
  }): DataFrame<R>;
  drop(...args: any[]): DataFrame<any> {
    const [first, subset] = args;
    const o = Array.isArray(first)
      ? { subset: first }
      : typeof first === "object"
        ? first
        : typeof first === "number"
          ? { thresh: first, subset }
          : (first === "any" || first === "all") && (args.length === 1 || Array.isArray(subset))
            ? { how: first, subset }
            : { subset: args };
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
    cols?: readonly (keyof R & string)[],
  ): DataFrame<R>;
  replace(from: string | number | boolean, to: Value, cols?: readonly (keyof R & string)[]): DataFrame<R>;
  replace(replacements: unknown, ...rest: any[]): DataFrame<R> {
    const isMap = typeof replacements === "object" && replacements !== null;
    const cols: readonly string[] = (isMap ? rest[0] : rest[1]) ?? [];
    const entries =
      replacements instanceof Map
        ? [...replacements]
        : isMap
          ? Object.entries(replacements)
          : [[replacements as Value, rest[0] as Value]];
    return new DataFrame<R>(this.#df.session, {
      kind: "na_replace",
      input: this.#df.plan,
      columns: cols,
      replacements: entries.map(([from, to]) => ({ from: from as Value, to: to as Value })),
    });
  }
}
