import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import type { FunctionCatalog, FunctionSignature, ResolvedExpr } from "./resolved.ts";
import { walkExpr } from "./walk.ts";

/**
 * `grouping(key)` and `grouping_id(keys...)` say which keys of GROUPING SETS a row is summed over. They stand beside aggregates and
 * mean something only there, so they are no rows of the function table.
 */
const GROUPING: ReadonlyMap<string, FunctionSignature> = new Map(
  (
    [
      ["grouping", { kind: "byte" }],
      ["grouping_id", { kind: "long" }],
    ] as const satisfies readonly (readonly [string, DataType])[]
  ).map(([name, type]) => [
    name,
    {
      name,
      kind: "aggregate",
      resolve: (args) => {
        if (name === "grouping" && args.length !== 1) {
          throw new MillraceError(
            "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
            `The \`grouping\` requires 1 parameters but the actual number is ${args.length}.`,
          );
        }
        return { type, nullable: false };
      },
    },
  ]),
);

/** The function table and what belongs to GROUP BY. */
export function withGrouping(catalog: FunctionCatalog): FunctionCatalog {
  return {
    lookup: (name) => GROUPING.get(name.toLowerCase()) ?? catalog.lookup(name),
    names: () => [...catalog.names(), ...GROUPING.keys()],
  };
}

/** Throws where an expression asks for grouping sets that are not there. */
export function refuseGrouping(roots: readonly ResolvedExpr[]): void {
  for (const root of roots) {
    for (const e of walkExpr(root)) {
      if (e.kind !== "call" || (e.name !== "grouping" && e.name !== "grouping_id")) continue;
      throw new MillraceError(
        "UNSUPPORTED_GROUPING_EXPRESSION",
        `${e.name}() can only be used with GROUPING SETS, CUBE or ROLLUP.`,
      );
    }
  }
}
