import type { DataType } from "../types/data-type.ts";
import type { Expr } from "./expr.ts";
import type { Relation } from "./relation.ts";
import type { Field, FunctionCatalog, FunctionSignature, ResolvedExpr } from "./resolved.ts";
import type { Node, SameName } from "./scope.ts";

/** What a relation offers to the expressions in it. */
export interface ExprHooks {
  readonly catalog: FunctionCatalog;
  readonly same: SameName;
  readonly currentDatabase?: string;
  /** The session's. */
  readonly timeZone?: string | undefined;
  /** The scope to look names up in. */
  node(): Node;
  /** A call of `window(...)`: gives the column of a time_window node put below. */
  timeWindow?(args: readonly Expr[]): ResolvedExpr;
  /** A call of `explode(...)`: gives the column of a generate node put below. `nested`: it stands inside another expression. */
  generator?(
    signature: FunctionSignature,
    args: readonly ResolvedExpr[],
    type: DataType,
    nested: boolean,
  ): ResolvedExpr;
  /** Metadata that goes with an expression's values. */
  metadata?(e: ResolvedExpr): Readonly<Record<string, unknown>> | undefined;
  /** A name that goes before those of the relation: of the output, in ORDER BY. */
  output?(parts: readonly string[]): { readonly expr: ResolvedExpr; readonly path: readonly string[] } | undefined;
  /** A name that the relation has not: a column of a generator, or in GROUP BY an alias. */
  alias?(name: string): ResolvedExpr | undefined;
  /** Another such name: an alias of the same SELECT. */
  lateral?(name: string): ResolvedExpr | undefined;
  /** A name of the query around this one. */
  outer?(parts: readonly string[]): ResolvedExpr | undefined;
  subquery?(
    type: Extract<Expr, { kind: "subquery" }>["type"],
    plan: Relation,
    values: readonly ResolvedExpr[],
  ): ResolvedExpr;
  /** A column that is only there as hidden was used. */
  useHidden?(field: Field): void;
}
