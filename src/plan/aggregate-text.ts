import type { Expr } from "./expr.ts";

type Call = Extract<Expr, { kind: "call" }>;

/** Aggregates whose second argument is no part of what Spark prints. */
const ONE = new Set(["first", "last", "any_value", "first_value", "last_value", "approx_count_distinct"]);

/** Aggregates and window functions that Spark prints in words of their own, from the texts of their arguments. */
export function aggregateText(
  name: string,
  args: readonly Expr[],
  a: readonly string[],
  distinct: string,
): string | undefined {
  const says = (e: Expr | undefined): boolean => e?.kind === "literal" && e.value === true;
  switch (name) {
    case "mode":
      if (a.length === 2)
        return says(args[1]) ? `mode() WITHIN GROUP (ORDER BY ${distinct}${a[0]} DESC)` : `mode(${distinct}${a[0]})`;
      return undefined;
    case "percentile_cont":
    case "percentile_disc":
      if (a.length < 3) return undefined;
      return `${name}(${distinct}${a[1]}) WITHIN GROUP (ORDER BY ${a[0]}${/^desc/.test(a[2]!) ? " DESC" : ""})`;
    case "listagg":
    case "string_agg": {
      if (a.length < 4) return undefined;
      const directions = a[2]!.toUpperCase().split(",");
      const keys = a.slice(3).map((k, i) => `${k} ${directions[i]}`);
      return `${name}(${distinct}${a[0]}, ${a[1]}) WITHIN GROUP (ORDER BY ${keys.join(", ")})`;
    }
    case "lag":
    case "lead":
      return a.length === 4 ? `${name}(${a.slice(0, 3).join(", ")})` : undefined;
    case "nth_value":
      return a.length === 3 ? `${name}(${a[0]}, ${a[1]})${says(args[2]) ? " ignore nulls" : ""}` : undefined;
  }
  return ONE.has(name) && a.length === 2 ? `${name}(${distinct}${a[0]})` : undefined;
}

/** Where the condition of FILTER stands: with the value that decides whether a row counts. */
export const deciding = (name: string): number => (name === "max_by" || name === "min_by" ? 1 : 0);

/** The parts of a call that FILTER made: the call without it, and the condition. */
function unfiltered(e: Call): { readonly call: Call; readonly condition: Expr } {
  const i = deciding(e.name);
  const test = e.args[i] as Call;
  const { form, ...plain } = e;
  return { call: { ...plain, args: e.args.map((a, k) => (k === i ? test.args[1]! : a)) }, condition: test.args[0]! };
}

/** `sum(x) FILTER (WHERE c)`. */
export function filterText(e: Call, text: (e: Expr) => string): string {
  const { call, condition } = unfiltered(e);
  return `${text(call)} FILTER (WHERE ${text(condition)})`;
}
