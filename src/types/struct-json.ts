import { MillraceError } from "../errors.ts";
import type { AtomicKind, DataType, StructField, StructType } from "./data-type.ts";
import { intervalFields, intervalType } from "./interval-type.ts";

/** A type in Spark's JSON form, as Delta's `schemaString` holds it. */
export type SparkJson =
  | string
  | { readonly type: "array"; readonly elementType: SparkJson; readonly containsNull: boolean }
  | {
      readonly type: "map";
      readonly keyType: SparkJson;
      readonly valueType: SparkJson;
      readonly valueContainsNull: boolean;
    }
  | { readonly type: "struct"; readonly fields: readonly SparkJsonField[] };

export interface SparkJsonField {
  readonly name: string;
  readonly type: SparkJson;
  readonly nullable: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const NAMES: Record<Exclude<AtomicKind, "interval_day_time" | "interval_year_month">, string> = {
  null: "void",
  boolean: "boolean",
  byte: "byte",
  short: "short",
  integer: "integer",
  long: "long",
  float: "float",
  double: "double",
  string: "string",
  binary: "binary",
  date: "date",
  timestamp: "timestamp",
  timestamp_ntz: "timestamp_ntz",
  interval: "interval",
};
const KINDS = new Map(Object.entries(NAMES).map(([kind, name]) => [name, kind as keyof typeof NAMES]));

/** The JSON value of a type; `JSON.stringify(toSparkJson(schema))` is a Delta `schemaString`. */
export function toSparkJson(type: DataType): SparkJson {
  switch (type.kind) {
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "array":
      return { type: "array", elementType: toSparkJson(type.elementType), containsNull: type.containsNull };
    case "map":
      return {
        type: "map",
        keyType: toSparkJson(type.keyType),
        valueType: toSparkJson(type.valueType),
        valueContainsNull: type.valueContainsNull,
      };
    case "struct":
      return {
        type: "struct",
        fields: type.fields.map((f) => ({
          name: f.name,
          type: toSparkJson(f.type),
          nullable: f.nullable,
          metadata: f.metadata ?? {},
        })),
      };
    case "interval_day_time":
    case "interval_year_month":
      return `interval ${intervalFields(type)}`;
    default:
      return NAMES[type.kind];
  }
}

/** Reads a type from Spark's JSON, given as text or parsed. Throws UNSUPPORTED_DATATYPE or INVALID_SCHEMA. */
export function fromSparkJson(json: unknown): DataType {
  if (typeof json === "string") {
    if (json.startsWith("{") || json.startsWith('"')) return fromSparkJson(JSON.parse(json));
    const kind = KINDS.get(json) ?? (json === "null" ? "null" : undefined);
    if (kind) return { kind };
    const interval = /^interval (\w+)(?: to (\w+))?$/.exec(json);
    const ranged = interval && intervalType(interval[1]!, interval[2] ?? interval[1]!);
    if (ranged) return ranged;
    if (json === "decimal") return { kind: "decimal", precision: 10, scale: 0 };
    const decimal = /^decimal\(\s*(\d+)\s*,\s*(-?\d+)\s*\)$/.exec(json);
    if (decimal) return { kind: "decimal", precision: Number(decimal[1]), scale: Number(decimal[2]) };
    if (/^(varchar|char)\(\d+\)$/.test(json)) return { kind: "string" };
    throw new MillraceError("UNSUPPORTED_DATATYPE", `Unsupported data type "${json}" in a schema's JSON.`, {
      parameters: { typeName: json },
    });
  }
  const o = json as Record<string, unknown> | null;
  switch (o?.type) {
    case "array":
      return {
        kind: "array",
        elementType: fromSparkJson(o.elementType),
        containsNull: o.containsNull !== false,
      };
    case "map":
      return {
        kind: "map",
        keyType: fromSparkJson(o.keyType),
        valueType: fromSparkJson(o.valueType),
        valueContainsNull: o.valueContainsNull !== false,
      };
    case "struct":
      if (Array.isArray(o.fields)) return { kind: "struct", fields: o.fields.map(field) };
  }
  throw new MillraceError("INVALID_SCHEMA", `Not a type in Spark's JSON form: ${JSON.stringify(json)?.slice(0, 200)}.`);
}

/** Reads a StructType from Spark's JSON. */
export function structFromSparkJson(json: unknown): StructType {
  const type = fromSparkJson(json);
  if (type.kind === "struct") return type;
  throw new MillraceError("INVALID_SCHEMA", "The schema's JSON is not a struct.");
}

function field(json: any): StructField {
  const metadata = json.metadata as Record<string, unknown> | undefined;
  return {
    name: String(json.name),
    type: fromSparkJson(json.type),
    nullable: json.nullable !== false,
    ...(metadata && Object.keys(metadata).length > 0 && { metadata }),
  };
}
