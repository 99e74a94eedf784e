import type { DataType, StructField, StructType } from "../types/data-type.ts";

/** What the values of a place in JSON were so far: a type, or nothing yet. */
type Seen = DataType | undefined;

/**
 * The schema of JSON texts by some of them, as Spark infers it: whole numbers are long, others double, what has several types is string.
 * Undefined when none of them is an object.
 */
export function inferJsonSchema(texts: Iterable<string>): StructType | undefined {
  let seen: Seen;
  for (const text of texts) {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      continue; // from_json makes null of it
    }
    if (typeof value === "object" && value !== null && !Array.isArray(value)) seen = merged(seen, typeOf(value));
  }
  const type = finished(seen);
  return type.kind === "struct" && type.fields.length > 0 ? type : undefined;
}

function typeOf(value: unknown): Seen {
  switch (typeof value) {
    case "boolean":
      return { kind: "boolean" };
    case "number":
      return Number.isInteger(value) ? { kind: "long" } : { kind: "double" };
    case "string":
      return { kind: "string" };
    case "object":
      break;
    default:
      return undefined;
  }
  if (value === null) return undefined;
  if (Array.isArray(value)) {
    const elementType = value.map(typeOf).reduce(merged, undefined) ?? { kind: "null" };
    return { kind: "array", elementType, containsNull: true };
  }
  const fields = Object.entries(value).map(([name, v]) => ({ name, type: typeOf(v) ?? NULL, nullable: true }));
  return { kind: "struct", fields };
}

const NULL: DataType = { kind: "null" };
const STRING: DataType = { kind: "string" };

function merged(a: Seen, b: Seen): Seen {
  if (a === undefined || a.kind === "null") return b ?? a;
  if (b === undefined || b.kind === "null") return a;
  if (a.kind === "struct" && b.kind === "struct") return mergedStructs(a, b);
  if (a.kind === "array" && b.kind === "array") {
    return { kind: "array", elementType: merged(a.elementType, b.elementType)!, containsNull: true };
  }
  if (a.kind === b.kind) return a;
  const numbers = new Set([a.kind, b.kind]);
  return numbers.has("long") && numbers.has("double") ? { kind: "double" } : STRING;
}

function mergedStructs(a: StructType, b: StructType): StructType {
  const fields = new Map<string, StructField>(a.fields.map((f) => [f.name, f]));
  for (const field of b.fields) {
    const before = fields.get(field.name);
    fields.set(field.name, before === undefined ? field : { ...before, type: merged(before.type, field.type)! });
  }
  return { kind: "struct", fields: [...fields.values()] };
}

/** What was null everywhere is string, as in Spark; objects without members too. */
function finished(seen: Seen): DataType {
  if (seen === undefined || seen.kind === "null") return STRING;
  if (seen.kind === "array") return { ...seen, elementType: finished(seen.elementType) };
  if (seen.kind !== "struct") return seen;
  return { kind: "struct", fields: seen.fields.map((f) => ({ ...f, type: finished(f.type) })) };
}
