import type { DataType, StructType, Value } from "../types/data-type.ts";
import type { UserFunction, WindowFrame } from "./expr.ts";
import type { JoinType, StatefulProcessorRef } from "./relation.ts";

/**
 * The analysed plan: every name looked up, every expression typed, implicit casts written out, sugar rewritten.
 * This small algebra is all that an engine has to run. `analyze` (plan/analyze.ts) makes it.
 *
 * - `select`, `withColumn(s)`, `withColumnRenamed`, `drop`, `toDF`, `na.fill/replace` are `project`; `na.drop` is `filter`.
 * - A `window(...)` call in grouping or projection became a `time_window` node below it that adds a `window` struct column.
 * - `explode` and friends became a `generate` node.
 * - An `aggregate` holds bare aggregate calls; expressions over them are a `project` above it. `distinct` is an `aggregate` without calls.
 * - The inputs of `union`, `intersect` and `except` were aligned by name and cast to common types: they agree by position.
 * - A `using` join became a condition and a `project`.
 */
export interface Field {
  /** Unique within the analysed plan; a `column` expression names it. */
  readonly id: number;
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Set on an event-time column: the delay of its `withWatermark`, in microseconds. A window over it keeps it. */
  readonly watermark?: { readonly delayMicros: bigint };
}

export type ResolvedExpr = ResolvedExprNode & { readonly type: DataType; readonly nullable: boolean };

export type ResolvedExprNode =
  /** `of`: the expression over constants that has this value; it still tells expressions apart, as in GROUP BY. */
  | { readonly kind: "literal"; readonly value: Value; readonly of?: ResolvedExpr }
  | { readonly kind: "column"; readonly id: number; readonly name: string }
  /** A row of the function table, with arguments already cast to what it takes. */
  | { readonly kind: "call"; readonly name: string; readonly args: readonly ResolvedExpr[]; readonly distinct: boolean }
  | { readonly kind: "cast"; readonly child: ResolvedExpr; readonly mode: "ansi" | "try" }
  /** Field `name` of a struct. */
  | { readonly kind: "get_field"; readonly child: ResolvedExpr; readonly name: string }
  /** Element of an array (0-based, null when out of range) or of a map (null when absent). */
  | { readonly kind: "get_item"; readonly child: ResolvedExpr; readonly key: ResolvedExpr }
  | {
      readonly kind: "lambda";
      readonly params: readonly { readonly name: string; readonly type: DataType; readonly nullable: boolean }[];
      readonly body: ResolvedExpr;
    }
  | { readonly kind: "lambda_variable"; readonly name: string }
  | {
      readonly kind: "over";
      readonly child: ResolvedExpr;
      readonly partitionBy: readonly ResolvedExpr[];
      readonly orderBy: readonly SortKey[];
      readonly frame?: WindowFrame;
    }
  /**
   * A query in brackets. Columns of the query around it stand in `plan` by their ids, which are unique in the whole plan.
   * `values` (in): compared with the columns of the plan by position.
   */
  | {
      readonly kind: "subquery";
      readonly subquery: "scalar" | "exists" | "in";
      /** IN that stands for a value: Spark's existence join gives false where SQL's answer is unknown. */
      readonly existence?: boolean;
      readonly plan: ResolvedRelation;
      readonly values: readonly ResolvedExpr[];
    }
  | { readonly kind: "udf"; readonly fn: UserFunction; readonly args: readonly ResolvedExpr[] };

/** An expression and the output column it fills. */
export interface NamedExpr {
  readonly field: Field;
  readonly expr: ResolvedExpr;
}

export interface SortKey {
  readonly expr: ResolvedExpr;
  readonly direction: "asc" | "desc";
  readonly nulls: "first" | "last";
}

export type ResolvedRelation = ResolvedNode & {
  /** The output columns, in order. Names may repeat; ids do not. */
  readonly fields: readonly Field[];
  /** Whether a streaming source is below. */
  readonly streaming: boolean;
};

export type ResolvedNode =
  /**
   * A source. `fields` are its columns. `sourceIndex` (streaming only): order of distinct streaming relations met depth-first,
   * left to right, as in Spark's checkpoint; a relation used twice has one index.
   */
  | {
      readonly kind: "scan";
      readonly format: string;
      readonly schema: StructType;
      readonly options: Readonly<Record<string, string>>;
      readonly paths: readonly string[];
      readonly sourceIndex?: number;
    }
  | { readonly kind: "local"; readonly rows: readonly (readonly Value[])[] }
  | { readonly kind: "range"; readonly start: bigint; readonly end: bigint; readonly step: bigint }
  | { readonly kind: "project"; readonly input: ResolvedRelation; readonly exprs: readonly NamedExpr[] }
  | { readonly kind: "filter"; readonly input: ResolvedRelation; readonly condition: ResolvedExpr }
  /** `keys` may be empty (one global group). Output: keys, then calls. `sets`: indices of `keys` per grouping set (rollup, cube). */
  | {
      readonly kind: "aggregate";
      readonly input: ResolvedRelation;
      readonly keys: readonly NamedExpr[];
      readonly calls: readonly NamedExpr[];
      readonly sets?: readonly (readonly number[])[];
    }
  /** Output: the input's fields and `field`, a struct<start, end>. A row falls in every window that holds `time`; null time drops the row. */
  | {
      readonly kind: "time_window";
      readonly input: ResolvedRelation;
      readonly field: Field;
      readonly time: ResolvedExpr;
      readonly durationMicros: bigint;
      readonly slideMicros: bigint;
      readonly startMicros: bigint;
    }
  | {
      readonly kind: "generate";
      readonly input: ResolvedRelation;
      readonly generator: ResolvedExpr;
      readonly outputs: readonly Field[];
      readonly outer: boolean;
    }
  | {
      readonly kind: "join";
      readonly left: ResolvedRelation;
      readonly right: ResolvedRelation;
      readonly type: JoinType;
      readonly condition?: ResolvedExpr;
      /** Columns of the left stand in the right plan. */
      readonly lateral?: boolean;
    }
  | { readonly kind: "union"; readonly inputs: readonly ResolvedRelation[] }
  | {
      readonly kind: "intersect" | "except";
      readonly left: ResolvedRelation;
      readonly right: ResolvedRelation;
      readonly all: boolean;
    }
  | { readonly kind: "sort"; readonly input: ResolvedRelation; readonly order: readonly SortKey[] }
  | { readonly kind: "limit"; readonly input: ResolvedRelation; readonly limit: number }
  | { readonly kind: "offset"; readonly input: ResolvedRelation; readonly offset: number }
  /** Keeps one row for each combination of the columns `keys` (ids). */
  | {
      readonly kind: "deduplicate";
      readonly input: ResolvedRelation;
      readonly keys: readonly number[];
      readonly withinWatermark: boolean;
    }
  | {
      readonly kind: "watermark";
      readonly input: ResolvedRelation;
      readonly column: number;
      readonly delayMicros: bigint;
    }
  | {
      readonly kind: "sample";
      readonly input: ResolvedRelation;
      readonly fraction: number;
      readonly withReplacement: boolean;
      readonly seed: bigint;
    }
  | {
      readonly kind: "map_rows";
      readonly input: ResolvedRelation;
      readonly op: "map" | "filter" | "flat_map" | "map_batch";
      readonly fn: UserFunction;
    }
  /** `keys` are columns of `input` (ids). Output: the processor's rows. */
  | {
      readonly kind: "transform_with_state";
      readonly input: ResolvedRelation;
      readonly keys: readonly number[];
      readonly processor: StatefulProcessorRef;
      readonly outputMode: "append" | "update";
      readonly timeMode: "none" | "processing_time" | "event_time";
      readonly orderBy: readonly SortKey[];
      readonly eventTimeColumn?: string;
    };

/** What analysis asks of the function table (functions/ implements it; plan/ may not import it). */
export interface FunctionCatalog {
  lookup(name: string): FunctionSignature | undefined;
  names(): Iterable<string>;
}

export interface FunctionSignature {
  readonly name: string;
  readonly kind: "scalar" | "aggregate" | "window" | "generator";
  /** Made by other syntax only, as `a[i]`: no query can call it by its name. */
  readonly internal?: boolean;
  /** Set where each call may give another value (rand, uuid): not allowed to be folded or evaluated twice. */
  readonly nondeterministic?: boolean;
  /**
   * The result type for argument types, and the types the arguments must be cast to (the analyser writes the casts).
   * Throws DATATYPE_MISMATCH or WRONG_NUM_ARGS. A lambda argument's entry is a callback that the signature calls with the
   * types of its parameters to learn the type of its body.
   */
  resolve(args: readonly ArgumentType[]): {
    readonly type: DataType;
    readonly nullable: boolean;
    readonly casts?: readonly (DataType | undefined)[];
    /** The first argument comes once more, as the last one, cast to this: for a result of one type that is compared in another. */
    readonly again?: DataType | undefined;
    /** By position: the argument is a constant that is written out as a literal. */
    readonly folded?: readonly boolean[];
  };
  /** What a call gives whose arguments, cast to `types.args`, are these constants. Undefined where it would fail, or nobody knows. */
  constant?(
    values: readonly Value[],
    types: { readonly args: readonly DataType[]; readonly result: DataType },
  ): Value | undefined;
}

export interface ArgumentType {
  readonly type: DataType;
  readonly nullable: boolean;
  /** The value, where the argument is a literal; for a parameter that takes a constant also where it is computed. */
  readonly literal?: Value;
  /** The value, where it can be computed without any row. */
  readonly constant?: Value;
  /** It is made of constants only; a literal is. */
  readonly foldable?: boolean;
  /** The name of a column or a field. */
  readonly name?: string;
  /** Of an array made in place, `array(a, b)`: whether each element may be null. */
  readonly elements?: readonly boolean[];
  readonly lambda?: (params: readonly { type: DataType; nullable: boolean }[]) => { type: DataType; nullable: boolean };
}
