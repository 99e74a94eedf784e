import { MillraceError } from "../errors.ts";
import type { StructField } from "../types/data-type.ts";
import { quoted } from "./names.ts";
import type { SameName } from "./scope.ts";

/** The field of a struct that a name means. */
export function structField(same: SameName, fields: readonly StructField[], name: string): StructField {
  const found = fields.filter((f) => same(f.name, name));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new MillraceError("AMBIGUOUS_REFERENCE", `Ambiguous reference to the struct field ${quoted(name)}.`, {
      parameters: { name: quoted(name) },
    });
  }
  const names = fields.map((f) => quoted(f.name)).join(", ");
  throw new MillraceError("FIELD_NOT_FOUND", `No such struct field ${quoted(name)} in ${names}.`, {
    parameters: { fieldName: quoted(name), fields: names },
  });
}
