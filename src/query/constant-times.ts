import type { SessionContext } from "../dataframe/context.ts";
import { DataFrame } from "../dataframe/dataframe.ts";
import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import type { ResolvedExpr } from "../plan/resolved.ts";
import { walkExpr } from "../plan/walk.ts";
import type { DataType } from "../types/data-type.ts";

/** Days and times that a query gives as text, as the engine reads them. */
export interface ConstantTimes {
  /** Microseconds since 1970 of what is a timestamp. */
  micros(expr: ResolvedExpr): bigint | undefined;
  /** `2026-01-01` of what is a date, `2026-01-01 10:00:00.5` of a timestamp without time zone. */
  text(expr: ResolvedExpr): string | undefined;
}

/** `10:00` would be of today. */
const WITH_DAY = /^\s*\d{4}-\d/;

/** Reads the texts in conditions that stand for days and times. What cannot be read is left to the query, which says so. */
export async function constantTimes(
  session: SessionContext,
  conditions: readonly ResolvedExpr[],
): Promise<ConstantTimes> {
  const found = new Map<string, Extract<ResolvedExpr, { kind: "cast" }>>();
  for (const expr of conditions.flatMap((c) => [...walkExpr(c)])) {
    const key = keyOf(expr);
    if (key !== undefined && expr.kind === "cast") found.set(key, expr);
  }
  const known = new Map<string, string>();
  if (found.size > 0) {
    const exprs = [...found.values()].map(({ child, type }, i): Expr => {
      const { value } = child as Extract<ResolvedExpr, { kind: "literal" }>;
      const time: Expr = { kind: "cast", child: { kind: "literal", value, type: STRING }, type, mode: "try" };
      const shown: Expr = type.kind === "timestamp" ? { kind: "call", name: "unix_micros", args: [time] } : time;
      return { kind: "alias", child: { kind: "cast", child: shown, type: STRING, mode: "ansi" }, name: `t${i}` };
    });
    const one = { kind: "range", start: 0n, end: 1n, step: 1n } as const;
    const [row] = await new DataFrame<any>(session, { kind: "project", input: one, exprs }).collect();
    if (row === undefined) throw new MillraceError("INTERNAL", "A row of constants has no row.");
    [...found.keys()].forEach((key, i) => {
      const text = row[`t${i}`];
      if (typeof text === "string") known.set(key, text);
    });
  }
  const of = (expr: ResolvedExpr): string | undefined => known.get(keyOf(expr) ?? "");
  return {
    micros(expr) {
      const text = expr.type.kind === "timestamp" ? of(expr) : undefined;
      return text === undefined ? undefined : BigInt(text);
    },
    text: (expr) => (expr.type.kind === "timestamp" ? undefined : of(expr)),
  };
}

const STRING: DataType = { kind: "string" };

function keyOf(expr: ResolvedExpr): string | undefined {
  if (expr.kind !== "cast" || expr.child.kind !== "literal" || typeof expr.child.value !== "string") return undefined;
  if (!["date", "timestamp", "timestamp_ntz"].includes(expr.type.kind) || !WITH_DAY.test(expr.child.value))
    return undefined;
  return `${expr.type.kind} ${expr.child.value}`;
}
