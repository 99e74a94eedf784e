import type { DataType } from "../types/data-type.ts";
import type { Expr, FrameBound, WindowFrame } from "./expr.ts";

type Window = Extract<Expr, { kind: "window" }>;

const UP_TO_HERE = "BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW";

/** Window functions whose frame is their own. */
const OWN: Readonly<Record<string, string>> = {
  row_number: `ROWS ${UP_TO_HERE}`,
  rank: `ROWS ${UP_TO_HERE}`,
  dense_rank: `ROWS ${UP_TO_HERE}`,
  percent_rank: `ROWS ${UP_TO_HERE}`,
  ntile: `ROWS ${UP_TO_HERE}`,
  cume_dist: `RANGE ${UP_TO_HERE}`,
};

/** `f(x) OVER (PARTITION BY ... ORDER BY ... frame)` as Spark prints it: with the frame, even where none was given. */
export function windowText(e: Window, text: (e: Expr) => string, typeOf: (e: Expr) => DataType | undefined): string {
  const partition = e.partitionBy.length > 0 ? [`PARTITION BY ${e.partitionBy.map(text).join(", ")}`] : [];
  const keys = e.orderBy.map((o) => text(o.kind === "sort_order" ? o : ascending(o)));
  const order = keys.length > 0 ? [`ORDER BY ${keys.join(", ")}`] : [];
  return `${text(e.child)} OVER (${[...partition, ...order, frameOf(e, typeOf)].join(" ")})`;
}

const ascending = (child: Expr): Expr => ({ kind: "sort_order", child, direction: "asc", nulls: "first" });

function frameOf(e: Window, typeOf: (e: Expr) => DataType | undefined): string {
  const call = e.child.kind === "call" ? e.child : undefined;
  const name = call?.name.toLowerCase() ?? "";
  const own = OWN[name];
  if (own !== undefined) return own;
  if (name === "lag" || name === "lead") {
    const distance = call!.args[1];
    const n = distance === undefined ? 1 : distance.kind === "literal" ? Number(distance.value) : Number.NaN;
    const at = `${name === "lag" ? -n : n} FOLLOWING`;
    return `ROWS BETWEEN ${at} AND ${at}`;
  }
  if (e.frame === undefined) {
    return e.orderBy.length > 0 ? `RANGE ${UP_TO_HERE}` : "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";
  }
  const first = e.orderBy[0];
  const by = first && typeOf(first.kind === "sort_order" ? first.child : first);
  return frameText(e.frame, by);
}

/** A bound that is cast to the type of the order is printed with its sign. */
function frameText(frame: WindowFrame, by: DataType | undefined): string {
  const plain = frame.type === "row" || by === undefined || by.kind === "integer" || by.kind === "date";
  const bound = (b: FrameBound, side: "PRECEDING" | "FOLLOWING"): string => {
    if (b === "unbounded") return `UNBOUNDED ${side}`;
    if (b === "current_row" || Number(b) === 0) return "CURRENT ROW";
    if (b > 0) return `${b} FOLLOWING`;
    if (frame.signed) return `${b} FOLLOWING`;
    return plain ? `${-b} PRECEDING` : `(- ${-b}) FOLLOWING`;
  };
  return `${frame.type === "row" ? "ROWS" : "RANGE"} BETWEEN ${bound(frame.lower, "PRECEDING")} AND ${bound(frame.upper, "FOLLOWING")}`;
}
