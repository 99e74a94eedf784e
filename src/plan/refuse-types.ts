import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { isOrderable } from "./coercion.ts";
import type { Field, ResolvedExpr } from "./resolved.ts";

/** Maps have no order: nothing is sorted by them. */
export function refuseUnordered(expr: ResolvedExpr): void {
  if (isOrderable(expr.type)) return;
  const type = `"${sqlName(expr.type)}"`;
  throw new MillraceError(
    "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    `Cannot sort by a value of the type ${type}, which has no order.`,
    {
      hint: "Sort by an array of its entries, map_entries.",
      parameters: { functionName: "sortorder", dataType: type },
    },
  );
}

/** Rows with maps cannot be told apart by set operations and deduplication, as in Spark. */
export function refuseMaps(fields: readonly Field[]): void {
  const field = fields.find((f) => hasMap(f.type));
  if (field === undefined) return;
  throw new MillraceError(
    "UNSUPPORTED_FEATURE",
    `Set operations (INTERSECT, EXCEPT, DISTINCT and others) cannot take the column \`${field.name}\`, which has the type "${sqlName(field.type)}".`,
    { hint: "Leave the column out, or compare an array of its entries, map_entries." },
  );
}

function hasMap(type: DataType): boolean {
  switch (type.kind) {
    case "map":
      return true;
    case "array":
      return hasMap(type.elementType);
    case "struct":
      return type.fields.some((f) => hasMap(f.type));
    default:
      return false;
  }
}
