import { MillraceError } from "../errors.ts";
import type { DataType } from "./data-type.ts";
import { sqlName } from "./ddl.ts";
import { show } from "./show.ts";

/** A value that a column cannot hold: INVALID_VALUE, with the form that its type has in TypeScript. */
export function invalidValue(column: string, value: unknown, type: DataType, why?: string): MillraceError {
  return new MillraceError(
    "INVALID_VALUE",
    `Column \`${column}\` cannot hold ${show(value)}: its type is ${sqlName(type)}.`,
    { hint: why ?? HINTS[type.kind], parameters: { column, value: show(value), type: sqlName(type) } },
  );
}

const HINTS: Partial<Record<DataType["kind"], string>> = {
  long: "A `long` is a bigint, such as 5n.",
  decimal: "A `decimal` is a string, such as '12.50', with no more digits than its precision.",
  date: "A `date` is a Date.",
  timestamp: "A `timestamp` is a Date.",
  timestamp_ntz: "A `timestamp_ntz` is a Date.",
  binary: "A `binary` is a Uint8Array.",
  map: "A `map` is a Map.",
};
