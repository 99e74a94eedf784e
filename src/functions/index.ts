import type { FunctionCatalog } from "../plan/resolved.ts";
import { aggregateFunctions } from "./aggregate.ts";
import { conditionalFunctions } from "./conditional.ts";
import { datetimeFunctions } from "./datetime.ts";
import type { FunctionDef } from "./define.ts";
import { jsonFunctions } from "./json.ts";
import { operators } from "./operator.ts";
import { stringFunctions } from "./string.ts";

const families: readonly (readonly FunctionDef[])[] = [
  operators,
  conditionalFunctions,
  stringFunctions,
  datetimeFunctions,
  jsonFunctions,
  aggregateFunctions,
];

/** The function table by canonical name. A resolved `call` carries such a name. */
export const functions: ReadonlyMap<string, FunctionDef> = new Map(families.flat().map((f) => [f.name, f]));

const byName = new Map<string, FunctionDef>();
for (const f of functions.values()) for (const name of [f.name, ...f.aliases]) byName.set(name.toLowerCase(), f);

/** Look-up by name or alias, in any case, as Spark does. */
export const catalog: FunctionCatalog = Object.freeze({
  lookup: (name: string) => byName.get(name.toLowerCase()),
  names: () => byName.keys(),
});

export type { AggregateDef, FunctionDef, FunctionExample, SqlTypes, StateColumn } from "./define.ts";
