import { MillraceError } from "../errors.ts";
import type { StructType } from "./data-type.ts";

/** The first column whose name was there before it, in any case; undefined when there is none. */
export function repeatedColumn(schema: StructType): string | undefined {
  const seen = new Set<string>();
  for (const { name } of schema.fields) {
    if (seen.has(name.toLowerCase())) return name;
    seen.add(name.toLowerCase());
  }
  return undefined;
}

/** Throws COLUMN_ALREADY_EXISTS for rows that cannot be written as they are named. */
export function refuseRepeatedColumns(schema: StructType): void {
  const repeated = repeatedColumn(schema);
  if (repeated === undefined) return;
  throw new MillraceError("COLUMN_ALREADY_EXISTS", `The column \`${repeated}\` already exists.`, {
    hint: "Choose another name or rename the existing column.",
    parameters: { columnName: `\`${repeated}\`` },
  });
}
