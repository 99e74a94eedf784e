import type { Expr } from "./expr.ts";

/**
 * Words that Spark reads as times where a constant text is cast, of any case and with a zone behind: `epoch`, `now`, `today`, `tomorrow` and
 * `yesterday`. A column's text is not read so. https://spark.apache.org/docs/latest/sql-ref-datatypes.html
 */
export function specialTime(e: Extract<Expr, { kind: "cast" }>): Expr | undefined {
  if (e.child.kind !== "literal" || typeof e.child.value !== "string") return undefined;
  const { type } = e;
  if (type.kind !== "date" && type.kind !== "timestamp" && type.kind !== "timestamp_ntz") return undefined;
  const m = /^(epoch|now|today|tomorrow|yesterday)(?:\s+[A-Za-z0-9/+:-]+)?$/i.exec(e.child.value.trim());
  if (m === null) return undefined;
  const word = m[1]!.toLowerCase();
  const call = (name: string, ...args: Expr[]): Expr => ({ kind: "call", name, args });
  const literal = (value: Date | number, kind: "date" | "timestamp_ntz" | "integer"): Expr => ({
    kind: "literal",
    value,
    type: { kind },
  });
  if (word === "epoch") {
    const start: Expr = { kind: "literal", value: new Date(0), type: { kind: "timestamp" } };
    return type.kind === "timestamp" ? start : literal(new Date(0), type.kind);
  }
  if (word === "now" && type.kind === "timestamp") return call("current_timestamp");
  if (word === "now" && type.kind === "timestamp_ntz") return call("localtimestamp");
  const today = call("current_date");
  const day =
    word === "tomorrow" || word === "yesterday"
      ? call("date_add", today, literal(word === "tomorrow" ? 1 : -1, "integer"))
      : today;
  return type.kind === "date" ? day : { kind: "cast", child: day, type, mode: "ansi" };
}
