import type { DataType, Value } from "../types/data-type.ts";
import type { Relation } from "./relation.ts";

/**
 * Expressions as the user wrote them: names are not looked up yet. Frozen plain data with Spark Connect's vocabulary
 * (`spark/connect/expressions.proto`); every operator and function is a `call`. `analyze` turns these into `ResolvedExpr`.
 */
export type Expr =
  | { readonly kind: "literal"; readonly value: Value; readonly type: DataType }
  /** A possibly dotted name, as in `col("window.start")`; back-quotes protect dots. */
  | { readonly kind: "attribute"; readonly name: string; readonly planId?: number }
  /** `*` or `f.*`. */
  | {
      readonly kind: "star";
      readonly target?: string;
      readonly planId?: number;
      /** Columns left out, as in `* EXCEPT (a)`. */
      readonly except?: readonly string[];
    }
  /** `form`: how SQL wrote it, where Spark's names tell that from a plain call of the function. */
  | {
      readonly kind: "call";
      readonly name: string;
      readonly args: readonly Expr[];
      readonly distinct?: boolean;
      readonly form?: SqlForm;
    }
  | {
      readonly kind: "alias";
      readonly child: Expr;
      readonly name: string;
      /** Of a generator of several columns, `explode(map) AS (k, v)`: a name for each, `name` the first. */
      readonly names?: readonly string[];
      readonly metadata?: Readonly<Record<string, unknown>>;
    }
  /** `typed`: a literal of SQL such as `TIMESTAMP '2020-01-01'`, which is never null. */
  | {
      readonly kind: "cast";
      readonly child: Expr;
      readonly type: DataType;
      readonly mode: "ansi" | "try";
      readonly typed?: true;
    }
  | {
      readonly kind: "sort_order";
      readonly child: Expr;
      readonly direction: "asc" | "desc";
      readonly nulls: "first" | "last";
    }
  /** `a[0]`, `m["k"]`, `s.field`. */
  | { readonly kind: "extract"; readonly child: Expr; readonly extraction: Expr }
  | { readonly kind: "lambda"; readonly params: readonly string[]; readonly body: Expr }
  | { readonly kind: "lambda_variable"; readonly name: string }
  | {
      readonly kind: "window";
      readonly child: Expr;
      readonly partitionBy: readonly Expr[];
      readonly orderBy: readonly Expr[];
      readonly frame?: WindowFrame;
    }
  /** A query in brackets; `values` stand before IN. Names that it has not are looked up in the query around it. */
  | {
      readonly kind: "subquery";
      readonly type: "scalar" | "exists" | "in";
      readonly plan: Relation;
      readonly values?: readonly Expr[];
    }
  | { readonly kind: "udf"; readonly fn: UserFunction; readonly args: readonly Expr[]; readonly type: DataType };

/** `- x`, `+ x`, shifts, `x BETWEEN a AND b`, `f(x) FILTER (WHERE c)`, `(a, b)`, and LIKE ANY and LIKE ALL of constant patterns. */
export type SqlForm =
  | "-"
  | "+"
  | "<<"
  | ">>"
  | ">>>"
  | "between"
  | "filter"
  | "row"
  | "likeany"
  | "likeall"
  | "notlikeany"
  | "notlikeall";

export interface WindowFrame {
  readonly type: "row" | "range";
  readonly lower: FrameBound;
  readonly upper: FrameBound;
  /** Given by numbers, not as SQL writes it: Spark's names show what is before the row as a number below zero. */
  readonly signed?: true;
}
export type FrameBound = "unbounded" | "current_row" | number | bigint;

/**
 * A TypeScript function inside a plan. The plan stays data: its JSON carries `name` and a hash of the source,
 * and only an engine calls `call`.
 */
export interface UserFunction {
  readonly name: string;
  readonly deterministic: boolean;
  readonly call: Function;
}
