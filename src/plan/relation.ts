import type { StructType, Value } from "../types/data-type.ts";
import type { Expr, UserFunction } from "./expr.ts";

/**
 * Relations as the user wrote them: a frozen tree with Spark Connect's vocabulary (`spark/connect/relations.proto`).
 * The DataFrame API only builds these. `analyze` turns them into the small algebra of `resolved.ts`.
 */
export type Relation = RelationNode & {
  /** Set where a column may be bound to this very relation, as `df.col("x")` is. */
  readonly planId?: number;
};

export type RelationNode =
  | {
      readonly kind: "read";
      readonly format: string;
      readonly schema?: StructType;
      readonly options: Readonly<Record<string, string>>;
      readonly paths: readonly string[];
      readonly streaming: boolean;
    }
  /** A table or view of the catalog, `db.name` with back-quotes where needed. */
  | {
      readonly kind: "named_table";
      readonly name: string;
      readonly options: Readonly<Record<string, string>>;
      readonly streaming: boolean;
    }
  /** A query or command in SQL; `args` fill `:name` or `?`, literals or what gives one. */
  | {
      readonly kind: "sql";
      readonly query: string;
      readonly args?: Readonly<Record<string, Expr>> | readonly Expr[];
    }
  | { readonly kind: "local"; readonly schema: StructType; readonly rows: readonly (readonly Value[])[] }
  | { readonly kind: "range"; readonly start: bigint; readonly end: bigint; readonly step: bigint }
  | { readonly kind: "project"; readonly input: Relation; readonly exprs: readonly Expr[] }
  | { readonly kind: "filter"; readonly input: Relation; readonly condition: Expr }
  | {
      readonly kind: "with_columns";
      readonly input: Relation;
      readonly columns: readonly { readonly name: string; readonly expr: Expr }[];
    }
  | {
      readonly kind: "with_columns_renamed";
      readonly input: Relation;
      readonly renames: Readonly<Record<string, string>>;
    }
  | { readonly kind: "drop"; readonly input: Relation; readonly columns: readonly Expr[] }
  /** `alias`: the names stand behind a table's alias in SQL. */
  | { readonly kind: "to_df"; readonly input: Relation; readonly names: readonly string[]; readonly alias?: boolean }
  | {
      readonly kind: "na_drop";
      readonly input: Relation;
      readonly columns: readonly string[];
      readonly minNonNulls?: number;
    }
  | {
      readonly kind: "na_fill";
      readonly input: Relation;
      readonly columns: readonly string[];
      readonly values: readonly Value[];
    }
  | {
      readonly kind: "na_replace";
      readonly input: Relation;
      readonly columns: readonly string[];
      readonly replacements: readonly { readonly from: Value; readonly to: Value }[];
    }
  | {
      readonly kind: "aggregate";
      readonly input: Relation;
      readonly group: "groupby" | "rollup" | "cube" | "pivot";
      readonly grouping: readonly Expr[];
      readonly aggregates: readonly Expr[];
      readonly pivot?: { readonly column: Expr; readonly values: readonly Value[] };
    }
  | {
      readonly kind: "join";
      readonly left: Relation;
      readonly right: Relation;
      readonly type: JoinType;
      readonly condition?: Expr;
      readonly using?: readonly string[];
      /** SQL's NATURAL: by all columns of the same name. */
      readonly natural?: boolean;
      /** The right side may name columns of the left. */
      readonly lateral?: boolean;
    }
  | {
      readonly kind: "set_op";
      readonly op: "union" | "intersect" | "except";
      readonly left: Relation;
      readonly right: Relation;
      readonly all: boolean;
      readonly byName: boolean;
      readonly allowMissingColumns: boolean;
    }
  | { readonly kind: "sort"; readonly input: Relation; readonly order: readonly Expr[]; readonly global: boolean }
  | { readonly kind: "limit"; readonly input: Relation; readonly limit: number }
  | { readonly kind: "offset"; readonly input: Relation; readonly offset: number }
  | {
      readonly kind: "deduplicate";
      readonly input: Relation;
      readonly columns: readonly string[] | "all";
      readonly withinWatermark: boolean;
    }
  | { readonly kind: "with_watermark"; readonly input: Relation; readonly column: string; readonly delay: string }
  | { readonly kind: "subquery_alias"; readonly input: Relation; readonly alias: string }
  | {
      readonly kind: "sample";
      readonly input: Relation;
      readonly lower: number;
      readonly upper: number;
      readonly withReplacement: boolean;
      readonly seed: bigint;
    }
  | {
      readonly kind: "repartition";
      readonly input: Relation;
      readonly partitions?: number;
      readonly exprs: readonly Expr[];
    }
  /** A TypeScript function over whole rows; `schema` is that of its results. */
  | {
      readonly kind: "map_rows";
      readonly input: Relation;
      readonly op: "map" | "filter" | "flat_map" | "map_batch";
      readonly fn: UserFunction;
      readonly schema?: StructType;
    }
  | {
      readonly kind: "transform_with_state";
      readonly input: Relation;
      readonly grouping: readonly Expr[];
      readonly processor: StatefulProcessorRef;
      readonly outputMode: "append" | "update";
      readonly timeMode: "none" | "processing_time" | "event_time";
      readonly schema: StructType;
      /** A column of the output that carries the watermark on, as Spark's `eventTimeColumnName`. */
      readonly eventTimeColumn?: string;
    }
  | SqlNode;

/** What only the text of a `sql` node turns into (plan/sql): Spark gets the text itself. */
export type SqlNode =
  /** A SELECT block: names are looked up by SQL's rules, in aliases too. */
  | {
      readonly kind: "select";
      readonly input: Relation;
      readonly items: readonly Expr[];
      readonly distinct: boolean;
      readonly group?: GroupBy;
      readonly having?: Expr;
      readonly qualify?: Expr;
      readonly order: readonly Expr[] | "all";
      readonly orderAll?: Pick<Extract<Expr, { kind: "sort_order" }>, "direction" | "nulls">;
    }
  /** LATERAL VIEW, and table functions in FROM: the rows of a generator beside each row of the input. */
  | {
      readonly kind: "generate";
      readonly input: Relation;
      readonly generator: Expr;
      readonly outer: boolean;
      readonly alias?: string;
      readonly columns?: readonly string[];
    }
  /** VALUES. */
  | { readonly kind: "inline_table"; readonly rows: readonly (readonly Expr[])[] }
  | {
      readonly kind: "sql_pivot";
      readonly input: Relation;
      readonly aggregates: readonly Expr[];
      readonly columns: readonly Expr[];
      readonly values: readonly { readonly value: Expr; readonly alias?: string }[];
    }
  | {
      readonly kind: "unpivot";
      readonly input: Relation;
      readonly values: readonly { readonly columns: readonly Expr[]; readonly alias?: string }[];
      readonly valueNames: readonly string[];
      readonly variableName: string;
      readonly includeNulls: boolean;
    };

/** GROUP BY: `sets` are indices of `keys`; `all` groups by what has no aggregate in it. */
export interface GroupBy {
  readonly keys: readonly Expr[];
  readonly sets?: readonly (readonly number[])[];
  readonly all: boolean;
}

export type JoinType = "inner" | "left_outer" | "right_outer" | "full_outer" | "left_semi" | "left_anti" | "cross";

/** The user's stateful processor; `create` makes a fresh one for each run. Its state variables are declared in `init`. */
export interface StatefulProcessorRef {
  readonly name: string;
  readonly create: () => unknown;
  /** Sort the rows of a key by these columns before the processor sees them (beyond Spark, whose order is undefined). */
  readonly orderBy?: readonly string[];
}
