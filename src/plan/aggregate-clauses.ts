import { MillraceError } from "../errors.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { deciding } from "./aggregate-text.ts";
import type { Expr } from "./expr.ts";
import { exprText } from "./sql-text.ts";

/** What SQL writes behind an aggregate: WITHIN GROUP and FILTER become arguments. */

type SortOrder = Extract<Expr, { kind: "sort_order" }>;
type Call = Extract<Expr, { kind: "call" }>;

const STRING: DataType = { kind: "string" };
const BOOLEAN: DataType = { kind: "boolean" };
const lit = (value: Value, type: DataType): Expr => ({ kind: "literal", value, type });
const NONE = lit(null, { kind: "null" });

/** Aggregates that keep their order of rows: a row that is left out must not become a null. */
const PICKS = new Set(["first", "last", "any_value", "first_value", "last_value"]);

/**
 * `f(...) WITHIN GROUP (ORDER BY ...)`: percentiles and mode have what they are over in the order, and whether it descends behind;
 * listagg has the directions and the keys behind its separator. Undefined where a single key is asked for.
 */
export function withinGroup(name: string, args: readonly Expr[], keys: readonly SortOrder[]): Expr[] | undefined {
  if (name === "listagg" || name === "string_agg") {
    const directions = keys.map((k) => `${k.direction} nulls ${k.nulls}`).join(",");
    return [args[0] ?? NONE, args[1] ?? NONE, lit(directions, STRING), ...keys.map((k) => k.child)];
  }
  if (keys.length !== 1) return undefined;
  const { child, direction, nulls } = keys[0]!;
  if (name === "mode") return [child, ...args, lit(direction === "asc", BOOLEAN)];
  return [child, ...args, lit(`${direction} nulls ${nulls}`, STRING)];
}

/**
 * `f(x) FILTER (WHERE c)`: the aggregate skips nulls, so other rows become null. `then` is what FILTER's result goes through, such as OVER.
 * Undefined where there is no argument.
 */
export function filtered(e: Call, condition: Expr, then: (e: Expr) => Expr): Expr | undefined {
  const i = deciding(e.name);
  const given = e.args.length === 0 || e.args[0]!.kind === "star" ? undefined : e.args;
  if (given === undefined && e.name !== "count") return undefined;
  const args = given ?? [lit(1, { kind: "integer" })];
  const only = (value: Expr): Expr => ({ kind: "call", name: "if", args: [condition, value, NONE] });
  const call: Call = { ...e, args: args.map((a, k) => (k === i ? only(a) : a)), form: "filter" };
  if (!PICKS.has(e.name) || e.args.length > 1) return then(call);
  // The value may be null itself, so it goes in a struct.
  const boxed: Expr = { kind: "call", name: "named_struct", args: [lit("v", STRING), args[0]!] };
  const picked = then({ kind: "call", name: e.name, args: [only(boxed), lit(true, BOOLEAN)] });
  return {
    kind: "alias",
    child: { kind: "extract", child: picked, extraction: lit("v", STRING) },
    name: exprText(then(call)),
  };
}

/** What count counts: none for all rows, which `count(*)` and `count(1)` mean. */
export function counted(e: Call): readonly Expr[] {
  const star = e.args.find((a) => a.kind === "star" && a.target !== undefined) as { target: string } | undefined;
  if (star !== undefined) {
    throw new MillraceError(
      "INVALID_USAGE_OF_STAR_WITH_TABLE_IDENTIFIER_IN_COUNT",
      `count(${star.target}.*) is not allowed.`,
      { hint: "Use count(*), or name the columns: count(a, b).", parameters: { tableName: star.target } },
    );
  }
  const [one, ...more] = e.args;
  if (one === undefined) {
    throw new MillraceError(
      "WRONG_NUM_ARGS.WITH_SUGGESTION",
      "The `count` requires >= 1 parameters but the actual number is 0.",
      {
        hint: "Use count(*) to count rows.",
        parameters: { functionName: "`count`", expectedNum: ">= 1", actualNum: "0" },
      },
    );
  }
  if (e.distinct === true || more.length > 0) return e.args;
  return one.kind === "star" || (one.kind === "literal" && one.value !== null) ? [] : e.args;
}
