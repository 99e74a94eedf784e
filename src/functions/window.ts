import { type FunctionDef, family } from "./define.ts";
import { any, boolean, DOUBLE, INT, int, opt, typeOf } from "./params.ts";

const fn = family("window");
const rows = {
  schema: "x INT, y INT",
  rows: [
    [1, 10],
    [1, 20],
    [2, 30],
  ],
};
const over = (call: string): string => `${call} over (order by x, y)`;
const ranking = (name: string, type: typeof INT, result: unknown): FunctionDef =>
  fn(
    name,
    [],
    type,
    [`${name}() over (order by x)`, result],
    () => `CAST(${name}() AS ${type.kind === "double" ? "DOUBLE" : "INTEGER"})`,
    { kind: "window", nullable: "never", values: rows },
  );

export const windowFunctions: readonly FunctionDef[] = [
  fn("row_number", [], INT, [over("row_number()"), [1, 2, 3]], () => "CAST(row_number() AS INTEGER)", {
    kind: "window",
    nullable: "never",
    values: rows,
  }),
  ranking("rank", INT, [1, 1, 3]),
  ranking("dense_rank", INT, [1, 1, 2]),
  ranking("percent_rank", DOUBLE as typeof INT, [0, 0, 1]),
  ranking("cume_dist", DOUBLE as typeof INT, [2 / 3, 2 / 3, 1]),
  fn("ntile", [int], INT, [over("ntile(2)"), [1, 1, 2]], ([n]) => `CAST(ntile(${n}) AS INTEGER)`, {
    kind: "window",
    nullable: "never",
    values: rows,
  }),
  fn(
    "lag",
    [any, opt(int), opt(any)],
    typeOf(0),
    [over("lag(y, 1)"), [null, 10, 20]],
    ([x, n, d]) => `lag(${[x, n ?? "1", d ?? "NULL"].join(", ")})`,
    { kind: "window", nullable: "always", values: rows, coerce: ([t, , d]) => [t, INT, d && t] },
  ),
  fn(
    "lead",
    [any, opt(int), opt(any)],
    typeOf(0),
    [over("lead(y, 1, 0)"), [20, 30, 0]],
    ([x, n, d]) => `lead(${[x, n ?? "1", d ?? "NULL"].join(", ")})`,
    { kind: "window", nullable: "always", values: rows, coerce: ([t, , d]) => [t, INT, d && t] },
  ),
  fn(
    "nth_value",
    [any, int, opt(boolean)],
    typeOf(0),
    [over("nth_value(y, 2)"), [null, 20, 20]],
    ([x, n, i]) => `nth_value(${x}, ${n}${i === "true" ? " IGNORE NULLS" : ""})`,
    { kind: "window", nullable: "always", values: rows },
  ),
];
