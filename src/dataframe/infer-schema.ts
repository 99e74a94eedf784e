import { MillraceError } from "../errors.ts";
import { commonType } from "../plan/coercion.ts";
import type { DataType, StructField, StructType } from "../types/data-type.ts";
import { literal } from "./literal.ts";

/** Columns and types from the rows themselves; a column may be null in some of them. */
export function inferSchema(rows: readonly any[]): StructType {
  if (rows.length === 0) {
    throw new MillraceError("INVALID_SCHEMA", "Rows without a schema must not be empty.", {
      hint: "Give a schema: createDataFrame([], schema({...})).",
    });
  }
  const fields = new Map<string, StructField>();
  for (const [i, row] of rows.entries()) {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new MillraceError("INVALID_SCHEMA", `Row ${i + 1} is not an object, so its columns have no names.`, {
        hint: 'Give objects, or name the columns in a schema such as "a INT, b STRING".',
      });
    }
    for (const [name, value] of Object.entries(row)) {
      const before = fields.get(name);
      const type = inferType(value);
      const common = before ? commonType(before.type, type) : type;
      if (
        common === undefined ||
        (before &&
          (before.type.kind === "string") !== (type.kind === "string") &&
          type.kind !== "null" &&
          before.type.kind !== "null")
      ) {
        throw new MillraceError("INVALID_SCHEMA", `The column "${name}" has values of different types.`, {
          hint: "Give a schema.",
        });
      }
      fields.set(name, { name, type: common, nullable: true });
    }
  }
  return {
    kind: "struct",
    fields: [...fields.values()].map((f) => ({ ...f, type: f.type.kind === "null" ? { kind: "string" } : f.type })),
  };
}

function inferType(value: unknown): DataType {
  if (value === undefined) return { kind: "null" };
  if (Array.isArray(value)) {
    const elementType = value.map(inferType).reduce<DataType>((a, b) => commonType(a, b) ?? a, { kind: "null" });
    return { kind: "array", elementType, containsNull: true };
  }
  if (value instanceof Map) {
    const keyType = [...value.keys()]
      .map(inferType)
      .reduce<DataType>((a, b) => commonType(a, b) ?? a, { kind: "null" });
    const valueType = [...value.values()]
      .map(inferType)
      .reduce<DataType>((a, b) => commonType(a, b) ?? a, { kind: "null" });
    return { kind: "map", keyType, valueType, valueContainsNull: true };
  }
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return {
      kind: "struct",
      fields: Object.entries(value).map(([name, v]) => ({ name, type: inferType(v), nullable: true })),
    };
  }
  const { type } = literal(value);
  // A number that is no int is a double; long is what a bigint is.
  return typeof value === "number" && type.kind === "long" ? { kind: "double" } : type;
}
