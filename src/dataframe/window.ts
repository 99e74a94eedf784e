import type { Expr, FrameBound, WindowFrame } from "../plan/expr.ts";
import { type Column, columnExpr } from "./column.ts";

/** A window of rows for `over(...)`: partitions, order, frame. Immutable; made by `Window`. */
export class WindowSpec {
  readonly partition: readonly Expr[];
  readonly order: readonly Expr[];
  readonly frame: WindowFrame | undefined;

  constructor(partition: readonly Expr[], order: readonly Expr[], frame: WindowFrame | undefined) {
    this.partition = partition;
    this.order = order;
    this.frame = frame;
  }

  /** Rows with the same values here make one window. */
  partitionBy(...cols: (string | Column)[]): WindowSpec {
    return new WindowSpec(cols.map(columnExpr), this.order, this.frame);
  }
  /** The order of the rows within a window. */
  orderBy(...cols: (string | Column)[]): WindowSpec {
    return new WindowSpec(this.partition, cols.map(columnExpr), this.frame);
  }
  /** Frame in rows around the current one: -1 is the row before. */
  rowsBetween(start: number, end: number): WindowSpec {
    return new WindowSpec(this.partition, this.order, frame("row", start, end));
  }
  /** Frame by the value of the order column. */
  rangeBetween(start: number, end: number): WindowSpec {
    return new WindowSpec(this.partition, this.order, frame("range", start, end));
  }
}

function frame(type: WindowFrame["type"], start: number, end: number): WindowFrame {
  return { type, lower: bound(start), upper: bound(end), signed: true };
}

function bound(n: number): FrameBound {
  if (n === Number.NEGATIVE_INFINITY || n === Number.POSITIVE_INFINITY) return "unbounded";
  return n === 0 ? "current_row" : n;
}

/** Starts a window specification: `Window.partitionBy("origin").orderBy("ts")`. */
export const Window = Object.freeze({
  unboundedPreceding: Number.NEGATIVE_INFINITY,
  unboundedFollowing: Number.POSITIVE_INFINITY,
  currentRow: 0,
  partitionBy: (...cols: (string | Column)[]): WindowSpec => new WindowSpec([], [], undefined).partitionBy(...cols),
  orderBy: (...cols: (string | Column)[]): WindowSpec => new WindowSpec([], [], undefined).orderBy(...cols),
  rowsBetween: (start: number, end: number): WindowSpec => new WindowSpec([], [], undefined).rowsBetween(start, end),
  rangeBetween: (start: number, end: number): WindowSpec => new WindowSpec([], [], undefined).rangeBetween(start, end),
});
