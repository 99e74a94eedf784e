import { type FunctionDef, family, type Options } from "./define.ts";

const fn = family("aggregate");

/** Rows of one column `x` for an example. */
export const values = (type: string, ...xs: any[]) => ({ schema: `x ${type}`, rows: xs.map((x) => [x]) });

type Rest = Parameters<typeof fn>;

/** An aggregate that needs all its rows at once: for batch plans. */
export function batch(
  name: string,
  params: Rest[1],
  result: Rest[2],
  example: readonly [string, unknown],
  sql: NonNullable<FunctionDef["sql"]>,
  options: Options = {},
): FunctionDef {
  return fn(name, params, result, example, sql, {
    values: values("INT", 1, 2, 3),
    nullable: "always",
    ...options,
    kind: "aggregate",
  });
}

/** Where a side is null, the other one stands. */
export const merged = (op: (l: string, r: string) => string) => (l: string, r: string) =>
  `CASE WHEN ${l} IS NULL THEN ${r} WHEN ${r} IS NULL THEN ${l} ELSE ${op(l, r)} END`;
