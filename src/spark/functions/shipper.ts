import type { UserFunction } from "../../plan/expr.ts";
import type { Relation } from "../../plan/relation.ts";
import type { DataType } from "../../types/data-type.ts";
import type * as pb from "../proto/spark-connect_pb.ts";

type MapRows = Extract<Relation, { kind: "map_rows" }>;
type TransformWithState = Extract<Relation, { kind: "transform_with_state" }>;

/**
 * TypeScript functions on their way to a Spark server. `prepare` carries what a plan needs; the other methods give the messages
 * of functions that are prepared, and are called while the plan is encoded.
 */
export interface FunctionShipper {
  /**
   * Captures every function of a plan with its closure, bundles what they import, and learns of the server's workers. Does nothing for a
   * plan without functions. Call it before the plan is encoded; a function is prepared once.
   *
   * @throws MillraceError FUNCTION_NOT_PORTABLE, DEPENDENCY_MISSING (a worker without pyarrow or without Node)
   */
  prepare(plan: Relation): Promise<void>;
  /** The call of a scalar function; `args` are encoded already. */
  udf(fn: UserFunction, returnType: DataType, args: readonly pb.Expression[]): pb.Expression;
  /** `map`, `flatMap`, `mapBatch` and `filter` over the encoded input. */
  mapRows(node: MapRows, input: pb.Relation): pb.Relation;
  /** A stateful processor over the encoded input, `grouping` encoded already. */
  transformWithState(node: TransformWithState, input: pb.Relation, grouping: readonly pb.Expression[]): pb.Relation;
  /** Settings that a plan's functions need of the session, such as the state store of `transformWithState`. */
  conf(plan: Relation): Readonly<Record<string, string>>;
}
