import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import type { FunctionCatalog, FunctionSignature } from "./resolved.ts";

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
