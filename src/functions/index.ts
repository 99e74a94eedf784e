import type { FunctionCatalog } from "../plan/resolved.ts";
import { aggregateFunctions } from "./aggregate.ts";
import { arrayFunctions } from "./array.ts";
import { bitwiseFunctions } from "./bitwise.ts";
import { collectionFunctions } from "./collection.ts";
import { conditionalFunctions } from "./conditional.ts";
import { csvFunctions } from "./csv.ts";
import { datetimeFunctions } from "./datetime.ts";
import { extractFunctions } from "./datetime-extract.ts";
import { formatFunctions } from "./datetime-format.ts";
import { makeFunctions } from "./datetime-make.ts";
import { zoneFunctions } from "./datetime-zone.ts";
import type { FunctionDef } from "./define.ts";
import { generatorFunctions } from "./generator.ts";
import { hashFunctions } from "./hash.ts";
import { higherOrderFunctions } from "./higher-order.ts";
import { jsonFunctions } from "./json.ts";
import { mapFunctions } from "./map.ts";
import { mathFunctions } from "./math.ts";
import { castFunctions, miscFunctions } from "./misc.ts";
import { operators } from "./operator.ts";
import { predicateFunctions } from "./predicate.ts";
import { randomFunctions } from "./random.ts";
import { regexFunctions } from "./regex.ts";
import { sequenceFunctions } from "./sequence.ts";
import { stringFunctions } from "./string.ts";
import { textFormatFunctions } from "./text-format.ts";
import { urlFunctions } from "./url.ts";
import { vectorFunctions } from "./vector.ts";
import { windowFunctions } from "./window.ts";

const families: readonly (readonly FunctionDef[])[] = [
  operators,
  predicateFunctions,
  bitwiseFunctions,
  conditionalFunctions,
  mathFunctions,
  randomFunctions,
  stringFunctions,
  textFormatFunctions,
  regexFunctions,
  datetimeFunctions,
  extractFunctions,
  formatFunctions,
  makeFunctions,
  zoneFunctions,
  arrayFunctions,
  collectionFunctions,
  sequenceFunctions,
  vectorFunctions,
  mapFunctions,
  higherOrderFunctions,
  jsonFunctions,
  csvFunctions,
  hashFunctions,
  urlFunctions,
  castFunctions,
  miscFunctions,
  aggregateFunctions,
  windowFunctions,
  generatorFunctions,
];

/** The function table by canonical name. A resolved `call` carries such a name. */
export const functions: ReadonlyMap<string, FunctionDef> = new Map(families.flat().map((f) => [f.name, f]));

const byName = new Map<string, FunctionDef>();
for (const f of functions.values()) for (const name of [f.name, ...f.aliases]) byName.set(name.toLowerCase(), f);

/** Look-up by name or alias, in any case, as Spark does. */
export const catalog: FunctionCatalog = Object.freeze({
  lookup: (name: string) => byName.get(name.toLowerCase()),
  names: () => [...byName].filter(([, f]) => !f.internal).map(([name]) => name),
});

export { FUNCTION_PREFIX, type FunctionDef, type NativeFunction, type SqlTypes } from "./define.ts";
