import type { DataType } from "./data-type.ts";

/**
 * DuckDB SQL of a value that DuckDB orders as Spark orders `sql`: within a struct or an array Spark puts a null before all else, DuckDB
 * behind. A null itself stays null. Values without nulls inside of them are their own key.
 *
 * @example orderKey("r", { kind: "struct", fields: [{ name: "x", type: { kind: "integer" }, nullable: true }] })
 */
export function orderKey(sql: string, type: DataType): string {
  return hasNulls(type) ? keyOf(sql, type, 0) : sql;
}

/** The keys of two values of one type that are compared, of which only one may have nulls inside of it. */
export function orderKeys(a: string, b: string, left: DataType, right: DataType): readonly [string, string] {
  return hasNulls(left) || hasNulls(right) ? [keyOf(a, left, 0), keyOf(b, right, 0)] : [a, b];
}

/** Whether values of the type can hold nulls inside of them, so that their own order is not Spark's. */
export function hasNulls(type: DataType): boolean {
  if (type.kind === "array") return type.containsNull || hasNulls(type.elementType);
  if (type.kind === "struct") return type.fields.some((f) => f.nullable || hasNulls(f.type));
  return false;
}

const withFlag = (v: string, type: DataType, depth: number): string =>
  `struct_pack(n := ${v} IS NOT NULL, v := ${keyOf(v, type, depth)})`;

/** The value is bound once, so that the text does not grow with the depth. */
function keyOf(sql: string, type: DataType, depth: number): string {
  const e = `order_key_${depth}`;
  if (type.kind === "array") {
    return `list_transform(${sql}, lambda ${e}: ${withFlag(e, type.elementType, depth + 1)})`;
  }
  if (type.kind !== "struct") return sql;
  const fields = type.fields.map(
    (f, i) => `f${i} := ${withFlag(`struct_extract(${e}, '${f.name.replaceAll("'", "''")}')`, f.type, depth + 1)}`,
  );
  return `list_transform([${sql}], lambda ${e}: CASE WHEN ${e} IS NOT NULL THEN struct_pack(${fields.join(", ")}) END)[1]`;
}

/** The type of `orderKey`. */
export function orderKeyType(type: DataType): DataType {
  return hasNulls(type) ? typeOfKey(type) : type;
}

function typeOfKey(type: DataType): DataType {
  const flagged = (t: DataType): DataType => ({
    kind: "struct",
    fields: [
      { name: "n", type: { kind: "boolean" }, nullable: false },
      { name: "v", type: typeOfKey(t), nullable: true },
    ],
  });
  if (type.kind === "array") return { kind: "array", elementType: flagged(type.elementType), containsNull: false };
  if (type.kind !== "struct") return type;
  return {
    kind: "struct",
    fields: type.fields.map((f, i) => ({ name: `f${i}`, type: flagged(f.type), nullable: false })),
  };
}
