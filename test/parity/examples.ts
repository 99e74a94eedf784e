import { functions } from "../../src/functions/index.ts";
import { parseDdl } from "../../src/types/ddl.ts";
import type { Expression } from "./judge.ts";

/** The example of every function in the table, as a case. */
export function exampleCases(): Expression[] {
  return [...functions.values()]
    .filter((f) => !f.nondeterministic)
    .map((f) => {
      const { sql, values } = f.example;
      const on = values && { schema: parseDdl(values.schema), rows: values.rows };
      return { family: f.family, sql, on, tolerance: 1e-12 };
    });
}
