import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { isInterval, isNumeric } from "./coercion.ts";
import type { Expr, FrameBound, WindowFrame } from "./expr.ts";
import type { FunctionSignature, ResolvedExpr } from "./resolved.ts";
import { exprText } from "./sql-text.ts";

/** Aggregates with an order of their own, which take whole partitions. */
const ORDERED_THEMSELVES = new Set(["median", "percentile_cont", "percentile_disc"]);

/** Refuses what cannot stand before OVER. */
export function checkWindowed(
  e: Extract<Expr, { kind: "window" }>,
  child: ResolvedExpr,
  kind: FunctionSignature["kind"] | undefined,
): asserts child is Extract<ResolvedExpr, { kind: "call" }> {
  if (child.kind !== "call" || (kind !== "aggregate" && kind !== "window")) {
    throw new MillraceError(
      "UNSUPPORTED_EXPR_FOR_WINDOW",
      `Expression "${exprText(e.child)}" not supported within a window function.`,
      { hint: "Call over(...) on an aggregate or a window function." },
    );
  }
  if (child.distinct) {
    throw new MillraceError(
      "DISTINCT_WINDOW_FUNCTION_UNSUPPORTED",
      `Distinct window functions are not supported: "${exprText(e)}".`,
    );
  }
  if (ORDERED_THEMSELVES.has(child.name) && (e.orderBy.length > 0 || e.frame !== undefined)) {
    throw new MillraceError(
      "INVALID_WINDOW_SPEC_FOR_AGGREGATION_FUNC",
      `Cannot specify ORDER BY or a window frame for "${exprText(e.child)}".`,
      { hint: "Leave only PARTITION BY in its window.", parameters: { aggFunc: `"${exprText(e.child)}"` } },
    );
  }
  if (kind === "window" && e.orderBy.length === 0) {
    throw new MillraceError("WINDOW_FUNCTION_FRAME_NOT_ORDERED", `${child.name} needs an ORDER BY in its window.`, {
      hint: "Add orderBy to the window.",
    });
  }
}

/** Refuses a frame that does not go with the order of its window: DATATYPE_MISMATCH with Spark's conditions. */
export function checkFrame(frame: WindowFrame, orderTypes: readonly DataType[]): void {
  const values = [frame.lower, frame.upper].filter((b) => typeof b !== "string" && Number(b) !== 0);
  if (frame.type === "range") {
    if (orderTypes.length === 0) {
      throw refused("RANGE_FRAME_WITHOUT_ORDER", "A range window frame needs an order.", "Add orderBy to the window.");
    }
    if (values.length > 0) checkRange(values, orderTypes);
  }
  const [lower, upper] = [place(frame.lower, -1), place(frame.upper, 1)];
  if (lower > upper) {
    throw refused(
      "SPECIFIED_WINDOW_FRAME_WRONG_COMPARISON",
      "The lower bound of a window frame must be less than or equal to the upper bound.",
      "Exchange the bounds.",
    );
  }
}

function checkRange(values: readonly FrameBound[], orderTypes: readonly DataType[]): void {
  const type = orderTypes[0]!;
  if (orderTypes.length > 1) {
    throw refused(
      "RANGE_FRAME_MULTI_ORDER",
      "A range window frame with value boundaries takes one ORDER BY expression.",
      "Leave the other expressions out, or use a frame of rows.",
    );
  }
  const isTime = type.kind === "timestamp" || type.kind === "timestamp_ntz";
  // Intervals are whole microseconds; a plain number has no unit.
  if (isTime && values.some((v) => typeof v === "number")) {
    throw refused(
      "RANGE_FRAME_INVALID_TYPE",
      `The type "${sqlName(type)}" of the order does not go with a range in numbers.`,
      "Give the range as an interval.",
    );
  }
  if (!isTime && type.kind !== "date" && !isNumeric(type) && !isInterval(type)) {
    throw refused(
      "SPECIFIED_WINDOW_FRAME_UNACCEPTED_TYPE",
      `A range window frame takes a number, a time or an interval as its order, not the type "${sqlName(type)}".`,
      "Use a frame of rows.",
    );
  }
}

const place = (b: FrameBound, side: -1 | 1): number =>
  b === "unbounded" ? side * Number.POSITIVE_INFINITY : b === "current_row" ? 0 : Number(b);

type Condition =
  | "RANGE_FRAME_WITHOUT_ORDER"
  | "RANGE_FRAME_MULTI_ORDER"
  | "RANGE_FRAME_INVALID_TYPE"
  | "SPECIFIED_WINDOW_FRAME_UNACCEPTED_TYPE"
  | "SPECIFIED_WINDOW_FRAME_WRONG_COMPARISON"
  | "SPECIFIED_WINDOW_FRAME_DIFF_TYPES";

function refused(condition: Condition, message: string, hint: string): MillraceError {
  return new MillraceError(`DATATYPE_MISMATCH.${condition}`, message, { hint });
}

/** The bounds of a range are intervals of different fields. */
export function differentBounds(lower: DataType, upper: DataType): MillraceError {
  return refused(
    "SPECIFIED_WINDOW_FRAME_DIFF_TYPES",
    `The bounds of a window frame are of two types: "${sqlName(lower)}" and "${sqlName(upper)}".`,
    "Write both as intervals of the same fields.",
  );
}
